/* SPDX-License-Identifier: MIT */
/*
 * ipc_msg.c: every message of the two lists, by the lists themselves: round
 * trips with edge values, bodies that are too short, too long or lie about a
 * length, random bodies, directions and names.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"

#define ROUNDS 16 /* edge values of a message */

static char big[70000];

/* Edge value number i; any i. */
static uint64_t
edge_uint(unsigned i)
{
	static const uint64_t edges[] = { 0, 1, UINT64_MAX, 0x7f, 0x80, 0xff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x0123456789abcdef,
		(uint64_t)1 << 63 };

	return edges[i % nitems(edges)];
}

static struct str
edge_str(unsigned i)
{
	switch (i % 6) {
	case 0:
		return S("");
	case 1:
		return S("a");
	case 2:
		return S("\0\xff\n\"\x01");
	case 3:
		return (struct str){ NULL, 0 };
	case 4:
		return str_make(big, 300);
	default:
		return str_make(big, sizeof(big));
	}
}

/*
 * The same walk over every list, each time with other macros.  fill_x() puts
 * edge values into a message, same_x() compares two.
 */
/* clang-format off */
#define MSG(name, NAME, sender) \
static void \
fill_##name(struct msg_##name *m, unsigned i) \
{ \
	memset(m, 0, sizeof(*m));
#define U8(f) m->f = (uint8_t)edge_uint(i++);
#define U32(f) m->f = (uint32_t)edge_uint(i++);
#define U64(f) m->f = edge_uint(i++);
#define STR(f) m->f = edge_str(i++);
#define END(name) (void)i; }
#include "shared/ipc/ipc_msgs.def"

#define MSG(name, NAME, sender) \
static void \
same_##name(const struct msg_##name *a, const struct msg_##name *b) \
{
#define U8(f) assert_int_equal(a->f, b->f);
#define U32(f) assert_int_equal(a->f, b->f);
#define U64(f) assert_int_equal(a->f, b->f);
#define STR(f) assert_true(str_eq(a->f, b->f));
#define END(name) }
#include "shared/ipc/ipc_msgs.def"

/* One row for each message: what the tests need, without its type. */
struct codec {
	const char *name;
	uint32_t type;
	unsigned sender;
	char *(*encode)(unsigned round, size_t *n);
	void (*round_trip)(unsigned round);
	int (*decode)(struct str body);
	/* decodes; when that works, what it encodes to must be `body` */
	bool (*canonical)(struct str body);
};

#define MSG(name, NAME, sender) \
static char * \
encode_##name(unsigned round, size_t *n) \
{ \
	struct msg_##name m; \
	char *p; \
	fill_##name(&m, round); \
	*n = msg_##name##_size(&m); \
	p = xmalloc(*n); \
	msg_##name##_put(p, &m); \
	return p; \
} \
static int \
decode_##name(struct str body) \
{ \
	struct msg_##name m; \
	return msg_##name##_get(&m, body); \
} \
static void \
round_trip_##name(unsigned round) \
{ \
	struct msg_##name in, out; \
	size_t n; \
	char *p = encode_##name(round, &n); \
	memset(&out, 0x55, sizeof(out)); \
	assert_int_equal(msg_##name##_get(&out, \
	    str_make(p + IPC_HEAD, n - IPC_HEAD)), 0); \
	fill_##name(&in, round); \
	same_##name(&in, &out); \
	free(p); \
} \
static bool \
canonical_##name(struct str body) \
{ \
	struct msg_##name m; \
	char *p; \
	if (msg_##name##_get(&m, body) == -1) \
		return false; \
	assert_int_equal(msg_##name##_size(&m), body.n + IPC_HEAD); \
	p = xmalloc(body.n + IPC_HEAD); \
	msg_##name##_put(p, &m); \
	assert_true(str_eq(str_make(p + IPC_HEAD, body.n), body)); \
	free(p); \
	return true; \
}
#include "shared/ipc/ipc_msgs.def"

static const struct codec codecs[] = {
#define MSG(name, NAME, sender) \
	{ #NAME, IPC_##NAME, sender, encode_##name, round_trip_##name, \
	    decode_##name, canonical_##name },
#include "shared/ipc/ipc_msgs.def"
};
/* clang-format on */

static void
round_trips(void **state)
{
	uint32_t length, type;
	unsigned round;
	size_t i, n;
	char *p;

	(void)state;
	assert_int_equal(nitems(codecs), IPC_NTYPES - 1);
	for (i = 0; i < nitems(codecs); i++) {
		for (round = 0; round < ROUNDS; round++) {
			p = codecs[i].encode(round, &n);
			memcpy(&length, p, 4);
			memcpy(&type, p + 4, 4);
			assert_int_equal(length, n - 4);
			assert_int_equal(type, codecs[i].type);
			assert_true(codecs[i].canonical(
			    str_make(p + IPC_HEAD, n - IPC_HEAD)));
			free(p);
			codecs[i].round_trip(round);
		}
	}
}

/* Each shorter body, in memory of just that size, is refused. */
static void
truncated(void **state)
{
	size_t i, n, len, step;
	unsigned round;
	char *p, *body;

	(void)state;
	for (i = 0; i < nitems(codecs); i++) {
		for (round = 0; round < ROUNDS; round++) {
			p = codecs[i].encode(round, &n);
			n -= IPC_HEAD;
			/* of the big ones the ends and a sample */
			for (len = 0; len < n; len += step) {
				step = n < 4000 || len < 500 || n - len < 500
				    ? 1
				    : MIN(499, n - len - 499);
				body = xmalloc(len);
				memcpy(body, p + IPC_HEAD, len);
				assert_int_equal(
				    codecs[i].decode(str_make(body, len)), -1);
				free(body);
			}
			free(p);
		}
	}
}

static void
too_long(void **state)
{
	static const size_t more[] = { 1, 2, 3, 4, 5, 7, 8, 9, 64, 1000 };
	size_t i, j, n;
	unsigned round;
	char *p, *body;
	int fill;

	(void)state;
	for (i = 0; i < nitems(codecs); i++) {
		for (round = 0; round < ROUNDS; round++) {
			p = codecs[i].encode(round, &n);
			n -= IPC_HEAD;
			for (j = 0; j < 2 * nitems(more); j++) {
				fill = j % 2 == 0 ? 0 : 0xff;
				body = xmalloc(n + more[j / 2]);
				memcpy(body, p + IPC_HEAD, n);
				memset(body + n, fill, more[j / 2]);
				assert_int_equal(codecs[i].decode(str_make(
						     body, n + more[j / 2])),
				    -1);
				free(body);
			}
			free(p);
		}
	}
}

/*
 * Any four bytes may be the length of a STR.  With any huge value the
 * decoder stays inside, and a message that it takes is what it would write.
 */
static void
lying_lengths(void **state)
{
	static const uint32_t lies[] = { UINT32_MAX, UINT32_MAX - 3, 0x80000000,
		0x7fffffff, 0x10000, 1, 0 };
	size_t i, j, n, at;
	unsigned round;
	char *p, *body;

	(void)state;
	for (i = 0; i < nitems(codecs); i++) {
		for (round = 0; round < ROUNDS; round++) {
			p = codecs[i].encode(round, &n);
			n -= IPC_HEAD;
			body = xmalloc(n);
			for (at = 0; n >= 4 && at <= MIN(n - 4, 400); at++) {
				for (j = 0; j < nitems(lies); j++) {
					memcpy(body, p + IPC_HEAD, n);
					memcpy(body + at, &lies[j], 4);
					codecs[i].canonical(str_make(body, n));
				}
			}
			free(body);
			free(p);
		}
	}
}

/* Random bodies with many zeros, so that some of them are messages. */
static void
random_bodies(void **state)
{
	unsigned seed = 1, round, taken = 0;
	size_t i, j, n;
	char *body;

	(void)state;
	for (i = 0; i < nitems(codecs); i++) {
		for (round = 0; round < 3000; round++) {
			seed = seed * 1103515245 + 12345;
			n = (seed >> 16) % 64;
			body = xmalloc(n);
			for (j = 0; j < n; j++) {
				seed = seed * 1103515245 + 12345;
				body[j] = (seed >> 28) != 0
				    ? 0
				    : (char)(seed >> 16 & 7);
			}
			taken += codecs[i].canonical(str_make(body, n));
			free(body);
		}
	}
	assert_true(taken > 100);
}

static void
names_and_directions(void **state)
{
	static const enum ipc_sender senders[] = { FROM_WORKER, FROM_BROKER,
		FROM_CTL, TO_CTL, FROM_COURIER };
	static const uint32_t unknown[] = { IPC_NONE, IPC_NTYPES,
		IPC_NTYPES + 1, 0x80000000, UINT32_MAX };
	size_t i, j;

	(void)state;
	for (i = 0; i < nitems(codecs); i++) {
		assert_string_equal(ipc_name(codecs[i].type), codecs[i].name);
		for (j = 0; j < nitems(senders); j++)
			assert_int_equal(
			    ipc_may_send(codecs[i].type, senders[j]),
			    (codecs[i].sender & senders[j]) != 0);
	}
	for (i = 0; i < nitems(unknown); i++) {
		assert_string_equal(ipc_name(unknown[i]), "?");
		for (j = 0; j < nitems(senders); j++)
			assert_false(ipc_may_send(unknown[i], senders[j]));
	}
}

/* Written down once more, because these are what the processes rely on. */
static void
each_sender_has_its_messages(void **state)
{
	static const struct {
		uint32_t type;
		bool worker, broker, ctl, to_ctl;
	} rows[] = {
		{ IPC_CTL_HELLO, false, false, true, false },
		{ IPC_CTL_ASK, false, false, true, false },
		{ IPC_CTL_ROW, false, false, false, true },
		{ IPC_CTL_END, false, false, false, true },
		{ IPC_HELLO, true, false, false, false },
		{ IPC_APP_SET, false, true, false, false },
		{ IPC_APP_DEL, false, true, false, false },
		{ IPC_SUB, true, false, false, false },
		{ IPC_SUB_DONE, false, true, false, false },
		{ IPC_EVENT, true, true, false, false },
		{ IPC_ACK, false, true, false, false },
		{ IPC_QUERY, true, false, false, false },
		{ IPC_REPLY, false, true, false, false },
		{ IPC_PING, true, true, false, false },
		{ IPC_SIGNIN, true, false, false, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		assert_int_equal(
		    ipc_may_send(rows[i].type, FROM_WORKER), rows[i].worker);
		assert_int_equal(
		    ipc_may_send(rows[i].type, FROM_BROKER), rows[i].broker);
		assert_int_equal(
		    ipc_may_send(rows[i].type, FROM_CTL), rows[i].ctl);
		assert_int_equal(
		    ipc_may_send(rows[i].type, TO_CTL), rows[i].to_ctl);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(truncated),
		cmocka_unit_test(too_long),
		cmocka_unit_test(lying_lengths),
		cmocka_unit_test(random_bodies),
		cmocka_unit_test(names_and_directions),
		cmocka_unit_test(each_sender_has_its_messages),
	};

	memset(big, 'b', sizeof(big));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
