/* SPDX-License-Identifier: MIT */
/*
 * history.c: minutes and hours as rows with rates, the busiest of each kind
 * marked, and a table of these.  Owns the rows; does not know their source.
 * Must never call a value a rate that is not divided by the seconds that were
 * counted.
 */

#include "cli/cmd/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* The values of a minute: counters, and then two that are none. */
enum value {
	OPENED,
	CLOSED,
	REFUSED,
	SLOW,
	IN,
	OUT,
	BYTES_IN,
	BYTES_OUT,
	PUBLISHED,
	DELIVERED,
	API,
	CPU,
	NCOUNTERS,
	CONNECTIONS = NCOUNTERS,
	TURN_MAX,
	NVALUES
};
static const char *const value_keys[NVALUES] = { "opened", "closed", "refused",
	"slow", "messages_in", "messages_out", "bytes_in", "bytes_out",
	"published", "delivered", "api", "cpu_us", "connections",
	"turn_max_us" };

#define HISTORY_COLUMNS \
	"time connections opened closed refused slow in_per_s out_per_s " \
	"bytes_in_per_s bytes_out_per_s published_per_s delivered_per_s " \
	"api_per_s cpu_percent turn_max_ms peak_of"
/* In JSON, also the plain counts. */
#define HISTORY_COUNTS \
	" seconds messages_in messages_out bytes_in bytes_out published " \
	"delivered api cpu_ms"

/* Values whose peak is marked; CPU is that of all processes. */
static const struct {
	enum value value;
	const char *name, *per_s;
} peaks[] = {
	{ CONNECTIONS, "connections", "connections" },
	{ OPENED, "opened", "opened_per_s" },
	{ IN, "in", "in_per_s" },
	{ OUT, "out", "out_per_s" },
	{ PUBLISHED, "published", "published_per_s" },
	{ DELIVERED, "delivered", "delivered_per_s" },
	{ API, "api", "api_per_s" },
	{ CPU, "cpu", NULL },
	{ TURN_MAX, "turn", NULL },
};

struct period {
	uint64_t time, seconds, v[NVALUES];
};

/* Rows come by time, unless the clock was put back in between. */
static struct period *
period_of(struct history_rows *all, uint64_t time)
{
	size_t i = all->n;

	while (i > 0 && all->v[i - 1].time > time)
		i--;
	if (i > 0 && all->v[i - 1].time == time)
		return &all->v[i - 1];
	if (all->n == all->cap) {
		all->cap = MAX(all->cap * 2, 64);
		all->v = xreallocarray(all->v, all->cap, sizeof(*all->v));
	}
	memmove(&all->v[i + 1], &all->v[i], (all->n - i) * sizeof(*all->v));
	all->n++;
	all->v[i] = (struct period){ .time = time };
	return &all->v[i];
}

void
history_on_row(void *arg, struct json row)
{
	struct history_rows *all = arg;
	uint64_t time = row_u64(row, "time");
	struct period *p;
	size_t i;

	if (all->hours)
		time = time / 3600 * 3600;
	p = period_of(all, time);
	p->seconds += row_u64(row, "seconds");
	for (i = 0; i < NCOUNTERS; i++)
		p->v[i] += row_u64(row, value_keys[i]);
	for (; i < NVALUES; i++)
		p->v[i] = MAX(p->v[i], row_u64(row, value_keys[i]));
}

/* Per second, or the value itself if it is no counter. */
static double
rate_of(const struct period *p, enum value k)
{
	uint64_t seconds = k == CONNECTIONS || k == TURN_MAX ? 1 : p->seconds;

	return (double)p->v[k] / (double)MAX(seconds, 1);
}

/*
 * The row with the highest value, the first of several; all->n: there is none.
 */
static size_t
peak_of(const struct history_rows *all, enum value k)
{
	size_t at = all->n, i;

	for (i = 0; i < all->n; i++)
		if (rate_of(&all->v[i], k) >
		    (at == all->n ? 0. : rate_of(&all->v[at], k)))
			at = i;
	return at;
}

static uint64_t
percent_of(const struct period *p)
{
	return (uint64_t)(rate_of(p, CPU) / 10000 + 0.5);
}

static void
put_counts(struct out *o, const struct period *p)
{
	size_t i;

	out_num(o, "seconds", p->seconds);
	for (i = IN; i < CPU; i++)
		out_num(o, value_keys[i], p->v[i]);
	out_num(o, "cpu_ms", p->v[CPU] / 1000);
}

static void
put_period(struct out *o, const struct period *p, const char *marks)
{
	static const char *const rates[] = { [IN] = "in_per_s",
		[OUT] = "out_per_s",
		[BYTES_IN] = "bytes_in_per_s",
		[BYTES_OUT] = "bytes_out_per_s",
		[PUBLISHED] = "published_per_s",
		[DELIVERED] = "delivered_per_s",
		[API] = "api_per_s" };
	size_t i;

	out_row_open(o);
	out_time(o, "time", p->time * 1000, false);
	out_num(o, "connections", p->v[CONNECTIONS]);
	for (i = OPENED; i <= SLOW; i++)
		out_num(o, value_keys[i], p->v[i]);
	for (; i < CPU; i++) {
		uint64_t rate = (uint64_t)(rate_of(p, (enum value)i) + 0.5);

		if (i == BYTES_IN || i == BYTES_OUT)
			out_bytes(o, rates[i], rate);
		else
			out_num(o, rates[i], rate);
	}
	out_num(o, "cpu_percent", percent_of(p));
	out_num(o, "turn_max_ms", p->v[TURN_MAX] / 1000);
	out_text(o, "peak_of", marks);
	if (out_is_json(o))
		put_counts(o, p);
	out_row_close(o);
}

void
history_put(const struct history_rows *all, struct out *o)
{
	size_t at[nitems(peaks)], i, k, len;
	char marks[128];

	for (k = 0; k < nitems(peaks); k++)
		at[k] = peak_of(all, peaks[k].value);
	out_table_order(o,
	    "time connections out_per_s bytes_out_per_s published_per_s "
	    "cpu_percent turn_max_ms peak_of in_per_s delivered_per_s opened "
	    "closed refused slow api_per_s bytes_in_per_s");
	out_table_open(o, NULL,
	    out_is_json(o) ? HISTORY_COLUMNS HISTORY_COUNTS : HISTORY_COLUMNS);
	for (i = 0; i < all->n; i++) {
		len = 0;
		marks[0] = '\0';
		for (k = 0; k < nitems(peaks); k++)
			if (at[k] == i)
				len += (size_t)snprintf(marks + len,
				    sizeof(marks) - len, "%s%s",
				    len == 0 ? "" : " ", peaks[k].name);
		put_period(o, &all->v[i], marks);
	}
	out_table_close(o);
}

/* ---- was there a spike, and what did it cost? ---- */

/* Of the last day, or, of an app, of the last hour. */
void
history_put_peaks(const struct history_rows *all, struct out *o)
{
	size_t k, i, at;
	double sum;

	out_table_open(o, "peaks", "peak value average time cpu_percent");
	for (k = 0; k < nitems(peaks); k++) {
		at = peak_of(all, peaks[k].value);
		if (peaks[k].per_s == NULL || at == all->n)
			continue;
		for (sum = 0, i = 0; i < all->n; i++)
			sum += rate_of(&all->v[i], peaks[k].value);
		out_row_open(o);
		out_text(o, "peak", peaks[k].per_s);
		out_num(o, "value",
		    (uint64_t)(rate_of(&all->v[at], peaks[k].value) + 0.5));
		out_num(o, "average", (uint64_t)(sum / (double)all->n + 0.5));
		out_time(o, "time", all->v[at].time * 1000, false);
		if (all->v[at].v[CPU] == 0) /* of an app nobody knows */
			out_null(o, "cpu_percent");
		else
			out_num(o, "cpu_percent", percent_of(&all->v[at]));
		out_row_close(o);
	}
	out_table_close(o);
}

void
history_free(struct history_rows *all)
{
	free(all->v);
	all->v = NULL;
	all->n = all->cap = 0;
}
