/* SPDX-License-Identifier: MIT */
/*
 * incoming.c: applies the entries of the stream, in its order, also those of
 * this host.  Must never trust what another host has written.
 */

#include "broker/cluster/incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/named_session.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/cluster/join.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/places.h"
#include "broker/cluster/shared_apps.h"
#include "broker/cluster/state.h"
#include "broker/cluster/stream_entry.h"
#include "broker/cluster/teller.h"
#include "broker/cluster/timing.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"

#define ENTRIES_AT_ONCE "64"
#define READ_MS "1000" /* a read without entries ends then */

/* An entry begins with the state of its host, or has what happened in a turn.
 */
enum entry_kind { ENTRY_TURN, ENTRY_JOIN, ENTRY_STATE };

/* An entry while it is applied. */
struct reading {
	struct cluster *cl;
	enum entry_kind kind;
	struct host *host; /* NULL: this one */
	bool past;         /* of any host: only its events are passed on */
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

	r->peer = r->host == NULL
	    ? own_peer(cl, m->slot, m->origin)
	    : hosts_peer(cl->br, &cl->hosts, r->host, m->slot, m->origin);
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
		cl->br->leaving &= ~(UINT64_C(1) << m->slot);
		cl->br->registry->remote &= ~(UINT64_C(1) << m->slot);
		cl->origins[m->slot] = 0;
		hosts_lose_slot(cl->br, &cl->hosts, m->slot);
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

static void
on_told(struct reading *r, struct msg_host_told *m)
{
	if (r->host == NULL || r->app_here == 0 || m->app != r->app)
		return;
	m->app = r->app_here;
	teller_on_told(r->cl, m);
}

static void
on_places(struct reading *r, struct msg_host_places *m)
{
	if (r->app_here == 0 || m->app != r->app)
		return;
	m->app = r->app_here;
	places_on_message(r->cl, r->host, r->kind != ENTRY_TURN, m);
}

/* The client has the session from here on, and no other one on any host. */
static void
on_session(struct reading *r, struct msg_session *m)
{
	struct peer *p = r->peer;

	if (p == NULL)
		return;
	if (r->host != NULL) {
		if (r->app_here == 0 || m->app != r->app)
			return;
		m->app = r->app_here;
		named_session_elsewhere(r->cl->br, m);
	} else if (!p->ipc.sink) {
		if (p->relayed > 0)
			p->relayed--;
		if (named_session_on_begin(p, m) == -1)
			drop(r);
	}
}

static void
on_apps_done(struct reading *r, const struct msg_host_apps_done *m)
{
	shared_apps_on_done(r->host, m);
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

/* Writes the state for a host that has just joined. */
static void
answer_join(struct cluster *cl, const struct host *host)
{
	struct msg_host_state m = { .epoch = host->epoch,
		.stamp = cl->br->stamp,
		.joined = cl->joined.n,
		.workers = cl->br->conf->nworkers,
		.host = str_of(host->name) };
	size_t before;

	outgoing_end_entry(cl);
	before = outgoing_entry_size(cl);
	entry_put_host_state(&cl->entry, &m);
	state_write(cl->br, &cl->entry, cl->hosts.room, cl->origins);
	teller_write_state(cl);
	places_write(cl, &cl->entry);
	cl->queued += outgoing_entry_size(cl) - before;
	outgoing_end_entry(cl);
}

/* Is it the state that this host waits for? */
static bool
is_for_us(struct cluster *cl, struct host *host, const struct ipc_in *in)
{
	struct msg_host_state m;

	if (in->type != IPC_HOST_STATE ||
	    msg_host_state_get(&m, in->body) == -1 || m.epoch != cl->epoch)
		return false;
	host->workers = m.workers;
	host->joined = m.joined;
	cl->br->stamp = MAX(cl->br->stamp, m.stamp);
	return true;
}

#define ON(NAME, name, function) \
	case IPC_##NAME: { \
		struct msg_##name m; \
\
		if (msg_##name##_get(&m, in.body) == 0) \
			function(&r, &m); \
		break; \
	}

/* Applies the messages from at on. */
static void
apply(struct cluster *cl, struct host *host, struct buf *b, uint32_t at,
    enum entry_kind kind)
{
	struct reading r = { .cl = cl, .host = host, .kind = kind };
	struct ipc_in in;
	int more;

	cl->br->applying = true;
	while ((more = entry_next(b, &at, &in)) == 1)
		switch (in.type) {
			ON(HOST_FROM, host_from, on_from)
			ON(HOST_APP, host_app, on_app)
			ON(HOST_WORKER_GONE, host_worker_gone, on_worker_gone)
			ON(HOST_TOLD, host_told, on_told)
			ON(SESSION, session, on_session)
			ON(HOST_PLACES, host_places, on_places)
			ON(HOST_APPS_DONE, host_apps_done, on_apps_done)
		default:
			if (in.type < IPC_NTYPES &&
			    (cl->handlers[in.type] != NULL ||
				in.type == IPC_HOST_SUBS))
				on_message(&r, &in);
		}
	cl->br->applying = false;
	if (more == -1)
		log_warnx("cluster: an entry is cut off host=%s",
		    host == NULL ? "this" : host->name);
}

/* The own entry has come back. */
static void
on_own(struct cluster *cl, struct buf *b)
{
	struct part *part;
	uint32_t at = 0;
	struct ipc_in in;

	if (cl->sending) {
		timing_entry(cl);
		part = outgoing_first(cl);
		cl->queued -= part->b->len;
		list_remove(&part->link);
		buf_unref(part->b);
		free(part);
		cl->sending = false;
	}
	if (entry_next(b, &at, &in) == 1 && in.type != IPC_HOST_STATE)
		apply(cl, NULL, b, 0, ENTRY_TURN);
}

/* Only the events, for the clients of this host: all hosts pass on the same. */
static void
pass_events(struct cluster *cl, struct buf *b)
{
	struct reading r = { .cl = cl, .past = true };
	struct ipc_in in;
	struct msg_event e;
	uint32_t at = 0;

	while (entry_next(b, &at, &in) == 1) {
		switch (in.type) {
			ON(HOST_APP, host_app, on_app)
		case IPC_HOST_JOIN:
		case IPC_HOST_STATE:
			return;
		case IPC_EVENT:
			if (msg_event_get(&e, in.body) == -1)
				break;
			r.peer = hosts_own_peer(
			    cl->br, &cl->hosts, cl->hosts.room - 1, e.origin);
			on_message(&r, &in);
		}
	}
}

static void
apply_live(struct cluster *cl, const struct stream_entry *s, struct buf *b)
{
	struct host *host = hosts_find(&cl->hosts, s->host);
	bool own = str_eq(s->host, str_of(cl->br->conf->cluster_host));
	struct msg_host_join join;
	uint32_t at = 0;
	struct ipc_in in;

	if (own && s->epoch == cl->epoch) {
		if (s->data.n == 0)
			workers_begin_again(cl, REJOIN_DECLARED_DEAD);
		on_own(cl, b);
	} else if (own || !cluster_name_is_valid(s->host)) {
		return;
	} else if (s->data.n == 0) {
		if (host == NULL || host->epoch != s->epoch)
			return;
		log_warnx("cluster: host %s is gone", host->name);
		cl->ngone++;
		hosts_drop(cl->br, &cl->hosts, host);
		teller_elect(cl);
	} else if (entry_next(b, &at, &in) != 1) {
		log_warnx("cluster: an entry is cut off host=%.*s",
		    (int)s->host.n, s->host.p);
	} else if (in.type == IPC_HOST_JOIN) {
		host = hosts_enter(cl->br, &cl->hosts, s->host, s->epoch);
		host->known = true;
		host->joined = s->place.n;
		teller_elect(cl);
		if (msg_host_join_get(&join, in.body) == 0)
			host->workers = join.workers;
		log_info("cluster: host %s has joined", host->name);
		apply(cl, host, b, at, ENTRY_JOIN);
		answer_join(cl, host);
	} else if (in.type != IPC_HOST_STATE && host != NULL && host->known &&
	    host->epoch == s->epoch) {
		apply(cl, host, b, 0, ENTRY_TURN);
	} else {
		pass_events(cl, b); /* its state is not known here yet */
	}
}

static void
apply_state(struct cluster *cl, const struct stream_entry *s, struct buf *b)
{
	struct host *host = hosts_find(&cl->hosts, s->host);
	uint32_t at = 0;
	struct ipc_in in;

	if (host == NULL || !host->awaited || entry_next(b, &at, &in) != 1) {
		if (host == NULL || !host->awaited || s->data.n != 0)
			return;
	}
	if (s->data.n == 0) {
		if (host->epoch == s->epoch)
			hosts_drop(cl->br, &cl->hosts, host);
	} else if (in.type == IPC_HOST_JOIN) {
		host->awaited = false; /* it begins again, behind this place */
	} else if (host->epoch == s->epoch && is_for_us(cl, host, &in)) {
		host->awaited = false;
		host->known = true;
		apply(cl, host, b, at, ENTRY_STATE);
	}
}

static void
apply_entry(struct cluster *cl, const struct stream_entry *s)
{
	struct buf *b;

	if (cl->at.n != 0 && s->place.n != cl->at.n + 1) {
		if (cl->state != CLUSTER_CATCHING_UP)
			workers_begin_again(cl, REJOIN_MISSING);
		workers_tell_missed(cl);
	}
	cl->at = s->place;
	if (cl->state != CLUSTER_COLLECTING)
		event_order_set_place(
		    cl->br->event_order, ORDER_APPLIED, &cl->at);
	stream_entry_again(s->again, &cl->seen);
	teller_step(cl);
	b = buf_from(s->data);
	cl->br->stamp = MAX(cl->br->stamp, stream_stamp(s));
	switch (cl->state) {
	case CLUSTER_CATCHING_UP:
		if (strcmp(cl->at.id, cl->joined.id) == 0)
			join_collect(cl);
		else
			pass_events(cl, b);
		break;
	case CLUSTER_COLLECTING:
		apply_state(cl, s, b);
		join_collect(cl);
		break;
	default:
		if (!shared_apps_take(cl, b))
			apply_live(cl, s, b);
	}
	buf_unref(b);
	cl->napplied++;
}

/* ---- the answer of Redis ---- */

void
incoming_on_entries(struct cluster *cl, const redisReply *r)
{
	enum cluster_state before = cl->state;
	struct stream_entry s;

	if (r->type == REDIS_REPLY_NIL)
		return; /* none has come */
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 1 ||
	    r->element[0]->elements != 2) {
		workers_begin_again(cl, REJOIN_MISSING);
	}
	r = r->element[0]->element[1];
	for (size_t i = 0; i < r->elements; i++) {
		if (!stream_entry_get(&s, r->element[i])) {
			log_warnx("cluster: ignored an entry of the stream, "
				  "which no host has written");
			memcpy(cl->at.id, s.place.id, sizeof(cl->at.id));
			continue;
		}
		apply_entry(cl, &s);
		if (before == CLUSTER_COLLECTING && cl->state == CLUSTER_LIVE)
			break; /* read again from the own JOIN on */
		before = cl->state;
	}
	if (cl->queued <= QUEUE_BYTES)
		workers_resume(cl);
}

void
incoming_read(struct cluster *cl)
{
	char key[96];
	const char *argv[] = { "XREAD", "COUNT", ENTRIES_AT_ONCE, "BLOCK",
		READ_MS, "STREAMS", key, cl->at.id };
	size_t lens[8];

	if (cl->reading || !cl->engine.up || !cl->checked ||
	    cl->state < CLUSTER_CATCHING_UP || cl->br->links->congested)
		return;
	snprintf(key, sizeof(key), "%sstream", cl->prefix);
	for (int i = 0; i < 8; i++)
		lens[i] = strlen(argv[i]);
	cl->reading = true;
	engine_ask(&cl->engine, ENGINE_READ, 8, argv, lens);
}
