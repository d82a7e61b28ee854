/* SPDX-License-Identifier: MIT */
/*
 * Request heads and chunked bodies: however the stream is split, the same is
 * read.  Input: a seed for the splits, a limit for heads, the stream.
 */

#include "shared/base/buf.h"
#include "shared/net/http.h"
#include "tests/fuzz/fuzz.h"

enum state { HEAD, BODY, CHUNKS, OVER };

/* A reader of a stream of requests, as a connection has it. */
struct reader {
	struct buf *in;  /* not used up */
	struct buf *log; /* the bytes read, for comparing */
	enum state state;
	size_t seen, max;
	uint64_t left;
	struct http_chunks chunks;
};

static void
log_head(struct reader *r, const struct http_head *h, ssize_t n)
{
	buf_printf(&r->log, "\nhead %zd %u %zu %d%d%d%d %llu ", n, h->minor,
	    h->nheaders, h->keep_alive, h->chunked, h->expect_continue,
	    h->has_length, (unsigned long long)h->length);
	buf_append(&r->log, h->method);
	buf_putc(&r->log, ' ');
	buf_append(&r->log, h->path);
	buf_putc(&r->log, ' ');
	if (h->query.p != NULL)
		buf_append(&r->log, h->query);
	for (size_t i = 0; i < h->nheaders; i++) {
		assert_true(http_is_token(h->headers[i].name));
		assert_true(
		    str_eq(str_trim(h->headers[i].value), h->headers[i].value));
		assert_non_null(http_header(h, h->headers[i].name).p);
		http_has_token(h->headers[i].value, S("close"));
		buf_append(&r->log, h->headers[i].name);
		buf_putc(&r->log, ':');
		buf_append(&r->log, h->headers[i].value);
		buf_putc(&r->log, ';');
	}
	/* A text that two readers could take for two lengths never passes. */
	assert_true(!h->chunked || !h->has_length);
	assert_true(h->path.n > 0 && h->method.n > 0);
}

static size_t
read_head(struct reader *r, struct str in)
{
	struct http_head h;
	enum http_error err;
	const char *why;
	ssize_t n = http_head_read(&h, in, r->seen, r->max, &err, &why);

	if (n == 0) {
		r->seen = in.n;
		return 0;
	}
	r->seen = 0;
	if (n == -1) {
		assert_true(err != HTTP_OK && why != NULL);
		buf_printf(&r->log, "\nrefused %d", (int)err);
		r->state = OVER;
		return 0;
	}
	assert_true((size_t)n <= in.n && (size_t)n <= r->max);
	log_head(r, &h, n);
	r->left = h.length;
	r->chunks = (struct http_chunks){ 0 };
	r->state = h.chunked ? CHUNKS : h.length > 0 ? BODY : HEAD;
	return (size_t)n;
}

static size_t
read_chunks(struct reader *r, char *p, size_t n)
{
	size_t nout;
	bool done;
	ssize_t used = http_chunks_read(&r->chunks, p, n, &nout, &done);

	if (used == -1) {
		buf_append(&r->log, S("\nbad chunks"));
		r->state = OVER;
		return 0;
	}
	assert_true((size_t)used <= n && nout <= (size_t)used);
	assert_true(done || (size_t)used == n);
	if (done)
		buf_append(&r->log, S("\nend"));
	r->state = done ? HEAD : CHUNKS;
	return (size_t)used;
}

static size_t
step(struct reader *r, char *p, size_t n)
{
	size_t k;

	switch (r->state) {
	case HEAD:
		return read_head(r, str_make(p, n));
	case BODY:
		k = (size_t)MIN(r->left, n);
		r->left -= k;
		r->state = r->left > 0 ? BODY : HEAD;
		return k;
	case CHUNKS:
		return read_chunks(r, p, n);
	default:
		return 0;
	}
}

static void
feed(struct reader *r, struct str piece)
{
	size_t used = 0, k;

	buf_append(&r->in, piece);
	do {
		k = step(r, r->in->data + used, r->in->len - used);
		used += k;
	} while (k > 0 && used < r->in->len);
	memmove(r->in->data, r->in->data + used, r->in->len - used);
	r->in->len -= (uint32_t)used;
}

static void
compare(struct reader *a, struct reader *b)
{
	if (!str_eq(buf_str(a->log), buf_str(b->log)))
		fail_msg("whole: %.*s\nin pieces: %.*s",
		    STR_ARG(buf_str(a->log)), STR_ARG(buf_str(b->log)));
	assert_int_equal(a->state, b->state);
}

static void
clear(struct reader *r)
{
	buf_unref(r->in);
	buf_unref(r->log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	uint64_t rng = input_u16(&in) + 1u;
	size_t max = 64 + 16 * (size_t)input_u8(&in);
	struct reader whole = { .max = max }, split = { .max = max };
	struct str s = input_bytes(&in, in.n);

	feed(&whole, s);
	while (s.n > 0) {
		size_t k = fuzz_piece(&rng, s.n);

		feed(&split, str_make(s.p, k));
		s = str_from(s, k);
	}
	if (n > 3)
		compare(&whole, &split);
	clear(&whole);
	clear(&split);
	return 0;
}
