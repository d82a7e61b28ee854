/* SPDX-License-Identifier: MIT */
/*
 * user.c: the table of users.  Owns struct user, which exists while the user
 * has a session, is leaving, or is watched.  Sessions are in users.c,
 * watchlists in watchlist.c.
 */

#include "broker/user/user.h"

#include <stdlib.h>

#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct user_key {
	uint32_t app;
	struct str id;
};

static bool
user_eq(const struct hash_node *n, const void *key)
{
	const struct user_key *k = key;
	const struct user *u = container_of(n, const struct user, node);

	return u->app == k->app && str_eq(user_id(u), k->id);
}

struct user *
users_find(const struct broker *br, uint32_t app, struct str id)
{
	struct user_key k = { app, id };
	struct hash_node *n =
	    hash_find(&br->users->by_id, hash_str(id, app), user_eq, &k);

	return n == NULL ? NULL : container_of(n, struct user, node);
}

struct user *
user_get(struct broker *br, uint32_t app, struct str id)
{
	struct user *u = users_find(br, app, id);

	if (u != NULL)
		return u;
	u = xcalloc(1, sizeof(*u) + id.n);
	u->app = app;
	u->id_len = id.n;
	memcpy(u->id, id.p, id.n);
	list_init(&u->watchers);
	list_init(&u->leaving);
	list_init(&u->telling);
	hash_insert(&br->users->by_id, &u->node, hash_str(id, app));
	budget_add(br->budget, app, sizeof(*u) + id.n + BUDGET_BLOCK);
	return u;
}

void
user_release(struct broker *br, struct user *u)
{
	if (user_is_online(u) || !list_is_empty(&u->watchers))
		return;
	list_remove(&u->telling);
	hash_remove(&br->users->by_id, &u->node);
	budget_sub(br->budget, u->app, sizeof(*u) + u->id_len + BUDGET_BLOCK);
	free(u);
}
