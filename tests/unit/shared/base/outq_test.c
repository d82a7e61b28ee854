/* SPDX-License-Identifier: MIT */
/* outq.c: merging, the ring, positions, and what the socket takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/outq.h"

static struct buf *
letters(size_t n)
{
	struct buf *b = buf_new(n);

	for (; b->len < n; b->len++)
		b->data[b->len] = (char)('a' + b->len % 26);
	return b;
}

static void
the_first_slice_lies_inline(void **state)
{
	struct buf *b = letters(100), *b2 = letters(100);
	struct outq q;

	(void)state;
	outq_init(&q);
	assert_true(outq_is_empty(&q));
	assert_null(outq_front(&q));
	outq_push(&q, b, 10, 0);
	assert_true(outq_is_empty(&q));
	assert_int_equal(b->refs, 1);
	outq_push(&q, b, 10, 5);
	assert_null(q.v);
	assert_int_equal(b->refs, 2);
	assert_int_equal(outq_bytes(&q), 5);
	assert_ptr_equal(outq_front(&q), &q.one);
	outq_consume(&q, 2);
	assert_int_equal(outq_front(&q)->off, 12);
	assert_int_equal(outq_front(&q)->len, 3);
	outq_consume(&q, 3);
	assert_int_equal(b->refs, 1);
	assert_true(outq_is_empty(&q));
	outq_push(&q, b, 0, 1);
	assert_null(q.v);
	outq_push(&q, b2, 1, 1);
	assert_non_null(q.v);
	assert_int_equal(q.n, 2);
	outq_clear(&q);
	assert_int_equal(b->refs, 1);
	assert_int_equal(b2->refs, 1);
	buf_unref(b);
	buf_unref(b2);
}

static void
neighbours_merge(void **state)
{
	struct buf *b = letters(100), *b2 = letters(100);
	struct outq q;

	(void)state;
	outq_init(&q);
	outq_push(&q, b, 0, 10);
	outq_push(&q, b, 10, 20);
	assert_int_equal(q.n, 1);
	assert_int_equal(b->refs, 2);
	outq_push(&q, b, 31, 1); /* a gap */
	outq_push(&q, b, 31, 1); /* the same once more */
	assert_int_equal(q.n, 3);
	outq_push(&q, b, 32, 8); /* in the ring too */
	assert_int_equal(q.n, 3);
	assert_int_equal(b->refs, 4);
	outq_push(&q, b2, 40, 1); /* right place, wrong buf */
	assert_int_equal(q.n, 4);
	assert_int_equal(outq_bytes(&q), 10 + 20 + 1 + 9 + 1);
	/* merged also when the front is partly gone */
	outq_consume(&q, 40);
	outq_push(&q, b2, 41, 4);
	assert_int_equal(q.n, 1);
	assert_int_equal(outq_front(&q)->len, 5);
	outq_clear(&q);
	assert_int_equal(b->refs, 1);
	buf_unref(b);
	buf_unref(b2);
}

/* Random pushes and consumes against a flat array. */
static void
against_an_array(void **state)
{
	static char model[1 << 20], peek[1 << 16];
	struct buf *bufs[3] = { letters(977), letters(500), letters(31) };
	size_t from = 0, to = 0, n;
	unsigned seed = 7, step, off, len;
	struct outq q;
	struct buf *b;

	(void)state;
	outq_init(&q);
	for (step = 0; step < 30000 && to < sizeof(model) - 1000; step++) {
		seed = seed * 1103515245 + 12345;
		b = bufs[(seed >> 16) % 3];
		/* grows for a while, then shrinks, then grows */
		if ((seed >> 20) % 8 < (step / 200 % 2 == 0 ? 6u : 2u)) {
			off = (seed >> 8) % b->len;
			len = MIN((seed >> 24) % 64, b->len - off);
			outq_push(&q, b, off, len);
			memcpy(model + to, b->data + off, len);
			to += len;
		} else {
			n = (seed >> 8) % 200;
			n = MIN(n, outq_bytes(&q));
			outq_consume(&q, n);
			from += n;
		}
		assert_int_equal(outq_bytes(&q), to - from);
		assert_int_equal(q.in, to);
		assert_int_equal(q.out, from);
		assert_int_equal(outq_is_empty(&q), to == from);
		n = outq_peek(&q, peek, (seed >> 4) % 2 ? 100 : sizeof(peek));
		assert_true(n <= to - from);
		assert_memory_equal(peek, model + from, n);
	}
	assert_true(step > 5000);
	outq_clear(&q);
	assert_int_equal(outq_bytes(&q), 0);
	for (n = 0; n < nitems(bufs); n++) {
		assert_int_equal(bufs[n]->refs, 1);
		buf_unref(bufs[n]);
	}
}

static void
small_rings_are_kept(void **state)
{
	struct buf *b = letters(4096);
	struct slice *ring;
	struct outq q;
	uint32_t i;

	(void)state;
	outq_init(&q);
	for (i = 0; i < 16; i++)
		outq_push(&q, b, i * 4, 1);
	ring = q.v;
	assert_non_null(ring);
	outq_consume(&q, 16);
	assert_ptr_equal(q.v, ring); /* no malloc for every turn */
	for (i = 0; i < 16; i++)
		outq_push(&q, b, i * 4, 1);
	assert_ptr_equal(q.v, ring);
	for (i = 0; i < 1000; i++)
		outq_push(&q, b, i * 4, 1);
	outq_consume(&q, 1016);
	assert_null(q.v); /* a large one is given back */
	assert_int_equal(b->refs, 1);
	outq_push_copy(&q, S("copied"));
	outq_push_copy(&q, S(""));
	assert_null(q.v);
	assert_int_equal(q.n, 1);
	assert_int_equal(outq_front(&q)->b->refs, 1);
	outq_clear(&q);
	buf_unref(b);
}

static void
read_exactly(int fd, char *p, size_t n)
{
	ssize_t r;

	for (; n > 0; n -= (size_t)r, p += r) {
		r = recv(fd, p, n, MSG_DONTWAIT);
		assert_true(r > 0);
	}
}

static void
sending_many_slices(void **state)
{
	struct buf *b = letters(10000);
	char got[1000], want[1000];
	struct outq q;
	uint32_t i;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	outq_init(&q);
	assert_int_equal(outq_send(&q, fds[0], 100), 1); /* nothing to do */
	for (i = 0; i < 500; i++) { /* far more than one call takes */
		outq_push(&q, b, i * 7, 2);
		memcpy(want + 2 * i, b->data + i * 7, 2);
	}
	assert_int_equal(outq_send(&q, fds[0], SIZE_MAX), 1);
	read_exactly(fds[1], got, sizeof(got));
	assert_memory_equal(got, want, sizeof(got));
	assert_int_equal(recv(fds[1], got, 1, MSG_DONTWAIT), -1);
	assert_int_equal(b->refs, 1);

	/* `max` ends it, also inside a slice, also at 0 */
	for (i = 0; i < 500; i++)
		outq_push(&q, b, i * 7, 2);
	assert_int_equal(outq_send(&q, fds[0], 0), 0);
	assert_int_equal(outq_bytes(&q), 1000);
	assert_int_equal(outq_send(&q, fds[0], 301), 0);
	assert_int_equal(outq_bytes(&q), 699);
	assert_int_equal(outq_send(&q, fds[0], 699), 1);
	read_exactly(fds[1], got, sizeof(got));
	assert_memory_equal(got, want, sizeof(got));
	outq_push(&q, b, 0, 1000);
	assert_int_equal(outq_send(&q, fds[0], 999), 0);
	assert_int_equal(outq_bytes(&q), 1);
	outq_clear(&q);
	close(fds[0]);
	close(fds[1]);
	buf_unref(b);
}

static void
a_full_socket(void **state)
{
	static char got[8 << 20];
	struct buf *b = letters(sizeof(got) / 2);
	size_t have = 0;
	struct outq q;
	unsigned turns;
	int fds[2], r;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	outq_init(&q);
	outq_push(&q, b, 0, b->len);
	outq_push(&q, b, 0, b->len);
	r = outq_send(&q, fds[0], SIZE_MAX);
	assert_int_equal(r, 0);
	assert_true(q.out > 0);
	assert_int_equal(outq_send(&q, fds[0], SIZE_MAX), 0); /* EAGAIN */
	for (turns = 0; turns < 10000 && have < sizeof(got); turns++) {
		n = recv(fds[1], got + have, sizeof(got) - have, MSG_DONTWAIT);
		if (n > 0)
			have += (size_t)n;
		r = outq_send(&q, fds[0], SIZE_MAX);
		assert_true(r >= 0);
	}
	assert_int_equal(r, 1);
	assert_int_equal(have, sizeof(got));
	assert_memory_equal(got, b->data, b->len);
	assert_memory_equal(got + b->len, b->data, b->len);

	/* no SIGPIPE: this process would be gone */
	close(fds[1]);
	outq_push(&q, b, 0, 5);
	assert_int_equal(outq_send(&q, fds[0], SIZE_MAX), -1);
	assert_int_equal(errno, EPIPE);
	outq_push(&q, b, 7, 5);
	assert_int_equal(outq_send(&q, fds[0], SIZE_MAX), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(outq_bytes(&q), 10);
	outq_clear(&q);
	close(fds[0]);
	assert_int_equal(b->refs, 1);
	buf_unref(b);
}

/* From the end: a part of a slice, whole slices, all. */
static void
shortening(void **state)
{
	struct buf *b = buf_from(S("hello, world"));
	struct outq q;
	char text[16];

	outq_init(&q);
	for (int i = 0; i < 3; i++)
		outq_push(&q, b, 0, 5);
	outq_consume(&q, 1);
	outq_shorten(&q, 7);
	assert_int_equal(outq_bytes(&q), 7);
	assert_int_equal(outq_peek(&q, text, sizeof(text)), 7);
	assert_memory_equal(text, "ellohel", 7);
	outq_push(&q, b, 5, 2);
	assert_int_equal(outq_peek(&q, text, sizeof(text)), 9);
	assert_memory_equal(text, "ellohel, ", 9);
	outq_shorten(&q, 9);
	assert_true(outq_is_empty(&q));
	assert_int_equal(b->refs, 1);
	outq_push(&q, b, 7, 5);
	assert_int_equal(outq_peek(&q, text, sizeof(text)), 5);
	assert_memory_equal(text, "world", 5);
	outq_clear(&q);
	assert_int_equal(b->refs, 1);
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_slice_lies_inline),
		cmocka_unit_test(neighbours_merge),
		cmocka_unit_test(against_an_array),
		cmocka_unit_test(small_rings_are_kept),
		cmocka_unit_test(sending_many_slices),
		cmocka_unit_test(a_full_socket),
		cmocka_unit_test(shortening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
