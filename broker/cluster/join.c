/* SPDX-License-Identifier: MIT */
/*
 * join.c: this host joins the cluster.  It tells the others its state, and
 * waits for theirs as it was just after that place of the stream.
 */

#include "broker/cluster/join.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/cluster/conn_share.h"
#include "broker/cluster/leader.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/shared_apps.h"
#include "broker/cluster/state.h"
#include "broker/cluster/timing.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"

struct order_place
place_make(const char *id, const char *n)
{
	struct order_place p = { .n = strtoull(n, NULL, 10) };

	snprintf(p.id, sizeof(p.id), "%s", id);
	return p;
}

void
place_text(char text[PLACE_TEXT], const struct order_place *p)
{
	*text = '\0';
	if (p->n != 0)
		snprintf(text, PLACE_TEXT, "%s %" PRIu64, p->id, p->n);
}

/* How far the broker before this one has come. */
static void
recall(struct cluster *cl, enum order_reach how, char text[PLACE_TEXT])
{
	struct order_place p = event_order_place(cl->br->event_order, how);

	place_text(text, &p);
}

void
join_begin(struct cluster *cl)
{
	struct msg_host_join m = { .workers = cl->br->conf->nworkers,
		.build = S(PUSHERD_VERSION) };
	struct entry e = { 0 };
	char format[16], applied[PLACE_TEXT], passed[PLACE_TEXT], newest[24];
	const char *argv[] = { cl->instance, LEASE_MS, format,
		stream_length_text(&cl->length), applied, passed, NULL,
		newest };
	size_t lens[8];

	hosts_settle(cl->br);
	entry_put_host_join(&e, &m);
	state_write(cl->br, &e, cl->hosts.room, cl->origins);
	conn_share_join(cl);
	conn_share_write(cl, &e);
	snprintf(format, sizeof(format), "%d", IPC_VERSION);
	recall(cl, ORDER_APPLIED, applied);
	recall(cl, ORDER_PASSED, passed);
	snprintf(newest, sizeof(newest), "%" PRIu64,
	    app_logs_newest(&cl->br->replay->logs));
	argv[6] = e.b->data;
	for (int i = 0; i < 8; i++)
		lens[i] = i == 6 ? e.b->len : strlen(argv[i]);
	cl->state = CLUSTER_JOINING;
	cl->sent_at = broker_now();
	outgoing_script(cl, ENGINE_JOIN, script_join, argv, lens, 8);
	buf_unref(e.b);
}

static void
go_live(struct cluster *cl)
{
	cl->state = CLUSTER_LIVE;
	cl->at = cl->joined;
	log_info("cluster: joined name=%s host=%s hosts=%zu",
	    cl->br->conf->cluster_name, cl->br->conf->cluster_host,
	    cl->hosts.n + 1);
	leader_elect(cl);
	shared_apps_join(cl);
	cl->br->links->ops->known(cl->br);
	workers_set_up(cl, true);
}

void
join_collect(struct cluster *cl)
{
	struct list *e;

	cl->state = CLUSTER_COLLECTING;
	LIST_FOREACH(e, &cl->hosts.all)
		if (LIST_ITEM(e, struct host, link)->awaited)
			return;
	go_live(cl);
}

void
join_share_logs(struct cluster *cl, const char *number, bool missed)
{
	struct app_logs *logs = &cl->br->replay->logs;
	uint64_t shared = strtoull(number, NULL, 16);

	if (shared == 0 || (shared == logs->shared && !missed))
		return;
	app_logs_share(logs, shared, missed);
	apps_tell_logs(cl->br);
}

/* The other hosts, as they were just before this one joined. */
static void
note_hosts(struct cluster *cl, const redisReply *r, size_t i)
{
	for (; i + 1 < r->elements; i += 2) {
		struct str name = str_of(reply_text(r, i));

		if (str_eq(name, str_of(cl->br->conf->cluster_host)) ||
		    !cluster_name_is_valid(name))
			continue;
		hosts_enter(cl->br, &cl->hosts, name,
		    strtoull(reply_text(r, i + 1), NULL, 16))
		    ->awaited = true;
	}
}

void
join_on_answer(struct cluster *cl, const redisReply *r)
{
	const char *status = reply_text(r, 0);
	char why[256];
	bool missed;

	if (strcmp(status, "ok") != 0) {
		cl->state = CLUSTER_OUT;
		if (strcmp(status, "taken") == 0)
			snprintf(why, sizeof(why),
			    "another server is host %s: give each its own "
			    "cluster_host",
			    cl->br->conf->cluster_host);
		else
			snprintf(why, sizeof(why),
			    "its hosts have another version of the messages "
			    "(%s; here %d): stop them first",
			    reply_text(r, 1), IPC_VERSION);
		cluster_complain(cl, why);
		return;
	}
	cl->starved = false;
	cl->checked = true;
	cl->joined = place_make(reply_text(r, 1), reply_text(r, 2));
	timing_clock(
	    cl, cl->joined.id, (uint64_t)((broker_now() - cl->sent_at) * 1e6));
	note_hosts(cl, r, 7);
	leader_join(cl);
	leader_set_lease(cl);
	cl->at = place_make(reply_text(r, 3), reply_text(r, 4));
	cl->logs_only = *reply_text(r, 6) != '\0';
	missed = cl->at.n == 0;
	if (missed || cl->logs_only)
		workers_tell_missed(cl);
	if (missed)
		cl->at = cl->joined;
	app_logs_end_entry(&cl->br->replay->logs, cl->at.n);
	join_share_logs(cl, reply_text(r, 5), missed);
	if (missed)
		join_collect(cl);
	else
		cl->state = CLUSTER_CATCHING_UP;
}
