/* SPDX-License-Identifier: MIT */
/*
 * top_rates.c: readings of the daemon's counters, and rates from two of them.
 * The daemon counts in any case, so that a reading costs it next to nothing.
 * Owns the readings; prints nothing.
 */

#include "cli/cmd/top_rates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"

#define APPS_MAX 1000

static struct top_line *
add(struct top_reading *r)
{
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 32 : r->cap * 2;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->n] = (struct top_line){ .kind = TOP_SERVER };
	return &r->v[r->n++];
}

/* The text of a member, or a number, as text. */
static void
copy_text(char out[TOP_NAME_BYTES], struct json v)
{
	struct str s = v.raw;
	char *tmp = NULL;

	if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == -1)
		s = v.raw;
	if (v.kind != JSON_NONE && v.kind != JSON_NULL)
		snprintf(out, TOP_NAME_BYTES, "%.*s", (int)MIN(s.n, 127), s.p);
	free(tmp);
}

static void
on_row(void *arg, struct json row)
{
	static const struct {
		struct str type;
		const char *key;
	} kinds[] = { { { "\"server\"", 8 }, "server" },
		{ { "\"worker\"", 8 }, "worker" },
		{ { "\"app\"", 5 }, "app" } };
	struct str type = json_get(row, S("type")).raw;
	enum top_kind kind = TOP_SERVER;
	struct top_line *l;

	while (kind <= TOP_APP && !str_eq(type, kinds[kind].type))
		kind++;
	if (kind > TOP_APP)
		return;
	l = add(arg);
	l->kind = kind;
	copy_text(l->name, json_get(row, str_of(kinds[kind].key)));
	copy_text(l->label, json_get(row, S("name")));
	l->connections = row_u64(row, "connections");
	l->subscriptions = row_u64(row, "subscriptions");
	l->queued = row_u64(row, "queued") + row_u64(row, "to_broker") +
	    row_u64(row, "blocked_bytes");
	l->memory = row_u64(row, "memory");
	l->turn_max = row_u64(row, "turn_max_us");
	l->uptime = row_u64(row, "uptime");
	l->up = row_u64(row, "up") != 0;
	l->counters[TOP_IN] = row_u64(row, "messages_in");
	l->counters[TOP_OUT] = row_u64(row, "messages_out");
	l->counters[TOP_BYTES_IN] = row_u64(row, "bytes_in");
	l->counters[TOP_BYTES_OUT] = row_u64(row, "bytes_out");
	l->counters[TOP_PUBLISHED] = row_u64(row, "events_api") +
	    row_u64(row, "events_client") + row_u64(row, "events_ctl");
	l->counters[TOP_API] = row_u64(row, "api_2xx") +
	    row_u64(row, "api_4xx") + row_u64(row, "api_5xx");
	l->counters[TOP_CPU] = row_u64(row, "cpu_us");
}

int
top_read(struct top *t, const struct cmd *c)
{
	struct top_reading old = t->before;
	int r;

	t->before = t->now;
	t->now = old;
	t->now.n = 0;
	r = cmd_ask(c, "stats", cmd_args("#limit", (uint64_t)APPS_MAX), on_row,
	    &t->now);
	t->now.at = clock_seconds(CLOCK_MONOTONIC);
	return r;
}

void
top_clear(struct top *t)
{
	free(t->before.v);
	free(t->now.v);
	*t = (struct top){ .before = { .v = NULL } };
}

uint64_t
top_rate(const struct top *t, const struct top_line *l, enum top_field f)
{
	double seconds = t->now.at - t->before.at;
	size_t i;

	for (i = 0; i < t->before.n; i++) {
		const struct top_line *b = &t->before.v[i];

		if (b->kind != l->kind || strcmp(b->name, l->name) != 0)
			continue;
		if (b->counters[f] > l->counters[f] || seconds <= 0)
			return 0; /* the broker is another one */
		return (uint64_t)((double)(l->counters[f] - b->counters[f]) /
			seconds +
		    0.5);
	}
	return 0;
}

size_t
top_count(const struct top *t, enum top_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < t->now.n; i++)
		n += t->now.v[i].kind == kind;
	return n;
}
