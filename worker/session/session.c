/* SPDX-License-Identifier: MIT */
/*
 * session.c: the confirmations of clients with a session.  Owns struct
 * client_session.  Clients are asked by WebSocket pings, which they answer in
 * order, after everything that came before (RFC 6455, 5.5.3).  A client is
 * asked when it got something, at most every resume_ack_interval, with one open
 * question at a time; all of them together at most resume_acks_per_second, the
 * longest waiting first.  A client that has to wait for its ping gets more
 * events twice after a disconnect, and has no other disadvantage.  Must never
 * cost anything for a connection without a session.
 */

#include "worker/session/session.h"

#include <stdlib.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/token_bucket.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/proc.h"
#include "shared/proc/session_table.h"
#include "shared/pusher/frames.h"

#define TICK_SECONDS 0.05
#define ANSWER_SECONDS 5. /* then the question counts as unanswered */
#define UNANSWERED_MAX 3

static double
now(void)
{
	return (double)proc_clock_us(CLOCK_MONOTONIC) / 1e6;
}

static void
acknowledge(struct sessions *ss, struct client_session *s, uint64_t pos)
{
	if (s->row != UINT32_MAX &&
	    !session_row_ack(&ss->table->rows[s->row], ss->sid(s->c), pos))
		s->refused = true; /* another connection has it now */
}

/* ---- questions ---- */

static void
ask(struct sessions *ss, struct client_session *s, uint64_t pos, double at)
{
	struct buf *b = NULL;

	list_remove(&s->asking);
	frame_ws_ping_with(&b, str_make(&pos, sizeof(pos)));
	ss->queue(s->c, buf_str(b));
	buf_unref(b);
	s->ping_pos = pos;
	s->ping_at = at;
}

static bool
take_token(struct sessions *ss, double at)
{
	double rate = (double)ss->conf->resume_acks_per_second;

	/* A tenth of a second's worth at once. */
	ss->tokens = token_bucket_fill(
	    ss->tokens, &ss->tokens_at, at, rate, MAX(rate / 10, 1.));
	if (ss->tokens < 1)
		return false;
	ss->tokens--;
	return true;
}

static bool
is_due(const struct sessions *ss, const struct client_session *s, double at)
{
	return at - s->ping_at >= (double)ss->conf->resume_ack_interval / 1000;
}

static void
wait_for_turn(struct sessions *ss, struct client_session *s)
{
	list_remove(&s->asking);
	list_append(&ss->waiting, &s->asking);
	if (!ev_is_active(&ss->timer)) {
		ev_timer_set(&ss->timer, TICK_SECONDS, TICK_SECONDS);
		ev_timer_start(ss->loop, &ss->timer);
	}
}

static bool
may_be_asked(const struct client_session *s)
{
	return s->ping_pos == 0 && !s->mute && !s->refused;
}

void
sessions_turn(struct sessions *ss)
{
	struct list *e, *tmp;
	double at;

	if (list_is_empty(&ss->fresh))
		return;
	at = now();
	LIST_FOREACH_SAFE(e, tmp, &ss->fresh) {
		struct client_session *s =
		    LIST_ITEM(e, struct client_session, asking);

		if (!may_be_asked(s))
			list_remove(e); /* again when the answer comes */
		else if (is_due(ss, s, at) && list_is_empty(&ss->waiting) &&
		    take_token(ss, at))
			ask(ss, s, s->sent, at);
		else
			wait_for_turn(ss, s);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct sessions *ss = container_of(timer, struct sessions, timer);
	struct list *e, *tmp;
	double at = now();

	LIST_FOREACH_SAFE(e, tmp, &ss->waiting) {
		struct client_session *s =
		    LIST_ITEM(e, struct client_session, asking);

		if (!may_be_asked(s)) {
			list_remove(e);
			continue;
		}
		if (!is_due(ss, s, at))
			continue;
		if (!take_token(ss, at))
			return;
		ask(ss, s, s->sent, at);
	}
	if (list_is_empty(&ss->waiting))
		ev_timer_stop(loop, timer);
}

bool
session_ask(
    struct sessions *ss, struct client_session *s, uint64_t pos, double seconds)
{
	double at = now();

	if (s->mute || s->refused || s->row == UINT32_MAX ||
	    s->unanswered > 0 ||
	    (s->ping_pos != 0 && at - s->ping_at > seconds))
		return false;
	if (pos > s->sent)
		s->sent = pos;
	ask(ss, s, s->sent, at);
	return true;
}

void
session_last(struct client_session *s, uint64_t pos, struct buf **b)
{
	s->sent = MAX(s->sent, pos);
	s->ping_pos = s->sent;
	s->ping_at = now();
	frame_ws_ping_with(b, str_make(&s->ping_pos, sizeof(s->ping_pos)));
}

bool
session_on_pong(struct sessions *ss, struct client_session *s,
    struct str payload, uint64_t *us)
{
	uint64_t pos;

	if (payload.n != sizeof(pos))
		return false;
	memcpy(&pos, payload.p, sizeof(pos));
	if (pos == 0 || pos > s->sent ||
	    (pos <= s->acked && s->ping_pos != pos))
		return false;
	s->acked = MAX(s->acked, pos);
	/* The first question has been out for that long. */
	*us = (uint64_t)((now() - s->ping_at + s->unanswered * ANSWER_SECONDS) *
	    1e6);
	s->unanswered = 0;
	s->mute = false;
	acknowledge(ss, s, s->acked);
	if (pos != s->ping_pos)
		return false;
	s->ping_pos = 0;
	if (s->sent > s->acked)
		wait_for_turn(ss, s);
	return true;
}

/* ---- once in a while ---- */

/* Its ping has been out for too long. */
static void
give_up(struct sessions *ss, struct client_session *s)
{
	s->ping_pos = 0;
	if (++s->unanswered < UNANSWERED_MAX) {
		wait_for_turn(ss, s);
		return;
	}
	/* Its confirmed position stays: its line may have fallen silent. */
	s->mute = true;
}

void
session_settle(struct sessions *ss, struct client_session *s, uint64_t seen)
{
	if (s->acked == 0 || s->sent > s->acked)
		return;
	s->acked = s->sent = MAX(s->acked, seen);
	acknowledge(ss, s, s->acked);
}

void
session_check(struct sessions *ss, struct client_session *s, uint64_t seen)
{
	if (s->ping_pos != 0 && now() - s->ping_at > ANSWER_SECONDS)
		give_up(ss, s);
	else if (s->ping_pos == 0 && list_is_empty(&s->asking) && !s->ended)
		session_settle(ss, s, seen);
}

/* ---- life ---- */

void
sessions_init(struct sessions *ss)
{
	list_init(&ss->fresh);
	list_init(&ss->waiting);
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
}

struct client_session *
session_new(struct sessions *ss, struct conn *c, uint32_t peer, struct str id)
{
	struct client_session *s = xcalloc(1, sizeof(*s));

	s->c = c;
	s->name = xcalloc(1, sizeof(*s->name) + id.n + 1);
	s->name->peer = peer;
	memcpy(s->name->id, id.p, id.n);
	s->row = UINT32_MAX;
	list_init(&s->asking);
	ss->n++;
	return s;
}

void
session_free(struct sessions *ss, struct client_session *s)
{
	if (s == NULL)
		return;
	session_sids_forget(ss, ss->sid(s->c));
	list_remove(&s->asking);
	ss->n--;
	if (s->row == UINT32_MAX)
		free(s->name);
	free(s);
}

void
session_hello(struct sessions *ss, const struct client_session *s, uint32_t app)
{
	struct msg_session m = { .app = app, .sid = ss->sid(s->c) };
	char text[SESSION_ID_MAX];
	struct session_id id;

	if (!ipc_is_open(ss->link) || s->refused || s->ended)
		return;
	if (s->row == UINT32_MAX) {
		m.peer = s->name->peer;
		m.id = str_of(s->name->id);
	} else {
		id = session_row_id(ss->table, &ss->table->rows[s->row]);
		m.id = session_id_text(&id, text);
		m.replay = 1;
	}
	if (session_id_is_valid(m.id)) /* the row may be another's by now */
		ipc_send_session(ss->link, &m);
}

void
session_end(struct sessions *ss, struct client_session *s, uint64_t seen)
{
	struct msg_session_end m = { .sid = ss->sid(s->c) };

	if (s->ended)
		return;
	s->ended = true;
	session_settle(ss, s, seen);
	list_remove(&s->asking);
	session_sids_forget(ss, m.sid);
	if (ipc_is_open(ss->link) && !s->refused)
		ipc_send_session_end(ss->link, &m);
}

void
session_set_row(struct sessions *ss, struct client_session *s, uint32_t row)
{
	if (ss->table == NULL || row >= ss->table->cap) {
		session_sids_forget(ss, ss->sid(s->c));
		s->refused = true;
		s->full = s->row == UINT32_MAX;
		s->taken = !s->full;
		return;
	}
	if (s->row == UINT32_MAX) {
		free(s->name);
		s->part_text = NULL;
	}
	s->row = row;
	if (!s->ended)
		session_sids_note(ss, ss->sid(s->c), row);
	if (s->acked != 0)
		acknowledge(ss, s, s->acked);
}

void
session_restart(
    struct sessions *ss, struct client_session *s, uint32_t app, uint64_t pos)
{
	s->acked = s->ping_pos = 0;
	s->sent = pos;
	acknowledge(ss, s, 0); /* a pong may have confirmed more */
	if (s->full) {         /* the app had no log */
		s->refused = s->full = false;
		session_hello(ss, s, app);
	}
	if (list_is_empty(&s->asking))
		list_append(&ss->fresh, &s->asking);
}
