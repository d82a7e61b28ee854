/* SPDX-License-Identifier: MIT */
/*
 * endpoint.c: endpoints and their batches.  Owns struct endpoint; bodies stay
 * on disk until they are sent (sender.c).  Must never queue a request that is
 * not committed, and never log a URL.
 */

#include "broker/courier/endpoint.h"

#include <stdlib.h>

#include "broker/courier/core.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/pusher/webhook.h"

#define BATCH_SECONDS 0.05
#define BATCH_EVENTS 100

struct endpoint *
endpoint_find(const struct courier *c, uint32_t num)
{
	struct hash_node *n = hash_find_u64(&c->endpoints, num);

	return n == NULL ? NULL : container_of(n, struct endpoint, node);
}

/* ---- endpoints ---- */

static void on_window(struct ev_loop *, ev_timer *, int);

static void
on_ready(struct queues *qs)
{
	struct endpoint *e = container_of(qs, struct endpoint, queues);

	e->c->on_ready(e->c, e->num);
}

static void
on_rest(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct endpoint *e = container_of(w, struct endpoint, rest);

	e->queues.resting = 0;
	on_ready(&e->queues);
}

static struct endpoint *
endpoint_new(struct courier *c, uint32_t num)
{
	struct endpoint *e = xcalloc(1, sizeof(*e));

	e->c = c;
	e->num = num;
	queues_init(&e->queues, c->loop, on_ready);
	list_init(&e->held);
	ev_init(&e->window, on_window);
	ev_init(&e->rest, on_rest);
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
	if (e->url == NULL || !str_eq(str_of(e->url), m->url))
		e->down = 0;
	e->url = keep(e->url, m->url);
	e->owner = keep(e->owner, m->owner);
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

static void
drop_batch(struct endpoint *e)
{
	ev_timer_stop(e->c->loop, &e->window);
	e->open = NULL;
	buf_unref(e->events);
	e->events = NULL;
	e->count = 0;
	e->extended = false;
}

/* Drops waiting requests and the batch from memory; the outbox has them. */
static void
forget(struct endpoint *e)
{
	struct list *l, *next;

	LIST_FOREACH_SAFE(l, next, &e->c->fresh) {
		struct delivery *d = LIST_ITEM(l, struct delivery, link);

		if (d->queue->of == &e->queues)
			delivery_free(d);
	}
	if (e->open != NULL)
		delivery_free(e->open);
	drop_batch(e);
	queues_forget(&e->queues);
	e->failing_ms = 0;
}

void
endpoint_free(struct endpoint *e)
{
	forget(e);
	ev_timer_stop(e->c->loop, &e->rest);
	list_remove(&e->held);
	queues_clear(&e->queues);
	hash_remove(&e->c->endpoints, &e->node);
	sign_key_free(e->sign);
	sign_key_free(e->old_sign);
	free(e->owner);
	free(e->url);
	free(e->headers);
	free(e->key);
	free(e->old_key);
	free(e);
}

void
endpoint_each(struct courier *c, void (*fn)(struct endpoint *))
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &c->endpoints)
		fn(container_of(n, struct endpoint, node));
}

bool
endpoint_sweep(struct courier *c)
{
	struct hash_node *n, *next;
	bool any = false;

	HASH_FOREACH_SAFE(n, next, &c->endpoints) {
		struct endpoint *e = container_of(n, struct endpoint, node);

		if (e->seen) {
			e->seen = false;
			continue;
		}
		any = e->gone = true;
		forget(e);
		if (queues_are_idle(&e->queues))
			endpoint_free(e);
	}
	return any;
}

void
endpoint_clear_all(struct courier *c)
{
	endpoint_each(c, endpoint_free);
	hash_clear(&c->endpoints);
}

void
endpoint_forget_all(struct courier *c)
{
	while (!list_is_empty(&c->fresh))
		delivery_free(LIST_ITEM(c->fresh.next, struct delivery, link));
	endpoint_each(c, forget);
}

/* ---- new events ---- */

static uint64_t
key_of(const struct outbox_row *r)
{
	switch (r->queue) {
	case OUTBOX_TESTS:
		return QUEUE_TESTS;
	case OUTBOX_BATCHES:
		return QUEUE_BATCHES;
	default:
		return hash_str(r->channel, 0);
	}
}

static struct delivery *
delivery_of(struct endpoint *e, const struct outbox_row *r)
{
	struct delivery *d = delivery_new(&e->queues, key_of(r));

	d->id = r->id;
	d->time_ms = r->time_ms;
	d->next_ms = r->next_ms;
	d->until_ms = r->until_ms;
	d->bytes = r->bytes;
	d->attempts = r->attempts;
	d->owner = hash_str(r->owner, 0);
	return d;
}

bool
endpoint_owns(const struct endpoint *e, const struct delivery *d)
{
	return d->owner == hash_str(str_of(e->owner), 0);
}

/*
 * For how long an event has been on its way.  Its time is that of the wall
 * clock, which the clock of the courier does not follow when it is set.
 */
static uint64_t
age_of(const struct msg_hook *m)
{
	uint64_t now = clock_ms(CLOCK_REALTIME);

	return now - MIN(now, m->time_ms);
}

static void
row_init(struct endpoint *e, const struct msg_hook *m, struct outbox_row *r)
{
	uint64_t life = e->c->conf->webhook_retry_time * 1000;
	uint64_t now = courier_now_ms();

	*r = (struct outbox_row){ .endpoint = e->num,
		.app = m->app,
		.owner = m->owner,
		.kind = m->kind,
		.queue = e->batch ? OUTBOX_BATCHES : OUTBOX_CHANNEL,
		.count = 1,
		.time_ms = m->time_ms,
		.next_ms = now,
		.changed_ms = now,
		.channel = m->channel,
		.events = m->event };
	/* Receivers refuse events older than five minutes. */
	r->until_ms = now + life - MIN(life / 20, 5000) - MIN(age_of(m), life);
	if (m->kind == WEBHOOK_TEST) { /* once, alone, now */
		r->queue = OUTBOX_TESTS;
		r->until_ms = now;
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
	list_append(&e->c->fresh, &e->open->link);
	drop_batch(e);
	return r;
}

static void
on_window(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct endpoint *e = container_of(w, struct endpoint, window);
	struct courier *c = e->c;

	if (!courier_has_outbox(c))
		return;
	if (close_batch(e) == -1)
		courier_outbox_failed(c);
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
	struct delivery *d;

	if (e->gone)
		return 0;
	if (e->open != NULL && !alone &&
	    e->open->owner != hash_str(m->owner, 0) && close_batch(e) == -1)
		return -1;
	if (e->open != NULL && !alone)
		return add_to_batch(e, m);
	row_init(e, m, &r);
	if (outbox_put(e->c->outbox, &r) == -1)
		return -1;
	d = delivery_of(e, &r);
	if (alone) {
		list_append(&e->c->fresh, &d->link);
		return 0;
	}
	e->open = d;
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

	HASH_FOREACH(n, &c->endpoints)
		if (write_batch(container_of(n, struct endpoint, node)) == -1)
			return -1;
	return 0;
}

static bool
is_active(const struct endpoint *e, uint64_t id, uint64_t key)
{
	const struct queue *q = queues_find(&e->queues, key);

	return q != NULL && q->active != NULL && q->active->id == id;
}

/* A later time is from before the clock was set. */
static uint64_t
until_of(const struct endpoint *e, const struct outbox_row *r)
{
	uint64_t latest =
	    courier_now_ms() + e->c->conf->webhook_retry_time * 1000;

	return r->until_ms == 0 ? latest : MIN(r->until_ms, latest);
}

void
endpoint_load(struct endpoint *e, const struct outbox_row *r)
{
	struct delivery *d;

	if ((e->open != NULL && e->open->id == r->id) ||
	    is_active(e, r->id, key_of(r)) ||
	    is_active(e, r->id, QUEUE_BATCHES))
		return;
	d = delivery_of(e, r);
	d->until_ms = until_of(e, r);
	delivery_queue(d);
}
