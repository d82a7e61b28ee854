/* SPDX-License-Identifier: MIT */
/*
 * session.c: the confirmations of clients with a session.  Owns struct
 * client_session.  Clients are asked by WebSocket pings, which they answer in
 * order, after everything that came before (RFC 6455, 5.5.3).  A client is
 * asked when it got something, at most every resume_ack_interval, with one open
 * question at a time; all of them together at most resume_acks_per_second, in
 * equal parts for the apps, and of each app the longest waiting first.  A
 * client that has to wait for its ping gets more events twice after a
 * disconnect, and receipts of its events come later.  Must never cost anything
 * for a connection without a session.
 */

#include "worker/session/session.h"

#include <stdlib.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/token_bucket.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/session_table.h"
#include "shared/pusher/frames.h"

#define TICK_SECONDS 0.05
#define ANSWER_SECONDS 5. /* then the question counts as unanswered */
#define UNANSWERED_MAX 3

static double
now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

static void
acknowledge(
    struct sessions *ss, struct client_session *s, uint64_t sid, uint64_t pos)
{
	if (s->row != UINT32_MAX &&
	    !session_row_ack(&ss->table->rows[s->row], sid, pos))
		s->refused = true; /* another connection has it now */
}

uint64_t
session_acked(
    const struct sessions *ss, const struct client_session *s, uint64_t sid)
{
	const struct open_session *o = session_opened(ss, s);
	uint64_t pos;

	if (o != NULL)
		return o->acked;
	return session_row_acked(&ss->table->rows[s->row], sid, &pos) ? pos : 0;
}

/* ---- open and not ---- */

struct open_session *
session_open(struct sessions *ss, struct client_session *s, struct conn *c)
{
	struct open_session *o = session_opened(ss, s);
	uint64_t pos = 0;

	if (o != NULL)
		return o;
	if (s->row != UINT32_MAX &&
	    !session_row_acked(&ss->table->rows[s->row], ss->sid(c), &pos))
		s->refused = true;
	if (s->refused)
		return NULL;
	s->open = session_pool_add(&ss->pool) & SESSION_OPEN_MAX;
	o = session_pool_at(&ss->pool, s->open);
	o->s = s;
	o->c = c;
	o->acked = o->sent = pos;
	return o;
}

/* It is in no list any more. */
static void
shut(struct sessions *ss, struct client_session *s)
{
	list_remove(&session_pool_at(&ss->pool, s->open)->asking);
	session_pool_remove(&ss->pool, s->open);
	s->open = 0;
}

/* ---- questions ---- */

static void
ask(struct sessions *ss, struct open_session *o, uint64_t pos, double at)
{
	struct buf *b = NULL;

	list_remove(&o->asking);
	frame_ws_ping_with(&b, str_make(&pos, sizeof(pos)));
	ss->queue(o->c, buf_str(b));
	buf_unref(b);
	o->ping_pos = pos;
	o->ping_at = at;
}

/* The clients that may be asked now. */
static double
fill(struct sessions *ss, double at)
{
	double rate = (double)ss->conf->resume_acks_per_second;

	/* A tenth of a second's worth at once. */
	ss->tokens = token_bucket_fill(
	    ss->tokens, &ss->tokens_at, at, rate, MAX(rate / 10, 1.));
	return ss->tokens;
}

static bool
take_token(struct sessions *ss, double at)
{
	if (fill(ss, at) < 1)
		return false;
	ss->tokens--;
	return true;
}

static bool
is_due(const struct sessions *ss, const struct open_session *o, double at)
{
	return at - o->ping_at >= (double)ss->conf->resume_ack_interval / 1000;
}

static void
wait_for_turn(struct sessions *ss, struct open_session *o)
{
	list_remove(&o->asking);
	session_turns_add(&ss->turns, ss->app(o->c), &o->asking);
	if (!ev_is_active(&ss->timer)) {
		ev_timer_set(&ss->timer, TICK_SECONDS, TICK_SECONDS);
		ev_timer_start(ss->loop, &ss->timer);
	}
}

static bool
may_be_asked(const struct open_session *o)
{
	return o->ping_pos == 0 && !o->s->mute && !o->s->refused;
}

/* Those of an app that are due, until one has to wait, or has not to: all. */
static void
ask_line(struct sessions *ss, struct session_line *line, double at, bool all,
    double part)
{
	double end = ss->tokens - part;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &line->waiting) {
		struct open_session *o =
		    LIST_ITEM(e, struct open_session, asking);

		if (!may_be_asked(o))
			list_remove(e); /* again when the answer comes */
		else if (is_due(ss, o, at)) {
			if (ss->tokens - 1 < end || !take_token(ss, at))
				return;
			ask(ss, o, o->sent, at);
		} else if (!all)
			return;
	}
}

/* Each app has an equal part of the tokens; then any has what is left. */
static void
ask_waiting(struct sessions *ss, double at, bool all)
{
	size_t apps = ss->turns.by_app.n, n;
	struct session_line *line;
	double part;

	for (unsigned round = 0; round < MIN(apps, 2u); round++) {
		part = fill(ss, at);
		if (round == 0)
			part = MAX(part / (double)apps, 1.);
		for (n = apps; n > 0 && ss->tokens >= 1; n--) {
			line = session_turns_next(&ss->turns);
			if (line == NULL)
				return;
			ask_line(
			    ss, line, at, all, round == 0 ? part : ss->tokens);
		}
	}
}

void
sessions_turn(struct sessions *ss)
{
	struct list *e, *tmp;
	double at;

	if (!ss->busy)
		return;
	ss->busy = false;
	at = now();
	/* Their pings go with what they got in this turn, in one write. */
	ask_waiting(ss, at, false);
	LIST_FOREACH_SAFE(e, tmp, &ss->fresh) {
		struct open_session *o =
		    LIST_ITEM(e, struct open_session, asking);

		if (!may_be_asked(o))
			list_remove(e); /* again when the answer comes */
		else if (is_due(ss, o, at) &&
		    !session_turns_has(&ss->turns, ss->app(o->c)) &&
		    take_token(ss, at))
			ask(ss, o, o->sent, at);
		else
			wait_for_turn(ss, o);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct sessions *ss = container_of(timer, struct sessions, timer);

	ask_waiting(ss, now(), true);
	if (list_is_empty(&ss->turns.apps))
		ev_timer_stop(loop, timer);
}

bool
session_ask(
    struct sessions *ss, struct client_session *s, uint64_t pos, double seconds)
{
	struct open_session *o = session_opened(ss, s);
	double at = now();

	if (o == NULL || s->mute || s->refused || s->row == UINT32_MAX ||
	    o->unanswered > 0 ||
	    (o->ping_pos != 0 && at - o->ping_at > seconds))
		return false;
	if (pos > o->sent)
		o->sent = pos;
	ask(ss, o, o->sent, at);
	return true;
}

bool
session_last(struct sessions *ss, struct client_session *s, struct conn *c,
    uint64_t pos, struct buf **b)
{
	struct open_session *o = session_open(ss, s, c);

	if (o == NULL)
		return false;
	o->sent = MAX(o->sent, pos);
	o->ping_pos = o->sent;
	o->ping_at = now();
	frame_ws_ping_with(b, str_make(&o->ping_pos, sizeof(o->ping_pos)));
	return true;
}

bool
session_on_pong(struct sessions *ss, struct client_session *s,
    struct str payload, uint64_t *us)
{
	struct open_session *o = session_opened(ss, s);
	uint64_t pos;

	if (o == NULL || payload.n != sizeof(pos))
		return false;
	memcpy(&pos, payload.p, sizeof(pos));
	if (pos == 0 || pos > o->sent ||
	    (pos <= o->acked && o->ping_pos != pos))
		return false;
	o->acked = MAX(o->acked, pos);
	/* The first question has been out for that long. */
	*us = (uint64_t)((now() - o->ping_at + o->unanswered * ANSWER_SECONDS) *
	    1e6);
	o->unanswered = 0;
	s->mute = false;
	acknowledge(ss, s, ss->sid(o->c), o->acked);
	if (pos != o->ping_pos)
		return false;
	o->ping_pos = 0;
	if (o->sent > o->acked)
		wait_for_turn(ss, o);
	return true;
}

/* ---- once in a while ---- */

/* Its ping has been out for too long. */
static void
give_up(struct sessions *ss, struct open_session *o)
{
	o->ping_pos = 0;
	if (++o->unanswered < UNANSWERED_MAX) {
		wait_for_turn(ss, o);
		return;
	}
	/* Its confirmed position stays: its line may have fallen silent. */
	o->s->mute = true;
}

void
session_settle(
    struct sessions *ss, struct client_session *s, uint64_t sid, uint64_t seen)
{
	struct open_session *o = session_opened(ss, s);
	uint64_t pos = session_acked(ss, s, sid);

	if (pos == 0 || session_is_behind(ss, s))
		return;
	pos = MAX(pos, seen);
	if (o != NULL)
		o->acked = o->sent = pos;
	acknowledge(ss, s, sid, pos);
}

/* It waits for nothing, and may be asked again at once. */
static bool
is_idle(const struct sessions *ss, const struct open_session *o)
{
	const struct client_session *s = o->s;

	return s->row != UINT32_MAX && o->part_code == 0 &&
	    (s->refused || o->sent <= o->acked) && is_due(ss, o, now());
}

void
session_check(
    struct sessions *ss, struct client_session *s, uint64_t sid, uint64_t seen)
{
	struct open_session *o = session_opened(ss, s);

	if (o == NULL && !s->ended) {
		session_settle(ss, s, sid, seen);
	} else if (o != NULL && o->ping_pos != 0) {
		if (now() - o->ping_at > ANSWER_SECONDS)
			give_up(ss, o);
	} else if (o != NULL && list_is_empty(&o->asking) && !s->ended) {
		session_settle(ss, s, sid, seen);
		if (is_idle(ss, o))
			shut(ss, s);
	}
}

/* ---- life ---- */

void
sessions_init(struct sessions *ss)
{
	list_init(&ss->fresh);
	session_turns_init(&ss->turns);
	list_init(&ss->parting);
	ev_init(&ss->timer, on_timer);
}

void
sessions_start(struct sessions *ss, const struct conf *conf,
    struct session_table *table, struct ev_loop *loop, struct ipc *link)
{
	ss->conf = conf;
	ss->table = table;
	ss->loop = loop;
	ss->link = link;
}

void
sessions_clear(struct sessions *ss)
{
	ev_timer_stop(ss->loop, &ss->timer);
	hash_clear(&ss->earlier);
	hash_clear(&ss->present);
	session_turns_clear(&ss->turns);
	session_pool_clear(&ss->pool);
}

void
session_new(struct sessions *ss, struct client_session *s, struct conn *c,
    uint32_t peer, struct str id)
{
	struct session_name *name = xcalloc(1, sizeof(*name) + id.n + 1);

	*s = (struct client_session){ .row = UINT32_MAX, .named = true };
	session_open(ss, s, c);
	session_pool_at(&ss->pool, s->open)->name = name;
	name->peer = peer;
	memcpy(name->id, id.p, id.n);
	ss->n++;
}

void
session_free(struct sessions *ss, struct client_session *s, uint64_t sid)
{
	if (!s->named)
		return;
	session_sids_forget(ss, sid);
	ss->n--;
	if (s->row == UINT32_MAX)
		free(session_pool_at(&ss->pool, s->open)->name);
	if (s->open != 0)
		shut(ss, s);
	*s = (struct client_session){ 0 };
}

void
session_hello(struct sessions *ss, const struct client_session *s, uint64_t sid,
    uint32_t app)
{
	struct msg_session m = { .app = app, .sid = sid };
	char text[SESSION_ID_MAX];
	struct session_id id;

	if (!ipc_is_open(ss->link) || s->refused || s->ended)
		return;
	if (s->row == UINT32_MAX) {
		const struct session_name *name =
		    session_pool_at(&ss->pool, s->open)->name;

		m.peer = name->peer;
		m.id = str_of(name->id);
	} else {
		id = session_row_id(ss->table, &ss->table->rows[s->row]);
		m.id = session_id_text(&id, text);
		m.replay = 1;
	}
	if (session_id_is_valid(m.id)) /* the row may be another's by now */
		ipc_send_session(ss->link, &m);
}

void
session_end(
    struct sessions *ss, struct client_session *s, uint64_t sid, uint64_t seen)
{
	struct msg_session_end m = { .sid = sid };

	if (s->ended)
		return;
	s->ended = true;
	session_settle(ss, s, sid, seen);
	if (s->open != 0)
		list_remove(&session_pool_at(&ss->pool, s->open)->asking);
	session_sids_forget(ss, sid);
	if (ipc_is_open(ss->link) && !s->refused)
		ipc_send_session_end(ss->link, &m);
}

void
session_set_row(
    struct sessions *ss, struct client_session *s, uint64_t sid, uint32_t row)
{
	struct open_session *o = session_opened(ss, s);

	if (ss->table == NULL || row >= ss->table->cap) {
		session_sids_forget(ss, sid);
		s->refused = true;
		s->full = s->row == UINT32_MAX && row != SESSION_TAKEN;
		s->taken = !s->full;
		return;
	}
	if (s->row == UINT32_MAX && o != NULL) {
		free(o->name);
		o->name = NULL;
	}
	s->row = row;
	if (!s->ended)
		session_sids_note(ss, sid, row);
	if (o != NULL && o->acked != 0)
		acknowledge(ss, s, sid, o->acked);
}

void
session_restart(struct sessions *ss, struct client_session *s, struct conn *c,
    uint32_t app, uint64_t pos)
{
	struct open_session *o = session_open(ss, s, c);

	if (o == NULL)
		return;
	o->acked = o->ping_pos = 0;
	o->sent = pos;
	acknowledge(ss, s, ss->sid(c), 0); /* a pong may have confirmed more */
	if (s->full) {                     /* the app had no log */
		s->refused = s->full = false;
		session_hello(ss, s, ss->sid(c), app);
	}
	session_note(ss, o);
}
