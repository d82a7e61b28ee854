/* SPDX-License-Identifier: MIT */
/*
 * endpoint.c: endpoints and their batches.  Owns struct endpoint and struct
 * item; bodies stay on disk until they are sent.  What becomes of a request
 * that may go is lane.c.  Must never queue what is not committed, and never
 * log a URL.
 */

#include "broker/courier/endpoint.h"

#include <stdlib.h>

#include "broker/courier/courier.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/pusher/webhook.h"

#define BATCH_SECONDS 0.05
#define BATCH_EVENTS 100

static bool
endpoint_eq(const struct hash_node *n, const void *key)
{
	const uint32_t *num = key;

	return container_of(n, const struct endpoint, node)->num == *num;
}

struct endpoint *
endpoint_find(const struct courier *c, uint32_t num)
{
	struct hash_node *n =
	    hash_find(&c->endpoints, hash_u64(num), endpoint_eq, &num);

	return n == NULL ? NULL : container_of(n, struct endpoint, node);
}

static struct item *
item_new(struct endpoint *e, const struct outbox_row *r)
{
	struct item *i = xcalloc(1, sizeof(*i));

	list_init(&i->link);
	i->e = e;
	i->id = r->id;
	i->time_ms = r->time_ms;
	i->next_ms = r->next_ms;
	i->until_ms = r->until_ms;
	i->bytes = r->bytes;
	i->attempts = r->attempts;
	i->lane = r->lane % ENDPOINT_ALL_LANES;
	return i;
}

void
item_free(struct item *i)
{
	list_remove(&i->link);
	free(i);
}

/* ---- endpoints ---- */

static void on_window(struct ev_loop *, ev_timer *, int);

static struct endpoint *
endpoint_new(struct courier *c, uint32_t num)
{
	struct endpoint *e = xcalloc(1, sizeof(*e));

	e->c = c;
	e->num = num;
	ev_init(&e->window, on_window);
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++) {
		e->lanes[i].e = e;
		list_init(&e->lanes[i].waiting);
		ev_init(&e->lanes[i].timer, lane_on_timer);
	}
	hash_insert(&c->endpoints, &e->node, hash_u64(num));
	return e;
}

static char *
keep(char *old, struct str text)
{
	free(old);
	return str_dup(text);
}

void
endpoint_set(struct courier *c, const struct msg_endpoint *m)
{
	struct endpoint *e = endpoint_find(c, m->num);

	if (e == NULL)
		e = endpoint_new(c, m->num);
	e->app = m->app;
	e->enabled = m->enabled != 0;
	e->batch = m->batch != 0;
	e->allow_private = m->allow_private != 0;
	e->url = keep(e->url, m->url);
	e->headers = keep(e->headers, m->headers);
	e->key = keep(e->key, m->key);
	e->old_key = keep(e->old_key, m->old_key);
	e->old_until = m->old_until;
	sign_key_free(e->sign);
	e->sign = sign_key_new(m->secret);
	sign_key_free(e->old_sign);
	e->old_sign = sign_key_new(m->old_secret);
	e->seen = true;
	e->gone = false;
}

/* Drops everything that waits and the batch. */
static void
forget(struct endpoint *e)
{
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++) {
		struct lane *l = &e->lanes[i];

		ev_timer_stop(e->c->loop, &l->timer);
		while (!list_is_empty(&l->waiting))
			item_free(
			    LIST_ITEM(l->waiting.next, struct item, link));
	}
	ev_timer_stop(e->c->loop, &e->window);
	free(e->open);
	e->open = NULL;
	buf_unref(e->events);
	e->events = NULL;
	e->count = 0;
	e->extended = false;
}

bool
endpoint_is_idle(const struct endpoint *e)
{
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++)
		if (e->lanes[i].active != NULL)
			return false;
	return true;
}

void
endpoint_free(struct endpoint *e)
{
	forget(e);
	hash_remove(&e->c->endpoints, &e->node);
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++)
		free(e->lanes[i].active);
	sign_key_free(e->sign);
	sign_key_free(e->old_sign);
	free(e->url);
	free(e->headers);
	free(e->key);
	free(e->old_key);
	free(e);
}

static void
each(struct courier *c, void (*fn)(struct endpoint *))
{
	struct hash_node *n, *next;

	for (n = hash_first(&c->endpoints); n != NULL; n = next) {
		next = hash_next(&c->endpoints, n);
		fn(container_of(n, struct endpoint, node));
	}
}

bool
endpoint_sweep(struct courier *c)
{
	struct hash_node *n, *next;
	bool any = false;

	for (n = hash_first(&c->endpoints); n != NULL; n = next) {
		struct endpoint *e = container_of(n, struct endpoint, node);

		next = hash_next(&c->endpoints, n);
		if (e->seen) {
			e->seen = false;
			continue;
		}
		any = e->gone = true;
		forget(e);
		if (endpoint_is_idle(e))
			endpoint_free(e);
	}
	return any;
}

void
endpoint_clear_all(struct courier *c)
{
	each(c, endpoint_free);
	hash_clear(&c->endpoints);
}

void
endpoint_forget_all(struct courier *c)
{
	each(c, forget);
}

/* ---- new events ---- */

/* The same for every process: FNV-1a. */
static uint32_t
lane_of(struct str channel)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < channel.n; i++)
		h = (h ^ (unsigned char)channel.p[i]) * 16777619u;
	return h % ENDPOINT_LANES;
}

static void
row_init(struct endpoint *e, const struct msg_hook *m, struct outbox_row *r)
{
	uint64_t life = e->c->conf->webhook_retry_time * 1000;

	*r = (struct outbox_row){ .endpoint = e->num,
		.app = e->app,
		.kind = m->kind,
		.lane = e->batch ? 0 : lane_of(m->channel),
		.count = 1,
		.time_ms = m->time_ms,
		.next_ms = m->time_ms,
		.changed_ms = m->time_ms,
		.channel = m->channel,
		.events = m->event };
	/* Receivers refuse what is older than five minutes. */
	r->until_ms = m->time_ms + life - MIN(life / 20, 5000);
	if (m->kind == WEBHOOK_TEST) { /* once, alone, now */
		r->lane = ENDPOINT_LANES;
		r->until_ms = m->time_ms;
	}
}

static int
write_batch(struct endpoint *e)
{
	struct outbox_row r;

	if (!e->extended)
		return 0;
	r = (struct outbox_row){ .id = e->open->id,
		.count = e->count,
		.events = buf_str(e->events),
		.bytes = e->open->bytes };
	if (outbox_extend(e->c->outbox, &r) == -1)
		return -1;
	e->open->bytes = r.bytes;
	e->extended = false;
	return 0;
}

/* The batch is complete: it goes after the next commit. */
static int
close_batch(struct endpoint *e)
{
	int r = 0;

	if (e->open == NULL)
		return 0;
	r = write_batch(e);
	ev_timer_stop(e->c->loop, &e->window);
	list_append(&e->c->fresh, &e->open->link);
	e->open = NULL;
	buf_unref(e->events);
	e->events = NULL;
	e->count = 0;
	e->extended = false;
	return r;
}

static void
on_window(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct endpoint *e = container_of(w, struct endpoint, window);
	struct courier *c = e->c;

	UNUSED(loop);
	UNUSED(revents);
	if (close_batch(e) == -1)
		courier_trouble(c);
	else
		courier_commit_soon(c, 0.);
}

static int
add_to_batch(struct endpoint *e, const struct msg_hook *m)
{
	if (e->events != NULL)
		buf_putc(&e->events, ',');
	buf_append(&e->events, m->event);
	e->count++;
	e->extended = true;
	return e->count < BATCH_EVENTS ? 0 : close_batch(e);
}

int
endpoint_add(struct endpoint *e, const struct msg_hook *m)
{
	bool alone = !e->batch || m->kind == WEBHOOK_TEST;
	struct outbox_row r;
	struct item *i;

	if (e->gone)
		return 0;
	if (e->open != NULL && !alone)
		return add_to_batch(e, m);
	row_init(e, m, &r);
	if (outbox_put(e->c->outbox, &r) == -1)
		return -1;
	i = item_new(e, &r);
	if (alone) {
		list_append(&e->c->fresh, &i->link);
		return 0;
	}
	e->open = i;
	buf_append(&e->events, m->event);
	e->count = 1;
	ev_timer_set(&e->window, BATCH_SECONDS, 0.);
	ev_timer_start(e->c->loop, &e->window);
	return 0;
}

int
endpoint_write_batches(struct courier *c)
{
	struct hash_node *n;

	for (n = hash_first(&c->endpoints); n != NULL;
	     n = hash_next(&c->endpoints, n))
		if (write_batch(container_of(n, struct endpoint, node)) == -1)
			return -1;
	return 0;
}

void
endpoint_queue(struct item *i)
{
	list_remove(&i->link);
	list_append(&i->e->lanes[i->lane].waiting, &i->link);
}

void
endpoint_load(struct endpoint *e, const struct outbox_row *r)
{
	if (e->open != NULL && e->open->id == r->id)
		return;
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++)
		if (e->lanes[i].active != NULL &&
		    e->lanes[i].active->id == r->id)
			return;
	endpoint_queue(item_new(e, r));
}

void
endpoint_kick_all(struct courier *c)
{
	each(c, endpoint_kick);
}

static int
by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void
endpoint_drop(struct endpoint *e, uint64_t *ids, size_t n)
{
	struct list *l, *next;

	qsort(ids, n, sizeof(*ids), by_id);
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++)
		LIST_FOREACH_SAFE(l, next, &e->lanes[i].waiting) {
			struct item *it = LIST_ITEM(l, struct item, link);

			if (bsearch(&it->id, ids, n, sizeof(*ids), by_id) !=
			    NULL)
				item_free(it);
		}
}
