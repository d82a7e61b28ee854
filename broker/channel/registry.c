/* SPDX-License-Identifier: MIT */
/*
 * registry.c: the table of channels.  Owns struct channel and the list of
 * occupied channels of each app; knows presence, cache and subscription count
 * only as reasons to keep a channel.
 *
 * A bit in `slots` is set exactly while the count of that slot is not 0, so
 * that the hot path can trust the mask.  Must never send anything and never
 * look at a clock.
 */

#include "broker/channel/registry.h"

#include <stdlib.h>

#include "broker/core/budget.h"
#include "shared/base/xmalloc.h"

struct channel_key {
	uint32_t app;
	struct str name;
	const struct registry *r;
};

static bool
channel_eq(const struct hash_node *n, const void *key)
{
	const struct channel_key *k = key;
	const struct channel *c = container_of(n, const struct channel, node);

	return c->app->num == k->app && str_eq(registry_name(k->r, c), k->name);
}

void
registry_init(struct registry *r, unsigned nslots, struct budget *budget)
{
	*r = (struct registry){ .nslots = nslots, .budget = budget };
}

void
registry_clear(struct registry *r)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &r->channels) {
		hash_remove(&r->channels, n);
		free(container_of(n, struct channel, node));
	}
	HASH_FOREACH_SAFE(n, next, &r->apps) {
		hash_remove(&r->apps, n);
		free(container_of(n, struct registry_app, node));
	}
	hash_clear(&r->channels);
	hash_clear(&r->apps);
}

struct str
registry_name(const struct registry *r, const struct channel *c)
{
	return str_make(&c->count[r->nslots], c->name_len);
}

void
registry_lose(struct registry *r, unsigned slot, double due)
{
	r->dead_due[slot] = due;
	r->dead_at = (struct hash_cursor){ 0 };
	r->dying |= UINT64_C(1) << slot;
}

void
registry_take_over(struct registry *r)
{
	r->dead_at = (struct hash_cursor){ 0 };
	r->moved = r->moving;
}

/* Users' own channels end, and move, with their sessions. */
struct channel *
registry_drop_dead(const struct registry *r, struct channel *c)
{
	if ((c->slots & (r->dying | r->moved)) == 0 || c->hidden)
		return c;
	return r->drop_dead(r->owner, c);
}

struct channel *
registry_find(const struct registry *r, uint32_t app, struct str name)
{
	struct channel_key k = { app, name, r };
	struct hash_node *n =
	    hash_find(&r->channels, hash_str(name, app), channel_eq, &k);

	return n == NULL
	    ? NULL
	    : registry_drop_dead(r, container_of(n, struct channel, node));
}

struct registry_app *
registry_app_find(const struct registry *r, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&r->apps, app);

	return n == NULL ? NULL : container_of(n, struct registry_app, node);
}

static struct registry_app *
app_get(struct registry *r, uint32_t num)
{
	struct registry_app *a = registry_app_find(r, num);

	if (a == NULL) {
		a = xcalloc(1, sizeof(*a));
		a->num = num;
		a->registry = r;
		list_init(&a->occupied);
		list_init(&a->cursors);
		list_init(&a->in_departures);
		list_init(&a->departing);
		hash_insert(&r->apps, &a->node, hash_u64(num));
		budget_add(r->budget, num, sizeof(*a) + BUDGET_BLOCK);
	}
	return a;
}

/* An open cursor keeps the app, too, so that its list head stays valid. */
static void
app_release(struct registry *r, struct registry_app *a)
{
	if (a->refs > 0 || !list_is_empty(&a->cursors))
		return;
	list_remove(&a->in_departures);
	hash_remove(&r->apps, &a->node);
	budget_sub(r->budget, a->num, sizeof(*a) + BUDGET_BLOCK);
	free(a);
}

/* The bytes of a channel with this name. */
static size_t
cost_of(const struct registry *r, size_t name_len)
{
	return sizeof(struct channel) + r->nslots * sizeof(uint32_t) +
	    name_len + BUDGET_BLOCK;
}

struct channel *
registry_get(struct registry *r, uint32_t app, struct str name)
{
	struct channel *c = registry_find(r, app, name);

	if (c != NULL)
		return c;
	c = xcalloc(1, sizeof(*c) + r->nslots * sizeof(c->count[0]) + name.n);
	c->app = app_get(r, app);
	c->app->refs++;
	c->name_len = (uint16_t)name.n;
	c->hidden = name.p[0] == '#';
	memcpy(&c->count[r->nslots], name.p, name.n);
	list_init(&c->in_app);
	hash_insert(&r->channels, &c->node, hash_str(name, app));
	budget_add(r->budget, app, cost_of(r, name.n));
	return c;
}

/*
 * The last subscription is gone: removes the channel from the list; cursors
 * step over it.
 */
static void
unlist(struct registry *r, struct channel *c)
{
	struct list *e;

	LIST_FOREACH(e, &c->app->cursors) {
		struct registry_cursor *cur =
		    LIST_ITEM(e, struct registry_cursor, in_app);

		if (cur->next == &c->in_app)
			cur->next = c->in_app.next;
	}
	list_remove(&c->in_app);
	c->app->noccupied--;
	r->noccupied--;
}

void
registry_enter(struct registry *r, struct channel *c, unsigned slot)
{
	registry_enter_many(r, c, slot, 1);
}

void
registry_enter_many(
    struct registry *r, struct channel *c, unsigned slot, uint32_t n)
{
	c->count[slot] += n;
	c->slots |= UINT64_C(1) << slot;
	c->total += n;
	if (c->hidden)
		return;
	r->nsubs[slot] += n;
	c->app->nsubs += n;
	if (c->total == n) {
		list_append(&c->app->occupied, &c->in_app);
		c->app->noccupied++;
		r->noccupied++;
	}
}

static void
take_away(struct registry *r, struct channel *c, unsigned slot, uint32_t n)
{
	c->count[slot] -= n;
	c->total -= n;
	if (c->count[slot] == 0)
		c->slots &= ~(UINT64_C(1) << slot);
	if (c->hidden)
		return;
	r->nsubs[slot] -= n;
	c->app->nsubs -= n;
	if (c->total == 0)
		unlist(r, c);
}

int
registry_leave(struct registry *r, struct channel *c, unsigned slot)
{
	if (c->count[slot] == 0)
		return -1;
	take_away(r, c, slot, 1);
	return 0;
}

uint32_t
registry_drop(struct registry *r, struct channel *c, unsigned slot)
{
	uint32_t n = c->count[slot];

	if (n > 0)
		take_away(r, c, slot, n);
	return n;
}

void
registry_move(struct registry *r, struct channel *c, unsigned slot)
{
	uint32_t n = c->count[slot];

	if (n == 0)
		return;
	c->count[slot] = 0;
	c->count[r->receiver] += n;
	c->slots &= ~(UINT64_C(1) << slot);
	c->slots |= UINT64_C(1) << r->receiver;
	if (c->hidden)
		return;
	r->nsubs[slot] -= n;
	r->nsubs[r->receiver] += n;
}

bool
registry_release(struct registry *r, struct channel *c)
{
	if (c->total > 0 || c->presence != NULL || c->cached != NULL ||
	    c->count_due != NULL)
		return true;
	hash_remove(&r->channels, &c->node);
	budget_sub(r->budget, c->app->num, cost_of(r, c->name_len));
	c->app->refs--;
	app_release(r, c->app);
	free(c);
	return false;
}

void
registry_cursor_open(struct registry_cursor *cur, struct registry_app *a)
{
	*cur = (struct registry_cursor){ .app = a };
	list_init(&cur->in_app);
	if (a != NULL) {
		cur->next = a->occupied.next;
		list_append(&a->cursors, &cur->in_app);
	}
}

struct channel *
registry_cursor_next(struct registry_cursor *cur)
{
	struct channel *c;

	while (cur->app != NULL && cur->next != &cur->app->occupied) {
		c = LIST_ITEM(cur->next, struct channel, in_app);
		cur->next = cur->next->next;
		c = registry_drop_dead(cur->app->registry, c);
		if (c != NULL && c->total > 0)
			return c;
	}
	return NULL;
}

void
registry_cursor_close(struct registry *r, struct registry_cursor *cur)
{
	list_remove(&cur->in_app);
	if (cur->app != NULL)
		app_release(r, cur->app);
	cur->app = NULL;
}
