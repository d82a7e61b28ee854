/* SPDX-License-Identifier: MIT */
/*
 * stats.c: histograms, close codes and sums of counters.  Pure, and owns
 * nothing: the process that counts owns the structs.  Must never allocate:
 * parts of it run for each event.
 */

#include "shared/proc/stats.h"

#include "shared/base/base.h"
#include "shared/base/str.h"

#define MS 1000
#define SECOND 1000000

const uint64_t stats_bounds_short[STATS_BOUNDS] = { 100, 250, 500, 1 * MS, 2500,
	5 * MS, 10 * MS, 20 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS,
	1 * SECOND, 2500 * MS, 5 * SECOND, 10 * SECOND };

const uint64_t stats_bounds_age[STATS_BOUNDS] = { 5 * MS, 10 * MS, 25 * MS,
	50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * SECOND, 2500 * MS,
	5 * SECOND, 10 * SECOND, 30 * SECOND, 60 * SECOND, 120 * SECOND,
	300 * SECOND, 600 * SECOND };

const uint64_t stats_bounds_long[STATS_BOUNDS] = { 1ull * SECOND, 2ull * SECOND,
	5ull * SECOND, 10ull * SECOND, 30ull * SECOND, 60ull * SECOND,
	300ull * SECOND, 900ull * SECOND, 1800ull * SECOND, 3600ull * SECOND,
	7200ull * SECOND, 14400ull * SECOND, 43200ull * SECOND,
	86400ull * SECOND, 172800ull * SECOND, 345600ull * SECOND };

void
stats_observe(
    struct stats_hist *h, const uint64_t bounds[STATS_BOUNDS], uint64_t us)
{
	unsigned i = 0;

	while (i < STATS_BOUNDS && us > bounds[i])
		i++;
	h->n[i]++;
	h->sum += us;
}

uint64_t
stats_hist_count(const struct stats_hist *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < nitems(h->n); i++)
		n += h->n[i];
	return n;
}

uint64_t
stats_hist_quantile(const struct stats_hist *h,
    const uint64_t bounds[STATS_BOUNDS], unsigned percent)
{
	uint64_t n = stats_hist_count(h), below = 0, wanted;
	uint64_t from, to;
	unsigned i = 0;

	if (n == 0)
		return 0;
	wanted = (n * percent + 99) / 100;
	while (below + h->n[i] < wanted)
		below += h->n[i++];
	if (i == STATS_BOUNDS)
		return bounds[STATS_BOUNDS - 1];
	from = i == 0 ? 0 : bounds[i - 1];
	to = bounds[i];
	return from + (to - from) * (wanted - below) / h->n[i];
}

static const struct {
	unsigned code;
	const char *name, *text;
} codes[STATS_NCODES] = {
#define CLOSE_CODE(code, text) { code, #code, text },
#include "shared/proc/stats.def"
	{ 0, "other", "another code" },
};

enum stats_code
stats_code(unsigned code)
{
	for (unsigned i = 0; i < STATS_CODE_OTHER; i++)
		if (codes[i].code == code)
			return i;
	return STATS_CODE_OTHER;
}

const char *
stats_code_name(enum stats_code i)
{
	return codes[i].name;
}

const char *
stats_code_text(enum stats_code i)
{
	return codes[i].text;
}

void
stats_add(void *sum, const void *v, size_t bytes)
{
	uint64_t *to = sum;
	const uint64_t *from = v;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] += from[i];
}

/* ---- the table ---- */

#define AT(type, field) offsetof(struct type, field)
#define LINE(scope, seconds, name, label, help, at) \
	{ METRIC_##scope, seconds, name, label, help, at, NULL },

const struct metric stats_metrics[] = {
#define APP_COUNT(field, name, label, help) \
	LINE(APP, false, name, label, help, AT(stats_app, field))
#define APP_GAUGE(field, name, label, help) \
	LINE(APP_NOW, false, name, label, help, AT(stats_app_now, field))
#define WORKER_COUNT(field, name, label, help) \
	LINE(WORKER, false, name, label, help, AT(stats_counts, field))
#define WORKER_TIME(field, name, label, help) \
	LINE(WORKER, true, name, label, help, AT(stats_counts, field))
#define WORKER_GAUGE(field, name, label, help) \
	LINE(GAUGE, false, name, label, help, AT(stats_gauges, field))
#define LINK_GAUGE(field, name, label, help) \
	LINE(LINK, false, name, label, help, AT(stats_link, field))
#define BROKER_COUNT(field, name, label, help) \
	LINE(BROKER, false, name, label, help, AT(stats_broker, field))
#define BROKER_TIME(field, name, label, help) \
	LINE(BROKER, true, name, label, help, AT(stats_broker, field))
#define BROKER_GAUGE(field, name, label, help) \
	LINE(BROKER, false, name, label, help, AT(stats_broker, field))
#define CODES(field, name, help) \
	LINE(CODES, false, name, "code", help, AT(stats_counts, field))
#define ALIAS(field, name, help) \
	LINE(ALIAS, false, name, "", help, AT(stats_alias, field))
#define APP_HIST(field, name, bounds, help) \
	{ METRIC_APP_HIST, true, name, "", help, AT(stats_app, field), bounds },
#define WORKER_HIST(field, name, bounds, help) \
	{ METRIC_HIST, true, name, "", help, AT(stats_counts, field), bounds },
#define BROKER_HIST(field, name, bounds, help) \
	{ METRIC_BROKER_HIST, true, name, "", help, \
		AT(stats_broker_hists, field), bounds },
#define CERT_GAUGE(field, name, label, help) \
	LINE(CERT, false, name, label, help, AT(stats_cert, field))
#include "shared/proc/stats.def"
};
const size_t stats_nmetrics = nitems(stats_metrics);

const char *
stats_type(const struct metric *m)
{
	if (m->bounds != NULL)
		return "histogram";
	if (str_ends(str_of(m->name), S("_total")) ||
	    (m->scope == METRIC_ALIAS && m->at != AT(stats_alias, connected)))
		return "counter";
	return "gauge";
}

bool
stats_begins_family(size_t i)
{
	return i == 0 ||
	    !str_eq(str_of(stats_metrics[i].name),
		str_of(stats_metrics[i - 1].name));
}
