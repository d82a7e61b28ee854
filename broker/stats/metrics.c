/* SPDX-License-Identifier: MIT */
/*
 * metrics.c: GET /metrics, from the table of stats.def.  Owns struct metrics:
 * one question of a worker, from the ping of all workers to the finished text.
 * The text is written in portions: one family in a turn, or APPS_AT_ONCE apps
 * of it, so that thousands of apps do not delay events.  Labels name apps,
 * workers and codes, never channels, because there may be any number of them.
 */

#include "broker/stats/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/metric_text.h"
#include "broker/stats/totals.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/tls_store.h"
#include "shared/net/http_reply.h"

#define BYTES_MAX (32u << 20) /* of one text */
#define WRITES_MAX 8          /* that are written at the same time */
#define APPS_AT_ONCE 500

struct metrics {
	struct list link; /* in br->scrapes->all */
	struct totals_wait wait;
	struct peer *peer;
	uint64_t id;
	bool ready;       /* the workers have reported */
	size_t next;      /* line of the table */
	uint32_t *apps;   /* the apps' numbers when the text was begun */
	size_t napps, at; /* how many, and the next one of the family */
	struct buf *b;
	struct stats_broker broker;
};

/* ---- families ---- */

/* The port in soketi's label. */
static const char *
first_port(const struct broker *br)
{
	const char *colon = br->conf->listen.n == 0
	    ? NULL
	    : strrchr(br->conf->listen.v[0], ':');

	return colon == NULL ? "" : colon + 1;
}

static void
put_alias(const struct broker *br, struct buf **b, const struct metric *m,
    const struct broker_app *a)
{
	const struct stats_app *s = &a->stats;
	struct stats_alias v = { .connected = a->nconns,
		.opened = s->opened,
		.ended = s->ended,
		.bytes_in = s->bytes_in,
		.bytes_out = s->bytes_out,
		.messages_in = s->messages_in,
		.messages_out = s->messages_out,
		.api_in = s->api_in,
		.api_out = s->api_out,
		.api_calls = s->api_2xx + s->api_4xx + s->api_5xx };

	buf_printf(b, "soketi_%s{app_id=\"", m->name);
	metric_put_escaped(b, a->app.id);
	buf_append(b, S("\",port=\""));
	metric_put_escaped(b, first_port(br));
	buf_append(b, S("\"} "));
	metric_put_value(b, m, metric_number_at(&v, m));
}

/* The lines of one family, [m, end), for one app. */
static void
put_app(const struct broker *br, struct buf **b, const struct metric *m,
    const struct metric *end, const struct broker_app *a)
{
	const struct stats_hist *h =
	    (const void *)((const char *)&a->stats + m->at);
	struct stats_app_now now;

	if (m->scope == METRIC_APP_HIST) {
		/* A third of the text of an app: not when it stays empty. */
		if (a->app.resume || stats_hist_count(h) > 0)
			metric_put_hist(br, b, m, h, "app", a->app.id);
		return;
	}
	totals_now_app(br, a->app.num, &now);
	for (; m < end; m++) {
		if (m->scope == METRIC_ALIAS) {
			put_alias(br, b, m, a);
			continue;
		}
		metric_put_name(br, b, m, "app", a->app.id);
		metric_put_value(b, m,
		    m->scope == METRIC_APP ? metric_number_at(&a->stats, m)
					   : metric_number_at(&now, m));
	}
}

/* Writes one portion; true: the family is finished. */
static bool
put_apps(const struct broker *br, struct metrics *s, const struct metric *m,
    const struct metric *end)
{
	size_t stop = MIN(s->at + APPS_AT_ONCE, s->napps);

	for (; s->at < stop; s->at++) {
		const struct broker_app *a = apps_lookup(br, s->apps[s->at]);

		if (a != NULL && !a->deleted)
			put_app(br, &s->b, m, end, a);
	}
	return s->at == s->napps;
}

static void
note_apps(const struct broker *br, struct metrics *s)
{
	struct hash_node *n;

	s->apps =
	    xcalloc(MAX(br->apps->n, br->apps->by_num.n) + 1, sizeof(*s->apps));
	HASH_FOREACH(n, &br->apps->by_num)
		s->apps[s->napps++] =
		    container_of(n, struct broker_app, node)->app.num;
}

static void
put_worker(struct broker *br, struct buf **b, const struct metric *m,
    unsigned slot, const char *name)
{
	const struct totals_slot *s = &br->totals->slots[slot];
	struct stats_link now;

	switch (m->scope) {
	case METRIC_WORKER:
		metric_put_name(br, b, m, "worker", name);
		metric_put_value(b, m, metric_number_at(&s->counts, m));
		break;
	case METRIC_HIST:
		metric_put_hist(br, b, m,
		    (const void *)((const char *)&s->counts + m->at), "worker",
		    name);
		break;
	case METRIC_GAUGE:
		if (br->peers[slot] == NULL)
			break; /* it has nothing */
		metric_put_name(br, b, m, "worker", name);
		metric_put_value(b, m, metric_number_at(&s->gauges, m));
		break;
	default:
		totals_now_link(br, slot, &now);
		metric_put_name(br, b, m, "worker", name);
		metric_put_value(b, m, metric_number_at(&now, m));
	}
}

static void
put_codes(const struct broker *br, struct buf **b, const struct metric *m)
{
	for (unsigned code = 0; code < STATS_NCODES; code++) {
		uint64_t n = 0;

		for (unsigned i = 0; i < br->nslots; i++) {
			const char *counts =
			    (const char *)&br->totals->slots[i].counts + m->at;
			uint64_t v;

			memcpy(&v, counts + code * sizeof(v), sizeof(v));
			n += v;
		}
		buf_printf(b, "%s%s{code=\"%s\"} %" PRIu64 "\n",
		    metric_prefix(br, m), m->name, stats_code_name(code), n);
	}
}

static void
put_workers(struct broker *br, struct buf **b, const struct metric *m,
    const struct metric *end)
{
	char name[16];

	for (; m < end; m++)
		for (unsigned i = 0; i < br->nslots; i++) {
			if (!totals_has_worker(br, i))
				continue;
			snprintf(name, sizeof(name), "%u", i);
			put_worker(br, b, m, i, name);
		}
}

/* Writes nothing without certificates. */
static void
put_certs(struct broker *br, struct buf **b, const struct metric *m)
{
	struct cert_info info[CERT_MAX];
	size_t n =
	    br->inherit == NULL ? 0 : cert_board_get(br->inherit->certs, info);
	struct stats_cert v;
	uint64_t bits;

	if (n > 0)
		metric_put_head(br, b, m);
	for (size_t i = 0; i < n; i++) {
		v.days_left = cert_days_left(&info[i], (int64_t)time(NULL));
		v.expires = info[i].expires;
		bits = metric_number_at(&v, m);
		buf_printf(b, "%s%s{certificate=\"%zu\",name=\"",
		    metric_prefix(br, m), m->name, i);
		metric_put_escaped(b, info[i].name);
		buf_printf(b, "\"} %" PRId64 "\n", (int64_t)bits);
	}
}

static bool
is_of_apps(const struct metric *m)
{
	return m->scope == METRIC_APP || m->scope == METRIC_APP_NOW ||
	    m->scope == METRIC_APP_HIST || m->scope == METRIC_ALIAS;
}

static bool
is_wanted(const struct broker *br, const struct metric *m)
{
	return (!is_of_apps(m) || br->conf->metrics_per_app) &&
	    (m->scope != METRIC_ALIAS || br->conf->metrics_soketi_names);
}

/* True: it is finished. */
static bool
put_family(struct broker *br, struct metrics *s, const struct metric *m,
    const struct metric *end)
{
	if (m->scope == METRIC_CERT) {
		put_certs(br, &s->b, m);
		return true;
	}
	if (s->at == 0)
		metric_put_head(br, &s->b, m);
	if (is_of_apps(m))
		return put_apps(br, s, m, end);
	switch (m->scope) {
	case METRIC_BROKER:
		for (; m < end; m++) {
			metric_put_name(br, &s->b, m, NULL, NULL);
			metric_put_value(
			    &s->b, m, metric_number_at(&s->broker, m));
		}
		break;
	case METRIC_BROKER_HIST:
		metric_put_hist(br, &s->b, m,
		    (const void *)((const char *)&br->totals->hists + m->at),
		    NULL, NULL);
		break;
	case METRIC_CODES:
		put_codes(br, &s->b, m);
		break;
	default:
		put_workers(br, &s->b, m, end);
	}
	return true;
}

/* ---- one scrape ---- */

static void
metrics_free(struct metrics *s)
{
	totals_forget(&s->wait);
	list_remove(&s->link);
	buf_unref(s->b);
	free(s->apps);
	free(s);
}

static void
reply(const struct metrics *s, uint32_t status, struct str body)
{
	struct msg_reply m = { .id = s->id, .status = status, .body = body };

	ipc_send_reply(&s->peer->ipc, &m);
}

static void
refuse(const struct metrics *s, const char *why)
{
	struct buf *b = NULL;

	http_error_body(&b, 503, str_of(why));
	reply(s, 503, buf_str(b));
	buf_unref(b);
}

void
metrics_init(struct broker *br)
{
	list_init(&br->scrapes->all);
}

static void
on_numbers(struct broker *br, struct totals_wait *wait)
{
	struct metrics *s = container_of(wait, struct metrics, wait);

	s->ready = true;
	s->b = buf_new(16384);
	if (br->conf->metrics_per_app)
		note_apps(br, s);
	totals_now_broker(br, &s->broker);
	buf_printf(&s->b,
	    "# HELP %sbuild_info Always 1; the label says the version\n"
	    "# TYPE %sbuild_info gauge\n"
	    "%sbuild_info{version=\"%s\"} 1\n",
	    br->conf->metrics_prefix, br->conf->metrics_prefix,
	    br->conf->metrics_prefix, PUSHERD_VERSION);
}

static size_t
count(const struct list *l)
{
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, l)
		n++;
	return n;
}

void
metrics_on_query(struct peer *p, const struct msg_query *m)
{
	struct metrics *s = xcalloc(1, sizeof(*s));

	s->peer = p;
	s->id = m->id;
	list_init(&s->link);
	if (count(&p->br->scrapes->all) >= WRITES_MAX) {
		refuse(s, "too many requests at the same time");
		free(s);
		return;
	}
	list_append(&p->br->scrapes->all, &s->link);
	s->wait.done = on_numbers;
	totals_ask(p->br, &s->wait);
}

/* True: the text is finished, or there is too much of it. */
static bool
go_on(struct broker *br, struct metrics *s)
{
	const struct metric *m;
	size_t end = s->next;

	if (end == stats_nmetrics || s->b->len > BYTES_MAX)
		return true;
	do
		end++;
	while (end < stats_nmetrics && !stats_begins_family(end));
	m = &stats_metrics[s->next];
	if (is_wanted(br, m) && !put_family(br, s, m, &stats_metrics[end]))
		return false;
	s->next = end;
	s->at = 0;
	return false;
}

bool
metrics_continue(struct broker *br)
{
	struct list *e, *tmp;
	bool more = false;

	LIST_FOREACH_SAFE(e, tmp, &br->scrapes->all) {
		struct metrics *s = LIST_ITEM(e, struct metrics, link);

		if (!s->ready || !peer_has_room(s->peer))
			continue;
		if (!go_on(br, s)) {
			more = true;
			continue;
		}
		if (s->b->len > BYTES_MAX)
			refuse(s,
			    "the text is over 32 MiB: set metrics_per_app to "
			    "off, or delete apps");
		else
			reply(s, 200, buf_str(s->b));
		metrics_free(s);
	}
	return more;
}

void
metrics_drop(struct broker *br, const struct peer *p)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->scrapes->all) {
		struct metrics *s = LIST_ITEM(e, struct metrics, link);

		if (p == NULL || s->peer == p)
			metrics_free(s);
	}
}
