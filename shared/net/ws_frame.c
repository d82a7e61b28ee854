/* SPDX-License-Identifier: MIT */
/*
 * ws_frame.c: RFC 6455 frame heads, masking, close codes; incremental UTF-8.
 * Pure: bytes in, answers out.  Knows frames, not messages: the caller checks
 * fragments, sizes and the order of opcodes.  Must never accept a head that
 * could have been written in another way.
 */

#include "shared/net/ws_frame.h"

#define TOPS ((~(uint64_t)0 / 255) * 128)

static bool
opcode_is_known(unsigned op)
{
	return op <= WS_BINARY || (op >= WS_CLOSE && op <= WS_PONG);
}

static uint64_t
big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

ssize_t
ws_head_read(struct ws_head *h, struct str in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t ext, need;
	unsigned len7;

	if (in.n < 1)
		return 0;
	h->fin = (p[0] & 0x80) != 0;
	h->opcode = p[0] & 0x0f;
	h->rsv1 = (p[0] & 0x40) != 0;
	if ((p[0] & 0x30) != 0 || !opcode_is_known(h->opcode))
		return -1;
	if (h->rsv1 && h->opcode != WS_TEXT && h->opcode != WS_BINARY)
		return -1;
	if (h->opcode >= WS_CLOSE && !h->fin)
		return -1;
	if (in.n < 2)
		return 0;
	h->masked = (p[1] & 0x80) != 0;
	len7 = p[1] & 0x7f;
	if (h->opcode >= WS_CLOSE && len7 > 125)
		return -1;
	ext = len7 == 127 ? 8 : len7 == 126 ? 2 : 0;
	if (in.n < 2 + ext)
		return 0;
	h->len = ext == 0 ? len7 : big_endian(p + 2, ext);
	if ((ext == 2 && h->len < 126) ||
	    (ext == 8 && (h->len < 0x10000 || h->len >> 63 != 0)))
		return -1;
	need = 2 + ext + (h->masked ? 4 : 0);
	if (in.n < need)
		return 0;
	memset(h->mask, 0, sizeof(h->mask));
	if (h->masked)
		memcpy(h->mask, p + 2 + ext, sizeof(h->mask));
	return (ssize_t)need;
}

size_t
ws_head_write(enum ws_opcode op, uint64_t len, unsigned char *out)
{
	unsigned i;

	out[0] = (unsigned char)(0x80 | op);
	if (len < 126) {
		out[1] = (unsigned char)len;
		return 2;
	}
	if (len < 0x10000) {
		out[1] = 126;
		out[2] = (unsigned char)(len >> 8);
		out[3] = (unsigned char)len;
		return 4;
	}
	out[1] = 127;
	for (i = 0; i < 8; i++)
		out[2 + i] = (unsigned char)(len >> (56 - 8 * i));
	return 10;
}

size_t
ws_head_write_masked(
    enum ws_opcode op, uint64_t len, const uint8_t mask[4], unsigned char *out)
{
	size_t n = ws_head_write(op, len, out);

	out[1] |= 0x80;
	memcpy(out + n, mask, 4);
	return n + 4;
}

void
ws_mask(void *bytes, size_t n, const uint8_t mask[4], uint64_t phase)
{
	unsigned char *p = bytes, key[8];
	uint64_t w, k;
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = mask[(phase + i) & 3];
	memcpy(&k, key, sizeof(k));
	/* memcpy: the payload has no alignment; it costs nothing here. */
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, sizeof(w));
		w ^= k;
		memcpy(p, &w, sizeof(w));
	}
	for (i = 0; i < n; i++)
		p[i] ^= key[i];
}

/*
 * The state between two bytes of a character: how many are missing and the
 * range of the next one.
 */
#define UTF8_STATE(missing, lo, hi) \
	((uint32_t)(missing) | (uint32_t)(lo) << 8 | (uint32_t)(hi) << 16)

/* The state after a first byte above 0x7f; 0 = no character starts with it. */
static uint32_t
utf8_lead(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return 0; /* continuation, overlong, above U+10FFFF */
	if (c < 0xe0)
		return UTF8_STATE(1, 0x80, 0xbf);
	if (c < 0xf0)
		return UTF8_STATE(2, c == 0xe0 ? 0xa0 : 0x80,
		    c == 0xed ? 0x9f : 0xbf); /* no overlong, no surrogate */
	return UTF8_STATE(3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
}

static const unsigned char *
skip_ascii(const unsigned char *p, const unsigned char *end)
{
	uint64_t w;

	while (end - p >= 8) {
		memcpy(&w, p, sizeof(w));
		if ((w & TOPS) != 0)
			break;
		p += 8;
	}
	while (p < end && *p < 0x80)
		p++;
	return p;
}

bool
utf8_feed(uint32_t *state, const void *bytes, size_t n)
{
	const unsigned char *p = bytes, *end = p + n;
	uint32_t s = *state, missing;

	while (p < end) {
		if (s == 0) {
			if ((p = skip_ascii(p, end)) == end)
				break;
			if ((s = utf8_lead(*p++)) == 0)
				return false;
			continue;
		}
		if (*p < (s >> 8 & 0xff) || *p > (s >> 16 & 0xff))
			return false;
		missing = (s & 0xff) - 1;
		s = missing == 0 ? 0 : UTF8_STATE(missing, 0x80, 0xbf);
		p++;
	}
	*state = s;
	return true;
}

bool
utf8_is_valid(struct str s)
{
	uint32_t state = 0;

	return utf8_feed(&state, s.p, s.n) && state == 0;
}

bool
ws_close_code_is_valid(unsigned code)
{
	if (code >= 3000 && code <= 4999)
		return true; /* registered and private use */
	/* 1004 has no meaning; 1005, 1006 and 1015 never travel. */
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
