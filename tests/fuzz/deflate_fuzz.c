/* SPDX-License-Identifier: MIT */
/*
 * permessage-deflate.  An offer: terms that are accepted can be kept, and the
 * answer to them is an offer of the same terms.  The bytes of a compressed
 * message: accepted, too large or broken as a second reader says, which feeds
 * zlib byte by byte; and the next good message of the same inflater is read.
 * Input: which of the two; for a message its limit and whether it is
 * compressed here.
 */

#include <zlib.h>

#include "shared/base/buf.h"
#include "shared/net/deflate.h"
#include "tests/fuzz/fuzz.h"

#define OUTPUT_MAX (64u << 10)

static void
read_offer(struct str offers)
{
	struct deflate_terms t = { 0 }, again = { 0 };
	struct buf *answer = NULL;

	if (!deflate_negotiate(offers, &t)) {
		assert_int_equal(t.bits, 0);
		return;
	}
	assert_true(t.bits >= DEFLATE_BITS_MIN && t.bits <= DEFLATE_BITS_MAX);
	assert_true(t.bits_asked || t.bits == DEFLATE_BITS_MAX);
	deflate_answer(&t, &answer);
	assert_true(deflate_negotiate(buf_str(answer), &again));
	assert_int_equal(again.bits, t.bits);
	assert_int_equal(again.bits_asked, t.bits_asked);
	assert_int_equal(again.self_contained, t.self_contained);
	buf_unref(answer);
}

/*
 * Gives the second reader one byte.  *whole: it ends a block; zlib forgets that
 * in a call that does nothing.
 */
static enum inflate_result
read_byte(z_stream *z, uint8_t byte, size_t max, struct buf **out, bool *whole)
{
	Bytef c;
	int r;

	z->next_in = &byte;
	z->avail_in = 1;
	do {
		z->next_out = &c;
		z->avail_out = 1;
		r = inflate(z, Z_SYNC_FLUSH);
		if (r != Z_BUF_ERROR)
			*whole = z->data_type & 128;
		if (z->avail_out == 0) {
			if (max == (*out == NULL ? 0 : (*out)->len))
				return INFLATE_TOO_LARGE;
			buf_append(out, str_make((char *)&c, 1));
		}
		if (r == Z_STREAM_END)
			inflateReset(z);
		else if (r != Z_OK && r != Z_BUF_ERROR)
			return INFLATE_BROKEN;
	} while (z->avail_in > 0 || z->avail_out == 0);
	return INFLATE_DONE;
}

static enum inflate_result
read_bytewise(struct str s, size_t max, struct buf **out)
{
	static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
	enum inflate_result r = INFLATE_DONE;
	bool whole = false;
	z_stream z = { 0 };

	assert_int_equal(inflateInit2(&z, -DEFLATE_BITS_MAX), Z_OK);
	for (size_t i = 0; r == INFLATE_DONE && i < s.n; i++)
		r = read_byte(&z, (uint8_t)s.p[i], max, out, &whole);
	for (size_t i = 0; r == INFLATE_DONE && i < sizeof(tail); i++)
		r = read_byte(&z, tail[i], max, out, &whole);
	if (r == INFLATE_DONE && !whole)
		r = INFLATE_BROKEN;
	inflateEnd(&z);
	return r;
}

static void
read_message(struct inflater *in, struct str s, size_t max)
{
	struct buf *out = NULL, *want = NULL;
	enum inflate_result r = inflater_run(in, s, max, &out);

	assert_true(out->len <= max);
	if (r != INFLATE_TOO_MANY)
		assert_int_equal(r, read_bytewise(s, max, &want));
	if (r == INFLATE_DONE)
		assert_true(str_eq(buf_str(out), buf_str(want)));
	buf_unref(out);
	buf_unref(want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input input = { p, n };
	uint8_t what = input_u8(&input);
	struct inflater *in;
	struct str s;
	size_t max;

	fuzz_start();
	if (what & 1) {
		read_offer(input_bytes(&input, input.n));
		return 0;
	}
	max = input_u16(&input);
	s = input_bytes(&input, input.n);
	in = inflater_new();
	if (what & 2) {
		struct deflater *d = deflater_new(1 + what % 9);
		struct buf *packed = NULL;

		deflater_run(d, S(""), s, &packed);
		assert_true(packed->len <= deflate_bound(s.n));
		read_message(in, buf_str(packed), max);
		buf_unref(packed);
		deflater_free(d);
	} else {
		read_message(in, s, max);
	}
	read_message(in, S("\xf2\x48\xcd\xc9\xc9\x07\x00"), OUTPUT_MAX);
	inflater_free(in);
	return 0;
}
