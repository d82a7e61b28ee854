/* SPDX-License-Identifier: MIT */
/*
 * endpoints.c: the webhook endpoints.  Owns struct webhook_app.  Filters are
 * applied here, before anything is queued or signed.  Must never write to the
 * database and never log a URL or a header: both may hold secrets.
 */

#include "broker/webhook/endpoints.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "shared/app/appdb_hooks.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

static struct webhook_app *
find(const struct hash *apps, uint32_t num)
{
	struct hash_node *n = hash_find_u64(apps, num);

	return n == NULL ? NULL : container_of(n, struct webhook_app, node);
}

const struct webhook_app *
webhook_endpoints_find(const struct broker *br, uint32_t app)
{
	return find(&br->endpoints->apps, app);
}

static void
clear(struct hash *apps)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, apps) {
		struct webhook_app *a =
		    container_of(n, struct webhook_app, node);

		hash_remove(apps, n);
		for (size_t i = 0; i < a->n; i++)
			webhook_clear(&a->v[i]);
		free(a->v);
		free(a);
	}
	hash_clear(apps);
}

void
webhook_endpoints_clear(struct broker *br)
{
	clear(&br->endpoints->apps);
}

struct reading {
	const struct broker *br;
	struct hash apps;
};

/* Not those of an app that waits for its number. */
static int
collect(void *arg, const struct webhook *h)
{
	struct reading *r = arg;
	struct hash *apps = &r->apps;
	struct webhook_app *a = find(apps, h->app);

	if (apps_is_deleted(r->br, h->app))
		return 0;
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		a->num = h->app;
		hash_insert(apps, &a->node, hash_u64(h->app));
	}
	a->v = xreallocarray(a->v, a->n + 1, sizeof(*a->v));
	webhook_copy(&a->v[a->n++], h);
	if (h->enabled)
		a->mask |= h->mask;
	return 0;
}

int
webhook_endpoints_read(struct broker *br, struct appdb *db)
{
	struct reading r = { .br = br };

	if (appdb_hooks_each(db, 0, collect, &r) == -1) {
		clear(&r.apps);
		return -1;
	}
	clear(&br->endpoints->apps);
	br->endpoints->apps = r.apps;
	memcpy(br->endpoints->database, appdb_uuid(db),
	    sizeof(br->endpoints->database));
	return 0;
}

bool
webhook_endpoints_wants(
    const struct webhook_app *a, uint32_t mask, struct str channel)
{
	if (a == NULL || (a->mask & mask) == 0)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].enabled && (a->v[i].mask & mask) != 0 &&
		    webhook_wants_channel(&a->v[i], channel))
			return true;
	return false;
}

void
webhook_endpoints_match(const struct webhook_app *a, enum webhook_kind kind,
    struct str channel, struct buf **numbers)
{
	for (size_t i = 0; a != NULL && i < a->n; i++)
		if (webhook_endpoints_wants(
			&(struct webhook_app){
			    .mask = a->mask, .v = &a->v[i], .n = 1 },
			1u << kind, channel))
			buf_append(numbers,
			    str_make(&a->v[i].num, sizeof(a->v[i].num)));
}

const struct webhook *
webhook_endpoints_endpoint(const struct broker *br, uint32_t num)
{
	struct hash_node *n;

	HASH_FOREACH(n, &br->endpoints->apps) {
		const struct webhook_app *a =
		    container_of(n, const struct webhook_app, node);

		for (size_t i = 0; i < a->n; i++)
			if (a->v[i].num == num)
				return &a->v[i];
	}
	return NULL;
}
