/* SPDX-License-Identifier: MIT */
/* deflate.c: offers, dictionaries, what a client with a window reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/net/deflate.h"

#define PMD "permessage-deflate"
#define YES PMD "; client_no_context_takeover"

static const struct {
	const char *offer;
	const char *answer; /* NULL: declined */
} offers[] = {
	{ PMD, YES },
	{ PMD "; client_max_window_bits", YES },
	{ "Permessage-Deflate;CLIENT_MAX_WINDOW_BITS", YES },
	{ " " PMD " ; client_max_window_bits = 10 ", YES },
	{ PMD "; client_max_window_bits=\"15\"", YES },
	{ PMD "; client_no_context_takeover", YES },
	{ PMD "; server_no_context_takeover",
	    YES "; server_no_context_takeover" },
	{ PMD "; server_max_window_bits=15",
	    YES "; server_max_window_bits=15" },
	{ PMD "; server_max_window_bits=9", YES "; server_max_window_bits=9" },
	{ PMD "; server_max_window_bits=\"12\"; server_no_context_takeover",
	    YES "; server_no_context_takeover; server_max_window_bits=12" },
	{ "x-webkit-deflate-frame, " PMD, YES },
	{ PMD "; server_max_window_bits=8, " PMD, YES },
	{ "x; y=\"a, b; \\\", c\", " PMD, YES },
	{ "x; y=\", " PMD ", \"", NULL },
	{ "x; y=\", " PMD, NULL },
	{ PMD "; server_max_window_bits=\"1;2\"", NULL },
	{ PMD "; server_max_window_bits=8", NULL },
	{ PMD "; server_max_window_bits=16", NULL },
	{ PMD "; server_max_window_bits=7", NULL },
	{ PMD "; server_max_window_bits=010", NULL },
	{ PMD "; server_max_window_bits=", NULL },
	{ PMD "; server_max_window_bits", NULL },
	{ PMD "; server_max_window_bits=1a", NULL },
	{ PMD "; client_max_window_bits=16", NULL },
	{ PMD "; client_max_window_bits=", NULL },
	{ PMD "; client_no_context_takeover=1", NULL },
	{ PMD "; server_no_context_takeover=", NULL },
	{ PMD "; server_no_context_takeover; server_no_context_takeover",
	    NULL },
	{ PMD "; client_max_window_bits; client_max_window_bits=15", NULL },
	{ PMD "; unknown", NULL },
	{ PMD "; ", NULL },
	{ PMD ";", NULL },
	{ "", NULL },
	{ ",", NULL },
	{ "permessage-bzip2", NULL },
	{ "permessage-deflatex", NULL },
};

static void
offers_are_answered(void **state)
{
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct deflate_terms t = { 0 };
		struct buf *b = NULL;

		if (!deflate_negotiate(str_of(offers[i].offer), &t)) {
			if (offers[i].answer != NULL)
				fail_msg("declined: %s", offers[i].offer);
			assert_int_equal(t.bits, 0);
			continue;
		}
		deflate_answer(&t, &b);
		if (offers[i].answer == NULL ||
		    !str_eq(buf_str(b), str_of(offers[i].answer)))
			fail_msg("%s: answered %.*s", offers[i].offer,
			    STR_ARG(buf_str(b)));
		buf_unref(b);
	}
}

/* A client: one window of so many bits over everything it gets. */
struct client {
	z_stream z;
};

static void
client_reads(struct client *c, struct str packed, struct str plain)
{
	static unsigned char tail[] = { 0, 0, 0xff, 0xff };
	char *got = xmalloc(plain.n + 1);

	c->z.next_out = (Bytef *)got;
	c->z.avail_out = (uInt)plain.n + 1;
	c->z.next_in = (z_const Bytef *)(uintptr_t)packed.p;
	c->z.avail_in = (uInt)packed.n;
	assert_int_equal(inflate(&c->z, Z_SYNC_FLUSH), Z_OK);
	c->z.next_in = tail;
	c->z.avail_in = sizeof(tail);
	inflate(&c->z, Z_SYNC_FLUSH);
	assert_int_equal(c->z.avail_in, 0);
	assert_int_equal(plain.n + 1 - c->z.avail_out, plain.n);
	assert_memory_equal(got, plain.p, plain.n);
	free(got);
}

static char *
make_text(unsigned seed, size_t n)
{
	char *p = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + (i * i / 7 + seed * (i % 13 == 0)) % 23);
	return p;
}

/*
 * Two channels, and clients that get one, the other, both or neither of the
 * messages: a client whose last compressed message is the one before in the
 * channel gets the short form, every other one the self-contained form.
 */
static void
one_window_reads_every_mix(void **state)
{
	static const unsigned windows[] = { 15, 15, 9, 12 };
	struct client clients[4] = { 0 };
	uint64_t last[4] = { 0 };
	struct deflater *d = deflater_new(6);
	char *before[2] = { NULL, NULL };
	size_t before_n[2] = { 0, 0 };
	uint64_t before_id[2] = { 0, 0 };
	unsigned random = 12345;
	size_t short_forms = 0;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    inflateInit2(&clients[i].z, -(int)windows[i]), Z_OK);
	for (uint64_t id = 1; id < 3000; id++) {
		unsigned ch;
		size_t n;
		char *text;

		random = random * 1103515245u + 12345u;
		ch = random >> 16 & 1;
		n = 1 + (random >> 8) % (id % 50 == 0 ? 40000 : 700);
		text = make_text(random >> 20, n);
		for (size_t i = 0; i < 4; i++) {
			size_t window = (size_t)1 << windows[i];
			bool fits = last[i] != 0 && last[i] == before_id[ch] &&
			    (windows[i] == DEFLATE_BITS_MAX ||
				n + before_n[ch] <= window);
			struct buf *b = NULL;

			random = random * 1103515245u + 12345u;
			if ((random >> 16 & 1) ||
			    (n > window && windows[i] != DEFLATE_BITS_MAX))
				continue;
			deflater_run(d,
			    fits ? str_make(before[ch], before_n[ch])
				 : str_make("", 0),
			    str_make(text, n), &b);
			client_reads(
			    &clients[i], buf_str(b), str_make(text, n));
			short_forms += fits;
			last[i] = id;
			buf_unref(b);
		}
		free(before[ch]);
		before[ch] = text;
		before_n[ch] = n;
		before_id[ch] = id;
	}
	assert_true(short_forms > 500);
	for (size_t i = 0; i < 4; i++)
		inflateEnd(&clients[i].z);
	free(before[0]);
	free(before[1]);
	deflater_free(d);
}

static void
a_state_with_one_change_is_short(void **state)
{
	struct deflater *d = deflater_new(6);
	char *old = make_text(1, 4096), *new = make_text(1, 4096);
	struct buf *b = NULL;

	memcpy(new + 2000, "something else", 14);
	deflater_run(d, str_make(old, 4096), str_make(new, 4096), &b);
	assert_true(b->len < 100);
	buf_unref(b);
	free(old);
	free(new);
	deflater_free(d);
}

static enum inflate_result
read_back(struct inflater *in, struct str packed, size_t max, size_t want)
{
	struct buf *b = NULL;
	enum inflate_result r = inflater_run(in, packed, max, &b);

	assert_true(b->len <= max);
	if (r == INFLATE_DONE)
		assert_int_equal(b->len, want);
	buf_unref(b);
	return r;
}

static void
messages_of_clients(void **state)
{
	/* The examples of RFC 7692, 7.2.3. */
	static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\x00";
	static const char stored[] =
	    "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
	static const char final[] = "\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
	static const char two[] = "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9"
				  "\xc9\x07\x00";
	struct inflater *in = inflater_new();

	assert_int_equal(
	    read_back(in, str_make(hello, 7), 100, 5), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, str_make(stored, 11), 5, 5), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, str_make(final, 8), 100, 5), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, str_make(two, 13), 100, 5), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, str_make("\0", 1), 100, 0), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, str_make(hello, 7), 4, 0), INFLATE_TOO_LARGE);
	for (size_t n = 0; n < 6; n++)
		assert_int_equal(
		    read_back(in, str_make(hello, n), 100, n), INFLATE_BROKEN);
	assert_int_equal(read_back(in, S("\xff\xff\xff\xff garbage"), 100, 0),
	    INFLATE_BROKEN);
	inflater_free(in);
}

/* Empty ones: a stored one has 5 bytes, a final one has 2. */
static void
a_message_has_so_many_blocks(void **state)
{
	static const struct {
		const char *block;
		size_t n;
	} kinds[] = { { "\x00\x00\x00\xff\xff", 5 }, { "\x03\x00", 2 } };
	struct inflater *in = inflater_new();

	for (size_t i = 0; i < 2 * nitems(kinds); i++) {
		struct buf *b = NULL;
		bool many = i % 2 == 1;

		for (int k = 0; k < (many ? 20000 : 2000); k++)
			buf_append(
			    &b, str_make(kinds[i / 2].block, kinds[i / 2].n));
		buf_append(&b, str_make("\0", 1));
		assert_int_equal(read_back(in, buf_str(b), 100, 0),
		    many ? INFLATE_TOO_MANY : INFLATE_DONE);
		assert_in_range(inflater_blocks(in), many ? 4097 : 2000,
		    many ? 4097 : 2001);
		buf_unref(b);
	}
	inflater_free(in);
}

static void
a_bomb_stops_at_the_limit(void **state)
{
	struct deflater *d = deflater_new(9);
	struct inflater *in = inflater_new();
	size_t n = 64u << 20;
	char *zeros = xcalloc(n, 1);
	struct buf *b = NULL;

	deflater_run(d, str_make("", 0), str_make(zeros, n), &b);
	assert_true(b->len < n / 500);
	assert_int_equal(
	    read_back(in, buf_str(b), 10240, 0), INFLATE_TOO_LARGE);
	assert_int_equal(read_back(in, buf_str(b), n, n), INFLATE_DONE);
	assert_int_equal(
	    read_back(in, buf_str(b), n - 1, 0), INFLATE_TOO_LARGE);
	buf_unref(b);
	free(zeros);
	inflater_free(in);
	deflater_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offers_are_answered),
		cmocka_unit_test(one_window_reads_every_mix),
		cmocka_unit_test(a_state_with_one_change_is_short),
		cmocka_unit_test(messages_of_clients),
		cmocka_unit_test(a_message_has_so_many_blocks),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
