/* SPDX-License-Identifier: MIT */
#ifndef SHARED_APP_APPDB_HOOKS_H
#define SHARED_APP_APPDB_HOOKS_H

/* The table webhooks.  All functions: 0, or -1 with appdb_error(). */

#include "shared/app/appdb.h"
#include "shared/pusher/webhook.h"

/*
 * Calls back for each endpoint, by row number; app 0: of all apps.  Stops
 * when fn returns non-zero.
 */
int appdb_hooks_each(struct appdb *, uint32_t app,
    int (*fn)(void *arg, const struct webhook *), void *arg);
/* 1: found (webhook_clear() it), 0: there is none, -1: error. */
int appdb_hooks_find(struct appdb *, uint32_t num, struct webhook *out);
/* Inserts and sets h->num. */
int appdb_hooks_insert(struct appdb *, struct webhook *);
/* Writes every field of the row h->num. */
int appdb_hooks_update(struct appdb *, const struct webhook *);
int appdb_hooks_delete(struct appdb *, uint32_t num);

#endif
