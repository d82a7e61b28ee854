/* SPDX-License-Identifier: MIT */
/* ws_frame.c: frame heads, masking, UTF-8, close codes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/net/ws_frame.h"

#define T(t) \
	{ \
		(t), sizeof(t) - 1 \
	}

static const struct {
	struct str in;
	ssize_t used;
	struct ws_head head;
} rows[] = {
	{ T(""), 0, { 0 } },
	{ T("\x81"), 0, { 0 } },
	{ T("\x81\x00"), 2, { true, false, WS_TEXT, 0, { 0 }, false } },
	{ T("\x81\x05hello"), 2, { true, false, WS_TEXT, 5, { 0 }, false } },
	{ T("\x01\x7d"), 2, { false, false, WS_TEXT, 125, { 0 }, false } },
	{ T("\x80\x01"), 2, { true, false, WS_CONT, 1, { 0 }, false } },
	{ T("\x00\x01"), 2, { false, false, WS_CONT, 1, { 0 }, false } },
	{ T("\x82\x01"), 2, { true, false, WS_BINARY, 1, { 0 }, false } },
	{ T("\x88\x00"), 2, { true, false, WS_CLOSE, 0, { 0 }, false } },
	{ T("\x89\x7d"), 2, { true, false, WS_PING, 125, { 0 }, false } },
	{ T("\x8a\x00"), 2, { true, false, WS_PONG, 0, { 0 }, false } },
	{ T("\x81\x85\x01\x02\x03"), 0, { 0 } },
	{ T("\x81\x85\x01\x02\x03\x04"), 6,
	    { true, true, WS_TEXT, 5, { 1, 2, 3, 4 }, false } },
	{ T("\x81\x7e\x00"), 0, { 0 } },
	{ T("\x81\x7e\x00\x7e"), 4,
	    { true, false, WS_TEXT, 126, { 0 }, false } },
	{ T("\x81\x7e\xff\xff"), 4,
	    { true, false, WS_TEXT, 65535, { 0 }, false } },
	{ T("\x81\x7f\x00\x00\x00\x00\x00\x01\x00"), 0, { 0 } },
	{ T("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"), 10,
	    { true, false, WS_TEXT, 65536, { 0 }, false } },
	{ T("\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), 10,
	    { true, false, WS_TEXT, INT64_MAX, { 0 }, false } },
	{ T("\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00\x09\x08\x07\x06"), 14,
	    { true, true, WS_TEXT, 65536, { 9, 8, 7, 6 }, false } },
	/* RSV1: compressed */
	{ T("\xc1"), 0, { 0 } },
	{ T("\xc1\x07"), 2, { true, false, WS_TEXT, 7, { 0 }, true } },
	{ T("\x42\x07"), 2, { false, false, WS_BINARY, 7, { 0 }, true } },
	/* reserved bits and opcodes, already at the first byte */
	{ T("\xc0"), -1, { 0 } },
	{ T("\xc8"), -1, { 0 } },
	{ T("\xc9"), -1, { 0 } },
	{ T("\xca"), -1, { 0 } },
	{ T("\xe1"), -1, { 0 } },
	{ T("\xa1"), -1, { 0 } },
	{ T("\x91"), -1, { 0 } },
	{ T("\x83"), -1, { 0 } },
	{ T("\x84"), -1, { 0 } },
	{ T("\x85"), -1, { 0 } },
	{ T("\x86"), -1, { 0 } },
	{ T("\x87"), -1, { 0 } },
	{ T("\x8b"), -1, { 0 } },
	{ T("\x8c"), -1, { 0 } },
	{ T("\x8d"), -1, { 0 } },
	{ T("\x8e"), -1, { 0 } },
	{ T("\x8f"), -1, { 0 } },
	/* lengths that are not minimal, or have the top bit */
	{ T("\x81\x7e\x00\x7d"), -1, { 0 } },
	{ T("\x81\x7e\x00\x00"), -1, { 0 } },
	{ T("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), -1, { 0 } },
	{ T("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), -1, { 0 } },
	{ T("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), -1, { 0 } },
	/* control frames: fragmented or too long */
	{ T("\x08"), -1, { 0 } },
	{ T("\x09"), -1, { 0 } },
	{ T("\x0a\x00"), -1, { 0 } },
	{ T("\x88\x7e"), -1, { 0 } },
	{ T("\x89\xff"), -1, { 0 } },
};

static void
heads_are_read(void **state)
{
	struct ws_head h;
	size_t i, n;

	for (i = 0; i < nitems(rows); i++) {
		const struct ws_head *w = &rows[i].head;

		assert_int_equal(ws_head_read(&h, rows[i].in), rows[i].used);
		/* Less than that wants more, or is broken already. */
		for (n = 0; rows[i].used > 0 && n < (size_t)rows[i].used; n++)
			assert_int_equal(
			    ws_head_read(&h, str_make(rows[i].in.p, n)), 0);
		if (rows[i].used <= 0)
			continue;
		ws_head_read(&h, rows[i].in);
		assert_int_equal(h.fin, w->fin);
		assert_int_equal(h.masked, w->masked);
		assert_int_equal(h.opcode, w->opcode);
		assert_int_equal(h.rsv1, w->rsv1);
		assert_true(h.len == w->len);
		assert_memory_equal(h.mask, w->mask, 4);
	}
}

static void
heads_come_back(void **state)
{
	static const struct {
		uint64_t len;
		size_t head;
	} t[] = {
		{ 0, 2 },
		{ 1, 2 },
		{ 125, 2 },
		{ 126, 4 },
		{ 127, 4 },
		{ 65535, 4 },
		{ 65536, 10 },
		{ UINT32_MAX, 10 },
		{ INT64_MAX, 10 },
	};
	static const uint8_t mask[4] = { 0xde, 0xad, 0xbe, 0xef };
	unsigned char out[WS_HEAD_MAX];
	struct ws_head h;
	size_t i, n;

	for (i = 0; i < nitems(t); i++) {
		n = ws_head_write(WS_TEXT, t[i].len, out);
		assert_int_equal(n, t[i].head);
		assert_int_equal(ws_head_read(&h, str_make(out, n)), n);
		assert_true(h.fin && !h.masked && h.len == t[i].len);
		assert_int_equal(h.opcode, WS_TEXT);
		n = ws_head_write_masked(WS_BINARY, t[i].len, mask, out);
		assert_int_equal(n, t[i].head + 4);
		assert_int_equal(ws_head_read(&h, str_make(out, n)), n);
		assert_true(h.fin && h.masked && h.len == t[i].len);
		assert_int_equal(h.opcode, WS_BINARY);
		assert_memory_equal(h.mask, mask, 4);
	}
}

/* Every length, alignment and phase against the definition (5.3). */
static void
masks_as_defined(void **state)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	unsigned char buf[160], want[160];
	size_t n, at, i;
	uint64_t phase;

	for (n = 0; n <= 80; n++) {
		for (at = 0; at < 9; at++) {
			for (phase = 0; phase < 6; phase++) {
				for (i = 0; i < sizeof(buf); i++)
					want[i] = buf[i] =
					    (unsigned char)(i * 7);
				for (i = 0; i < n; i++)
					want[at + i] ^= mask[(phase + i) % 4];
				ws_mask(buf + at, n, mask, phase);
				assert_memory_equal(buf, want, sizeof(buf));
			}
		}
	}
	/* A phase beyond 32 bits, as in a huge message. */
	buf[0] = 0;
	ws_mask(buf, 1, mask, UINT64_C(0x100000003));
	assert_int_equal(buf[0], mask[3]);
}

static const struct {
	struct str s;
	bool valid;
} texts[] = {
	{ T(""), true },
	{ T("a"), true },
	{ T("abcdefghijklmnopqrstuvwxyz0123456789"), true },
	{ T("\0\x7f"), true },
	{ T("\xc2\x80"), true },
	{ T("\xdf\xbf"), true },
	{ T("\xe0\xa0\x80"), true },
	{ T("\xed\x9f\xbf\xee\x80\x80"), true },
	{ T("\xef\xbf\xbf"), true },
	{ T("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true },
	{ T("abcdefgh\xc3\xa9"
	    "abcdefgh\xe2\x82\xac"),
	    true },
	{ T("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"), true },
	{ T("\x80"), false },
	{ T("\xbf"), false },
	{ T("\xc0\x80"), false },
	{ T("\xc1\xbf"), false },
	{ T("\xc2"), false },
	{ T("\xc2\x7f"), false },
	{ T("\xc2\xc2"), false },
	{ T("\xe0\x9f\xbf"), false },
	{ T("\xe2\x82"), false },
	{ T("\xe2\x82"
	    "a"),
	    false },
	{ T("\xed\xa0\x80"), false },
	{ T("\xed\xbf\xbf"), false },
	{ T("\xf0\x8f\xbf\xbf"), false },
	{ T("\xf0\x9f\x8e"), false },
	{ T("\xf4\x90\x80\x80"), false },
	{ T("\xf5\x80\x80\x80"), false },
	{ T("\xf8\x88\x80\x80\x80"), false },
	{ T("\xff"), false },
	{ T("\xfe"), false },
	{ T("abcdefghabcdefg\xff"), false },
	{ T("abcdefgh\x80"
	    "abcdefgh"),
	    false },
};

static void
utf8_is_checked_in_any_split(void **state)
{
	uint32_t s;
	size_t i, n;
	bool ok;

	for (i = 0; i < nitems(texts); i++) {
		struct str t = texts[i].s;

		assert_int_equal(utf8_is_valid(t), texts[i].valid);
		for (n = 0; n <= t.n; n++) {
			s = 0;
			ok = utf8_feed(&s, t.p, n) &&
			    utf8_feed(&s, t.p + n, t.n - n) && s == 0;
			assert_int_equal(ok, texts[i].valid);
		}
		s = 0;
		for (ok = true, n = 0; ok && n < t.n; n++)
			ok = utf8_feed(&s, t.p + n, 1);
		assert_int_equal(ok && s == 0, texts[i].valid);
	}
}

/* Fails at the byte that makes it wrong, not at the end of the character. */
static void
utf8_fails_fast(void **state)
{
	static const struct str t[] = { T("\xed\xa0"), T("\xf4\x90"),
		T("\xe0\x80"), T("\xf0\x80"), T("\xc0"), T("\xf5"),
		T("\xe2\x28") };
	uint32_t s;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		s = 0;
		assert_true(utf8_feed(&s, t[i].p, t[i].n - 1));
		assert_false(utf8_feed(&s, t[i].p + t[i].n - 1, 1));
	}
}

/* All sequences of one to three bytes, and all characters of four. */
static void
utf8_exhaustively(void **state)
{
	unsigned char t[4];
	uint32_t c;

	for (c = 0; c < 0x1000000; c++) {
		bool want;
		uint32_t v = (c >> 4 & 0xf000) | (c >> 2 & 0xfc0) | (c & 0x3f);

		t[0] = (unsigned char)(c >> 16);
		t[1] = (unsigned char)(c >> 8);
		t[2] = (unsigned char)c;
		/* Bytes that start with a lead of three are one character. */
		if (t[0] < 0xe0 || t[0] > 0xef)
			continue;
		want = (t[1] & 0xc0) == 0x80 && (t[2] & 0xc0) == 0x80 &&
		    v >= 0x800 && (v < 0xd800 || v > 0xdfff);
		if (utf8_is_valid(str_make(t, 3)) != want)
			fail_msg("%02x %02x %02x", t[0], t[1], t[2]);
	}
	for (c = 0; c < 0x10000; c++) {
		t[0] = (unsigned char)(c >> 8);
		t[1] = (unsigned char)c;
		if (utf8_is_valid(str_make(t, 2)) !=
		    ((t[0] < 0x80 && t[1] < 0x80) ||
			(t[0] >= 0xc2 && t[0] < 0xe0 && (t[1] & 0xc0) == 0x80)))
			fail_msg("%02x %02x", t[0], t[1]);
	}
	for (c = 0; c < 0x200000; c++) {
		t[0] = (unsigned char)(0xf0 | c >> 18);
		t[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
		t[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
		t[3] = (unsigned char)(0x80 | (c & 0x3f));
		if (utf8_is_valid(str_make(t, 4)) !=
		    (c >= 0x10000 && c <= 0x10ffff))
			fail_msg("U+%06X", (unsigned)c);
	}
}

static void
close_codes(void **state)
{
	static const struct {
		unsigned from, to;
		bool valid;
	} t[] = {
		{ 0, 999, false },
		{ 1000, 1003, true },
		{ 1004, 1006, false },
		{ 1007, 1014, true },
		{ 1015, 2999, false },
		{ 3000, 4999, true },
		{ 5000, 65535, false },
	};
	unsigned c;
	size_t i;

	for (i = 0; i < nitems(t); i++)
		for (c = t[i].from; c <= t[i].to; c++)
			assert_int_equal(ws_close_code_is_valid(c), t[i].valid);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_read),
		cmocka_unit_test(heads_come_back),
		cmocka_unit_test(masks_as_defined),
		cmocka_unit_test(utf8_is_checked_in_any_split),
		cmocka_unit_test(utf8_fails_fast),
		cmocka_unit_test(utf8_exhaustively),
		cmocka_unit_test(close_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
