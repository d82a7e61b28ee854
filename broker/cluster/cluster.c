/* SPDX-License-Identifier: MIT */
/*
 * cluster.c: the state machine over the stream.
 *
 * A broker joins with its state and a new epoch (JOINING), passes on the events
 * that its predecessor has not passed on (CATCHING_UP), waits for the state of
 * the other hosts as it was when it joined (COLLECTING), and then reads on from
 * there (LIVE).  If the others have declared this host dead, or an entry is
 * missing, the process exits: its successor joins again, the workers keep their
 * clients, replay their state, and send again what was not acknowledged.
 *
 * Must never apply anything that has not been read from the stream.
 */

#include "broker/cluster/cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/channel/registry.h"
#include "broker/cluster/conn_share.h"
#include "broker/cluster/incoming.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/join.h"
#include "broker/cluster/leader.h"
#include "broker/cluster/leave.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/reply.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/session_moves.h"
#include "broker/cluster/session_store.h"
#include "broker/cluster/shared_apps.h"
#include "broker/cluster/workers.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define BEAT_SECONDS 2.

bool
cluster_is_wanted(const struct conf *conf)
{
	return conf->cluster != NULL && *conf->cluster != '\0';
}

void
cluster_turn(struct cluster *cl)
{
	if (cl == NULL || cl->state < CLUSTER_OUT)
		return;
	session_moves_turn(cl);
	if (list_is_empty(&cl->parts))
		outgoing_end_entry(cl);
	if (!cl->sending && cl->engine.up && cl->state == CLUSTER_LIVE &&
	    !list_is_empty(&cl->parts) && !cl->br->links->acks_wait) {
		cl->sending = true;
		cl->sent++;
		cl->sent_us = clock_us(CLOCK_MONOTONIC);
		outgoing_send_first(cl);
	}
	incoming_read(cl);
	leave_step(cl);
}

void
cluster_turn_ends(struct cluster *cl)
{
	const struct order_place *at;

	if (cl == NULL || cl->state <= CLUSTER_JOINING)
		return;
	at = cluster_applied(cl);
	if (at->n == cl->passed_n)
		return;
	for (unsigned i = 0; i < cl->br->nslots; i++)
		if (cl->br->peers[i] != NULL &&
		    !outq_is_empty(&cl->br->peers[i]->ipc.out))
			return;
	cl->passed_n = at->n;
	event_order_set_place(cl->br->event_order, ORDER_PASSED, at);
	event_order_set_place(cl->br->event_order, ORDER_APPLIED, at);
}

/* ---- answers of Redis ---- */

void
cluster_complain(struct cluster *cl, const char *why)
{
	char(*last)[512] = cl->complaints;

	if (strcmp(last[0], why) == 0 || strcmp(last[1], why) == 0)
		return;
	log_warnx("cluster: %s: %s: publishes are refused",
	    cl->br->conf->cluster, why);
	memcpy(last[1], last[0], sizeof(last[0]));
	snprintf(last[0], sizeof(last[0]), "%s", why);
}

/* Redis is there, but takes no entries: tried again at the next beat. */
static void
starve(struct cluster *cl, const char *why)
{
	cluster_complain(cl, why);
	cl->starved = true;
	engine_doubt(&cl->engine);
	workers_set_up(cl, false);
}

static void
takes_entries(struct cluster *cl)
{
	if (cl->starved)
		log_info("cluster: Redis takes entries again");
	cl->starved = false;
	memset(cl->complaints, 0, sizeof(cl->complaints));
	if (cl->state == CLUSTER_LIVE && !cl->closed)
		workers_set_up(cl, true);
}

/* The leases of the hosts, in an answer from i on, say when they beat last. */
static void
note_beats(struct cluster *cl, const redisReply *r, size_t i)
{
	double now = broker_now();

	cl->beaten = now;
	for (; i + 1 < r->elements; i += 2) {
		struct host *host =
		    hosts_find(&cl->hosts, str_of(reply_text(r, i)));
		double left = strtod(reply_text(r, i + 1), NULL);

		if (host != NULL && left >= 0)
			host->beat =
			    now - (strtod(LEASE_MS, NULL) - left) / 1e3;
	}
}

static void
beat(struct cluster *cl)
{
	char read[PLACE_TEXT];
	const char *argv[] = { cl->instance, LEASE_MS,
		stream_length_text(&cl->length), read };
	const struct order_place *at = cluster_applied(cl);

	place_text(read, at);
	cl->beat_n = at->n;
	cl->sent_at = broker_now();
	outgoing_script(cl, ENGINE_BEAT, script_beat, argv, NULL, 4);
}

static void
on_beat_answer(struct cluster *cl, const redisReply *r)
{
	cl->newest = strtoull(reply_text(r, 1), NULL, 10);
	if (cl->newest < cl->beat_n || strcmp(reply_text(r, 2), "lost") == 0) {
		workers_begin_again(cl, REJOIN_LOST);
		return;
	}
	if (strcmp(reply_text(r, 0), "ok") != 0) {
		workers_begin_again(cl, REJOIN_DECLARED_DEAD);
		return;
	}
	leader_set_lease(cl);
	cl->checked = true;
	join_share_logs(cl, reply_text(r, 3), false);
	note_beats(cl, r, 4);
	if (!cl->sending && !cl->br->links->acks_wait)
		takes_entries(cl); /* else the answer to what is sent says it */
}

static void
on_sent(struct cluster *cl, const redisReply *r)
{
	if (cl->state < CLUSTER_OUT)
		return;
	if (strcmp(r->str, "fenced") == 0)
		beat(cl); /* the answer says why, and ends this process */
	else if (cl->br->conf->cluster_wait == 0)
		takes_entries(cl);
	else
		outgoing_wait(cl);
}

/* So many replicas have what was sent last. */
static void
on_waited(struct cluster *cl, const redisReply *r)
{
	uint64_t want = cl->br->conf->cluster_wait;
	char why[128];

	if (cl->state < CLUSTER_OUT)
		return;
	if ((uint64_t)r->integer >= want) {
		cl->br->links->acks_wait = false;
		takes_entries(cl);
		return;
	}
	snprintf(why, sizeof(why),
	    "%lld of its replicas have the last entry: cluster_wait is %llu",
	    r->integer, (unsigned long long)want);
	starve(cl, why);
}

/* An error, such as "OOM command not allowed": tried again at the next beat. */
static void
on_error(struct cluster *cl, enum engine_call call, const redisReply *r)
{
	cl->nerrors++;
	starve(cl, r->str);
	if (call == ENGINE_JOIN)
		cl->state = CLUSTER_OUT;
	/* There may be another primary now. */
	if (call == ENGINE_READ || strncmp(r->str, "READONLY", 8) == 0)
		engine_drop(&cl->engine, r->str);
}

/* The place from which it reads now is known to its successor. */
static void
on_join_answer(struct cluster *cl, const redisReply *r)
{
	join_on_answer(cl, r);
	if (cl->state > CLUSTER_JOINING)
		beat(cl);
}

static void
on_reply(void *owner, enum engine_call call, const redisReply *r)
{
	struct cluster *cl = owner;

	if (!reply_is_valid(call, r, cl->at.id)) {
		engine_refuse(&cl->engine,
		    "an answer has not the form that Redis gives it: what is "
		    "at this address?");
		return;
	}
	if (call == ENGINE_READ)
		cl->reading = false;
	if (call == ENGINE_READ && cl->state < CLUSTER_OUT)
		return;
	if (call == ENGINE_STORE)
		session_store_on_written(cl, r);
	if (r->type == REDIS_REPLY_ERROR)
		on_error(cl, call, r);
	else if (call == ENGINE_READ)
		incoming_on_entries(cl, r);
	else if (call == ENGINE_JOIN)
		on_join_answer(cl, r);
	else if (call == ENGINE_SEND)
		on_sent(cl, r);
	else if (call == ENGINE_WAIT)
		on_waited(cl, r);
	else if (call == ENGINE_APPS)
		shared_apps_on_records(cl, r);
	else if (call == ENGINE_APP_SET)
		shared_apps_on_answer(cl, r);
	else if (call == ENGINE_STORED)
		session_moves_on_stored(cl, r);
	else if (call == ENGINE_LEAVE)
		leave_on_answer(cl);
	else if (call == ENGINE_BEAT && cl->state >= CLUSTER_OUT)
		on_beat_answer(cl, r);
}

static void
on_beat(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct cluster *cl = w->data;

	if (!cl->engine.up)
		return;
	if (cl->state == CLUSTER_OUT)
		join_begin(cl);
	else if (cl->state > CLUSTER_JOINING)
		beat(cl);
	else if (cl->state == CLUSTER_LEAVING)
		leave_send(cl); /* the answer was an error, such as OOM */
	shared_apps_beat(cl);
	conn_share_beat(cl);
	if (cl->starved && cl->sending)
		outgoing_send_first(cl);
	else if (cl->starved && cl->br->links->acks_wait)
		outgoing_wait(cl);
}

static void
on_up(void *owner)
{
	struct cluster *cl = owner;

	cl->nconnects++;
	log_info("cluster: connected to %s", cl->br->conf->cluster);
	if (cl->state == CLUSTER_LEAVING ||
	    (cl->closed && cl->state == CLUSTER_LIVE))
		leave_send(cl);
	if (cl->state < CLUSTER_OUT)
		return;
	if (cl->state <= CLUSTER_JOINING) {
		join_begin(cl);
		return;
	}
	beat(cl);
	if (cl->sending)
		outgoing_send_first(cl); /* Redis knows whether it has it */
	else if (cl->br->links->acks_wait)
		outgoing_wait(cl);
}

static void
on_down(void *owner, bool was_up, const char *why)
{
	struct cluster *cl = owner;

	cl->ndowns++;
	cl->reading = cl->starved = cl->checked = false;
	session_store_down(cl);
	leader_drop_lease(cl);
	cluster_complain(cl, why);
	workers_set_up(cl, false);
}

static const struct engine_ops engine_ops = {
	.up = on_up, .down = on_down, .reply = on_reply
};

/* ---- life ---- */

struct cluster *
cluster_new(struct broker *br, const ipc_handler *handlers, unsigned room)
{
	struct cluster *cl = xcalloc(1, sizeof(*cl));
	char host[64] = "";

	cl->br = br;
	cl->state = CLUSTER_OUT;
	cl->handlers = handlers;
	cl->epoch = proc_random();
	gethostname(host, sizeof(host) - 1);
	snprintf(
	    cl->instance, sizeof(cl->instance), "%s:%d", host, (int)getppid());
	snprintf(
	    cl->epoch_text, sizeof(cl->epoch_text), "%016" PRIx64, cl->epoch);
	snprintf(cl->prefix, sizeof(cl->prefix), "%s:", br->conf->cluster_name);
	list_init(&cl->parts);
	budget_reserve(br->budget, QUEUE_BYTES, br->conf->memory_limit);
	app_records_init(&cl->apps);
	conn_share_init(cl);
	session_moves_init(cl);
	session_store_init(cl);
	hosts_init(&cl->hosts, room);
	br->registry->remote =
	    room < PROC_MAX_WORKERS ? ~UINT64_C(0) << room : 0;
	leader_init(cl);
	return cl;
}

void
cluster_start(struct cluster *cl)
{
	if (cl == NULL || cl->started)
		return;
	cl->started = true;
	ev_timer_init(&cl->beat, on_beat, BEAT_SECONDS, BEAT_SECONDS);
	cl->beat.data = cl;
	ev_timer_start(cl->br->loop, &cl->beat);
	ev_timer_start(cl->br->loop, &cl->store.timer);
	cl->engine.loop = cl->br->loop;
	cl->engine.conf = cl->br->conf;
	cl->engine.ops = &engine_ops;
	cl->engine.owner = cl;
	leave_recall(cl);
	engine_start(&cl->engine);
}

void
cluster_free(struct cluster *cl)
{
	if (cl == NULL)
		return;
	if (cl->started) {
		ev_timer_stop(cl->br->loop, &cl->beat);
		engine_stop(&cl->engine);
	}
	outgoing_end_entry(cl);
	while (!list_is_empty(&cl->parts)) {
		struct part *part = outgoing_first(cl);

		list_remove(&part->link);
		buf_unref(part->b);
		free(part);
	}
	hosts_clear(&cl->hosts);
	app_records_forget(&cl->apps);
	conn_share_clear(cl);
	session_moves_clear(cl);
	session_store_clear(cl);
	stream_length_clear(&cl->length);
	free(cl);
}
