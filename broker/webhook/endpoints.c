/* SPDX-License-Identifier: MIT */
/*
 * endpoints.c: which endpoints there are.  Owns struct hook_app.  Filters are
 * applied here, before anything is queued or signed.  Must never write to the
 * database and never log a URL or a header: both may hold secrets.
 */

#include "broker/webhook/endpoints.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/webhook/events.h"
#include "shared/app/appdb_hooks.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

static bool
app_eq(const struct hash_node *n, const void *key)
{
	const uint32_t *num = key;

	return container_of(n, const struct hook_app, node)->num == *num;
}

static struct hook_app *
find(const struct hash *apps, uint32_t num)
{
	struct hash_node *n = hash_find(apps, hash_u64(num), app_eq, &num);

	return n == NULL ? NULL : container_of(n, struct hook_app, node);
}

const struct hook_app *
webhook_endpoints_find(const struct broker *br, uint32_t app)
{
	return find(&br->webhooks->apps, app);
}

static void
clear(struct hash *apps)
{
	struct hash_node *n, *next;

	for (n = hash_first(apps); n != NULL; n = next) {
		struct hook_app *a = container_of(n, struct hook_app, node);

		next = hash_next(apps, n);
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
	clear(&br->webhooks->apps);
}

static int
collect(void *arg, const struct webhook *h)
{
	struct hash *apps = arg;
	struct hook_app *a = find(apps, h->app);

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
	struct hash apps = { 0 };

	if (appdb_hooks_each(db, 0, collect, &apps) == -1) {
		clear(&apps);
		return -1;
	}
	clear(&br->webhooks->apps);
	br->webhooks->apps = apps;
	memcpy(br->webhooks->database, appdb_uuid(db),
	    sizeof(br->webhooks->database));
	return 0;
}

static void
send_app(struct broker *br, struct peer *p, const struct hook_app *a)
{
	const struct broker_app *app = apps_find(br, a->num);
	bool old =
	    app != NULL && app_has_old_key(&app->app, (uint64_t)time(NULL));

	for (size_t i = 0; app != NULL && i < a->n; i++) {
		const struct webhook *h = &a->v[i];
		struct msg_endpoint m = {
			.num = h->num,
			.app = h->app,
			.enabled = h->enabled,
			.batch = h->batch,
			.allow_private = br->conf->webhook_allow_private ||
			    app->app.webhook_allow_private,
			.url = str_of(h->url),
			.headers = str_of(h->headers),
			.key = str_of(app->app.key),
			.secret = str_of(app->app.secret),
			.old_key = old ? str_of(app->app.old_key) : S(""),
			.old_secret = old ? str_of(app->app.old_secret) : S(""),
			.old_until = old ? app->app.old_until : 0,
			.owner = str_of(webhook_events_line(br, h->app)->owner),
		};

		ipc_send_endpoint(&p->ipc, &m);
	}
}

void
webhook_endpoints_send(struct broker *br, struct peer *p)
{
	struct msg_endpoints_done done = { .database =
					       str_of(br->webhooks->database) };
	struct hash_node *n;

	for (n = hash_first(&br->webhooks->apps); n != NULL;
	     n = hash_next(&br->webhooks->apps, n))
		send_app(br, p, container_of(n, struct hook_app, node));
	ipc_send_endpoints_done(&p->ipc, &done);
}

bool
webhook_endpoints_wants(
    const struct hook_app *a, uint32_t mask, struct str channel)
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
webhook_endpoints_match(const struct hook_app *a, enum webhook_kind kind,
    struct str channel, struct buf **numbers)
{
	for (size_t i = 0; a != NULL && i < a->n; i++)
		if (webhook_endpoints_wants(
			&(struct hook_app){
			    .mask = a->mask, .v = &a->v[i], .n = 1 },
			1u << kind, channel))
			buf_append(numbers,
			    str_make(&a->v[i].num, sizeof(a->v[i].num)));
}

const struct webhook *
webhook_endpoints_endpoint(const struct broker *br, uint32_t num)
{
	struct hash_node *n;

	for (n = hash_first(&br->webhooks->apps); n != NULL;
	     n = hash_next(&br->webhooks->apps, n)) {
		const struct hook_app *a =
		    container_of(n, const struct hook_app, node);

		for (size_t i = 0; i < a->n; i++)
			if (a->v[i].num == num)
				return &a->v[i];
	}
	return NULL;
}
