/* SPDX-License-Identifier: MIT */
/*
 * stats_report.c: the report of a worker to the broker: the counters since the
 * last report, and the present gauges.  Counting itself is worker/app/stats.c.
 * Without a broker nothing is reported, and the counters keep counting.
 */

#include "worker/admin/stats_report.h"

#include <string.h>
#include <sys/resource.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/proc/memory.h"
#include "shared/proc/proc_usage.h"
#include "worker/api/retry.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/client/client_memory.h"
#include "worker/conn/conn.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

static void
gauge(struct worker *w, struct stats_gauges *g)
{
	struct rlimit rl;
	struct list *e;

	*g = (struct stats_gauges){
		.to_broker = link_queued(w),
		.sockets = w->nconns,
		.sockets_limit = w->max_conns,
		.fds = w->stats->base_fds + w->nconns,
		.memory = memory_used(&w->client_memory->memory),
		.memory_limit = w->client_memory->limit,
		.unacked = outq_bytes(&w->unacked->messages),
		.waiting = w->retries->n,
		.draining = w->draining,
		.turn_max = w->stats->turn_max,
	};
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		g->fds_limit = rl.rlim_cur;
	LIST_FOREACH(e, &w->blocked) {
		g->blocked++;
		g->blocked_bytes +=
		    outq_bytes(&LIST_ITEM(e, struct conn, link)->out);
	}
}

/* Adds a row for an app with changes. */
static void
take_app(struct buf **b, struct client_app *a)
{
	static const struct stats_app zero;
	struct stats_row row;

	if (memcmp(&a->stats, &zero, sizeof(zero)) == 0)
		return;
	row = (struct stats_row){ a->app.num, a->stats };
	a->stats = zero;
	buf_append(b, str_make((const char *)&row, sizeof(row)));
}

static struct buf *
take_apps(struct worker *w)
{
	struct buf *b = NULL;
	struct hash_node *n;
	struct list *e;

	HASH_FOREACH(n, &w->apps->by_num)
		take_app(&b, container_of(n, struct client_app, num_node));
	LIST_FOREACH(e, &w->apps->gone)
		take_app(&b, LIST_ITEM(e, struct client_app, gone));
	return b;
}

/* The oldest first. */
static struct buf *
take_closes(struct stats *s)
{
	const struct stats_close *c = NULL;
	struct buf *b = NULL;

	while ((c = last_closes_after(&s->closes, c)) != NULL)
		buf_append(&b, str_make((const char *)c, sizeof(*c)));
	last_closes_empty(&s->closes);
	return b;
}

void
stats_report(struct worker *w)
{
	struct stats *s = w->stats;
	struct stats_worker all;
	struct buf *apps, *closes;
	struct msg_stats m;
	uint64_t cpu = proc_usage_cpu_us();

	if (!link_is_up(w))
		return;
	s->counts.cpu = cpu - s->cpu;
	s->cpu = cpu;
	all.counts = s->counts;
	gauge(w, &all.gauges);
	apps = take_apps(w);
	closes = take_closes(s);
	m.worker = str_make((const char *)&all, sizeof(all));
	m.apps = buf_str(apps);
	m.closes = buf_str(closes);
	link_send_stats(w, &m);
	s->counts = (struct stats_counts){ 0 };
	s->turn_max = 0;
	buf_unref(apps);
	buf_unref(closes);
}

int
stats_on_ask(struct worker *w, const struct msg_stats_ask *m)
{
	stats_report(w);
	return 0;
}
