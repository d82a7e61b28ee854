/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_NAME_LIST_H
#define BROKER_CONTROL_NAME_LIST_H

/* A list of names that is answered in portions, over several turns. */

#include <stdbool.h>

#include "shared/base/str.h"

struct broker_app;
struct control_client;
struct name_list;

/* Writes the row of one name, or nothing if it is gone. */
typedef void (*name_list_row)(struct control_client *,
    const struct broker_app *, struct str name, struct str about);

/* about: copied, and passed to every row. */
struct name_list *name_list_new(name_list_row, struct str about);
void name_list_add(
    struct name_list *, const struct broker_app *, struct str name);
/*
 * After the last name: answers the client, portion by portion.  sort: by app id
 * and name, else in the order of name_list_add().
 */
void name_list_start(struct control_client *, struct name_list *, bool sort);

#endif
