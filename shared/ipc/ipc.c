/* SPDX-License-Identifier: MIT */
/*
 * ipc.c: one end of a link.  Owns the bytes read and not yet dispatched, and
 * the queue of bytes to send; carrier.c brings and takes them.
 *
 * Input lies in a large buf that messages passed on share by reference; when
 * it is full and still shared, a fresh one takes over and only the half
 * message at its end is copied.  Output: small messages are written next to
 * each other into `tail`, so that the queue sees one slice and the kernel one
 * write.
 *
 * Bytes from the other end are never trusted: a bad length, an unknown type, a
 * wrong direction or a handler's -1 ends the link, never the process.
 */

#include "shared/ipc/ipc.h"

#include <assert.h>
#include <errno.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"

#define READ_BYTES (256u << 10) /* one read, at most */
#define TURN_BYTES (1u << 20)   /* read in one turn, at most */
#define TAIL_BYTES (32u << 10)  /* one buf of small messages */
#define FLUSH_BYTES (4u << 20)  /* written in one turn, at most */

static void
set_events(struct ipc *l)
{
	carrier_watch(&l->carrier, !l->paused, l->blocked);
}

/* Ends the link once; later events find `dead` set. */
static void
die(struct ipc *l, const char *why)
{
	if (!ipc_is_open(l))
		return;
	l->dead = true;
	carrier_watch(&l->carrier, false, false);
	l->ops->on_dead(l->owner, why);
}

/* Is nothing dispatched now? */
static bool
stands(const struct ipc *l)
{
	return !ipc_is_open(l) || l->paused || l->rests;
}

/* Makes room for at least n bytes after the undispatched ones. */
static void
make_room(struct ipc *l, size_t n)
{
	uint32_t rest = l->in->len - l->in_off;
	struct buf *b;

	if (buf_room(l->in) >= n)
		return;
	if (l->in->refs == 1 && l->in->cap >= rest + n) {
		memmove(l->in->data, l->in->data + l->in_off, rest);
		l->in->len = rest;
		l->in_off = 0;
		return;
	}
	b = buf_new(MAX(rest + n, READ_BYTES));
	buf_append(&b, str_make(l->in->data + l->in_off, rest));
	buf_unref(l->in);
	l->in = b;
	l->in_off = 0;
}

/*
 * The next message; its length is 0 if that is invalid.  False: *missing bytes
 * of it, at least, are not here.
 */
static bool
peek(const struct ipc *l, struct ipc_in *m, size_t *missing)
{
	uint32_t len, have = l->in->len - l->in_off;

	*missing = have < IPC_HEAD ? IPC_HEAD - have : 0;
	if (*missing > 0)
		return false;
	memcpy(&len, l->in->data + l->in_off, sizeof(len));
	memcpy(&m->type, l->in->data + l->in_off + 4, sizeof(m->type));
	m->b = l->in;
	m->off = l->in_off;
	m->len = 0;
	m->body = str_make(NULL, 0);
	if (len < IPC_HEAD - 4 || len > IPC_MAX_MESSAGE - 4)
		return true;
	*missing = have - 4 < len ? len - (have - 4) : 0;
	m->len = len + 4;
	m->body = str_make(m->b->data + m->off + IPC_HEAD, m->len - IPC_HEAD);
	return *missing == 0;
}

/*
 * Dispatches every complete message.  Returns how many bytes the next message
 * still lacks at least, or 0 when the link is over.
 */
static size_t
dispatch(struct ipc *l)
{
	struct ipc_in m;
	struct buf *b = buf_ref(l->in); /* a handler may close the link */
	ipc_handler h;
	size_t missing;

	while (peek(l, &m, &missing)) {
		if (m.len == 0) {
			die(l, "bad length");
			break;
		}
		l->in_off += m.len;
		l->nin++;
		if (!ipc_may_send(m.type, l->ops->peer) ||
		    (h = l->ops->handlers[m.type]) == NULL) {
			die(l, "unexpected message");
			break;
		}
		if (h(l->owner, &m) == -1) {
			die(l, ipc_name(m.type));
			break;
		}
		if (l->deferred) {
			l->deferred = false;
			l->in_off = m.off;
			l->nin--;
			break;
		}
		if (stands(l))
			break;
	}
	buf_unref(b);
	return stands(l) ? 0 : missing;
}

/*
 * Everything read has been dispatched: starts at the front again, to stay in
 * the cache, and frees the memory of a large message.
 */
static void
rewind_input(struct ipc *l)
{
	if (l->in->cap > 2 * READ_BYTES) {
		buf_unref(l->in);
		l->in = buf_new(READ_BYTES);
	} else if (l->in->refs == 1)
		l->in->len = 0;
	else
		return;
	l->in_off = 0;
}

/* Reads once, with room for `missing` bytes.  False: there was nothing. */
static bool
read_once(struct ipc *l, size_t missing)
{
	ssize_t n;

	if (l->in_off == l->in->len)
		rewind_input(l);
	make_room(l, MAX(missing, READ_BYTES / 4));
	n = carrier_read(
	    &l->carrier, l->in->data + l->in->len, buf_room(l->in));
	if (n > 0) {
		l->in->len += (uint32_t)n;
		l->nread += (size_t)n;
		return true;
	}
	if (n == 0 || errno != EAGAIN) {
		l->ended = true;
		l->error = n == -1;
	}
	return false;
}

/* The other end has said its last word. */
static void
end(struct ipc *l)
{
	die(l, l->error ? "read error" : "closed by the other end");
}

/* Reads and dispatches up to about max bytes. */
static void
read_input(struct ipc *l, size_t max)
{
	uint64_t start = l->nread;
	size_t missing = 0;

	if (stands(l))
		return;
	if (l->waiting || l->ops->on_input != NULL) { /* read, but held */
		l->waiting = false;
		if ((missing = dispatch(l)) == 0)
			return;
	}
	while (l->nread - start < max) {
		if (!read_once(l, missing)) {
			if (l->ended)
				end(l);
			return;
		}
		if ((missing = dispatch(l)) == 0)
			return;
		if (buf_room(l->in) > 0 && max != SIZE_MAX)
			return; /* the kernel had no more */
	}
}

static void
drain(struct ipc *l)
{
	do {
		l->rests = false;
		read_input(l, SIZE_MAX);
	} while (l->rests && ipc_is_open(l));
}

/* ---- a link whose owner decides what is next ---- */

bool
ipc_next(const struct ipc *l, struct ipc_in *m)
{
	size_t missing;

	return ipc_is_open(l) && !l->paused && peek(l, m, &missing);
}

bool
ipc_has_ended(const struct ipc *l)
{
	return ipc_is_open(l) && !l->paused && l->ended;
}

void
ipc_read(struct ipc *l)
{
	struct ipc_in m;
	size_t missing;
	uint64_t end;

	if (!ipc_is_open(l) || l->paused || l->ended)
		return;
	/* All at once: each growth copies what is not dispatched. */
	end = l->nread + carrier_ready(&l->carrier);
	peek(l, &m, &missing);
	missing = MAX(missing, (size_t)(end - l->nread));
	while (read_once(l, missing) && l->nread < end)
		missing = (size_t)(end - l->nread);
}

void
ipc_dispatch(struct ipc *l)
{
	if (ipc_is_open(l) && !l->paused && dispatch(l) > 0 && l->ended)
		end(l);
}

/* The socket takes bytes again. */
static void
writable(struct ipc *l)
{
	l->blocked = false;
	set_events(l);
	ipc_flush(l);
}

static void
on_event(struct carrier *w, int revents)
{
	struct ipc *l = container_of(w, struct ipc, carrier);

	if (!ipc_is_open(l))
		return;
	if (!l->paused && l->ops->on_input != NULL)
		l->ops->on_input(l->owner);
	else if (!l->paused)
		read_input(l, TURN_BYTES);
	if ((revents & EV_WRITE) && l->blocked && ipc_is_open(l))
		writable(l);
}

void
ipc_init(struct ipc *l, struct ev_loop *loop, int fd, const struct ipc_ops *ops,
    void *owner)
{
	*l = (struct ipc){ .ops = ops, .owner = owner };
	outq_init(&l->out);
	l->in = buf_new(READ_BYTES);
	carrier_init(&l->carrier, loop, fd, ops->priority, on_event);
}

void
ipc_init_sink(struct ipc *l)
{
	*l = (struct ipc){ .carrier = { .fd = -1 }, .sink = true };
	outq_init(&l->out);
}

void
ipc_close(struct ipc *l)
{
	if (l->carrier.fd == -1) {
		buf_unref(l->tail); /* of a sink */
		l->tail = NULL;
		return;
	}
	carrier_close(&l->carrier);
	outq_clear(&l->out);
	buf_unref(l->in);
	buf_unref(l->tail);
	l->in = l->tail = NULL;
	l->place = NULL;
}

void
ipc_drain_input(struct ipc *l)
{
	if (!ipc_is_open(l))
		return;
	carrier_look(&l->carrier);
	drain(l);
}

bool
ipc_turn(struct ipc *l, bool sleeps)
{
	return stands(l) ? sleeps : carrier_turn(&l->carrier, sleeps);
}

void
ipc_pause(struct ipc *l)
{
	if (!ipc_is_open(l) || l->paused)
		return;
	l->paused = l->waiting = true;
	set_events(l);
}

void
ipc_defer(struct ipc *l)
{
	ipc_pause(l);
	l->deferred = l->paused;
}

void
ipc_resume(struct ipc *l)
{
	if (!ipc_is_open(l) || !l->paused)
		return;
	l->paused = false;
	set_events(l);
	carrier_again(&l->carrier);
}

bool
ipc_go_on(struct ipc *l)
{
	if (!ipc_is_open(l) || !l->rests)
		return false;
	l->rests = false;
	carrier_again(&l->carrier);
	return true;
}

static char *
reserve(struct ipc *l, size_t n)
{
	char *p;

	assert(l->carrier.fd != -1 || l->sink);
	l->overlong = l->overlong || n > IPC_MAX_MESSAGE;
	if (l->tail == NULL || buf_room(l->tail) < n) {
		buf_unref(l->tail);
		l->tail = buf_new(MAX(n, TAIL_BYTES));
	}
	p = l->tail->data + l->tail->len;
	if (l->sink)
		return p;
	outq_push(&l->out, l->tail, l->tail->len, (uint32_t)n);
	l->tail->len += (uint32_t)n;
	return p;
}

/* The next flush gets its PLACE, ahead of all that it sends. */
static void
open_place(struct ipc *l)
{
	static const struct msg_place m;

	if (l->place != NULL || l->sink || !l->places)
		return;
	l->place = reserve(l, msg_place_size(&m));
	msg_place_put(l->place, &m);
}

void
ipc_close_place(struct ipc *l)
{
	struct msg_place m = { .us = clock_us(CLOCK_MONOTONIC) };

	if (l->place != NULL)
		msg_place_put(l->place, &m);
	l->place = NULL;
}

char *
ipc_reserve(struct ipc *l, size_t n)
{
	open_place(l);
	l->nout++;
	return reserve(l, n);
}

void
ipc_pass(struct ipc *l, const struct ipc_in *m)
{
	ipc_queue(l, m->b, m->off, m->len);
}

void
ipc_queue(struct ipc *l, struct buf *b, uint32_t off, uint32_t len)
{
	assert(l->carrier.fd != -1 || l->sink);
	if (l->sink)
		return;
	open_place(l);
	outq_push(&l->out, b, off, len);
	l->nout++;
}

void
ipc_send_queue(struct ipc *l, bool late)
{
	int r;

	if (!ipc_is_open(l) || l->blocked || outq_is_empty(&l->out))
		return;
	if (l->overlong) { /* its text came from clients */
		die(l, "a message for it is larger than 64 MiB");
		return;
	}
	ipc_close_place(l);
	r = carrier_send(&l->carrier, &l->out, FLUSH_BYTES, late);
	/* The peer is gone; its earlier messages still count. */
	if (r == -1 && !l->quiet && l->ops->on_input == NULL) {
		drain(l);
		if (!l->quiet) {
			l->ended = true;
			die(l, "write error");
			return;
		}
	}
	if (r == -1) {
		outq_clear(&l->out); /* they are read in turn */
		return;
	}
	if (r == 0) {
		l->blocked = true;
		set_events(l);
		return;
	}
	/*
	 * All bytes have left: starts small again, so that an idle link holds
	 * nothing.
	 */
	if (l->tail != NULL && l->tail->cap > TAIL_BYTES) {
		buf_unref(l->tail);
		l->tail = NULL;
	} else if (l->tail != NULL && l->tail->refs == 1)
		l->tail->len = 0;
	if (l->ops->on_drained != NULL)
		l->ops->on_drained(l->owner);
}

void
ipc_wake(struct ipc *l)
{
	if (ipc_is_open(l))
		carrier_wake(&l->carrier);
}

void
ipc_wait(struct ipc *l, int ms)
{
	if (carrier_wait(&l->carrier, ms))
		writable(l);
}
