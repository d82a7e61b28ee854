/* SPDX-License-Identifier: MIT */
/*
 * apps.c: the apps that the broker has sent.  Owns struct client_app; a
 * connection counts its app's references.  A worker never reads the database: a
 * change arrives as APP_SET or APP_DEL, and apps_ops closes the clients that
 * may not stay.
 */

#include "worker/app/apps.h"

#include <openssl/crypto.h>
#include <time.h>

#include "shared/base/xmalloc.h"
#include "worker/core/core.h"

static bool
id_eq(const struct hash_node *n, const void *key)
{
	const struct client_app *a =
	    container_of(n, const struct client_app, id_node);

	return str_eq(str_of(a->app.id), *(const struct str *)key);
}

static bool
key_eq(const struct hash_node *n, const void *key)
{
	const struct client_app *a =
	    container_of(n, const struct client_app, key_node);

	return str_eq(str_of(a->app.key), *(const struct str *)key);
}

struct client_app *
apps_by_num(struct worker *w, uint32_t num)
{
	struct hash_node *n = hash_find_u64(&w->apps->by_num, num);

	return n == NULL ? NULL : container_of(n, struct client_app, num_node);
}

struct client_app *
apps_by_id(struct worker *w, struct str id)
{
	struct hash_node *n =
	    hash_find(&w->apps->by_id, hash_str(id, 0), id_eq, &id);

	return n == NULL ? NULL : container_of(n, struct client_app, id_node);
}

static bool
old_key_eq(const struct hash_node *n, const void *key)
{
	const struct client_app *a =
	    container_of(n, const struct client_app, old_key_node);

	return str_eq(str_of(a->app.old_key), *(const struct str *)key);
}

/* The wall clock: a rotation gives the end of the old key in Unix time. */
static bool
old_key_counts(const struct client_app *a)
{
	return a->old_sign != NULL &&
	    app_has_old_key(&a->app, (uint64_t)time(NULL));
}

struct client_app *
apps_by_key(struct worker *w, struct str key)
{
	struct hash_node *n =
	    hash_find(&w->apps->by_key, hash_str(key, 1), key_eq, &key);
	struct client_app *a;

	if (n != NULL)
		return container_of(n, struct client_app, key_node);
	n = hash_find(&w->apps->by_old_key, hash_str(key, 1), old_key_eq, &key);
	if (n == NULL)
		return NULL;
	a = container_of(n, struct client_app, old_key_node);
	return old_key_counts(a) ? a : NULL;
}

struct app *
client_app_ref(struct client_app *a)
{
	a->refs++;
	return &a->app;
}

void
client_app_unref(struct app *app)
{
	struct client_app *a;

	if (app == NULL)
		return;
	a = container_of(app, struct client_app, app);
	if (--a->refs > 0)
		return;
	app_clear(&a->app);
	sign_key_free(a->sign);
	sign_key_free(a->old_sign);
	free(a);
}

struct auth_app
client_app_auth(struct app *app, struct str key)
{
	struct client_app *a = container_of(app, struct client_app, app);

	if (old_key_counts(a) && str_eq(key, str_of(app->old_key)))
		return (struct auth_app){ a->old_sign, str_of(app->old_key) };
	return (struct auth_app){ a->sign, str_of(app->key) };
}

/* Replaces *field if the text differs; true when it did. */
static bool
set_text(char **field, struct str s)
{
	if (*field != NULL && str_eq(str_of(*field), s))
		return false;
	if (*field != NULL)
		OPENSSL_cleanse(*field, strlen(*field));
	free(*field);
	*field = str_dup(s);
	return true;
}

static void
forget_old_key(struct worker *w, struct client_app *a)
{
	if (a->old_sign == NULL)
		return;
	hash_remove(&w->apps->by_old_key, &a->old_key_node);
	sign_key_free(a->old_sign);
	a->old_sign = NULL;
	app_drop_old_key(&a->app);
}

static void
set_old_key(struct worker *w, struct client_app *a, const struct msg_app_set *m)
{
	forget_old_key(w, a);
	if (m->old_until == 0)
		return;
	a->app.old_key = str_dup(m->old_key);
	a->app.old_secret = str_dup(m->old_secret);
	a->app.old_until = m->old_until;
	a->old_sign = sign_key_new(m->old_secret);
	hash_insert(&w->apps->by_old_key, &a->old_key_node,
	    hash_str(str_of(a->app.old_key), 1));
}

static struct client_app *
add(struct worker *w, uint32_t num)
{
	struct client_app *a = xcalloc(1, sizeof(*a));

	w->apps->ops->on_new(w, num);
	app_init(&a->app);
	list_init(&a->gone);
	a->app.num = num;
	a->refs = 1;
	hash_insert(&w->apps->by_num, &a->num_node, hash_u64(num));
	return a;
}

static void
forget(struct worker *w, struct client_app *a)
{
	a->deleted = true;
	list_append(&w->apps->gone, &a->gone);
	w->apps->ops->on_gone(w, a, 4001, S("the app does not exist any more"));
	hash_remove(&w->apps->by_num, &a->num_node);
	hash_remove(&w->apps->by_id, &a->id_node);
	hash_remove(&w->apps->by_key, &a->key_node);
	forget_old_key(w, a);
	client_app_unref(&a->app);
}

int
apps_on_set(struct worker *w, const struct msg_app_set *m)
{
	struct client_app *a = apps_by_num(w, m->app);
	bool is_new, was_enabled;

	/* The number belongs to another app now: the database was replaced. */
	if (a != NULL && !str_eq(str_of(a->app.id), m->id)) {
		w->apps->ops->on_unknown(w, m->app);
		forget(w, a);
		a = NULL;
	}
	is_new = a == NULL;
	was_enabled = !is_new && a->app.enabled;
	if (is_new)
		a = add(w, m->app);
	else {
		hash_remove(&w->apps->by_id, &a->id_node);
		hash_remove(&w->apps->by_key, &a->key_node);
	}
	a->stale = false;
	set_text(&a->app.id, m->id);
	set_text(&a->app.key, m->key);
	set_text(&a->app.name, m->name);
	if (set_text(&a->app.secret, m->secret) || a->sign == NULL) {
		sign_key_free(a->sign);
		a->sign = sign_key_new(m->secret);
	}
	set_old_key(w, a, m);
	hash_insert(&w->apps->by_id, &a->id_node, hash_str(m->id, 0));
	hash_insert(&w->apps->by_key, &a->key_node, hash_str(m->key, 1));
	a->app.enabled = m->enabled;
#define APP_UINT(field, def, min, max, help) a->app.field = m->field;
#define APP_BOOL(field, def, help) a->app.field = m->field;
#define APP_TEXT(field, def, help) set_text(&a->app.field, m->field);
#include "shared/app/app_settings.def"
	if (was_enabled && !a->app.enabled)
		w->apps->ops->on_gone(w, a, 4003, S("the app is disabled"));
	return 0;
}

int
apps_on_del(struct worker *w, const struct msg_app_del *m)
{
	struct client_app *a = apps_by_num(w, m->app);

	if (a != NULL)
		forget(w, a);
	return 0;
}

int
apps_on_log(struct worker *w, const struct msg_app_log *m)
{
	struct client_app *a = apps_by_num(w, m->app);

	if (a == NULL)
		return 0;
	if (a->log_epoch != m->epoch)
		w->apps->ops->on_log_restart(w, &a->app, m->pos);
	if (a->log_epoch != m->epoch)
		a->log_pos = m->pos;
	a->log_epoch = m->epoch;
	return 0;
}

void
apps_mark(struct worker *w)
{
	struct hash_node *n;

	HASH_FOREACH(n, &w->apps->by_num)
		container_of(n, struct client_app, num_node)->stale = true;
}

void
apps_sweep(struct worker *w)
{
	struct hash_node *n, *next;
	struct client_app *a;

	HASH_FOREACH_SAFE(n, next, &w->apps->by_num) {
		a = container_of(n, struct client_app, num_node);
		if (!a->stale)
			continue;
		w->apps->ops->on_unknown(w, a->app.num);
		forget(w, a);
	}
}

void
apps_free(struct worker *w)
{
	apps_mark(w);
	apps_sweep(w);
	hash_clear(&w->apps->by_num);
	hash_clear(&w->apps->by_id);
	hash_clear(&w->apps->by_key);
	hash_clear(&w->apps->by_old_key);
}
