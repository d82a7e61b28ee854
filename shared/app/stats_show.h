/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_STATS_SHOW_H
#define SHARED_APP_STATS_SHOW_H

/* The rows of statistics over time as people and programs read them. */

#include <stddef.h>
#include <stdint.h>

#include "shared/app/stats_db.h"

/* The shown columns, "time" first, with blanks between. */
extern const char stats_show_columns[];

/* Calls back for each of them but the time. */
typedef void (*stats_show_fn)(void *arg, const char *column, uint64_t v);
void stats_show_row(
    const struct stats_db_row *, uint64_t counted, stats_show_fn, void *arg);

/* RFC 3339, UTC. */
#define STATS_SHOW_TIME 32
void stats_show_time(char text[STATS_SHOW_TIME], uint64_t seconds);

struct buf;
/* Appends the head of a CSV document, or one row with a line feed before it. */
void stats_show_csv_head(struct buf **);
void stats_show_csv(struct buf **, uint64_t time, uint64_t counted,
    const struct stats_db_row *);
/* Appends a JSON object. */
void stats_show_json(struct buf **, uint64_t time, uint64_t counted,
    const struct stats_db_row *);

#endif
