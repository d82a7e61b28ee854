/* SPDX-License-Identifier: MIT */
/*
 * ipc.c over socket pairs: any split of the stream, bad bytes that end the one
 * link they came in on, passing on by reference, big messages, a full socket.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/ipc.h"
#include "shared/xmalloc.h"

/* One end under test; `far` is the other, a bare descriptor, or -1. */
struct end {
	struct ipc l;
	int far;
	struct buf *got; /* every message as it came, one after the other */
	unsigned ngot, ndead, ndrained;
	const char *why;
	struct end *pass_to;
	unsigned close_at;  /* the handler closes at this message */
	unsigned refuse_at; /* the handler refuses it */
};

static struct ev_loop *loop;

static int
on_any(void *owner, const struct ipc_in *m)
{
	struct end *e = owner;

	assert_int_equal(m->len, m->body.n + IPC_HEAD);
	assert_ptr_equal(m->b->data + m->off + IPC_HEAD, m->body.p);
	e->ngot++;
	if (e->ngot == e->refuse_at)
		return -1;
	if (e->pass_to != NULL)
		ipc_pass(&e->pass_to->l, m);
	else
		buf_append(&e->got, str_make(m->b->data + m->off, m->len));
	if (e->ngot == e->close_at)
		ipc_close(&e->l);
	return 0;
}

static void
on_dead(void *owner, const char *why)
{
	struct end *e = owner;

	e->ndead++;
	e->why = why;
}

static void
on_drained(void *owner)
{
	struct end *e = owner;

	e->ndrained++;
}

static const ipc_handler handlers[IPC_NTYPES] = {
	[IPC_PING] = on_any,
	[IPC_EVENT] = on_any,
	[IPC_SUB] = on_any,
	[IPC_RESYNC_DONE] = on_any,
	[IPC_APP_DEL] = on_any, /* that the peer must not send */
};
static const struct ipc_ops ops = { FROM_WORKER, handlers, on_dead,
	on_drained };

static void
end_init(struct end *e, int fd, int far)
{
	*e = (struct end){ .far = far };
	ipc_init(&e->l, loop, fd, &ops, e);
}

static void
end_open(struct end *e)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	end_init(e, fds[0], fds[1]);
}

static void
end_clear(struct end *e)
{
	ipc_close(&e->l);
	ipc_close(&e->l); /* harmless */
	assert_false(ipc_is_open(&e->l));
	if (e->far != -1)
		close(e->far);
	buf_unref(e->got);
}

/* Turns the loop until nothing is left to do for certain. */
static void
turn(unsigned n)
{
	while (n-- > 0)
		ev_run(loop, EVRUN_NOWAIT);
}

static void
far_write(const struct end *e, struct str s)
{
	ssize_t n;

	if (s.n == 0)
		return;
	n = send(e->far, s.p, s.n, MSG_NOSIGNAL);
	assert_int_equal(n, s.n);
}

static void
put_ping(struct buf **b, uint64_t id)
{
	struct msg_ping m = { .id = id };

	msg_ping_put(buf_reserve(b, msg_ping_size(&m)), &m);
	(*b)->len += (uint32_t)msg_ping_size(&m);
}

static void
put_event(struct buf **b, uint64_t seq, struct str frame)
{
	struct msg_event m = {
		.origin = 1, .seq = seq, .channel = S("room"), .frame = frame
	};

	msg_event_put(buf_reserve(b, msg_event_size(&m)), &m);
	(*b)->len += (uint32_t)msg_event_size(&m);
}

/* A few messages of different shapes. */
static struct buf *
sample(void)
{
	struct msg_resync_done done = { 0 };
	struct buf *b = NULL;

	put_ping(&b, 1);
	put_event(&b, 1, S(""));
	msg_resync_done_put(
	    buf_reserve(&b, msg_resync_done_size(&done)), &done);
	b->len += (uint32_t)msg_resync_done_size(&done);
	put_event(&b, 2, S("{\"event\":\"x\",\"data\":\"\\u0000\"}"));
	put_ping(&b, UINT64_MAX);
	return b;
}

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

/* What must end a link: what is written to it, and the sentence. */
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

/* Reads all there is from the far end into *b, turning the loop. */
static void
far_read(const struct end *e, struct buf **b, size_t want)
{
	unsigned idle = 0;
	ssize_t n;

	while ((*b == NULL || (*b)->len < want) && idle < 1000) {
		n = recv(e->far, buf_reserve(b, 65536), 65536, MSG_DONTWAIT);
		if (n > 0)
			(*b)->len += (uint32_t)n;
		idle = n > 0 ? 0 : idle + 1;
		turn(1);
	}
	assert_int_equal(buf_str(*b).n, want);
}

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
	/* what was passed on outlives the link it came from */
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
		memset(
		    all->data + all->len - msg_event_size(&m) + IPC_HEAD, 0, 8);
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
	struct buf *kept = sample(), *out = NULL;
	struct end a, b;

	(void)state;
	end_open(&a);
	end_open(&b);
	ipc_queue(&a.l, kept, 0, kept->len);
	ipc_queue(&b.l, kept, 0, kept->len);
	ipc_queue(&b.l, kept, 0, kept->len);
	assert_int_equal(kept->refs, 4);
	ipc_close(&a.l); /* unsent references go */
	assert_int_equal(kept->refs, 3);
	ipc_flush(&b.l);
	assert_int_equal(kept->refs, 1);
	far_read(&b, &out, 2 * kept->len);
	assert_memory_equal(out->data, kept->data, kept->len);
	assert_memory_equal(out->data + kept->len, kept->data, kept->len);
	end_clear(&a);
	end_clear(&b);
	buf_unref(out);
	buf_unref(kept);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_at_every_byte),
		cmocka_unit_test(bad_bytes_end_only_their_link),
		cmocka_unit_test(handlers_refuse_and_close),
		cmocka_unit_test(the_other_end_goes),
		cmocka_unit_test(passing_on_by_reference),
		cmocka_unit_test(passing_on_a_lot),
		cmocka_unit_test(the_source_may_go_first),
		cmocka_unit_test(big_messages),
		cmocka_unit_test(a_blocked_writer),
		cmocka_unit_test(resending),
		cmocka_unit_test(nothing_is_written_before_the_flush),
	};
	int failed;

	loop = ev_loop_new(EVFLAG_AUTO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	ev_loop_destroy(loop);
	return failed;
}
