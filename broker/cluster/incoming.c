/* SPDX-License-Identifier: MIT */
/*
 * incoming.c: applies the entries of the stream, in its order, also those of
 * this host.  Must never trust what another host has written.
 */

#include "broker/cluster/incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cluster/apply.h"
#include "broker/cluster/conn_share.h"
#include "broker/cluster/join.h"
#include "broker/cluster/leader.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/session_moves.h"
#include "broker/cluster/shared_apps.h"
#include "broker/cluster/state.h"
#include "broker/cluster/stream_entry.h"
#include "broker/cluster/timing.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"

#define ENTRIES_AT_ONCE "64"
#define READ_MS "1000" /* a read without entries ends then */

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
	leader_write_state(cl);
	conn_share_write(cl, &cl->entry);
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
		apply_messages(cl, NULL, b, 0, ENTRY_TURN);
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
		else
			on_own(cl, b);
	} else if (own || !cluster_name_is_valid(s->host)) {
		return;
	} else if (s->data.n == 0) {
		if (host == NULL || host->epoch != s->epoch)
			return;
		log_warnx("cluster: host %s is gone", host->name);
		cl->ngone++;
		hosts_drop(cl->br, &cl->hosts, host);
		leader_elect(cl);
		session_moves_check(cl);
	} else if (entry_next(b, &at, &in) != 1) {
		log_warnx("cluster: an entry is cut off host=%.*s",
		    (int)s->host.n, s->host.p);
	} else if (in.type == IPC_HOST_JOIN) {
		host = hosts_enter(cl->br, &cl->hosts, s->host, s->epoch);
		host->known = true;
		host->joined = s->place.n;
		leader_elect(cl);
		if (msg_host_join_get(&join, in.body) == 0)
			host->workers = join.workers;
		log_info("cluster: host %s has joined", host->name);
		apply_messages(cl, host, b, at, ENTRY_JOIN);
		answer_join(cl, host);
	} else if (in.type != IPC_HOST_STATE && host != NULL && host->known &&
	    host->epoch == s->epoch) {
		apply_messages(cl, host, b, 0, ENTRY_TURN);
	} else {
		apply_past(cl, own, b); /* its state is not known here yet */
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
		apply_messages(cl, host, b, at, ENTRY_STATE);
	}
}

static void
apply_entry(struct cluster *cl, const struct stream_entry *s)
{
	bool own = str_eq(s->host, str_of(cl->br->conf->cluster_host));
	struct app_logs *logs = &cl->br->replay->logs;
	enum cluster_state before = cl->state;
	struct buf *b;

	if (cl->at.n != 0 && s->place.n != cl->at.n + 1) {
		if (cl->state != CLUSTER_CATCHING_UP) {
			workers_begin_again(cl, REJOIN_MISSING);
			return;
		}
		workers_tell_missed(cl);
		app_logs_set_place(logs, s->place.n - 1, UINT64_MAX);
		app_logs_share(logs, logs->shared, true);
	}
	cl->at = s->place;
	if (cl->state != CLUSTER_COLLECTING)
		event_order_set_place(
		    cl->br->event_order, ORDER_APPLIED, &cl->at);
	stream_length_add(&cl->length, s->place.n, s->data.n,
	    cl->br->conf->cluster_stream_bytes);
	stream_entry_again(s->again, &cl->seen);
	leader_step(cl);
	b = buf_from(s->data);
	cl->br->stamp = MAX(cl->br->stamp, stream_stamp(s));
	switch (cl->state) {
	case CLUSTER_CATCHING_UP:
		if (strcmp(cl->at.id, cl->joined.id) == 0)
			join_collect(cl);
		else
			apply_past(cl, own, b);
		break;
	case CLUSTER_COLLECTING:
		apply_state(cl, s, b);
		join_collect(cl);
		break;
	default:
		if (!shared_apps_take(cl, b))
			apply_live(cl, s, b);
	}
	if (before != CLUSTER_COLLECTING)
		app_logs_end_entry(logs, s->place.n);
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
	r = r->element[0]->element[1];
	for (size_t i = 0; i < r->elements && cl->engine.up; i++) {
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
