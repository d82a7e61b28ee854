/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_HOOK_SET_H
#define CLI_IMPORT_HOOK_SET_H

/* A set of webhooks of apps, to find equal ones among thousands. */

#include <stdbool.h>

#include "shared/base/hash.h"
#include "shared/pusher/webhook.h"

struct hook_set {
	struct hash hooks;
};

/*
 * Do both get the same events, at the same address and with the same headers?
 */
bool import_is_same_hook(const struct webhook *, const struct webhook *);

/* Has its app one that is the same: import_is_same_hook()? */
bool hook_set_has(const struct hook_set *, const struct webhook *);
/* Adds a copy. */
void hook_set_add(struct hook_set *, const struct webhook *);
void hook_set_clear(struct hook_set *);

#endif
