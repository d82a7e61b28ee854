/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_SNAPSHOT_H
#define BROKER_CONTROL_SNAPSHOT_H

/* A list of names that is answered in portions, over several turns. */

#include <stdbool.h>

#include "shared/base/str.h"

struct broker_app;
struct control_client;
struct snapshot;

/* Writes the row of one name, or nothing when that is gone meanwhile. */
typedef void (*snapshot_row)(struct control_client *, const struct broker_app *,
    struct str name, struct str about);

/* about: what every row is given, copied. */
struct snapshot *snapshot_new(snapshot_row, struct str about);
/* NULL is allowed. */
void snapshot_free(struct snapshot *);
void snapshot_add(
    struct snapshot *, const struct broker_app *, struct str name);
/* After the last name.  sort: by app id and name, else as they were added. */
void snapshot_close(struct snapshot *, bool sort);
/* Writes a portion of rows; at the last one frees it, ends the question. */
void snapshot_write(struct control_client *, struct snapshot **);

#endif
