/* SPDX-License-Identifier: MIT */
/*
 * http_chunks.c: chunked bodies (RFC 9112, 7.1), decoded in place.
 *
 * A small machine that looks at one byte of framing at a time and moves data in
 * runs, so that every split of the stream gives the same bytes.  Extensions and
 * trailers are bounded, checked for shape and dropped.
 *
 * Pure, owns nothing.  Must never accept a size that it would read differently
 * from a proxy: no sign, no blank, no "0x", no bare CR or LF.
 */

#include "shared/net/http.h"

#include "shared/base/base.h"

#define EXTENSION_MAX 256  /* bytes of the extensions of one chunk */
#define TRAILER_MAX 4096   /* bytes of all trailers */
#define SIZE_DIGITS_MAX 16 /* hex digits of a chunk size */

enum chunk_state {
	CHUNK_SIZE, /* 0: where a body begins */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	TRAILER_START,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_DONE
};

static bool
is_text(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool
on_size(struct http_chunks *c, unsigned char ch)
{
	int digit = str_hex_digit(ch);

	if (digit != -1) {
		if (c->line++ == SIZE_DIGITS_MAX)
			return false;
		c->left = c->left << 4 | (unsigned)digit;
		return c->left <= INT64_MAX;
	}
	if (c->line == 0 || (ch != ';' && ch != '\r'))
		return false;
	c->line = 0;
	c->state = ch == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
	return true;
}

static bool
on_extension(struct http_chunks *c, unsigned char ch)
{
	if (ch == '\r') {
		c->line = 0;
		c->state = CHUNK_SIZE_LF;
		return true;
	}
	return is_text(ch) && c->line++ < EXTENSION_MAX;
}

static bool
on_trailer(struct http_chunks *c, unsigned char ch)
{
	bool name = http_is_token(str_make(&ch, 1));

	if (ch == '\r' && c->state != TRAILER_NAME) {
		c->state =
		    c->state == TRAILER_START ? CHUNK_LAST_LF : TRAILER_LF;
		return true;
	}
	if (c->line++ == TRAILER_MAX)
		return false;
	if (c->state == TRAILER_VALUE)
		return is_text(ch);
	if (c->state == TRAILER_NAME && ch == ':') {
		c->state = TRAILER_VALUE;
		return true;
	}
	c->state = TRAILER_NAME;
	return name;
}

/* This byte must be `want`; then continues with `next`. */
static bool
on_exactly(struct http_chunks *c, unsigned char ch, char want, int next)
{
	c->state = next;
	return ch == (unsigned char)want;
}

/* A byte of framing. */
static bool
on_byte(struct http_chunks *c, unsigned char ch)
{
	switch (c->state) {
	case CHUNK_SIZE:
		return on_size(c, ch);
	case CHUNK_EXTENSION:
		return on_extension(c, ch);
	case CHUNK_SIZE_LF:
		return on_exactly(
		    c, ch, '\n', c->left == 0 ? TRAILER_START : CHUNK_DATA);
	case CHUNK_DATA_CR:
		return on_exactly(c, ch, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		return on_exactly(c, ch, '\n', CHUNK_SIZE);
	case TRAILER_LF:
		return on_exactly(c, ch, '\n', TRAILER_START);
	case CHUNK_LAST_LF:
		return on_exactly(c, ch, '\n', CHUNK_DONE);
	default:
		return on_trailer(c, ch);
	}
}

ssize_t
http_chunks_read(
    struct http_chunks *c, char *in, size_t n, size_t *nout, bool *done)
{
	size_t i = 0, run;

	*nout = 0;
	while (i < n && c->state != CHUNK_DONE) {
		if (c->state != CHUNK_DATA) {
			if (!on_byte(c, (unsigned char)in[i++]))
				return -1;
			continue;
		}
		run = MIN(c->left, n - i);
		memmove(in + *nout, in + i, run);
		*nout += run;
		i += run;
		c->left -= run;
		if (c->left == 0)
			c->state = CHUNK_DATA_CR;
	}
	*done = c->state == CHUNK_DONE;
	return (ssize_t)i;
}
