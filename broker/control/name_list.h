/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_NAME_LIST_H
#define BROKER_CONTROL_NAME_LIST_H

/* A list of names that is answered in portions, over several turns. */

#include <stdbool.h>

#include "shared/base/str.h"

struct broker_app;
struct control_client;
struct name_list;

/* Writes the row of one name, or nothing when that is gone meanwhile. */
typedef void (*name_list_row)(struct control_client *,
    const struct broker_app *, struct str name, struct str about);

/* about: what every row is given, copied. */
struct name_list *name_list_new(name_list_row, struct str about);
/* NULL is allowed. */
void name_list_free(struct name_list *);
void name_list_add(
    struct name_list *, const struct broker_app *, struct str name);
/* After the last name.  sort: by app id and name, else as they were added. */
void name_list_close(struct name_list *, bool sort);
/* Writes a portion of rows; at the last one frees it, ends the question. */
void name_list_write(struct control_client *, struct name_list **);

#endif
