/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_NAME_LIST_H
#define BROKER_CONTROL_NAME_LIST_H

/* A list of names that is answered in portions, over several turns. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/str.h"

struct broker;
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
 * After the last name: answers the client, portion by portion, in the order of
 * name_list_add().
 */
void name_list_start(struct control_client *, struct name_list *);

/* How far a table has been looked through.  { 0 } is the beginning. */
struct name_cursor {
	struct hash_cursor hash;
	uint32_t row;
};

#define NAME_LIST_LOOK 4000 /* entries of a table looked at in one turn */

/*
 * Adds the names that are in the next portion of a table; a name may come
 * twice.  about: that of the list.  False: it was the last portion.
 */
typedef bool (*name_list_portion)(struct name_list *, struct broker *,
    struct name_cursor *, struct str about);
/*
 * Answers the client with the names that `portion` adds, by app id and name;
 * only: names of other apps are left out; NULL: of none.
 */
void name_list_begin(struct control_client *, struct name_list *,
    name_list_portion, const struct broker_app *only);
/* Adds a name if it is of an app that is asked for. */
void name_list_offer(
    struct name_list *, const struct broker *, uint32_t app, struct str name);

#endif
