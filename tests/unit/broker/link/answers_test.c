/* SPDX-License-Identifier: MIT */
/* answers.c: long answers wait for room, and connections take turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/channel/subscribe.h"
#include "broker/core/budget.h"
#include "broker/link/answers.h"
#include "tests/unit/broker/links.h"

#define INFO 60000 /* bytes of each member */

static const char *const settings[] = { "max_presence_members", "9999",
	"max_presence_member_bytes", "1048576", NULL };

/* Is anything held for an app? */
static bool
is_booked(struct links *l)
{
	uint32_t app;

	budget_set(l->br.budget, 64); /* a few bytes are much */
	return budget_payer(l->br.budget, &app);
}

/* One message in pieces, while the broker turns; nothing is read back. */
static void
push(struct links *l, unsigned slot, const struct msg_sub *m)
{
	size_t n = msg_sub_size(m), off = 0;
	char *p = xmalloc(n);

	msg_sub_put(p, m);
	while (off < n) {
		ssize_t r = send(l->fd[slot], p + off, n - off, MSG_DONTWAIT);

		if (r > 0)
			off += (size_t)r;
		else
			links_turn(l);
	}
	free(p);
}

/* Enters the channel; worker 0 does not read. */
static void
enter(struct links *l, uint64_t sid, uint64_t seq, struct str channel,
    struct str info)
{
	struct msg_sub m = { .app = 1,
		.sid = sid,
		.ref = (uint32_t)sid,
		.seq = seq,
		.channel = channel };
	char id[24];

	if (info.n > 0) {
		snprintf(id, sizeof(id), "u%u", (unsigned)sid);
		m.user_id = str_of(id);
		m.user_info = info;
	}
	push(l, 0, &m);
}

/* A channel of twenty members of 60 KB: its list is larger than the room. */
static void
fill(struct links *l, uint64_t *seq)
{
	char *info = xmalloc(INFO);

	memset(info, '1', INFO);
	for (uint64_t sid = 1; sid <= 20; sid++)
		enter(l, sid, ++*seq, S("presence-a"), str_make(info, INFO));
	free(info);
	links_turn(l);
}

/* Is there a whole message? */
static bool
has_message(const struct links *l)
{
	const struct buf *b = l->in[0];
	uint32_t len, n = b == NULL ? 0 : b->len - l->at[0];

	if (n < IPC_HEAD)
		return false;
	memcpy(&len, b->data + l->at[0], 4);
	return n >= len + 4;
}

/* The next message to worker 0, which reads; what has been read is forgotten.
 */
static bool
next(struct links *l, struct said *s)
{
	for (int i = 0; i < 100 && !has_message(l); i++) {
		links_turn(l);
		links_read(l, 0);
	}
	if (!has_message(l))
		return false;
	if (l->at[0] > 1 << 20) {
		memmove(l->in[0]->data, l->in[0]->data + l->at[0],
		    l->in[0]->len - l->at[0]);
		l->in[0]->len -= l->at[0];
		l->at[0] = 0;
	}
	return links_next_any(l, 0, s);
}

/*
 * Each of many newcomers of one channel is owed a long list: more than may be
 * queued, but nobody is dropped for it, and each gets one.
 */
static void
long_answers_wait_for_room(void **state)
{
	enum { N = 300 };
	struct links *l = links_new(settings);
	unsigned answered = 0;
	struct msg_sub_done done;
	struct said s;
	char info[300];

	(void)state;
	memset(info, '1', sizeof(info));
	for (uint64_t sid = 1; sid <= N; sid++)
		enter(l, sid, 0, S("presence-a"), str_make(info, sizeof(info)));
	links_turn(l);
	assert_in_range(
	    outq_bytes(&l->br.peers[0]->ipc.out), 1, PEER_ROOM + (1 << 20));
	assert_true(l->br.peers[0]->answers.bytes > 0);
	while (next(l, &s))
		if (s.type == IPC_SUB_DONE) {
			assert_int_equal(msg_sub_done_get(&done, s.body), 0);
			assert_int_equal(done.sid, ++answered);
		}
	assert_int_equal(answered, N);
	assert_int_equal(l->br.peers[0]->answers.bytes, 0);
	links_free(l);
}

/* Sixteen questions of one connection, then one of another: it is second. */
static void
s2_connections_take_turns(void **state)
{
	struct links *l = links_new(settings);
	uint64_t seq = 0, order[20];
	struct msg_sub_done done;
	struct msg_event e;
	unsigned n = 0, event_at = 99;
	struct said s;

	(void)state;
	fill(l, &seq);
	while (next(l, &s))
		;
	for (int i = 0; i < 16; i++)
		SEND(l, 0, sub_again, .app = 1, .sid = 1, .ref = 1, .stamp = 1,
		    .channel = S("presence-a"));
	enter(l, 77, ++seq, S("other"), S(""));
	SEND(l, 1, event, .origin = 2, .seq = 1, .app = 1,
	    .channel = S("presence-a"), .frame = S("x"));
	links_turn(l);
	assert_true(l->br.peers[0]->answers.bytes > 0);
	while (next(l, &s)) {
		if (s.type == IPC_EVENT) {
			assert_int_equal(msg_event_get(&e, s.body), 0);
			event_at = n;
		}
		if (s.type != IPC_SUB_DONE)
			continue;
		assert_int_equal(msg_sub_done_get(&done, s.body), 0);
		order[n++] = done.sid;
	}
	assert_int_equal(n, 17);
	assert_true(order[1] == 77 || order[2] == 77);
	assert_in_range(event_at, 0, 2);
	links_free(l);
}

/* The worker keeps what is not answered, and forgets what is. */
static void
s2_a_deferred_message_is_not_acknowledged(void **state)
{
	struct links *l = links_new(settings);
	uint64_t seq = 0, acked = 0;
	struct msg_ack ack;
	struct said s;

	(void)state;
	fill(l, &seq);
	links_wait(l, 0.05);
	assert_true(l->br.peers[0]->answers.owed > 1);
	assert_in_range(
	    l->br.peers[0]->acked, 0, l->br.peers[0]->answers.owed - 1);
	for (int i = 0; i < 200 && acked < seq; i++) {
		links_wait(l, 0.005);
		while (next(l, &s))
			if (s.type == IPC_ACK) {
				assert_int_equal(msg_ack_get(&ack, s.body), 0);
				assert_true(ack.seq >= acked);
				acked = ack.seq;
			}
	}
	assert_int_equal(acked, seq);
	assert_int_equal(l->br.peers[0]->answers.owed, 0);
	links_free(l);
}

/* A client that has left again gets an empty answer: no list, and no roster
 * with it. */
static void
s2_a_client_that_left_gets_no_list(void **state)
{
	struct links *l = links_new(settings);
	struct msg_sub_done done;
	unsigned gone = 0;
	uint64_t seq = 0;
	struct said s;

	(void)state;
	fill(l, &seq);
	enter(l, 50, ++seq, S("presence-b"), S("1"));
	enter(l, 50, ++seq, S("presence-a"), S("1"));
	SEND(l, 0, unsub, .seq = ++seq, .app = 1, .sid = 50,
	    .channel = S("presence-b"), .user_id = S("u50"));
	SEND(l, 0, unsub, .seq = ++seq, .app = 1, .sid = 50,
	    .channel = S("presence-a"), .user_id = S("u50"));
	while (next(l, &s)) {
		if (s.type != IPC_SUB_DONE)
			continue;
		assert_int_equal(msg_sub_done_get(&done, s.body), 0);
		assert_true((done.sid == 50) == (done.frames.n == 0));
		gone += done.sid == 50;
	}
	assert_int_equal(gone, 2);
	links_free(l);
}

/* Answers that still wait when the worker goes are forgotten. */
static void
a_link_ends_with_what_waits(void **state)
{
	struct links *l = links_new(settings);
	uint64_t seq = 0;

	(void)state;
	fill(l, &seq);
	assert_true(l->br.peers[0]->answers.bytes > 0);
	links_kill(l, 0);
	assert_null(l->br.peers[0]);
	for (int i = 0; i < 10; i++)
		links_turn(l);
	assert_false(is_booked(l));
	links_free(l);
}

static void
s4_a_deferred_message_is_booked(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub m = { .app = 1, .sid = 1, .channel = S("a") };

	(void)state;
	assert_false(is_booked(l));
	answers_put_off(l->br.peers[1], subscribe_answer, &m, 1, 1);
	assert_true(is_booked(l));
	answers_clear(l->br.peers[1]);
	assert_false(is_booked(l));
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_answers_wait_for_room),
		cmocka_unit_test(s2_connections_take_turns),
		cmocka_unit_test(s2_a_deferred_message_is_not_acknowledged),
		cmocka_unit_test(s2_a_client_that_left_gets_no_list),
		cmocka_unit_test(a_link_ends_with_what_waits),
		cmocka_unit_test(s4_a_deferred_message_is_booked),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
