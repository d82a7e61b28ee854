/* SPDX-License-Identifier: MIT */
/*
 * metric_text.c: lines in the text format of Prometheus, version 0.0.4.  Must
 * never know which metrics exist.
 */

#include "broker/stats/metric_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/conf/conf.h"

void
metric_put_value(struct buf **b, const struct metric *m, uint64_t v)
{
	if (m->seconds)
		buf_printf(
		    b, "%" PRIu64 ".%06" PRIu64 "\n", v / 1000000, v % 1000000);
	else
		buf_printf(b, "%" PRIu64 "\n", v);
}

uint64_t
metric_number_at(const void *values, const struct metric *m)
{
	uint64_t v;

	memcpy(&v, (const char *)values + m->at, sizeof(v));
	return v;
}

void
metric_put_escaped(struct buf **b, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(b, '\\');
		if (*s == '\n')
			buf_append(b, S("\\n"));
		else
			buf_putc(b, *s);
	}
}

const char *
metric_prefix(const struct broker *br, const struct metric *m)
{
	return m->scope == METRIC_ALIAS ? "soketi_" : br->conf->metrics_prefix;
}

void
metric_put_name(const struct broker *br, struct buf **b, const struct metric *m,
    const char *key, const char *value)
{
	buf_printf(b, "%s%s", metric_prefix(br, m), m->name);
	if (value != NULL || m->label[0] != '\0')
		buf_putc(b, '{');
	if (value != NULL) {
		buf_printf(b, "%s=\"", key);
		metric_put_escaped(b, value);
		buf_putc(b, '"');
	}
	if (value != NULL && m->label[0] != '\0')
		buf_putc(b, ',');
	buf_append(b, str_of(m->label));
	if (value != NULL || m->label[0] != '\0')
		buf_putc(b, '}');
	buf_putc(b, ' ');
}

void
metric_put_head(const struct broker *br, struct buf **b, const struct metric *m)
{
	buf_printf(b, "# HELP %s%s %s\n# TYPE %s%s %s\n", metric_prefix(br, m),
	    m->name, m->help, metric_prefix(br, m), m->name, stats_type(m));
}

void
metric_put_hist(const struct broker *br, struct buf **b, const struct metric *m,
    const struct stats_hist *h, const char *label, const char *value)
{
	struct buf *pair = NULL;
	char le[32];
	uint64_t n = 0;

	if (label != NULL) {
		buf_printf(&pair, "%s=\"", label);
		metric_put_escaped(&pair, value);
		buf_putc(&pair, '"');
	}
	for (unsigned i = 0; i <= STATS_BOUNDS; i++) {
		n += h->n[i];
		if (i == STATS_BOUNDS)
			snprintf(le, sizeof(le), "+Inf");
		else
			snprintf(
			    le, sizeof(le), "%g", (double)m->bounds[i] / 1e6);
		buf_printf(b, "%s%s_bucket{%.*s%sle=\"%s\"} %" PRIu64 "\n",
		    metric_prefix(br, m), m->name, STR_ARG(buf_str(pair)),
		    label == NULL ? "" : ",", le, n);
	}
	for (unsigned i = 0; i < 2; i++) {
		buf_printf(b, "%s%s_%s%s%.*s%s ", metric_prefix(br, m), m->name,
		    i == 0 ? "sum" : "count", label == NULL ? "" : "{",
		    STR_ARG(buf_str(pair)), label == NULL ? "" : "}");
		if (i == 0)
			metric_put_value(b, m, h->sum);
		else
			buf_printf(b, "%" PRIu64 "\n", n);
	}
	buf_unref(pair);
}
