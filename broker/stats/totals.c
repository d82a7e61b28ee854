/* SPDX-License-Identifier: MIT */
/*
 * totals.c: adds up the workers' counters, measures the broker's own loop, and
 * asks the workers for fresh numbers.  Owns the sums of the slots; those of an
 * app are in its struct broker_app.  A caller that waits for numbers gets them
 * after TOTALS_WAIT seconds: a stuck worker must not hide the others.  Must
 * never keep a gauge by adding and subtracting: gauges are read when they are
 * asked for.
 */

#include "broker/stats/totals.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/cluster/cluster.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "broker/stats/closes.h"
#include "broker/user/user.h"
#include "broker/webhook/queue.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/proc.h"
#include "shared/proc/proc_usage.h"

/* ---- the broker's own turn ---- */

static void
on_check(struct ev_loop *loop, ev_check *check, int revents)
{
	struct broker *br = check->data;

	br->totals->woke = clock_us(CLOCK_MONOTONIC_COARSE);
}

void
totals_turn_ends(struct broker *br)
{
	struct totals *s = br->totals;
	uint64_t turn;

	if (s->woke == 0)
		return;
	turn = clock_us(CLOCK_MONOTONIC_COARSE) - s->woke;
	s->woke = 0;
	s->turn_max = MAX(s->turn_max, turn);
	stats_observe(&s->hists.turn, stats_bounds_short, turn);
}

void
totals_init(struct broker *br)
{
	struct totals *s = br->totals;

	s->slots = xcalloc(br->nslots, sizeof(*s->slots));
	s->started = clock_us(CLOCK_REALTIME);
	memory_init(&s->memory);
	list_init(&s->waiting);
	ev_check_init(&s->check, on_check);
	s->check.data = br;
	ev_set_priority(&s->check, EV_MAXPRI);
	ev_check_start(br->loop, &s->check);
}

void
totals_clear(struct broker *br)
{
	ev_check_stop(br->loop, &br->totals->check);
	memory_free(&br->totals->memory);
	free(br->totals->slots);
	br->totals->slots = NULL;
}

/* ---- asking ---- */

void
totals_forget(struct totals_wait *wait)
{
	if (wait->done == NULL)
		return; /* it never waited */
	list_remove(&wait->link);
	wait->done = NULL;
}

static void
finish(struct broker *br, struct totals_wait *wait)
{
	void (*done)(struct broker *, struct totals_wait *) = wait->done;

	totals_forget(wait);
	done(br, wait);
}

void
totals_ask(struct broker *br, struct totals_wait *wait)
{
	struct msg_stats_ask m = { 0 };

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			ipc_send_stats_ask(&br->peers[i]->ipc, &m);
	wait->ping = peer_ping(br, &wait->slots);
	wait->due = broker_now() + TOTALS_WAIT;
	list_init(&wait->link);
	list_append(&br->totals->waiting, &wait->link);
	if (wait->slots == 0)
		finish(br, wait);
}

void
totals_on_pong(struct broker *br, unsigned slot, uint64_t id)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->totals->waiting) {
		struct totals_wait *wait =
		    LIST_ITEM(e, struct totals_wait, link);

		if (id < wait->ping)
			continue;
		wait->slots &= ~(UINT64_C(1) << slot);
		if (wait->slots == 0)
			finish(br, wait);
	}
}

void
totals_tick(struct broker *br)
{
	double now = broker_now();
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->totals->waiting) {
		struct totals_wait *wait =
		    LIST_ITEM(e, struct totals_wait, link);

		if (wait->due <= now)
			finish(br, wait);
	}
}

/* ---- what workers say ---- */

void
totals_on_hello(struct peer *p, bool is_new)
{
	struct totals_slot *s = &p->br->totals->slots[p->slot];

	s->gauges = (struct stats_gauges){ 0 };
	s->starts += is_new;
}

static void
add_row(struct broker *br, struct stats_app *sum, const char *bytes)
{
	struct broker_app *a;
	struct stats_row row;

	memcpy(&row, bytes, sizeof(row));
	stats_add(sum, &row.counts, sizeof(row.counts));
	if (row.app <= UINT32_MAX &&
	    (a = apps_lookup(br, (uint32_t)row.app)) != NULL)
		stats_add(&a->stats, &row.counts, sizeof(row.counts));
}

int
totals_on_stats(struct peer *p, const struct msg_stats *m)
{
	struct totals_slot *s = &p->br->totals->slots[p->slot];
	struct stats_worker all;
	struct stats_close c;

	if (m->worker.n != sizeof(all) ||
	    m->apps.n % sizeof(struct stats_row) != 0 ||
	    m->closes.n % sizeof(struct stats_close) != 0)
		return -1;
	memcpy(&all, m->worker.p, sizeof(all));
	stats_add(&s->counts, &all.counts, sizeof(all.counts));
	s->gauges = all.gauges;
	for (size_t i = 0; i < m->apps.n; i += sizeof(struct stats_row))
		add_row(p->br, &s->apps, m->apps.p + i);
	for (size_t i = 0; i < m->closes.n; i += sizeof(c)) {
		memcpy(&c, m->closes.p + i, sizeof(c));
		closes_add(p->br, &c);
	}
	p->br->totals->turn_max =
	    MAX(p->br->totals->turn_max, all.gauges.turn_max);
	return 0;
}

/* ---- what there is just now ---- */

bool
totals_has_worker(const struct broker *br, unsigned slot)
{
	return slot < br->conf->nworkers || br->peers[slot] != NULL ||
	    br->totals->slots[slot].starts > 0;
}

int
totals_on_courier(struct peer *p, const struct msg_courier_stats *m)
{
	struct totals *s = p->br->totals;
	struct stats_hist ages;

	if (m->ages.n != sizeof(ages) ||
	    m->apps.n % sizeof(struct stats_row) != 0)
		return -1;
	for (size_t i = 0; i < m->apps.n; i += sizeof(struct stats_row))
		add_row(p->br, &s->others, m->apps.p + i);
	memcpy(&ages, m->ages.p, sizeof(ages));
	stats_add(&s->hists.hook_age, &ages, sizeof(ages));
	s->courier_cpu += m->cpu_us;
	s->courier_memory = m->memory;
	return 0;
}

void
totals_courier_lost(struct broker *br)
{
	br->totals->courier_memory = 0;
}

void
totals_sum_apps(const struct broker *br, struct stats_app *sum)
{
	*sum = br->totals->others;
	for (unsigned i = 0; i < br->nslots; i++)
		stats_add(sum, &br->totals->slots[i].apps, sizeof(*sum));
}

void
totals_now_broker(struct broker *br, struct stats_broker *out)
{
	const struct webhook_queue *q = br->webhook_queue;
	struct rlimit rl = { 0 };
	struct proc_usage master = { 0 };
	struct cluster_status cluster;

	cluster_status(br->cluster, &cluster);
	br->totals->hists.cluster_append = cluster.append;
	if (br->inherit != NULL)
		proc_usage_get(br->inherit->master, &master);
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		rl.rlim_cur = 0;
	*out = (struct stats_broker){
		.apps = br->apps->n,
		.workers = br->conf->nworkers,
		.channels = br->registry->noccupied,
		.cached_events = br->cache->n,
		.cached_bytes = br->cache->shares.held,
		.cached_limit = br->conf->cache_memory,
		.users = br->users->by_id.n,
		.events = br->nevents,
		.memory = memory_used(&br->totals->memory),
		.fds_limit = rl.rlim_cur,
		.cpu = proc_usage_cpu_us(),
		.courier_memory = br->totals->courier_memory,
		.courier_cpu = br->totals->courier_cpu,
		.master_memory = master.memory,
		.master_cpu = master.cpu_us,
		.started = br->totals->started,
		.courier = q->courier != NULL,
		.hooks_queued = q->n,
		.hooks_waiting = q->waiting,
		.hooks_dead = q->dead,
		.hooks_dropped = q->dropped + q->outbox_dropped,
		.cluster_connected = cluster.connected,
		.cluster_up = cluster.up,
		.cluster_downs = cluster.downs,
		.cluster_errors = cluster.errors,
		.cluster_hosts = cluster.hosts,
		.cluster_behind = cluster.behind,
		.cluster_leads = cluster.sends_webhooks,
		.cluster_appended = cluster.appended,
		.cluster_read = cluster.applied,
		.cluster_connects = cluster.connects,
		.cluster_hosts_gone = cluster.hosts_gone,
		.cluster_declared_dead = cluster.rejoins[REJOIN_DECLARED_DEAD],
		.cluster_lost = cluster.rejoins[REJOIN_LOST],
		.cluster_missing = cluster.rejoins[REJOIN_MISSING],
		.cluster_clock = cluster.clock_error,
	};
}

static void
put_log(const struct app_log *l, struct stats_app_now *out)
{
	const struct app_log_counts *n = &l->counts;

	out->resume_new = n->news;
	out->resume_continued = n->continued;
	out->resume_gap = n->gaps;
	out->resume_replayed = n->replayed;
	out->resume_evicted = n->reasons[RESUME_EVICTED];
	out->resume_expired = n->reasons[RESUME_EXPIRED];
	out->resume_restarted = n->reasons[RESUME_RESTARTED];
	out->resume_too_many = n->reasons[RESUME_TOO_MANY];
	out->resume_unconfirmed = n->reasons[RESUME_UNCONFIRMED];
	out->resume_log_bytes = ring_used(l->ring);
	out->resume_log_oldest = app_log_age(l);
}

void
totals_now_app(const struct broker *br, uint32_t app, struct stats_app_now *out)
{
	const struct broker_app *a = apps_lookup(br, app);
	const struct registry_app *r = registry_app_find(br->registry, app);
	const struct webhook_line *line =
	    webhook_queue_find(br->webhook_queue, app);
	const struct app_log *l = app_logs_find(&br->replay->logs, app);

	*out = (struct stats_app_now){ 0 };
	if (l != NULL)
		put_log(l, out);
	if (a != NULL) {
		out->connections = a->nconns;
		out->connections_limit = a->app.max_connections;
	}
	if (r != NULL) {
		out->channels = r->noccupied;
		out->subscriptions = r->nsubs;
	}
	if (line != NULL) {
		out->hooks_queued = line->n;
		out->hooks_dropped = line->dropped;
	}
}

void
totals_now_link(const struct broker *br, unsigned slot, struct stats_link *out)
{
	const struct peer *p = br->peers[slot];

	*out = (struct stats_link){
		.subscriptions = br->registry->nsubs[slot],
		.starts = br->totals->slots[slot].starts,
	};
	if (p == NULL)
		return;
	out->up = 1;
	out->connections = p->nconns;
	out->queued = outq_bytes(&p->ipc.out);
}
