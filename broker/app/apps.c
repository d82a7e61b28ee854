/* SPDX-License-Identifier: MIT */
/*
 * apps.c: the apps in memory.  Owns struct broker_app.  A deleted app is kept
 * out of sight until nothing of it is left: its connections are counted, all
 * workers have read that it is gone, and no channel of it exists.
 *
 * The database gives no number twice.  But it may be replaced by another one,
 * in which the number is another app's: that app comes when nothing of the
 * former one is left, because messages name apps by their numbers.  Must never
 * log a secret.
 */

#include "broker/app/apps.h"

#include <stdlib.h>
#include <time.h>

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

#define LOGGED_SECONDS 120.
/*
 * Until workers have reported what a deleted app did, and the last of its users
 * is offline (USERS_OFFLINE).
 */
#define KEEP_SECONDS 4.

struct broker_app *
apps_lookup(const struct broker *br, uint32_t num)
{
	struct hash_node *n = hash_find_u64(&br->apps->by_num, num);

	return n == NULL ? NULL : container_of(n, struct broker_app, node);
}

struct broker_app *
apps_find(const struct broker *br, uint32_t num)
{
	struct broker_app *a = apps_lookup(br, num);

	return a == NULL || a->deleted ? NULL : a;
}

bool
apps_is_deleted(const struct broker *br, uint32_t num)
{
	const struct broker_app *a = apps_lookup(br, num);

	return a != NULL && a->deleted;
}

static bool
has_id(const struct hash_node *n, const void *id)
{
	const struct broker_app *a =
	    container_of(n, const struct broker_app, id_node);

	return str_eq(str_of(a->app.id), *(const struct str *)id);
}

struct broker_app *
apps_find_id(const struct broker *br, struct str id)
{
	struct hash_node *n =
	    hash_find(&br->apps->by_id, hash_str(id, 0), has_id, &id);

	return n == NULL ? NULL : container_of(n, struct broker_app, id_node);
}

struct broker_app *
apps_find_ended(const struct broker *br, struct str key)
{
	uint64_t now = (uint64_t)time(NULL);
	struct hash_node *n;

	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		if (!a->deleted && app_key_has_ended(&a->app, key, now))
			return a;
	}
	return NULL;
}

/* Tells the worker where the app's log stands, if the app has one. */
static void
send_log(struct peer *p, uint32_t app)
{
	const struct app_log *l = app_logs_find(&p->br->replay->logs, app);
	struct msg_app_log m = { .app = app };

	if (l == NULL)
		return;
	m.epoch = ring_epoch(l->ring);
	m.pos = ring_last(l->ring);
	ipc_send_app_log(&p->ipc, &m);
}

/*
 * Opens or closes the app's log as its settings say.  Without a log the
 * sessions stay: a later log is a new one, and they are told of the gap.
 */
static void
set_log(struct broker *br, const struct app *a)
{
	struct replay *x = br->replay;

	if (a->resume)
		app_logs_open(&x->logs, a->num, str_of(a->id), a->resume_bytes);
	else
		app_logs_remove(&x->logs, a->num);
}

static uint32_t
resume_seconds(void *arg, uint32_t num)
{
	const struct broker_app *a = apps_find(arg, num);

	return a == NULL ? 0 : a->app.resume_time;
}

void
apps_expire_sessions(struct broker *br)
{
	struct resumes *s = &br->replay->sessions;

	if (s->ndetached > 0)
		resumes_expire(s, resume_seconds, br);
	/*
	 * Until then a late worker may send events again that are logged
	 * already.
	 */
	if (broker_now() - br->started > LOGGED_SECONDS)
		app_logs_forget(&br->replay->logs);
}

static void
send_set(struct peer *p, const struct app *a)
{
	bool old = app_has_old_key(a, (uint64_t)time(NULL));
	struct msg_app_set m = {
		.app = a->num,
		.id = str_of(a->id),
		.key = str_of(a->key),
		.secret = str_of(a->secret),
		.old_key = str_of(old ? a->old_key : NULL),
		.old_secret = str_of(old ? a->old_secret : NULL),
		.old_until = old ? a->old_until : 0,
		.name = str_of(a->name),
		.enabled = a->enabled,
#define APP_UINT(f, def, min, max, help) .f = a->f,
#define APP_BOOL(f, def, help) .f = a->f,
#define APP_TEXT(f, def, help) .f = str_of(a->f),
#include "shared/app/app_settings.def"
	};

	ipc_send_app_set(&p->ipc, &m);
	send_log(p, a->num);
}

void
apps_send_all(struct broker *br, struct peer *p)
{
	struct msg_apps_done done = { .broker = br->id };
	struct hash_node *n;

	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		if (!a->deleted)
			send_set(p, &a->app);
	}
	ipc_send_apps_done(&p->ipc, &done);
	if (br->apps->by_num.n > br->apps->n)
		peer_ping_one(p); /* deleted ones wait for the answer */
}

void
apps_tell_logs(struct broker *br)
{
	struct hash_node *n;

	for (unsigned i = 0; i < br->nslots; i++)
		for (n = hash_first(&br->apps->by_num);
		     n != NULL && br->peers[i] != NULL;
		     n = hash_next(&br->apps->by_num, n))
			send_log(br->peers[i],
			    container_of(n, struct broker_app, node)->app.num);
}

static void
send_to_all(struct broker *br, const struct app *a)
{
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			send_set(br->peers[i], a);
}

/* May messages or channels of the deleted app still exist? */
static bool
is_left(const struct broker *br, const struct broker_app *a)
{
	return a->nconns > 0 || broker_now() < a->keep_until ||
	    !resync_all_passed(br, a->ping) || br->apps->ops->is_used(br, a);
}

static void
release(struct broker *br, struct broker_app *a)
{
	if (!a->deleted || is_left(br, a))
		return;
	hash_remove(&br->apps->by_num, &a->node);
	br->apps->ops->forget(br, a);
	app_clear(&a->app);
	free(a->sids);
	free(a);
}

void
apps_on_left(struct broker *br, struct broker_app *a)
{
	if (a->deleted && a->nconns == 0)
		a->keep_until = broker_now() + KEEP_SECONDS;
}

static void
release_all(struct broker *br)
{
	struct hash_node *n, *next;

	if (br->apps->by_num.n == br->apps->n)
		return;
	HASH_FOREACH_SAFE(n, next, &br->apps->by_num)
		release(br, container_of(n, struct broker_app, node));
}

/*
 * Workers check the time themselves.  This removes the secret from memory and
 * makes the courier sign with the key that is left.
 */
void
apps_expire(struct broker *br)
{
	uint64_t now = (uint64_t)time(NULL), next = 0;
	struct hash_node *n;
	bool any = false;

	release_all(br);
	if (br->apps->expires == 0 || br->apps->expires > now)
		return;
	HASH_FOREACH(n, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		if (a->app.old_secret == NULL)
			continue;
		if (a->app.old_until > now) {
			next = next == 0 ? a->app.old_until
					 : MIN(next, a->app.old_until);
			continue;
		}
		log_info("app: the old key has expired app=%s key=%s",
		    a->app.id, a->app.old_key);
		app_end_old_key(&a->app);
		if (!a->deleted)
			send_to_all(br, &a->app);
		any = true;
	}
	br->apps->expires = next;
	if (any)
		br->apps->ops->expired(br);
}

void
apps_put(struct broker *br, const struct app *app)
{
	struct broker_app *a = apps_lookup(br, app->num);

	if (a != NULL && app_is_same(&a->app, app)) {
		a->seen = true;
		return;
	}
	if (a == NULL) {
		a = xcalloc(1, sizeof(*a) + br->nslots * sizeof(a->conns[0]));
		hash_insert(&br->apps->by_num, &a->node, hash_u64(app->num));
		br->apps->n++;
	} else {
		hash_remove(&br->apps->by_id, &a->id_node);
		app_clear(&a->app);
	}
	app_copy(&a->app, app);
	hash_insert(
	    &br->apps->by_id, &a->id_node, hash_str(str_of(a->app.id), 0));
	a->seen = true;
	if (a->app.old_secret != NULL &&
	    (br->apps->expires == 0 || a->app.old_until < br->apps->expires))
		br->apps->expires = a->app.old_until;
	set_log(br, &a->app);
	send_to_all(br, &a->app);
}

static void delete (struct broker *br, struct broker_app *a)
{
	struct msg_app_del m = { .app = a->app.num };

	log_info("app deleted app=%s", a->app.id);
	hash_remove(&br->apps->by_id, &a->id_node);
	a->deleted = true;
	a->keep_until = broker_now() + KEEP_SECONDS;
	a->ping = br->links->ping_id + 1;
	br->apps->n--;
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			ipc_send_app_del(&br->peers[i]->ipc, &m);
	br->apps->ops->deleted(br, a);
	app_logs_remove(&br->replay->logs, a->app.num);
	resumes_forget_app(&br->replay->sessions, a->app.num);
}

static void
wait_for(struct broker *br, const struct app *app)
{
	const struct broker_app *a = apps_lookup(br, app->num);

	log_info("app waits: its number still belongs to a deleted app app=%s "
		 "before=%s",
	    app->id, a->app.id);
	br->apps->waits = app->num;
}

/* Removes the apps that are gone first: their keys may belong to others now. */
void
apps_replace(struct broker *br, const struct app *v, size_t nv)
{
	struct hash_node *n, *next;
	bool any = false;
	uint64_t slots;

	HASH_FOREACH(n, &br->apps->by_num)
		container_of(n, struct broker_app, node)->seen = false;
	for (size_t i = 0; i < nv; i++) {
		struct broker_app *a = apps_lookup(br, v[i].num);

		/*
		 * Another id: the file is a different one, and so is the app.
		 */
		if (a != NULL && strcmp(a->app.id, v[i].id) == 0)
			a->seen = true;
	}
	HASH_FOREACH_SAFE(n, next, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		if (a->seen || a->deleted)
			continue;
		delete (br, a);
		any = true;
	}
	if (any)
		peer_ping(br, &slots);
	br->apps->waits = 0;
	for (size_t i = 0; i < nv; i++)
		if (apps_is_deleted(br, v[i].num))
			wait_for(br, &v[i]);
		else
			apps_put(br, &v[i]);
}

void
apps_clear(struct broker *br)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &br->apps->by_num) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		hash_remove(&br->apps->by_num, n);
		br->apps->ops->forget(br, a);
		app_clear(&a->app);
		free(a->sids);
		free(a);
	}
	hash_clear(&br->apps->by_num);
	hash_clear(&br->apps->by_id);
}
