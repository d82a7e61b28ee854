/* SPDX-License-Identifier: MIT */
/*
 * session_store.c: each host writes its sessions into Redis, about once a
 * second those that have changed, at most 1.25 MiB.  A host to which the client
 * of a dead host comes continues with what stands there: it is at most so old,
 * so the client gets events of that time twice, and misses none.  Only a host
 * that the stream has given a session uses it (session_moves.c).
 *
 * A key ends by itself, when the session could have ended, too.  Owns what it
 * knows of the keys.  Must never write more than is answered: Redis may be
 * slow.
 */

#include "broker/cluster/session_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/session_record.h"
#include "broker/core/core.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/shares.h"
#include "shared/base/xmalloc.h"

#define TICK_SECONDS 0.1
#define TICKS 10 /* in which all sessions are looked at */
#define TICK_BYTES (128u << 10)
#define AGAIN_SECONDS 300u /* an unchanged session is written again */
#define AWAY_SECONDS 600u  /* at most, however long resume_time is */
#define ROW_BYTES 1024u    /* of keys, for each of resume_sessions */
#define STAY_SECONDS (AWAY_SECONDS + AGAIN_SECONDS) /* of a key, at most */

/* The part of the session in a row that was written. */
struct stored_session {
	uint32_t mark; /* 0: nothing */
	uint32_t key;  /* a hash of it */
	uint32_t at;   /* session_now() */
	uint32_t n;    /* bytes */
};

static struct buf *
key_of(const struct cluster *cl, const char *app, struct str id)
{
	struct buf *b = NULL;

	buf_printf(&b, "%ssession:%d:%s:%.*s", cl->prefix, IPC_VERSION, app,
	    STR_ARG(id));
	return b;
}

/* ---- writing ---- */

/* It changes with the session.  Positions of channels change with acked. */
static uint32_t
mark_of(const struct resumes *all, const struct resume_session *s)
{
	const struct session_row *row = resumes_row(all, s);
	uint64_t v[] = { __atomic_load_n(&row->acked, __ATOMIC_ACQUIRE),
		row->sid, row->epoch, s->channels.n, row->state, s->lost };

	return (uint32_t)hash_str(str_make((const char *)v, sizeof(v)), 0) | 1;
}

/* It is unknown what Redis has: all is written again. */
static void
forget_marks(struct cluster *cl)
{
	free(cl->store.v);
	cl->store.v = NULL;
	shares_clear(&cl->store.apps);
}

/* Does Redis have what is to be said of it? */
static bool
is_stored(const struct resumes *all, const struct resume_session *s,
    const struct stored_session *old, uint32_t mark)
{
	if (old->mark != mark)
		return old->mark == 0 && s->channels.n == 0 &&
		    !s->channels.has_rest;
	return resumes_row(all, s)->state != SESSION_LIVE ||
	    session_now() - old->at < AGAIN_SECONDS;
}

bool
session_store_has_room(struct cluster *cl, uint32_t app, size_t bytes)
{
	struct session_store *st = &cl->store;
	uint64_t most =
	    (uint64_t)cl->br->replay->sessions.table->cap * ROW_BYTES;

	if (bytes > 0 && !shares_may_add(&st->apps, app, bytes, most))
		return false;
	shares_add_app(&st->apps, app, bytes);
	return true;
}

/* Time has passed: of each app's bytes the part of this time. */
static void
leak(struct session_store *st)
{
	double now = broker_now(), part = (now - st->leaked) / STAY_SECONDS;
	struct hash_node *n, *next;

	st->leaked = now;
	HASH_FOREACH_SAFE(n, next, &st->apps.by_app) {
		struct share *s = container_of(n, struct share, node);

		shares_sub(
		    &st->apps, s, (uint64_t)((double)s->held * part) + 1);
	}
}

/* False: there is no room for it now. */
static bool
put(struct cluster *cl, const struct broker_app *a,
    const struct session_record *rec, bool live, struct stored_session *old)
{
	size_t n = msg_host_session_size(&rec->m);
	char *bytes = xmalloc(n), seconds[24];
	struct buf *key = key_of(cl, a->app.id, rec->m.id);
	struct stored_session now = { .key =
					  (uint32_t)hash_str(buf_str(key), 0),
		.at = session_now(),
		.n = (uint32_t)(n + key->len) };
	uint32_t before = old->key == now.key ? old->n : 0;
	bool room =
	    session_store_has_room(cl, rec->m.app, now.n - MIN(before, now.n));
	const char *argv[] = { "SET", key->data, bytes + IPC_HEAD, "EX",
		seconds };
	size_t lens[] = { 3, key->len, n - IPC_HEAD, 2, 0 };

	lens[4] = (size_t)snprintf(seconds, sizeof(seconds), "%u",
	    MIN(a->app.resume_time, AWAY_SECONDS) + (live ? AGAIN_SECONDS : 0));
	if (room) {
		msg_host_session_put(bytes, &rec->m);
		engine_ask(&cl->engine, ENGINE_STORE, 5, argv, lens);
		cl->store.unanswered++;
		*old = now;
	}
	buf_unref(key);
	free(bytes);
	return room;
}

/* The bytes that it takes; 0: none, because Redis has it. */
static size_t
write_session(struct cluster *cl, const struct resume_session *s)
{
	const struct resumes *all = &cl->br->replay->sessions;
	const struct session_row *row = resumes_row(all, s);
	struct stored_session *old = &cl->store.v[s - all->v];
	const struct broker_app *a = apps_find(cl->br, row->app);
	uint32_t mark = mark_of(all, s);
	struct session_record rec;
	bool done;

	if (a == NULL || is_stored(all, s, old, mark))
		return 0;
	session_record_get(&rec, all, s);
	done = put(cl, a, &rec, row->state == SESSION_LIVE, old);
	buf_unref(rec.channels);
	if (done)
		old->mark = mark;
	return done ? old->n : 0;
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct cluster *cl = w->data;
	const struct resumes *all = &cl->br->replay->sessions;
	const struct resume_session *s;
	size_t bytes = 0;
	uint32_t end;

	if (cl->state != CLUSTER_LIVE || !cl->engine.up || cl->starved ||
	    cl->store.unanswered > 0 || all->table == NULL)
		return;
	if (cl->store.v == NULL && all->table->used > 0)
		cl->store.v = xcalloc(all->table->cap, sizeof(*cl->store.v));
	end = cl->store.next + all->table->used / TICKS + 1;
	while (cl->store.next < end && bytes < TICK_BYTES) {
		s = resumes_next(all, &cl->store.next);
		if (s == NULL) {
			cl->store.next = 0;
			leak(&cl->store);
			break;
		}
		bytes += write_session(cl, s);
	}
}

void
session_store_on_written(struct cluster *cl, const redisReply *r)
{
	cl->store.unanswered--;
	if (r->type == REDIS_REPLY_ERROR)
		forget_marks(cl);
}

void
session_store_down(struct cluster *cl)
{
	cl->store.unanswered = 0;
	forget_marks(cl);
}

/* ---- reading ---- */

void
session_store_ask(struct cluster *cl, uint64_t sid, uint32_t app, struct str id)
{
	const struct broker_app *a = apps_find(cl->br, app);
	char number[24];
	struct buf *key;

	if (a == NULL || !cl->engine.up)
		return;
	key = key_of(cl, a->app.id, id);
	snprintf(number, sizeof(number), "%" PRIu64, sid);
	outgoing_script(cl, ENGINE_STORED, script_stored,
	    (const char *[]){ number, key->data },
	    (const size_t[]){ strlen(number), key->len }, 2);
	buf_unref(key);
}

/* ---- life ---- */

void
session_store_init(struct cluster *cl)
{
	cl->store.leaked = broker_now();
	ev_timer_init(&cl->store.timer, on_timer, TICK_SECONDS, TICK_SECONDS);
	cl->store.timer.data = cl;
}

void
session_store_clear(struct cluster *cl)
{
	ev_timer_stop(cl->br->loop, &cl->store.timer);
	forget_marks(cl);
}
