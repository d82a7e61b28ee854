/* SPDX-License-Identifier: MIT */
/*
 * verb_stats.c: the verbs about numbers: counters since the broker began, rates
 * (pusherctl takes two readings), the last minutes and hours, closed
 * connections, and how near each limit is.  Lists are bounded, so that each
 * fits one turn.  Must never walk the channels: there may be a million.
 */

#include "broker/control/verb_stats.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/control/control_job.h"
#include "broker/control/stats_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/closes.h"
#include "broker/stats/history.h"
#include "broker/stats/totals.h"
#include "broker/webhook/queue.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define APPS_MAX 1000 /* rows */
#define APPS_DEFAULT 20
#define NEAR_APPS 5 /* that `status` names */

/*
 * A count, or `otherwise` when it is missing; a value that is too large is
 * capped.
 */
static uint64_t
get_limit(struct json args, uint64_t otherwise, uint64_t max)
{
	uint64_t n;

	if (json_u64(json_get(args, S("limit")), UINT64_MAX, &n) == -1)
		n = otherwise;
	return MIN(n, max);
}

/* Reads app and limit from the arguments; -1 after an error. */
static int
get_args(struct control_client *cc, struct json args, uint64_t otherwise,
    uint64_t max, struct stats_args *out)
{
	struct broker_app *a = NULL;

	if (verb_app_or_all(cc, args, &a) == -1)
		return -1;
	out->app = a == NULL ? 0 : a->app.num;
	out->limit = get_limit(args, otherwise, max);
	return 0;
}

/* ---- stats ---- */

static void
put_counts(struct json_writer *w, const struct stats_app *s)
{
#define APP_COUNT(field, name, label, help) \
	json_member_u64(w, #field, s->field);
#include "shared/proc/stats.def"
	json_member_u64(w, "confirmed_p50_us",
	    stats_hist_quantile(&s->confirmed, stats_bounds_short, 50));
	json_member_u64(w, "confirmed_p99_us",
	    stats_hist_quantile(&s->confirmed, stats_bounds_short, 99));
}

static void
server_row(struct control_client *cc)
{
	struct broker *br = cc->br;
	struct stats_app all;
	struct stats_counts counts = { 0 };
	struct stats_broker now;
	struct json_writer w;
	uint64_t connections = 0, subscriptions = 0;

	totals_now_broker(br, &now);
	totals_sum_apps(br, &all);
	for (unsigned i = 0; i < br->nslots; i++) {
		stats_add(
		    &counts, &br->totals->slots[i].counts, sizeof(counts));
		subscriptions += br->registry->nsubs[i];
		if (br->peers[i] != NULL)
			connections += br->peers[i]->nconns;
	}
	verb_row_begin(&w, "server");
	json_member_u64(&w, "uptime", (uint64_t)(broker_now() - br->started));
	json_member_u64(&w, "connections", connections);
	json_member_u64(&w, "subscriptions", subscriptions);
	json_member_u64(&w, "channels", now.channels);
	put_counts(&w, &all);
	json_member_u64(&w, "accepted", counts.accepted);
	json_member_u64(&w, "http_requests", counts.http_requests);
	json_member_u64(&w, "events", now.events);
	json_member_u64(&w, "cpu_us",
	    counts.cpu + now.cpu + now.courier_cpu + now.master_cpu);
	json_member_u64(&w, "broker_cpu_us", now.cpu);
	json_member_u64(&w, "broker_memory", now.memory);
	verb_row_end(cc, &w);
}

static void
worker_row(struct control_client *cc, unsigned slot)
{
	const struct totals_slot *s = &cc->br->totals->slots[slot];
	struct stats_link now;
	struct json_writer w;

	totals_now_link(cc->br, slot, &now);
	verb_row_begin(&w, "worker");
	json_member_u64(&w, "worker", slot);
#define LINK_GAUGE(field, name, label, help) \
	json_member_u64(&w, #field, now.field);
#define WORKER_GAUGE(field, name, label, help) \
	json_member_u64(&w, #field, now.up ? s->gauges.field : 0);
#include "shared/proc/stats.def"
	json_member_u64(&w, "turn_max_us", now.up ? s->gauges.turn_max : 0);
	json_member_u64(&w, "cpu_us", s->counts.cpu);
	put_counts(&w, &s->apps);
	verb_row_end(cc, &w);
}

static void
app_row(struct control_client *cc, const struct broker_app *a)
{
	struct stats_app_now now;
	struct json_writer w;

	totals_now_app(cc->br, a->app.num, &now);
	verb_row_begin(&w, "app");
	json_member_str(&w, "app", str_of(a->app.id));
	json_member_str(&w, "name", str_of(a->app.name));
#define APP_GAUGE(field, name, label, help) \
	json_member_u64(&w, #field, now.field);
#include "shared/proc/stats.def"
	put_counts(&w, &a->stats);
	verb_row_end(cc, &w);
}

static void
code_rows(struct control_client *cc)
{
	struct broker *br = cc->br;
	struct json_writer w;

	for (unsigned code = 0; code < STATS_NCODES; code++) {
		uint64_t closed = 0, refused = 0;

		for (unsigned i = 0; i < br->nslots; i++) {
			closed += br->totals->slots[i].counts.closed[code];
			refused += br->totals->slots[i].counts.refused[code];
		}
		if (closed + refused == 0)
			continue;
		verb_row_begin(&w, "code");
		json_member_str(&w, "code", str_of(stats_code_name(code)));
		json_member_str(&w, "meaning", str_of(stats_code_text(code)));
		json_member_u64(&w, "closed", closed);
		json_member_u64(&w, "refused", refused);
		verb_row_end(cc, &w);
	}
}

/* The lifetimes of connections: how many ended after at most `seconds`. */
static void
lifetime_rows(struct control_client *cc)
{
	struct broker *br = cc->br;
	struct stats_hist all = { .sum = 0 };
	struct json_writer w;

	for (unsigned i = 0; i < br->nslots; i++)
		stats_add(
		    &all, &br->totals->slots[i].counts.lifetime, sizeof(all));
	for (unsigned i = 0; i <= STATS_BOUNDS; i++) {
		if (all.n[i] == 0)
			continue;
		verb_row_begin(&w, "lifetime");
		json_key(&w, "seconds");
		if (i < STATS_BOUNDS)
			json_put_u64(&w, stats_bounds_long[i] / 1000000);
		else
			json_put_null(&w);
		json_member_u64(&w, "closed", all.n[i]);
		verb_row_end(cc, &w);
	}
}

static int
by_size(const void *x, const void *y)
{
	const struct broker_app *a = *(const struct broker_app *const *)x;
	const struct broker_app *b = *(const struct broker_app *const *)y;
	uint64_t na = a->stats.messages_in + a->stats.messages_out;
	uint64_t nb = b->stats.messages_in + b->stats.messages_out;

	if (a->nconns != b->nconns)
		return a->nconns < b->nconns ? 1 : -1;
	if (na != nb)
		return na < nb ? 1 : -1;
	return a->app.num < b->app.num ? -1 : 1;
}

static void
app_rows(struct control_client *cc, const struct stats_args *args)
{
	struct broker *br = cc->br;
	const struct broker_app **v =
	    xcalloc(MAX(br->apps->by_num.n, 1), sizeof(*v));
	size_t n = 0;

	for (struct hash_node *e = hash_first(&br->apps->by_num); e != NULL;
	     e = hash_next(&br->apps->by_num, e)) {
		const struct broker_app *a =
		    container_of(e, struct broker_app, node);

		if (!a->deleted && (args->app == 0 || a->app.num == args->app))
			v[n++] = a;
	}
	if (n > 0)
		qsort(v, n, sizeof(*v), by_size);
	for (size_t i = 0; i < n && i < args->limit; i++)
		app_row(cc, v[i]);
	free(v);
}

static void
stats_rows(struct control_client *cc, const struct stats_args *args)
{
	server_row(cc);
	for (unsigned i = 0; i < cc->br->nslots; i++)
		if (totals_has_worker(cc->br, i))
			worker_row(cc, i);
	app_rows(cc, args);
	code_rows(cc);
	lifetime_rows(cc);
	control_end(cc);
}

void
verb_stats(struct control_client *cc, struct json args)
{
	struct stats_args a;

	if (get_args(cc, args, APPS_DEFAULT, APPS_MAX, &a) == 0)
		stats_job_begin(cc, &a, stats_rows);
}

/* ---- history ---- */

static void
period_row(struct control_client *cc, const struct minute_log_row *r)
{
	struct json_writer w;

	verb_row_begin(&w, NULL);
	json_member_u64(&w, "time", r->time);
#define X(field) json_member_u64(&w, #field, r->field);
	MINUTE_LOG_FIELDS(X)
#undef X
	verb_row_end(cc, &w);
}

/* The last rows, and the current minute. */
static void
history_rows(struct control_client *cc, const struct history_series *s,
    const struct broker_app *a, uint64_t limit)
{
	uint32_t n = (uint32_t)limit - 1;
	struct minute_log_row running;

	for (uint32_t i = s->n > n ? s->n - n : 0; i < s->n; i++)
		period_row(cc, history_row(s, i));
	history_running(cc->br, a, &running);
	period_row(cc, &running);
}

void
verb_history(struct control_client *cc, struct json args)
{
	bool hours = json_get(args, S("hours")).kind == JSON_TRUE;
	const struct broker_app *a;

	struct stats_args q;

	if (get_args(cc, args, 60, HISTORY_MINUTES, &q) == -1)
		return;
	q.limit = MAX(q.limit, 1);
	if (q.app == 0) {
		history_rows(cc, &cc->br->history->minutes, NULL, q.limit);
	} else {
		a = apps_find(cc->br, q.app);
		if (a != NULL && a->history != NULL)
			history_rows(cc,
			    hours ? &a->history->hours : &a->history->minutes,
			    a, q.limit);
	}
	control_end(cc);
}

/* ---- closes ---- */

static void
close_row(struct control_client *cc, const struct stats_close *c)
{
	const struct broker_app *a = apps_lookup(cc->br, c->app);
	struct json_writer w;

	verb_row_begin(&w, NULL);
	json_member_u64(&w, "time_ms", c->time_ms);
	json_key(&w, "app");
	if (a == NULL)
		json_put_null(&w);
	else
		json_put_str(&w, str_of(a->app.id));
	json_member_str(&w, "address", str_of(c->peer));
	json_member_u64(&w, "age_ms", c->age_ms);
	json_member_u64(&w, "bytes_out", c->bytes_out);
	json_member_u64(&w, "code", c->code);
	json_member_str(&w, "by",
	    c->code == 1006    ? S("network")
		: c->by_client ? S("client")
			       : S("server"));
	json_member_bool(&w, "greeted", c->greeted);
	json_member_str(&w, "reason", str_of(c->reason));
	verb_row_end(cc, &w);
}

static void
close_rows(struct control_client *cc, const struct stats_args *args)
{
	const struct stats_close *c = NULL;
	uint64_t n = 0;

	while (n < args->limit &&
	    (c = last_closes_before(cc->br->closes, c)) != NULL) {
		if (args->app != 0 && c->app != args->app)
			continue;
		close_row(cc, c);
		n++;
	}
	control_end(cc);
}

void
verb_closes(struct control_client *cc, struct json args)
{
	struct stats_args a;

	if (get_args(cc, args, LAST_CLOSES_MAX, LAST_CLOSES_MAX, &a) == 0)
		stats_job_begin(cc, &a, close_rows);
}

/* ---- limits ---- */

static void
limit_row(struct control_client *cc, struct str what, struct str unit,
    uint64_t used, uint64_t limit)
{
	struct json_writer w;

	if (limit == 0)
		return; /* there is none */
	verb_row_begin(&w, "limit");
	json_member_str(&w, "what", what);
	json_member_str(&w, "unit", unit);
	json_member_u64(&w, "used", used);
	json_member_u64(&w, "limit", limit);
	verb_row_end(cc, &w);
}

static void
worker_limits(struct control_client *cc, unsigned slot)
{
	const struct stats_gauges *g = &cc->br->totals->slots[slot].gauges;
	char what[64];

	snprintf(what, sizeof(what), "worker %u connections", slot);
	limit_row(cc, str_of(what), S("number"), g->sockets, g->sockets_limit);
	snprintf(what, sizeof(what), "worker %u descriptors", slot);
	limit_row(cc, str_of(what), S("number"), g->fds, g->fds_limit);
	snprintf(what, sizeof(what), "worker %u memory", slot);
	limit_row(cc, str_of(what), S("bytes"), g->memory, g->memory_limit);
}

/* Connections of the apps that are nearest to their max_connections. */
static void
app_limits(struct control_client *cc)
{
	const struct broker_app *near[NEAR_APPS];
	struct hash *apps = &cc->br->apps->by_num;
	unsigned n = 0, at;
	char what[160];

	for (struct hash_node *e = hash_first(apps); e != NULL;
	     e = hash_next(apps, e)) {
		const struct broker_app *a =
		    container_of(e, struct broker_app, node);
		double part;

		if (a->deleted || a->app.max_connections == 0)
			continue;
		part = (double)a->nconns / a->app.max_connections;
		for (at = n; at > 0 &&
		     part > (double)near[at - 1]->nconns /
			     near[at - 1]->app.max_connections;
		     at--)
			if (at < NEAR_APPS)
				near[at] = near[at - 1];
		if (at < NEAR_APPS)
			near[at] = a;
		n = MIN(n + 1, NEAR_APPS);
	}
	for (at = 0; at < n; at++) {
		snprintf(what, sizeof(what), "app %.120s connections",
		    near[at]->app.id);
		limit_row(cc, str_of(what), S("number"), near[at]->nconns,
		    near[at]->app.max_connections);
	}
}

void
verb_limits(struct control_client *cc)
{
	struct broker *br = cc->br;
	const struct webhook_queue *q = br->webhook_queue;

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			worker_limits(cc, i);
	app_limits(cc);
	limit_row(cc, S("cached events"), S("bytes"), br->cache->shares.held,
	    br->conf->cache_memory);
	limit_row(cc, S("webhook queue"), S("bytes"), q->bytes, HOOK_QUEUE_MAX);
	limit_row(cc, S("webhook outbox"), S("number"), q->waiting + q->dead,
	    br->conf->outbox_max_rows);
}
