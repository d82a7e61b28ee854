/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_VERB_ARGS_H
#define BROKER_CONTROL_VERB_ARGS_H

/* Shared by the verbs: arguments in, rows out. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"

struct app;
struct broker_app;
struct control_client;

/*
 * A string member, unescaped; p == NULL when it is missing.  *tmp (free(3) it)
 * may hold it.  -1: it is not a string, or far too long.
 */
int verb_text(struct json args, struct str key, struct str *out, char **tmp);
/* May this client ask about the app? */
bool verb_may_see(const struct control_client *, const struct broker_app *);
/* The app that the arguments name, or NULL after a sentence. */
struct broker_app *verb_app(struct control_client *, struct json args);
/* The same, but the app may be missing: -1 after a sentence. */
int verb_app_or_all(
    struct control_client *, struct json args, struct broker_app **);
/*
 * The argument "channel", also a user's own; tmp as in verb_text().  False
 * after a sentence.
 */
bool verb_channel_arg(struct control_client *, const struct app *,
    struct json args, struct str *name, char **tmp);

/* Begins a row: {"type":type,...; type may be NULL. */
void verb_row_begin(struct json_writer *, const char *type);
void verb_row_end(struct control_client *, struct json_writer *);

#endif
