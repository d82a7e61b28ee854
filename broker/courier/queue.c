/* SPDX-License-Identifier: MIT */
/*
 * queue.c: the order in which the requests of one endpoint may start.  Owns
 * struct queue and struct delivery.  A queue exists as long as it has a
 * delivery.  Knows nothing of requests and of the outbox.
 */

#include "broker/courier/queue.h"

#include <stdlib.h>

#include "broker/courier/core.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/*
 * No attempt is later than this; a later time is from before the clock was set.
 */
#define LATEST_MS 120000

void
queues_init(
    struct queues *qs, struct ev_loop *loop, void (*on_ready)(struct queues *))
{
	*qs = (struct queues){ .loop = loop, .on_ready = on_ready };
	for (size_t i = 0; i < QUEUE_READY; i++)
		list_init(&qs->ready[i]);
}

static struct delivery *
first(const struct queue *q)
{
	return LIST_ITEM(q->waiting.next, struct delivery, link);
}

/* The first delivery may start. */
static void
set_ready(struct queue *q)
{
	enum queue_ready list = QUEUE_FIRST;

	if (q->key == QUEUE_TESTS)
		list = QUEUE_TEST;
	else if (first(q)->attempts > 0)
		list = QUEUE_AGAIN;
	list_append(&q->of->ready[list], &q->link);
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct queue *q = container_of(w, struct queue, timer);

	set_ready(q);
	q->of->on_ready(q->of);
}

static void
stop(struct queue *q)
{
	list_remove(&q->link);
	ev_timer_stop(q->of->loop, &q->timer);
}

/* The first delivery has changed. */
static void
update(struct queue *q)
{
	uint64_t now = courier_now_ms(), next;

	stop(q);
	if (q->active != NULL || list_is_empty(&q->waiting))
		return;
	next = first(q)->next_ms;
	if (next <= now || next > now + LATEST_MS) {
		set_ready(q);
		return;
	}
	ev_timer_set(&q->timer, (double)(next - now) / 1000, 0.);
	ev_timer_start(q->of->loop, &q->timer);
}

struct queue *
queues_find(const struct queues *qs, uint64_t key)
{
	struct hash_node *n = hash_find_u64(&qs->by_key, key);

	return n == NULL ? NULL : container_of(n, struct queue, node);
}

static struct queue *
queue_get(struct queues *qs, uint64_t key)
{
	struct queue *q = NULL;

	if (key != QUEUE_TESTS)
		q = queues_find(qs, QUEUE_BATCHES);
	if (q == NULL)
		q = queues_find(qs, key);
	if (q != NULL)
		return q;
	q = xcalloc(1, sizeof(*q));
	q->key = key;
	q->of = qs;
	list_init(&q->link);
	list_init(&q->waiting);
	ev_init(&q->timer, on_timer);
	hash_insert(&qs->by_key, &q->node, hash_u64(key));
	return q;
}

struct delivery *
delivery_new(struct queues *qs, uint64_t key)
{
	struct delivery *d = xcalloc(1, sizeof(*d));

	list_init(&d->link);
	d->queue = queue_get(qs, key);
	d->queue->n++;
	return d;
}

/* The delivery is no longer in progress. */
static void
end(struct delivery *d)
{
	struct queue *q = d->queue;

	q->active = NULL;
	if (q->key == QUEUE_TESTS) {
		q->of->testing--;
		return;
	}
	q->of->active--;
	q->of->retries -= d->again;
}

static void
drop(struct delivery *d)
{
	d->queue->n--;
	list_remove(&d->link);
	free(d);
}

/* Some deliveries of the queue have been dropped. */
static void
dropped(struct queue *q)
{
	if (q->n > 0) {
		update(q);
		return;
	}
	stop(q);
	hash_remove(&q->of->by_key, &q->node);
	free(q);
}

void
delivery_free(struct delivery *d)
{
	struct queue *q = d->queue;

	if (q->active == d)
		end(d);
	drop(d);
	dropped(q);
}

void
delivery_queue(struct delivery *d)
{
	struct queue *q = d->queue;

	list_remove(&d->link);
	list_append(&q->waiting, &d->link);
	if (q->waiting.next == &d->link)
		update(q);
}

void
delivery_start(struct delivery *d)
{
	struct queue *q = d->queue;

	list_remove(&d->link);
	stop(q);
	q->active = d;
	d->again = d->attempts > 0;
	if (q->key == QUEUE_TESTS) {
		q->of->testing++;
		return;
	}
	q->of->active++;
	q->of->retries += d->again;
}

void
delivery_again(struct delivery *d)
{
	struct queue *q = d->queue;

	end(d);
	list_append(q->waiting.next, &d->link); /* in front of the first one */
	update(q);
}

/* Batches mix channels, so they wait for earlier requests of channels. */
static bool
is_blocked(const struct queue *q)
{
	const struct queues *qs = q->of;
	size_t others = qs->by_key.n - 1;

	if (q->key != QUEUE_BATCHES || others == 0)
		return false;
	return others > 1 || queues_find(qs, QUEUE_TESTS) == NULL;
}

static struct delivery *
next_of(const struct list *ready)
{
	struct list *l;

	LIST_FOREACH(l, ready) {
		struct queue *q = LIST_ITEM(l, struct queue, link);

		if (!is_blocked(q))
			return first(q);
	}
	return NULL;
}

struct delivery *
queues_next(const struct queues *qs)
{
	struct delivery *d = next_of(&qs->ready[QUEUE_TEST]);

	if (d != NULL || qs->active + qs->resting >= QUEUE_ACTIVE)
		return d;
	if (qs->retries < QUEUE_RETRIES)
		d = next_of(&qs->ready[QUEUE_AGAIN]);
	return d != NULL ? d : next_of(&qs->ready[QUEUE_FIRST]);
}

bool
queues_are_idle(const struct queues *qs)
{
	return qs->active == 0 && qs->testing == 0;
}

/* ---- all of them ---- */

static void
each(struct queues *qs, void (*fn)(struct queue *, void *arg), void *arg)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &qs->by_key)
		fn(container_of(n, struct queue, node), arg);
}

struct ids {
	const uint64_t *v;
	size_t n;
};

static int
by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* ids NULL: all waiting deliveries. */
static void
drop_waiting(struct queue *q, void *arg)
{
	const struct ids *ids = arg;
	struct list *l, *next;
	bool any = false;

	LIST_FOREACH_SAFE(l, next, &q->waiting) {
		struct delivery *d = LIST_ITEM(l, struct delivery, link);

		if (ids != NULL &&
		    bsearch(&d->id, ids->v, ids->n, sizeof(*ids->v), by_id) ==
			NULL)
			continue;
		drop(d);
		any = true;
	}
	if (any)
		dropped(q);
}

void
queues_forget(struct queues *qs)
{
	each(qs, drop_waiting, NULL);
}

void
queues_drop(struct queues *qs, uint64_t *ids, size_t n)
{
	struct ids sorted = { ids, n };

	qsort(ids, n, sizeof(*ids), by_id);
	each(qs, drop_waiting, &sorted);
}

static void
drop_active(struct queue *q, void *arg)
{
	if (q->active != NULL)
		delivery_free(q->active);
}

void
queues_clear(struct queues *qs)
{
	queues_forget(qs);
	each(qs, drop_active, NULL);
	hash_clear(&qs->by_key);
}
