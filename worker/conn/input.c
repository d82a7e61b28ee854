/* SPDX-License-Identifier: MIT */
/*
 * input.c: reads connections and decides how much.  Owns received unused bytes,
 * and w->input: the lines of connections whose input continues in a later turn,
 * one after the other, each with its share, and the account of what each has
 * cost.  An answer of the broker must never feed a connection at once: the
 * caller may be in the middle of a message.
 */

#include "worker/conn/input.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

/* ---- how much is read ---- */

static void
stop(struct conn *c)
{
	if (conn_input_is(c, INPUT_STOPPED) || c->state >= CONN_FINISHING)
		return;
	c->input |= INPUT_STOPPED;
	conn_set_events(c);
}

/* Answers to its own messages must not fill its queue. */
bool
input_is_full(const struct conn *c)
{
	return outq_bytes(&c->out) > c->w->conf->client_buffer / 2;
}

static bool
may_read(const struct conn *c)
{
	return c->state == CONN_LOST ||
	    (c->unanswered <= FLOW_GO_ON && !input_is_full(c));
}

/* ---- whose turn it is ---- */

void
input_charge(struct conn *c, size_t cost)
{
	int n = (int)MIN(cost, (size_t)FLOW_TURN);

	c->w->input->spent += (uint32_t)n;
	c->credit = (int16_t)MAX(c->credit - n, CREDIT_MIN);
}

bool
input_had_share(const struct conn *c)
{
	return c->w->input->spent >= c->w->input->share_end;
}

/* Is its credit used up? */
static bool
is_greedy(struct conn *c)
{
	uint16_t rounds = (uint16_t)(c->w->input->round - c->round);

	c->round = c->w->input->round;
	c->credit = (int16_t)MIN(c->credit + rounds * CREDIT_ROUND, CREDIT_MAX);
	return c->credit <= 0;
}

/* Has the broker so much to answer, or to hear, that some have to wait? */
static bool
is_congested(const struct worker *w)
{
	return !w->no_broker &&
	    (w->unanswered_cost >= FLOW_ASKED ||
		w->unacked_state > w->unacked_state_max);
}

/* Its turn comes. */
static void
line_up(struct conn *c, enum input_line line)
{
	struct input_queue *l = &c->w->input->lines[line];

	if (conn_input_is(c, INPUT_QUEUED))
		return;
	if (l->end == l->cap && l->first > l->cap / 2) {
		l->end -= l->first;
		memmove(l->sids, l->sids + l->first, l->end * sizeof(*l->sids));
		l->first = 0;
	} else if (l->end == l->cap) {
		l->cap = l->cap == 0 ? 16 : l->cap * 2;
		l->sids = xreallocarray(l->sids, l->cap, sizeof(*l->sids));
	}
	l->sids[l->end++] = conn_sid(c);
	c->input |= INPUT_QUEUED;
}

void
input_check(struct conn *c)
{
	if (!conn_input_is(c, INPUT_STOPPED) || !may_read(c))
		return;
	if (!is_greedy(c))
		line_up(c, LINE_FIRST);
	else
		line_up(c, c->unanswered > 0 ? LINE_ASK : LINE_NEXT);
}

void
input_asked(struct conn *c, unsigned n, size_t cost)
{
	cost = MIN(cost + n * COST_QUESTION, (size_t)FLOW_TURN);
	c->unanswered += n;
	c->unanswered_cost += (uint32_t)cost;
	c->w->unanswered_cost += (uint32_t)cost;
	input_charge(c, cost);
	if (c->unanswered >= FLOW_WINDOW)
		stop(c);
	else if (is_congested(c->w) && is_greedy(c))
		input_yield(c);
}

void
input_answered(struct conn *c, unsigned n)
{
	uint32_t cost = n < c->unanswered
	    ? c->unanswered_cost / c->unanswered * n
	    : c->unanswered_cost;

	c->unanswered -= MIN(c->unanswered, n);
	c->unanswered_cost -= cost;
	c->w->unanswered_cost -= cost;
	input_check(c);
}

void
input_forget(struct conn *c)
{
	c->w->unanswered_cost -= c->unanswered_cost;
	c->unanswered = c->unanswered_cost = 0;
}

void
input_yield(struct conn *c)
{
	stop(c);
	input_check(c);
}

void
input_wait(struct conn *c, enum input_line line)
{
	stop(c);
	line_up(c, line);
}

/* ---- reading ---- */

/* Feeds n bytes; returns how many need not be stored. */
static size_t
feed(struct conn *c, char *p, size_t n)
{
	struct inputs *in = c->w->input;
	size_t used = 0, k;

	in->share_end = in->spent + FLOW_SHARE;
	c->input |= INPUT_FEEDING;
	while (used < n && c->state < CONN_FINISHING && !conn_is_halted(c)) {
		k = c->ops->feed(c, p + used, n - used);
		if (k == 0)
			break;
		used += k;
		if (used < n && input_had_share(c))
			input_yield(c);
	}
	c->input &= ~INPUT_FEEDING;
	return c->state >= CONN_FINISHING ? n : used;
}

/* Feeds c->in and keeps the rest of it. */
static void
feed_buffered(struct conn *c)
{
	size_t used = feed(c, c->in->data, c->in->len);

	if (used >= c->in->len) {
		buf_unref(c->in);
		c->in = NULL;
	} else if (used > 0) {
		memmove(c->in->data, c->in->data + used, c->in->len - used);
		c->in->len -= (uint32_t)used;
	}
}

void
input_store(struct conn *c, struct buf **b, struct str s)
{
	if (*b != NULL && buf_room(*b) < s.n)
		c->w->bytes_in += (*b)->len; /* they are copied */
	buf_append(b, s);
}

static void
take_input(struct conn *c, char *p, size_t n)
{
	size_t used;

	if (c->in != NULL) {
		input_store(c, &c->in, str_make(p, n));
		feed_buffered(c);
		return;
	}
	used = feed(c, p, n);
	if (used < n)
		c->in = buf_from(str_make(p + used, n - used));
}

static void
end(struct conn *c)
{
	input_charge(c, c->nsubs * COST_QUESTION);
	conn_close(c);
}

static void
on_eof(struct conn *c)
{
	if (!c->ops->half_close || outq_is_empty(&c->out)) {
		end(c);
		return;
	}
	conn_finish(c);
	c->state = CONN_PEER_ENDED; /* no more reads: each would return 0 */
	conn_set_events(c);
}

/* n bytes came after the goodbye; false: over the limit. */
static bool
hear_out(struct conn *c, size_t n)
{
	if (c->ops->after_goodbye_max == 0)
		return true;
	c->after_goodbye += (uint32_t)n; /* of one read */
	if (c->after_goodbye <= c->ops->after_goodbye_max)
		return true;
	conn_deafen(c);
	return false;
}

static void
read_more(struct conn *c)
{
	struct worker *w = c->w;
	ssize_t n;

	w->before_read(w);
	if (c->state == CONN_CLOSED)
		return;
	n = c->transport == NULL ? recv(c->io.fd, w->recv, WORKER_RECV_BYTES, 0)
				 : transport_recv(w, c->transport, &c->in,
				       w->recv, WORKER_RECV_BYTES);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		input_charge(c, COST_MESSAGE); /* a record without data */
		if (transport_wants_write(c->transport))
			conn_set_events(c);
		return;
	}
	/* The end of each subscription is a message to the broker. */
	if (n <= 0 && c->nsubs > 0 && is_congested(w)) {
		conn_lose(c);
		input_wait(c, LINE_ASK);
		return;
	}
	if (n == -1)
		end(c);
	else if (n == 0)
		on_eof(c);
	else if (conn_is_ending(c) && !hear_out(c, (size_t)n))
		return;
	else if (c->state < CONN_FINISHING) {
		w->bytes_in += (size_t)n;
		w->stats->stamp = 0;
		input_charge(c, (size_t)n / COST_BYTES);
		take_input(c, w->recv, (size_t)n);
	}
}

/* Has it to wait, for its own turn or for the next one of the loop? */
static bool
must_wait(struct conn *c)
{
	struct worker *w = c->w;

	if (w->input->spent < FLOW_TURN &&
	    (input_waiting(w, LINE_NEXT) == 0 || !is_greedy(c)))
		return false;
	input_yield(c);
	return conn_input_is(c, INPUT_STOPPED);
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *c = CONN_OF(io, io);

	if (!conn_input_is(c, INPUT_DEAF) && !c->w->moving &&
	    ((revents & EV_READ) || transport_wants_write(c->transport)) &&
	    !must_wait(c)) {
		bool waited = transport_wants_write(c->transport);

		read_more(c);
		if (waited && c->state != CONN_CLOSED)
			conn_set_events(c);
	}
	if ((revents & EV_WRITE) && c->state != CONN_CLOSED && c->blocked) {
		c->blocked = false;
		conn_set_events(c);
		conn_move(c, &c->w->dirty);
	}
}

struct conn *
input_make(struct worker *w, int fd, const struct conn_ops *ops, uint64_t sid)
{
	struct conn *c = conn_new(w, ops, sid);

	c->credit = CREDIT_MAX;
	ev_io_init(&c->io, on_io, fd, EV_READ);
	return c;
}

struct conn *
input_open(struct worker *w, int fd, const struct conn_ops *ops)
{
	struct conn *c = input_make(w, fd, ops, 0);

	ev_io_start(w->loop, &c->io);
	return c;
}

void
input_continue(struct conn *c)
{
	if (c->in != NULL && !conn_is_halted(c) && c->state < CONN_FINISHING)
		input_wait(c, LINE_NEXT);
}

/* ---- pausing ---- */

void
input_pause(struct conn *c)
{
	if (conn_input_is(c, INPUT_PAUSED) || c->state >= CONN_FINISHING)
		return;
	c->input |= INPUT_PAUSED;
	conn_set_events(c);
}

/* Removes one reason not to feed it. */
static void
end_halt(struct conn *c, enum conn_input reason)
{
	if (!conn_input_is(c, reason) || c->state == CONN_CLOSED)
		return;
	c->input &= ~reason & INPUT_ALL;
	conn_set_events(c);
	if (c->in != NULL && !c->w->moving &&
	    !conn_input_is(c, INPUT_FEEDING | INPUT_PAUSED | INPUT_STOPPED))
		feed_buffered(c);
}

void
input_resume(struct conn *c)
{
	end_halt(c, INPUT_PAUSED);
}

void
input_go(struct conn *c)
{
	end_halt(c, INPUT_STOPPED);
}

/* ---- the next turn ---- */

size_t
input_waiting(const struct worker *w, enum input_line line)
{
	return w->input->lines[line].end - w->input->lines[line].first;
}

struct conn *
input_next(struct worker *w, enum input_line line)
{
	struct input_queue *l = &w->input->lines[line];
	struct conn *c = NULL;

	while (c == NULL && l->first < l->end)
		c = conn_find(w, l->sids[l->first++]);
	if (c != NULL)
		c->input &= ~INPUT_QUEUED;
	if (l->first == l->end)
		l->first = l->end = 0;
	return c;
}

/* First the bytes that it has left over, then those that came meanwhile. */
static void
serve(struct conn *c)
{
	input_go(c);
	if (c->state == CONN_LOST)
		end(c);
	else if (c->state < CONN_FINISHING && !conn_is_halted(c) &&
	    !conn_input_is(c, INPUT_DEAF))
		read_more(c);
}

/* Those that waited, until the turn has cost so much. */
static void
run_line(struct worker *w, enum input_line line, uint32_t max)
{
	struct inputs *in = w->input;
	size_t n = input_waiting(w, line);
	struct conn *c;

	while (n-- > 0 && in->spent < max &&
	    (line != LINE_ASK || !is_congested(w)) &&
	    (c = input_next(w, line)) != NULL) {
		in->in_round[line] -= in->in_round[line] > 0;
		if (may_read(c))
			serve(c);
	}
	in->in_round[line] = MIN(in->in_round[line], input_waiting(w, line));
}

void
input_run(struct worker *w)
{
	struct inputs *in = w->input;

	run_line(w, LINE_FIRST, in->spent + FLOW_TURN);
	run_line(w, LINE_NEXT, MAX(in->spent + 1, FLOW_TURN));
	run_line(w, LINE_ASK, MAX(in->spent + 1, FLOW_TURN));
	in->spent = 0;
	if (in->in_round[LINE_NEXT] > 0 || in->in_round[LINE_ASK] > 0)
		return;
	in->round++;
	in->in_round[LINE_NEXT] = input_waiting(w, LINE_NEXT);
	in->in_round[LINE_ASK] = input_waiting(w, LINE_ASK);
}

bool
input_is_left(const struct worker *w)
{
	for (unsigned i = 0; i < LINES; i++)
		if (input_waiting(w, i) > 0 &&
		    (i != LINE_ASK || !is_congested(w)))
			return true;
	return false;
}

void
input_clear(struct worker *w)
{
	for (unsigned i = 0; i < LINES; i++)
		free(w->input->lines[i].sids);
}
