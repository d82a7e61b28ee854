/* SPDX-License-Identifier: MIT */
/*
 * deflate.c: permessage-deflate (RFC 7692) by zlib.  A deflater has one stream
 * with the largest window.  It is reset between messages, which costs a few
 * microseconds and no allocation.  zlib's errors other than those of the input
 * mean a wrong call or a lack of memory.
 */

#include "shared/net/deflate.h"

#include <zlib.h>

#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

#define MEM_LEVEL 8
#define STEP 4096 /* bytes of output requested at a time */

struct deflater {
	z_stream z;
};

struct inflater {
	z_stream z;
	unsigned blocks; /* of the message, so far */
};

/* ---- negotiation ---- */

/* str_cut() that leaves quoted strings whole (RFC 9110, 5.6.4). */
static struct str
cut(struct str *rest, char sep)
{
	struct str part = *rest;
	bool quoted = false;

	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '"')
			quoted = !quoted;
		else if (part.p[i] == '\\' && quoted)
			i++;
		else if (part.p[i] == sep && !quoted) {
			*rest = str_from(part, i + 1);
			return str_make(part.p, i);
		}
	}
	*rest = str_make(NULL, 0);
	return part;
}

/* Window bits: one or two digits, 8 to 15, without a leading zero. */
static bool
read_bits(struct str value, uint8_t *bits)
{
	uint64_t n;

	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		value = str_make(value.p + 1, value.n - 2);
	if (value.n == 0 || value.n > 2 || value.p[0] == '0' ||
	    str_to_u64(value, DEFLATE_BITS_MAX, &n) < 0 || n < 8)
		return false;
	*bits = (uint8_t)n;
	return true;
}

/* One parameter of an offer; `seen` has a bit for each known name. */
static bool
take_parameter(struct str p, unsigned *seen, struct deflate_terms *terms)
{
	static const char *const names[] = { "server_no_context_takeover",
		"client_no_context_takeover", "server_max_window_bits",
		"client_max_window_bits" };
	struct str rest = p;
	struct str name = str_trim(str_cut(&rest, '='));
	bool has_value = rest.p != NULL;
	struct str value = has_value ? str_trim(rest) : str_make("", 0);
	uint8_t bits;
	unsigned i = 0;

	while (i < 4 && !str_eq_nocase(name, str_of(names[i])))
		i++;
	if (i == 4 || (*seen & 1u << i))
		return false;
	*seen |= 1u << i;
	switch (i) {
	case 0:
		terms->self_contained = true;
		return !has_value;
	case 1:
		return !has_value;
	case 2:
		terms->bits_asked = true;
		if (!has_value || !read_bits(value, &bits))
			return false;
		terms->bits = bits & 15u;
		return bits >= DEFLATE_BITS_MIN;
	default:
		return !has_value || read_bits(value, &bits);
	}
}

bool
deflate_negotiate(struct str offers, struct deflate_terms *terms)
{
	while (offers.p != NULL) {
		struct deflate_terms t = { .bits = DEFLATE_BITS_MAX };
		struct str rest = cut(&offers, ',');
		unsigned seen = 0;
		bool good = str_eq_nocase(
		    str_trim(cut(&rest, ';')), S("permessage-deflate"));

		while (good && rest.p != NULL)
			good = take_parameter(
			    str_trim(cut(&rest, ';')), &seen, &t);
		if (good) {
			*terms = t;
			return true;
		}
	}
	return false;
}

void
deflate_answer(const struct deflate_terms *terms, struct buf **b)
{
	buf_append(b, S("permessage-deflate; client_no_context_takeover"));
	if (terms->self_contained)
		buf_append(b, S("; server_no_context_takeover"));
	if (terms->bits_asked)
		buf_printf(b, "; server_max_window_bits=%u", terms->bits);
}

/* ---- sending ---- */

struct deflater *
deflater_new(int level)
{
	struct deflater *d = xcalloc(1, sizeof(*d));

	if (deflateInit2(&d->z, level, Z_DEFLATED, -DEFLATE_BITS_MAX, MEM_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK)
		fatalx("deflate: zlib has no memory for a window");
	return d;
}

void
deflater_free(struct deflater *d)
{
	if (d == NULL)
		return;
	deflateEnd(&d->z);
	free(d);
}

void
deflater_run(
    struct deflater *d, struct str before, struct str message, struct buf **out)
{
	z_stream *z = &d->z;

	deflateReset(z);
	if (before.n > DEFLATE_WINDOW)
		before = str_from(before, before.n - DEFLATE_WINDOW);
	if (before.n > 0)
		deflateSetDictionary(
		    z, (const Bytef *)before.p, (uInt)before.n);
	z->next_in = (z_const Bytef *)(uintptr_t)message.p;
	z->avail_in = (uInt)message.n;
	do {
		char *p = buf_reserve(out, message.n / 4 + STEP);

		z->next_out = (Bytef *)p;
		z->avail_out = (uInt)(message.n / 4 + STEP);
		deflate(z, Z_SYNC_FLUSH);
		(*out)->len += (uint32_t)((char *)z->next_out - p);
	} while (z->avail_out == 0);
	(*out)->len -= 4; /* 00 00 ff ff, which the receiver adds again */
}

/* ---- receiving ---- */

struct inflater *
inflater_new(void)
{
	struct inflater *in = xcalloc(1, sizeof(*in));

	if (inflateInit2(&in->z, -DEFLATE_BITS_MAX) != Z_OK)
		fatalx("inflate: zlib has no memory for a window");
	return in;
}

void
inflater_free(struct inflater *in)
{
	if (in == NULL)
		return;
	inflateEnd(&in->z);
	free(in);
}

/* Feeds `s`; output beyond max bytes is not made. */
static enum inflate_result
inflate_part(struct inflater *in, struct str s, size_t *left, struct buf **out)
{
	z_stream *z = &in->z;
	int r = Z_OK;

	z->next_in = (z_const Bytef *)(uintptr_t)s.p;
	z->avail_in = (uInt)s.n;
	while (r != Z_BUF_ERROR) {
		/* One byte more than allowed shows that there is more. */
		size_t room = *left < STEP ? *left + 1 : STEP;
		char *p = buf_reserve(out, room);
		size_t made;

		z->next_out = (Bytef *)p;
		z->avail_out = (uInt)room;
		r = inflate(z, Z_BLOCK); /* or to the end of a block */
		made = room - z->avail_out;
		if (made > *left)
			return INFLATE_TOO_LARGE;
		*left -= made;
		(*out)->len += (uint32_t)made;
		if ((z->data_type & 128) && ++in->blocks > INFLATE_BLOCKS)
			return INFLATE_TOO_MANY;
		if (r == Z_STREAM_END) { /* a final block: 7.2.3.4 */
			if (z->avail_in == 0)
				return INFLATE_DONE;
			inflateReset(z);
		} else if (r != Z_OK && r != Z_BUF_ERROR) {
			return INFLATE_BROKEN;
		} else if (z->avail_in == 0 && z->avail_out > 0) {
			return INFLATE_DONE;
		}
	}
	return z->avail_in == 0 ? INFLATE_DONE : INFLATE_BROKEN;
}

enum inflate_result
inflater_run(
    struct inflater *in, struct str message, size_t max, struct buf **out)
{
	static const char tail[] = { 0, 0, (char)0xff, (char)0xff };
	enum inflate_result r;

	inflateReset(&in->z);
	in->blocks = 0;
	buf_reserve(out, 0);
	r = inflate_part(in, message, &max, out);
	if (r == INFLATE_DONE)
		r = inflate_part(in, str_make(tail, sizeof(tail)), &max, out);
	/* Bit 7 of data_type: between two blocks, as at the end of a message.
	 */
	if (r == INFLATE_DONE && !(in->z.data_type & 128))
		return INFLATE_BROKEN;
	return r;
}

unsigned
inflater_blocks(const struct inflater *in)
{
	return in->blocks;
}
