/* SPDX-License-Identifier: MIT */
/*
 * apply.c: the messages of an entry of the stream, one by one.  The broker
 * handles those of a worker as if the worker's link had brought them.  Must
 * never trust what another host has written.
 */

#include "broker/cluster/apply.h"

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/cluster/conn_share.h"
#include "broker/cluster/leader.h"
#include "broker/cluster/session_moves.h"
#include "broker/cluster/shared_apps.h"
#include "broker/cluster/state.h"
#include "broker/cluster/stream_entry.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry while it is applied. */
struct reading {
	struct cluster *cl;
	enum entry_kind kind;
	struct host *host; /* NULL: this one */
	bool past;         /* of any host: only its events are passed on */
	bool own;          /* ... of this one */
	struct peer *peer; /* of the messages that follow */
	uint32_t app;      /* their app there, */
	uint32_t app_here; /* and here; 0: there is none */
};

static struct peer *
own_peer(struct cluster *cl, unsigned slot, uint64_t origin)
{
	struct peer *p = slot < cl->hosts.room ? cl->br->peers[slot] : NULL;

	return p != NULL && p->origin == origin
	    ? p
	    : hosts_own_peer(cl->br, &cl->hosts, slot, origin);
}

static void
on_from(struct reading *r, const struct msg_host_from *m)
{
	struct cluster *cl = r->cl;

	if (r->host != NULL) {
		r->peer =
		    hosts_peer(cl->br, &cl->hosts, r->host, m->slot, m->origin);
	} else {
		r->peer = own_peer(cl, m->slot, m->origin);
		if (r->peer != NULL)
			cl->origins[m->slot] = m->origin;
	}
	if (r->peer == NULL)
		log_warnx("cluster: more than %d workers: those of host %s "
			  "have no place",
		    PROC_MAX_WORKERS, r->host == NULL ? "this" : r->host->name);
}

static void
on_app(struct reading *r, const struct msg_host_app *m)
{
	const struct broker_app *a = apps_find_id(r->cl->br, m->id);

	r->app = m->app;
	r->app_here = a == NULL ? 0 : a->app.num;
}

static void
on_worker_gone(struct reading *r, const struct msg_host_worker_gone *m)
{
	struct cluster *cl = r->cl;

	r->peer = NULL;
	if (r->host != NULL) {
		hosts_lose(cl->br, &cl->hosts, r->host, m->slot);
	} else if (m->slot < cl->hosts.room) {
		workers_gone(cl, m->slot);
	}
}

/*
 * An event that no worker numbered: of pusherctl, or in a state the one that a
 * cache channel keeps, which clients have had.  A host that joins can have an
 * old one; those that were there know better.
 */
static void
on_plain_event(struct reading *r, struct msg_event *m)
{
	struct broker *br = r->cl->br;
	const struct channel *c;

	if (m->channel.n == 0 || m->channel.n > REGISTRY_NAME_MAX)
		return;
	if (r->kind == ENTRY_TURN) {
		route_publish(br, m);
		return;
	}
	c = registry_find(br->registry, m->app, m->channel);
	if (r->kind == ENTRY_STATE || c == NULL || !cache_has(c))
		cache_put(br, m);
}

/* The worker is gone now; the rest of the entry is of one that is. */
static void
drop(struct reading *r)
{
	unsigned slot = (unsigned)r->peer->slot;
	uint64_t origin = r->peer->origin;

	peer_drop(r->peer, "bad message");
	r->peer = own_peer(r->cl, slot, origin);
}

/* The app of a message becomes that of this host; false: it is not here. */
static bool
is_here(const struct reading *r, uint32_t *app)
{
	if (r->app_here == 0 || *app != r->app)
		return false;
	*app = r->app_here;
	return true;
}

static void
on_notified(struct reading *r, struct msg_host_notified *m)
{
	if (r->host != NULL && is_here(r, &m->app))
		leader_on_notified(r->cl, m);
}

static void
on_share(struct reading *r, struct msg_host_share *m)
{
	if (is_here(r, &m->app))
		conn_share_on_message(r->cl, r->host, r->kind != ENTRY_TURN, m);
}

/* The client has the session from here on, and no other one on any host. */
static void
on_session(struct reading *r, struct msg_session *m)
{
	struct peer *p = r->peer;

	if (r->host != NULL || r->past) {
		if (!r->own && is_here(r, &m->app))
			session_moves_on_other(r->cl, r->host, m);
	} else if (p != NULL && !p->ipc.sink) {
		if (p->relayed > 0)
			p->relayed--;
		if (session_moves_on_own(p, m) == -1)
			drop(r);
	}
}

static void
on_host_session(struct reading *r, struct msg_host_session *m)
{
	if (!r->past && is_here(r, &m->app))
		session_moves_on_given(r->cl, m);
}

static void
on_sessions_done(struct reading *r, const struct msg_host_sessions_done *m)
{
	session_moves_on_done(r->cl, r->host, m);
}

static void
on_apps_done(struct reading *r, const struct msg_host_apps_done *m)
{
	shared_apps_on_done(r->host, m);
}

/* The client has not waited for its session, because Redis was away. */
static void
hurry(struct cluster *cl, const struct ipc_in *in)
{
	struct msg_signin signin;
	struct msg_sub sub;

	if (in->type == IPC_SUB && msg_sub_get(&sub, in->body) == 0)
		session_moves_hurry(cl, sub.sid);
	if (in->type == IPC_SIGNIN && msg_signin_get(&signin, in->body) == 0)
		session_moves_hurry(cl, signin.sid);
}

/* A message of a worker. */
static void
on_message(struct reading *r, const struct ipc_in *in)
{
	struct peer *p = r->peer;
	ipc_handler handler = r->cl->handlers[in->type];
	struct msg_host_subs subs;
	struct msg_event e;
	bool event, plain;

	if (p != NULL && r->host == NULL && p->relayed > 0)
		p->relayed--;
	if (r->host == NULL && !list_is_empty(&r->cl->moves.waiting))
		hurry(r->cl, in);
	if ((r->host != NULL || r->past) &&
	    (r->app_here == 0 || ipc_app(in->type, in->body) != r->app ||
		entry_set_app(in, r->app_here) == -1))
		return;
	event = in->type == IPC_EVENT && msg_event_get(&e, in->body) == 0;
	plain = event && e.seq == 0;
	if (plain)
		on_plain_event(r, &e);
	if (plain || p == NULL)
		return;
	if (event && e.origin == p->origin &&
	    !newest_raise(&r->cl->seen, e.origin, e.seq)) {
		peer_number(p, e.seq); /* it has come before */
		return;
	}
	if (in->type == IPC_HOST_SUBS) {
		if (msg_host_subs_get(&subs, in->body) == 0)
			state_on_subs(p, &subs);
		return;
	}
	if (handler(p, in) != -1)
		return;
	if (p->ipc.sink)
		log_debug(
		    "cluster: ignored a message type=%s", ipc_name(in->type));
	else
		drop(r);
}

#define ON(NAME, name, function) \
	case IPC_##NAME: { \
		struct msg_##name m; \
\
		if (msg_##name##_get(&m, in.body) == 0) \
			function(&r, &m); \
		break; \
	}

void
apply_messages(struct cluster *cl, struct host *host, struct buf *b,
    uint32_t at, enum entry_kind kind)
{
	struct reading r = { .cl = cl, .host = host, .kind = kind };
	struct app_logs *logs = &cl->br->replay->logs;
	struct ipc_in in;
	uint64_t i = 0;
	int more;

	cl->br->applying = true;
	while ((more = entry_next(b, &at, &in)) == 1) {
		if (kind == ENTRY_TURN)
			app_logs_set_place(logs, cl->at.n, ++i);
		switch (in.type) {
			ON(HOST_FROM, host_from, on_from)
			ON(HOST_APP, host_app, on_app)
			ON(HOST_WORKER_GONE, host_worker_gone, on_worker_gone)
			ON(HOST_NOTIFIED, host_notified, on_notified)
			ON(SESSION, session, on_session)
			ON(HOST_SHARE, host_share, on_share)
			ON(HOST_SESSION, host_session, on_host_session)
			ON(HOST_SESSIONS_DONE, host_sessions_done,
			    on_sessions_done)
			ON(HOST_APPS_DONE, host_apps_done, on_apps_done)
		default:
			if (in.type < IPC_NTYPES &&
			    (cl->handlers[in.type] != NULL ||
				in.type == IPC_HOST_SUBS))
				on_message(&r, &in);
		}
	}
	cl->br->applying = false;
	if (more == -1)
		log_warnx("cluster: an entry is cut off host=%s",
		    host == NULL ? "this" : host->name);
}

/* The workers of this host begin later: they are not sent it. */
static void
log_event(const struct reading *r, struct msg_event *e)
{
	if (r->app_here == 0 || e->app != r->app || !(e->flags & EVENT_LOG) ||
	    e->channel.n == 0 || e->channel.n > REGISTRY_NAME_MAX)
		return;
	e->app = r->app_here;
	replay_log(r->cl->br->replay, e);
}

void
apply_past(struct cluster *cl, bool own, struct buf *b)
{
	struct reading r = { .cl = cl, .past = true, .own = own };
	struct ipc_in in;
	struct msg_event e;
	uint32_t at = 0;
	uint64_t i = 0;

	while (entry_next(b, &at, &in) == 1) {
		app_logs_set_place(&cl->br->replay->logs, cl->at.n, ++i);
		switch (in.type) {
			ON(HOST_APP, host_app, on_app)
			ON(SESSION, session, on_session)
		case IPC_HOST_JOIN:
		case IPC_HOST_STATE:
			return;
		case IPC_EVENT:
			if (msg_event_get(&e, in.body) == -1)
				break;
			if (cl->logs_only && cl->state == CLUSTER_CATCHING_UP) {
				log_event(&r, &e);
				break;
			}
			r.peer = hosts_own_peer(
			    cl->br, &cl->hosts, cl->hosts.room - 1, e.origin);
			on_message(&r, &in);
		}
	}
}
