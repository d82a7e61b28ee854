/* SPDX-License-Identifier: MIT */
#ifndef BROKER_STATS_METRIC_TEXT_H
#define BROKER_STATS_METRIC_TEXT_H

/*
 * Lines in the text format of Prometheus, version 0.0.4: HELP and TYPE, a name
 * with its labels, a value, a histogram.
 */

#include <stdint.h>

#include "shared/proc/stats.h"

struct broker;
struct buf;

/* The number of the metric in a struct of stats.def. */
uint64_t metric_number_at(const void *values, const struct metric *);
/* The end of a line: v, or v microseconds in seconds. */
void metric_put_value(struct buf **, const struct metric *, uint64_t v);
/* The value of a label; the format escapes \\, \" and \n. */
void metric_put_escaped(struct buf **, const char *);
/* name{key="value",label} and a blank; value NULL: no such pair. */
void metric_put_name(const struct broker *, struct buf **,
    const struct metric *, const char *key, const char *value);
/* The prefix of its name: the option metrics_prefix, or soketi's. */
const char *metric_prefix(const struct broker *, const struct metric *);
/* Writes the lines HELP and TYPE of a family. */
void metric_put_head(
    const struct broker *, struct buf **, const struct metric *);
/* All lines of a histogram; label and value NULL: that of the broker. */
void metric_put_hist(const struct broker *, struct buf **,
    const struct metric *, const struct stats_hist *, const char *label,
    const char *value);

#endif
