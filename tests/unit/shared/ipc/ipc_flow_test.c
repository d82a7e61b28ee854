/* SPDX-License-Identifier: MIT */
/*
 * ipc.c, writing: passing on by reference, big messages, a full socket,
 * resending.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shared/ipc/ipc_end.h"

static void
passing_on_by_reference(void **state)
{
	struct buf *b = sample(), *out = NULL;
	struct end from, to;

	(void)state;
	end_open(&from);
	end_open(&to);
	from.pass_to = &to;
	far_write(&from, buf_str(b));
	turn(2);
	assert_int_equal(to.l.nout, 5);
	assert_int_equal(ipc_queued(&to.l), b->len);
	assert_int_equal(ipc_sent(&to.l), 0);
	/* one slice of the very bytes that came in, no copy */
	assert_int_equal(to.l.out.n, 1);
	assert_ptr_equal(outq_front(&to.l.out)->b, from.l.in);
	assert_int_equal(from.l.in->refs, 2);
	ipc_flush(&to.l);
	assert_int_equal(ipc_sent(&to.l), b->len);
	assert_int_equal(from.l.in->refs, 1);
	assert_int_equal(to.ndrained, 1);
	far_read(&to, &out, b->len);
	assert_true(str_eq(buf_str(out), buf_str(b)));
	end_clear(&from);
	end_clear(&to);
	buf_unref(out);
	buf_unref(b);
}

/*
 * More than a read buffer's worth is passed on before anything is flushed:
 * fresh buffers take over and what is queued stays as it came.
 */
static void
passing_on_a_lot(void **state)
{
	struct buf *part = NULL, *all = NULL, *out = NULL;
	char frame[3001];
	struct end from, to;
	uint64_t seq;

	(void)state;
	end_open(&from);
	end_open(&to);
	from.pass_to = &to;
	for (seq = 0; seq < 1000; seq++) {
		memset(frame, (int)('a' + seq % 26), sizeof(frame));
		part = NULL;
		put_event(&part, seq, str_make(frame, seq * 3 + 1));
		buf_append(&all, buf_str(part));
		/* in two parts, so that half messages move too */
		far_write(&from, str_make(part->data, part->len / 2));
		if (seq % 3 == 0)
			turn(1);
		far_write(&from, str_from(buf_str(part), part->len / 2));
		turn(1);
		buf_unref(part);
	}
	turn(2);
	assert_int_equal(from.ngot, 1000);
	assert_true(all->len > 1000000);
	assert_int_equal(ipc_queued(&to.l), all->len);
	ipc_flush(&to.l);
	far_read(&to, &out, all->len);
	assert_true(str_eq(buf_str(out), buf_str(all)));
	end_clear(&from);
	/* a buf that was passed on outlives its link */
	end_clear(&to);
	buf_unref(all);
	buf_unref(out);
}

static void
the_source_may_go_first(void **state)
{
	struct buf *b = sample(), *out = NULL;
	struct end from, to;

	(void)state;
	end_open(&from);
	end_open(&to);
	from.pass_to = &to;
	far_write(&from, buf_str(b));
	turn(2);
	end_clear(&from);
	ipc_flush(&to.l);
	far_read(&to, &out, b->len);
	assert_true(str_eq(buf_str(out), buf_str(b)));
	end_clear(&to);
	buf_unref(out);
	buf_unref(b);
}

/* Two links of one loop; the frame arrives byte for byte. */
static void
big_message(size_t frame_bytes)
{
	struct msg_event m = { .seq = 1, .channel = S("room") };
	struct buf *frame = buf_new(frame_bytes);
	struct msg_event got;
	struct end a, b;
	unsigned turns;
	int fds[2];

	for (; frame->len < frame_bytes; frame->len++)
		frame->data[frame->len] = (char)(frame->len * 31 >> 3);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end_init(&a, fds[0], -1);
	end_init(&b, fds[1], -1);
	m.frame = buf_str(frame);
	ipc_send_event(&a.l, &m);
	m.frame = S("small");
	ipc_send_event(&a.l, &m);
	ipc_flush(&a.l);
	assert_true(a.l.blocked);
	for (turns = 0; turns < 100000 && b.ngot < 2 && !b.ndead; turns++)
		turn(1);
	assert_int_equal(b.ndead, 0);
	assert_int_equal(b.ngot, 2);
	assert_int_equal(ipc_sent(&a.l), ipc_queued(&a.l));
	assert_int_equal(a.ndrained, 1);
	assert_int_equal(buf_str(b.got).n, ipc_sent(&a.l));
	assert_int_equal(
	    msg_event_get(&got,
		str_make(b.got->data + IPC_HEAD,
		    ipc_sent(&a.l) - msg_event_size(&m) - IPC_HEAD)),
	    0);
	assert_true(str_eq(got.frame, buf_str(frame)));
	end_clear(&a);
	end_clear(&b);
	buf_unref(frame);
}

static void
big_messages(void **state)
{
	struct msg_event m = { .channel = S("room") };

	(void)state;
	big_message(300 << 10);
	big_message(5 << 20);
	/* the largest there may be */
	big_message(IPC_MAX_MESSAGE - msg_event_size(&m));
}

static void
a_blocked_writer(void **state)
{
	struct buf *all = NULL, *out = NULL, *b = sample();
	struct msg_event m = { .channel = S("room") };
	static char frame[4000];
	struct end e;
	uint64_t sent;
	size_t i;

	(void)state;
	end_open(&e);
	memset(frame, 'f', sizeof(frame));
	for (i = 0; i < 1000; i++) {
		m.seq = i;
		m.frame = str_make(frame, i * 4 % sizeof(frame));
		ipc_send_event(&e.l, &m);
		put_event(&all, i, m.frame);
		/* put_event() numbers its origin 1 */
		memset(all->data + all->len - msg_event_size(&m) + IPC_HEAD + 8,
		    0, 8);
	}
	assert_int_equal(e.l.nout, 1000);
	assert_int_equal(ipc_queued(&e.l), all->len);
	ipc_flush(&e.l);
	assert_true(e.l.blocked);
	sent = ipc_sent(&e.l);
	assert_true(sent > 0 && sent < ipc_queued(&e.l));
	ipc_flush(&e.l); /* nothing to be done */
	turn(3);
	assert_int_equal(ipc_sent(&e.l), sent);
	assert_int_equal(e.ndrained, 0);

	/* it still reads meanwhile */
	far_write(&e, buf_str(b));
	turn(2);
	assert_int_equal(e.ngot, 5);

	far_read(&e, &out, all->len);
	assert_true(str_eq(buf_str(out), buf_str(all)));
	assert_int_equal(e.ndrained, 1);
	assert_false(e.l.blocked);
	assert_int_equal(ipc_sent(&e.l), ipc_queued(&e.l));

	/* and goes on by itself afterwards */
	ipc_send_event(&e.l, &m);
	ipc_flush(&e.l);
	assert_int_equal(e.ndrained, 2);
	end_clear(&e);
	buf_unref(all);
	buf_unref(out);
	buf_unref(b);
}

/* A message that the sender keeps: queued twice, on two links. */
static void
resending(void **state)
{
	struct buf *bytes = sample(), *out = NULL;
	struct end a, b;

	(void)state;
	end_open(&a);
	end_open(&b);
	ipc_queue(&a.l, bytes, 0, bytes->len);
	ipc_queue(&b.l, bytes, 0, bytes->len);
	ipc_queue(&b.l, bytes, 0, bytes->len);
	assert_int_equal(bytes->refs, 4);
	ipc_close(&a.l); /* unsent references go */
	assert_int_equal(bytes->refs, 3);
	ipc_flush(&b.l);
	assert_int_equal(bytes->refs, 1);
	far_read(&b, &out, 2 * bytes->len);
	assert_memory_equal(out->data, bytes->data, bytes->len);
	assert_memory_equal(out->data + bytes->len, bytes->data, bytes->len);
	end_clear(&a);
	end_clear(&b);
	buf_unref(out);
	buf_unref(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passing_on_by_reference),
		cmocka_unit_test(passing_on_a_lot),
		cmocka_unit_test(the_source_may_go_first),
		cmocka_unit_test(big_messages),
		cmocka_unit_test(a_blocked_writer),
		cmocka_unit_test(resending),
	};
	int failed;

	loop = ev_loop_new(EVFLAG_AUTO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
