/* SPDX-License-Identifier: MIT */
/*
 * ipc.c, reading: any split of the stream, bad bytes that end the one link
 * they came in on, handlers that refuse or close, the other end's death.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/shared/ipc/ipc_end.h"

static void
split_at_every_byte(void **state)
{
	struct buf *b = sample();
	struct end e;
	size_t i;

	(void)state;
	for (i = 0; i <= b->len; i++) {
		end_open(&e);
		far_write(&e, str_make(b->data, i));
		turn(2);
		assert_true(buf_str(e.got).n <= i);
		far_write(&e, str_from(buf_str(b), i));
		turn(2);
		assert_int_equal(e.ngot, 5);
		assert_int_equal(e.l.nin, 5);
		assert_true(str_eq(buf_str(e.got), buf_str(b)));
		assert_true(ipc_is_open(&e.l));
		end_clear(&e);
	}
	end_open(&e); /* one byte at a time */
	for (i = 0; i < b->len; i++) {
		far_write(&e, str_make(b->data + i, 1));
		turn(1);
	}
	assert_true(str_eq(buf_str(e.got), buf_str(b)));
	end_clear(&e);
	buf_unref(b);
}

/* Input that must end a link: the bytes written to it, and the sentence. */
static void
bad_bytes_end_only_their_link(void **state)
{
	static const struct {
		uint32_t head[2];
		const char *why;
	} rows[] = {
		{ { 0, IPC_PING }, "bad length" },
		{ { 3, IPC_PING }, "bad length" },
		{ { IPC_MAX_MESSAGE - 3, IPC_PING }, "bad length" },
		{ { 0x80000000, IPC_PING }, "bad length" },
		{ { UINT32_MAX, IPC_PING }, "bad length" },
		{ { UINT32_MAX - 3, IPC_PING }, "bad length" },
		{ { 4, IPC_NONE }, "unexpected message" },
		{ { 4, IPC_NTYPES }, "unexpected message" },
		{ { 4, UINT32_MAX }, "unexpected message" },
		/* the wrong direction, though there is a handler */
		{ { 4, IPC_APP_DEL }, "unexpected message" },
		/* the right direction, but nobody wants it */
		{ { 4, IPC_HELLO }, "unexpected message" },
	};
	struct buf *before = sample(), *after = sample();
	struct end bad, good;
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		end_open(&bad);
		end_open(&good);
		far_write(&bad, buf_str(before));
		far_write(&bad, str_make(rows[i].head, IPC_HEAD));
		far_write(&bad, buf_str(after));
		far_write(&good, buf_str(before));
		turn(3);
		assert_int_equal(bad.ndead, 1);
		assert_string_equal(bad.why, rows[i].why);
		assert_false(ipc_is_open(&bad.l));
		assert_true(str_eq(buf_str(bad.got), buf_str(before)));
		assert_int_equal(bad.ngot, 5); /* nothing behind it */
		far_write(&bad, buf_str(after));
		far_write(&good, buf_str(after));
		turn(3);
		assert_int_equal(bad.ndead, 1);
		assert_int_equal(bad.ngot, 5);
		assert_int_equal(good.ndead, 0);
		assert_int_equal(good.ngot, 10);
		assert_true(ipc_is_open(&good.l));
		ipc_flush(&bad.l); /* harmless */
		end_clear(&bad);
		end_clear(&good);
	}
	buf_unref(before);
	buf_unref(after);
}

static void
handlers_refuse_and_close(void **state)
{
	struct buf *b = sample();
	struct end e;

	(void)state;
	end_open(&e);
	e.refuse_at = 2;
	far_write(&e, buf_str(b));
	turn(3);
	assert_int_equal(e.ngot, 2);
	assert_int_equal(e.ndead, 1);
	assert_string_equal(e.why, "EVENT");
	end_clear(&e);

	/* a handler that closes is not called again, and nobody died */
	end_open(&e);
	e.close_at = 2;
	far_write(&e, buf_str(b));
	turn(3);
	assert_int_equal(e.ngot, 2);
	assert_int_equal(e.ndead, 0);
	assert_false(ipc_is_open(&e.l));
	end_clear(&e);
	buf_unref(b);
}

static void
the_other_end_goes(void **state)
{
	struct buf *b = sample();
	struct msg_ack ack = { .seq = 1 };
	struct end e;

	(void)state;
	/* whole messages count, half a message does not */
	end_open(&e);
	far_write(&e, buf_str(b));
	far_write(&e, str_make(b->data, 15));
	close(e.far);
	e.far = -1;
	turn(3);
	assert_int_equal(e.ngot, 5);
	assert_int_equal(e.ndead, 1);
	assert_string_equal(e.why, "closed by the other end");
	end_clear(&e);

	/* seen first while writing: what it said before still counts */
	end_open(&e);
	far_write(&e, buf_str(b));
	close(e.far);
	e.far = -1;
	ipc_send_ack(&e.l, &ack);
	ipc_flush(&e.l);
	assert_int_equal(e.ngot, 5);
	assert_int_equal(e.ndead, 1);
	turn(3);
	assert_int_equal(e.ndead, 1);
	end_clear(&e);

	/* likewise while its owner wants to be told nothing: in the next turn
	 */
	end_open(&e);
	far_write(&e, buf_str(b));
	close(e.far);
	e.far = -1;
	e.l.quiet = true;
	ipc_send_ack(&e.l, &ack);
	ipc_flush(&e.l);
	ipc_send_ack(&e.l, &ack);
	ipc_wait(&e.l, 1000);
	assert_int_equal(e.ngot, 0);
	assert_int_equal(e.ndead, 0);
	e.l.quiet = false;
	turn(3);
	assert_int_equal(e.ngot, 5);
	assert_int_equal(e.ndead, 1);
	end_clear(&e);

	/* the same, and that is said by one of its last messages */
	end_open(&e);
	far_write(&e, buf_str(b));
	close(e.far);
	e.far = -1;
	e.quiet_at = 2;
	ipc_send_ack(&e.l, &ack);
	ipc_flush(&e.l);
	turn(3);
	assert_int_equal(e.ngot, 2);
	assert_int_equal(e.ndead, 0);
	e.l.quiet = false;
	ipc_resume(&e.l);
	turn(3);
	assert_int_equal(e.ngot, 5);
	assert_int_equal(e.ndead, 1);
	end_clear(&e);

	/* asked for, without a turn of the loop */
	end_open(&e);
	far_write(&e, buf_str(b));
	ipc_drain_input(&e.l);
	assert_int_equal(e.ngot, 5);
	assert_int_equal(e.ndead, 0);
	far_write(&e, buf_str(b));
	close(e.far);
	e.far = -1;
	ipc_drain_input(&e.l);
	assert_int_equal(e.ngot, 10);
	turn(3);
	assert_int_equal(e.ndead, 1);
	ipc_drain_input(&e.l); /* harmless */
	assert_int_equal(e.ndead, 1);
	end_clear(&e);
	buf_unref(b);
}

static void
a_link_rests_until_it_goes_on(void **state)
{
	struct buf *b = sample();
	struct msg_ack ack = { .seq = 1 };
	struct end e;

	(void)state;
	end_open(&e);
	assert_false(ipc_go_on(&e.l));
	e.rests = true;
	far_write(&e, buf_str(b));
	for (unsigned i = 1; i <= 5; i++) {
		turn(3);
		assert_int_equal(e.ngot, i);
		assert_true(ipc_go_on(&e.l));
	}
	turn(3);
	assert_false(ipc_go_on(&e.l));
	assert_int_equal(e.ngot, 5);

	/* its last words do not wait */
	far_write(&e, buf_str(b));
	turn(1);
	assert_int_equal(e.ngot, 6);
	ipc_drain_input(&e.l);
	assert_int_equal(e.ngot, 10);
	far_write(&e, buf_str(b));
	turn(1);
	close(e.far);
	e.far = -1;
	ipc_send_ack(&e.l, &ack);
	ipc_flush(&e.l);
	assert_int_equal(e.ngot, 15);
	assert_int_equal(e.ndead, 1);
	end_clear(&e);
	buf_unref(b);
}

static void
nothing_is_written_before_the_flush(void **state)
{
	struct msg_ack ack = { .seq = 1 };
	struct end e;
	char byte;

	(void)state;
	end_open(&e);
	ipc_flush(&e.l);
	assert_int_equal(e.ndrained, 0);
	ipc_send_ack(&e.l, &ack);
	turn(3);
	assert_int_equal(recv(e.far, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	/* small messages lie next to each other */
	ipc_send_ack(&e.l, &ack);
	assert_int_equal(e.l.out.n, 1);
	ipc_flush(&e.l);
	assert_int_equal(e.ndrained, 1);
	assert_int_equal(ipc_sent(&e.l), 2 * msg_ack_size(&ack));
	end_clear(&e);
}

/* More than one buffer of it, with the beginning of a message at each end. */
static void
all_that_is_here_is_read_before_it_is_dispatched(void **state)
{
	static const char zeros[100000];
	struct str frame = str_make(zeros, sizeof(zeros));
	struct buf *b = NULL;
	struct end e;
	size_t sent = 0;

	(void)state;
	put_event(&b, 1, frame);
	put_event(&b, 2, frame);
	end_open(&e);
	while (sent + 150000 <= b->len * 5) {
		size_t at = sent % b->len, n = MIN(150000, b->len - at);

		far_write(&e, str_make(b->data + at, n));
		far_write(&e, str_make(b->data, 150000 - n));
		ipc_read(&e.l);
		sent += 150000;
		assert_int_equal(e.l.nread, sent);
		assert_int_equal(e.ngot, 0);
	}
	ipc_dispatch(&e.l);
	assert_int_equal(e.ngot, sent / (b->len / 2));
	for (unsigned i = 0; i + b->len <= e.got->len; i += b->len)
		assert_memory_equal(e.got->data + i, b->data, b->len);
	end_clear(&e);
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(bad_bytes_end_only_their_link),
		cmocka_unit_test(handlers_refuse_and_close),
		cmocka_unit_test(the_other_end_goes),
		cmocka_unit_test(a_link_rests_until_it_goes_on),
		cmocka_unit_test(nothing_is_written_before_the_flush),
		cmocka_unit_test(
		    all_that_is_here_is_read_before_it_is_dispatched),
	};
	int failed;

	loop = ev_loop_new(EVFLAG_AUTO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
