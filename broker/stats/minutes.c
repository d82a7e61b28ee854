/* SPDX-License-Identifier: MIT */
/*
 * minutes.c: statistics over time, up to the courier.  A row is the difference
 * of two readings of the counters, and what a look once a second has seen; an
 * app without connections and traffic has none.  Owns the rows that are not
 * acknowledged.  Must never count events itself, and never wait for the
 * courier.
 */

#include "broker/stats/minutes.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "broker/stats/totals.h"
#include "broker/webhook/queue.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

struct minute {
	struct list link;
	uint64_t seq, time;
	char *app;
	struct stats_db_row row;
};

/* ---- the rows that wait ---- */

static void
forget(struct minutes *s, struct minute *m)
{
	list_remove(&m->link);
	free(m->app);
	free(m);
	s->n--;
}

/* Sends as many as may be unanswered. */
static void
send_some(struct broker *br)
{
	struct peer *courier = br->webhook_queue->courier;
	struct minutes *s = br->minutes;

	while (courier != NULL && s->in_flight < MINUTES_WINDOW &&
	    !list_is_empty(&s->unsent)) {
		struct minute *m =
		    LIST_ITEM(s->unsent.next, struct minute, link);
		struct msg_minute out = { .origin = br->id,
			.seq = m->seq,
			.time = m->time,
			.app = str_of(m->app),
			.row =
			    str_make((const char *)&m->row, sizeof(m->row)) };

		list_remove(&m->link);
		list_append(&s->sent, &m->link);
		s->in_flight++;
		ipc_send_minute(&courier->ipc, &out);
	}
}

static void
put(struct broker *br, const char *app, uint64_t time,
    const struct stats_db_row *row)
{
	struct minutes *s = br->minutes;
	struct minute *m;

	if (s->n >= MINUTES_MAX && !list_is_empty(&s->unsent)) {
		if (s->dropped++ == 0)
			log_warnx("statistics: the courier does not keep up, "
				  "the oldest minutes are dropped");
		forget(s, LIST_ITEM(s->unsent.next, struct minute, link));
	}
	m = xcalloc(1, sizeof(*m));
	m->seq = ++s->seq;
	m->time = time;
	m->app = xstrdup(app);
	m->row = *row;
	list_append(&s->unsent, &m->link);
	s->n++;
}

void
minutes_on_courier(struct broker *br)
{
	struct minutes *s = br->minutes;
	struct list *e, *tmp;

	/* Those that were sent come first again, in their order. */
	LIST_FOREACH_SAFE(e, tmp, &s->unsent) {
		list_remove(e);
		list_append(&s->sent, e);
	}
	LIST_FOREACH_SAFE(e, tmp, &s->sent) {
		list_remove(e);
		list_append(&s->unsent, e);
	}
	s->in_flight = 0;
	s->had_courier = true;
	send_some(br);
}

int
minutes_on_ack(struct peer *p, const struct msg_minute_ack *m)
{
	struct minutes *s = p->br->minutes;

	if (m->seq > s->seq)
		return -1;
	while (!list_is_empty(&s->sent)) {
		struct minute *first =
		    LIST_ITEM(s->sent.next, struct minute, link);

		if (first->seq > m->seq)
			break;
		forget(s, first);
		s->in_flight--;
	}
	if (s->n == 0)
		s->dropped = 0;
	send_some(p->br);
	return 0;
}

/* ---- the running minute ---- */

static void
see(struct stats_db_row *r, uint64_t connections, uint64_t subscriptions,
    uint64_t channels)
{
	r->seconds++;
	r->connection_seconds += connections;
	r->connections = MAX(r->connections, connections);
	r->subscriptions = MAX(r->subscriptions, subscriptions);
	r->channels = MAX(r->channels, channels);
}

void
minutes_see(
    struct broker *br, const struct broker_app *a, struct minutes_app *m)
{
	const struct registry_app *r =
	    registry_app_find(br->registry, a->app.num);

	see(&m->now, a->nconns, r == NULL ? 0 : r->nsubs,
	    r == NULL ? 0 : r->noccupied);
}

void
minutes_tick(struct broker *br, uint64_t connections)
{
	uint64_t subscriptions = 0;

	for (unsigned i = 0; i < br->nslots; i++)
		subscriptions += br->registry->nsubs[i];
	see(&br->minutes->all.now, connections, subscriptions,
	    br->registry->noccupied);
}

/* The counts since `last`; looks become seconds. */
static void
count(struct stats_db_row *r, const struct stats_app *now,
    const struct stats_app *last, double seconds)
{
	uint64_t looks = MAX(r->seconds, 1);
	const struct stats_app *s;

	r->seconds = (uint64_t)(seconds + .5);
	r->connection_seconds = r->connection_seconds * r->seconds / looks;
#define NONE(column, of)
#define GROWTH(column, of) \
	s = now; \
	r->column = (of); \
	s = last; \
	r->column -= (of);
	STATS_DB_FIELDS(NONE, NONE, GROWTH, GROWTH)
#undef NONE
#undef GROWTH
}

static bool
is_idle(const struct stats_db_row *r)
{
	struct stats_db_row none = { .seconds = r->seconds };

	return memcmp(r, &none, sizeof(none)) == 0;
}

void
minutes_end_app(struct broker *br, const struct broker_app *a,
    const struct stats_app *last, struct minutes_app *m, uint64_t time)
{
	const struct app_log *l = app_logs_find(&br->replay->logs, a->app.num);
	struct minutes *s = br->minutes;

	count(&m->now, &a->stats, last, broker_now() - s->began);
	if (l != NULL) {
		/* A new log counts from zero. */
		m->now.resumed =
		    l->counts.continued - MIN(m->resumed, l->counts.continued);
		m->now.gaps = l->counts.gaps - MIN(m->gaps, l->counts.gaps);
		m->resumed = l->counts.continued;
		m->gaps = l->counts.gaps;
	}
	s->all.now.resumed += m->now.resumed;
	s->all.now.gaps += m->now.gaps;
	if (!is_idle(&m->now))
		put(br, a->app.id, time, &m->now);
	m->now = (struct stats_db_row){ 0 };
}

void
minutes_end(struct broker *br, uint64_t time)
{
	struct minutes *s = br->minutes;
	struct stats_app now;

	totals_sum_apps(br, &now);
	count(&s->all.now, &now, &s->last, broker_now() - s->began);
	put(br, "", time, &s->all.now);
	s->all.now = (struct stats_db_row){ 0 };
	s->last = now;
	s->began = broker_now();
	send_some(br);
}

bool
minutes_wait(const struct broker *br)
{
	const struct minutes *s = br->minutes;

	/* Right after the start it may be on its way. */
	return s->n > 0 &&
	    (br->webhook_queue->courier != NULL || !s->had_courier);
}

void
minutes_init(struct broker *br)
{
	list_init(&br->minutes->sent);
	list_init(&br->minutes->unsent);
	list_init(&br->minutes->queries);
	br->minutes->began = broker_now();
}

void
minutes_clear(struct broker *br)
{
	struct minutes *s = br->minutes;

	while (!list_is_empty(&s->sent))
		forget(s, LIST_ITEM(s->sent.next, struct minute, link));
	while (!list_is_empty(&s->unsent))
		forget(s, LIST_ITEM(s->unsent.next, struct minute, link));
}
