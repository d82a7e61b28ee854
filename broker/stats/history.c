/* SPDX-License-Identifier: MIT */
/*
 * history.c: the last connections that ended, and the rows of the last minutes
 * and hours.  A row is the difference of two readings of the counters; an app
 * has rows only for times in which something happened, so that thousands of
 * idle apps cost nothing.  Must never count anything itself, and never exceed
 * its bounds.
 */

#include "broker/stats/history.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/totals.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* ---- series ---- */

const struct minute_log_row *
history_row(const struct history_series *s, uint32_t i)
{
	return &s->v[(s->first + i) % s->cap];
}

static struct minute_log_row *
append(struct history_series *s, const struct minute_log_row *row)
{
	struct minute_log_row *to;

	if (s->v == NULL)
		s->v = xcalloc(s->cap, sizeof(*s->v));
	to = &s->v[(s->first + s->n) % s->cap];
	if (s->n < s->cap)
		s->n++;
	else
		s->first = (s->first + 1) % s->cap;
	*to = *row;
	return to;
}

/* Adds a minute to the hour that it belongs to. */
static void
append_hour(struct history_series *s, const struct minute_log_row *row)
{
	uint64_t hour = row->time / 3600 * 3600;
	struct minute_log_row *to, begun = { .time = hour };

	to = s->n == 0 ? NULL : &s->v[(s->first + s->n - 1) % s->cap];
	if (to == NULL || to->time != hour)
		to = append(s, &begun);
	minute_log_add(to, row);
}

/* ---- minutes ---- */

static void
add_app(struct minute_log_row *r, const struct stats_app *s)
{
	r->opened += s->opened;
	r->closed += s->ended;
	r->messages_in += s->messages_in;
	r->messages_out += s->messages_out;
	r->bytes_in += s->bytes_in;
	r->bytes_out += s->bytes_out;
	r->published += s->events_api + s->events_client + s->events_ctl;
	r->delivered += s->deliveries;
	r->api += s->api_2xx + s->api_4xx + s->api_5xx;
	r->slow += s->slow;
}

/* The present counters of the whole server. */
static void
read_server(struct broker *br, struct minute_log_row *r)
{
	struct stats_broker now;
	struct stats_app apps;

	*r = (struct minute_log_row){ 0 };
	totals_now_broker(br, &now);
	r->seconds = (uint64_t)(broker_now() - br->started);
	r->cpu_us = now.cpu + now.courier_cpu + now.master_cpu;
	totals_sum_apps(br, &apps);
	add_app(r, &apps);
	for (unsigned i = 0; i < br->nslots; i++) {
		const struct totals_slot *s = &br->totals->slots[i];

		r->cpu_us += s->counts.cpu;
		for (unsigned code = 0; code < STATS_NCODES; code++)
			r->refused += s->counts.refused[code];
	}
}

/* a becomes a - b; fields that are no counters are set afterwards. */
static void
subtract(struct minute_log_row *a, const struct minute_log_row *b)
{
#define X(field) a->field -= b->field;
	MINUTE_LOG_FIELDS(X)
#undef X
}

/* The current minute; *now gets the counters. */
static void
read_minute(
    struct broker *br, struct minute_log_row *row, struct minute_log_row *now)
{
	struct history *h = br->history;

	read_server(br, now);
	*row = *now;
	subtract(row, &h->last);
	row->time = h->minute * 60;
	h->peak = MAX(h->peak, peers_connections(br));
	row->connections = h->peak;
	row->turn_max_us = br->totals->turn_max;
	if (h->begun.time == row->time)
		minute_log_add(row, &h->begun);
}

static struct minute_log *
minute_log_of(const struct broker *br)
{
	return br->inherit == NULL ? NULL : br->inherit->minute_log;
}

/* Stores it for the next process, in case this one dies. */
static void
note_minute(struct broker *br)
{
	struct minute_log_row row, now;

	if (minute_log_of(br) == NULL)
		return;
	read_minute(br, &row, &now);
	minute_log_put(minute_log_of(br), &row);
}

/* Returns the seconds of it that were counted. */
static uint64_t
end_minute(struct broker *br)
{
	struct history *h = br->history;
	struct minute_log_row now, row;

	read_minute(br, &row, &now);
	append(&h->minutes, &row);
	minute_log_put(minute_log_of(br), &row);
	h->last = now;
	h->begun = (struct minute_log_row){ 0 };
	h->peak = 0;
	br->totals->turn_max = 0;
	return row.seconds;
}

void
history_recall(struct broker *br)
{
	struct history *h = br->history;
	struct minute_log_row *v;
	size_t n;

	if (minute_log_of(br) == NULL)
		return;
	v = xcalloc(MINUTE_LOG_ROWS, sizeof(*v));
	n = minute_log_get(minute_log_of(br), (uint64_t)time(NULL), v);
	if (n > 0 && v[n - 1].time == h->minute * 60)
		h->begun = v[--n];
	for (size_t i = 0; i < n; i++)
		append(&h->minutes, &v[i]);
	free(v);
}

/* The app's current minute. */
static void
read_app_minute(const struct broker_app *a, struct minute_log_row *row)
{
	const struct history_app *h = a->history;
	struct minute_log_row last = { 0 };

	*row = (struct minute_log_row){ 0 };
	add_app(row, &a->stats);
	add_app(&last, &h->last);
	subtract(row, &last);
	row->connections = MAX(h->peak, a->nconns);
}

static void
end_app_minute(
    struct broker *br, struct broker_app *a, uint64_t time, uint64_t seconds)
{
	struct history_app *h = a->history;
	struct minute_log_row row;

	if (h == NULL)
		return;
	read_app_minute(a, &row);
	row.time = time;
	row.seconds = seconds;
	minutes_end_app(br, a, &h->last, &h->over_time, time);
	h->peak = a->nconns;
	h->last = a->stats;
	append(&h->minutes, &row);
	append_hour(&h->hours, &row);
}

void
history_running(
    struct broker *br, const struct broker_app *a, struct minute_log_row *row)
{
	struct minute_log_row all, now;

	read_minute(br, &all, &now);
	*row = all;
	if (a == NULL)
		return;
	*row = (struct minute_log_row){ 0 };
	if (a->history != NULL)
		read_app_minute(a, row);
	row->time = all.time;
	row->seconds = all.seconds;
}

uint64_t
history_published(
    struct broker *br, const struct broker_app *a, unsigned minutes)
{
	const struct history_series *s = &br->history->minutes;
	struct minute_log_row running;
	uint64_t sum;

	history_running(br, a, &running);
	sum = running.published;
	if (a != NULL && a->history == NULL)
		return sum;
	if (a != NULL)
		s = &a->history->minutes;
	for (uint32_t i = s->n; i-- > 0;) {
		const struct minute_log_row *row = history_row(s, i);

		if (row->time + minutes * 60 <= running.time)
			break;
		sum += row->published;
	}
	return sum;
}

/* Has anything happened in this app since the last look? */
static void
see_app(struct broker_app *a)
{
	static const struct stats_app zero;

	if (a->history == NULL &&
	    (a->nconns > 0 || memcmp(&a->stats, &zero, sizeof(zero)) != 0)) {
		a->history = xcalloc(1, sizeof(*a->history));
		a->history->minutes.cap = HISTORY_APP_MINUTES;
		a->history->hours.cap = HISTORY_APP_HOURS;
	}
	if (a->history != NULL)
		a->history->peak = MAX(a->history->peak, a->nconns);
}

void
history_tick(struct broker *br)
{
	struct history *h = br->history;
	uint64_t minute = (uint64_t)time(NULL) / 60, was = h->minute;
	uint64_t seconds = 0;
	struct hash_node *n;

	h->peak = MAX(h->peak, peers_connections(br));
	if (minute != was)
		seconds = end_minute(br);
	h->minute = minute;
	note_minute(br);
	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		see_app(a);
		if (a->history != NULL)
			minutes_see(br, a, &a->history->over_time);
		if (minute != was)
			end_app_minute(br, a, was * 60, seconds);
	}
	minutes_tick(br, peers_connections(br));
	if (minute != was)
		minutes_end(br, was * 60);
}

static void
end_app(struct broker *br, struct broker_app *a)
{
	see_app(a);
	if (a->history != NULL)
		minutes_end_app(br, a, &a->history->last,
		    &a->history->over_time, br->history->minute * 60);
}

void
history_forget_app(struct broker *br, struct broker_app *a)
{
	end_app(br, a);
	if (a->history != NULL) {
		free(a->history->minutes.v);
		free(a->history->hours.v);
	}
	free(a->history);
	a->history = NULL;
}

void
history_end(struct broker *br)
{
	struct hash_node *n;

	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		end_app(br, a);
		if (a->history != NULL)
			a->history->last = a->stats;
	}
	minutes_end(br, br->history->minute * 60);
}

void
history_init(struct broker *br)
{
	br->history->minute = (uint64_t)time(NULL) / 60;
	br->history->minutes.cap = HISTORY_MINUTES;
}

void
history_clear(struct broker *br)
{
	free(br->history->minutes.v);
	br->history->minutes.v = NULL;
}
