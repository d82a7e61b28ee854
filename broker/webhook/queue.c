/* SPDX-License-Identifier: MIT */
/*
 * queue.c: the events that wait for the courier.  Owns struct hook, struct
 * webhook_line and the numbers.  A hook gets its number when it is sent, and is
 * freed when the courier has it on disk.  Until then it is sent again to every
 * new courier, which recognizes a repeated hook by origin and number.  Only a
 * part of the queue is in flight at a time, so that the rest can still be
 * dropped, and the lines of other apps get their turn.  Must never wait for the
 * courier.
 */

#include "broker/webhook/queue.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/webhook/endpoints.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/shares.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"
#include "shared/pusher/webhook.h"

#define WINDOW (1u << 20) /* bytes in flight */
#define OVERHEAD 96       /* of one hook in memory, about */

struct hook {
	struct list all; /* in line->unsent, line->early or queue->sent */
	struct list droppable;
	struct webhook_line *line;
	uint64_t seq;   /* 0: not sent yet */
	uint64_t place; /* see webhook_queue */
	struct buf *b;
};

void
webhook_queue_init(struct webhook_queue *q, struct budget *budget)
{
	*q = (struct webhook_queue){ .origin = proc_random() | 1,
		.budget = budget };
	list_init(&q->turns);
	list_init(&q->sent);
	q->resend = &q->sent;
}

/* ---- lines ---- */

struct webhook_line *
webhook_queue_find(const struct webhook_queue *q, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&q->lines, app);

	return n == NULL ? NULL : container_of(n, struct webhook_line, node);
}

/* NULL: there is no such app. */
static char *
owner_of(struct broker *br, uint32_t app)
{
	const struct broker_app *a = apps_find(br, app);

	return a == NULL
	    ? NULL
	    : xasprintf("%s/%s", br->endpoints->database, a->app.id);
}

struct webhook_line *
webhook_queue_line(struct broker *br, uint32_t app)
{
	struct webhook_queue *q = br->webhook_queue;
	struct webhook_line *line = webhook_queue_find(q, app);

	if (line != NULL)
		return line;
	line = xcalloc(1, sizeof(*line));
	line->app = app;
	line->owner = owner_of(br, app);
	if (line->owner == NULL)
		line->owner = xstrdup("");
	list_init(&line->turn);
	list_init(&line->unsent);
	list_init(&line->early);
	list_init(&line->droppable);
	list_init(&line->pending);
	list_init(&line->blocked);
	hash_insert(&q->lines, &line->node, hash_u64(app));
	return line;
}

void
webhook_queue_update_owners(struct broker *br)
{
	struct hash *lines = &br->webhook_queue->lines;
	struct hash_node *n;

	HASH_FOREACH(n, lines) {
		struct webhook_line *line =
		    container_of(n, struct webhook_line, node);
		char *owner = owner_of(br, line->app);

		line->changed = false;
		if (owner == NULL)
			continue; /* the ends of a deleted app are still sent */
		line->changed = strcmp(line->owner, owner) != 0;
		free(line->owner);
		line->owner = owner;
	}
}

static size_t
cost(const struct hook *h)
{
	return h->b->len + OVERHEAD;
}

static void
forget(struct webhook_queue *q, struct hook *h)
{
	struct webhook_line *line = h->line;

	if (q->resend == &h->all)
		q->resend = h->all.next;
	list_remove(&h->all);
	list_remove(&h->droppable);
	if (list_is_empty(&line->unsent))
		list_remove(&line->turn);
	line->bytes -= cost(h);
	budget_sub(q->budget, line->app, cost(h));
	line->n--;
	q->bytes -= cost(h);
	q->n--;
	buf_unref(h->b);
	free(h);
}

static void
forget_all(struct webhook_queue *q, struct list *hooks)
{
	while (!list_is_empty(hooks))
		forget(q, LIST_ITEM(hooks->next, struct hook, all));
}

void
webhook_queue_clear(struct webhook_queue *q)
{
	struct hash_node *n, *next;

	forget_all(q, &q->sent);
	HASH_FOREACH_SAFE(n, next, &q->lines) {
		struct webhook_line *line =
		    container_of(n, struct webhook_line, node);

		forget_all(q, &line->unsent);
		forget_all(q, &line->early);
		hash_remove(&q->lines, n);
		free(line->owner);
		free(line);
	}
	hash_clear(&q->lines);
	free(q->trouble);
	q->trouble = NULL;
}

/* ---- sending ---- */

static struct msg_hook
read_hook(const struct hook *h)
{
	struct msg_hook m;

	if (msg_hook_get(&m,
		str_make(h->b->data + IPC_HEAD, h->b->len - IPC_HEAD)) == -1)
		fatalx("a webhook event of this broker cannot be read");
	return m;
}

/* Its number is one above that of the last hook that was sent. */
static void
number(struct webhook_queue *q, struct hook *h)
{
	struct buf *b = buf_new(h->b->len);
	struct msg_hook m = read_hook(h);

	h->seq = m.seq = ++q->seq;
	msg_hook_put(b->data, &m);
	b->len = h->b->len;
	buf_unref(h->b);
	h->b = b;
}

/* The next hook to send, or NULL: one of each line in turn. */
static struct hook *
next_hook(struct webhook_queue *q)
{
	struct webhook_line *line;
	struct hook *h;

	if (q->resend != &q->sent) {
		h = LIST_ITEM(q->resend, struct hook, all);
		q->resend = q->resend->next;
		return h;
	}
	if (!q->open || list_is_empty(&q->turns))
		return NULL;
	line = LIST_ITEM(q->turns.next, struct webhook_line, turn);
	h = LIST_ITEM(line->unsent.next, struct hook, all);
	list_remove(&line->turn);
	list_remove(&h->all);
	list_remove(&h->droppable);
	if (!list_is_empty(&line->unsent))
		list_append(&q->turns, &line->turn);
	number(q, h);
	list_append(&q->sent, &h->all);
	return h;
}

/* Sends as much as may be in flight. */
static void
pump(struct webhook_queue *q)
{
	struct hook *h;

	while (
	    q->ready && q->in_flight < WINDOW && (h = next_hook(q)) != NULL) {
		q->in_flight += cost(h);
		ipc_queue(&q->courier->ipc, h->b, 0, h->b->len);
	}
}

static bool
has_room(const struct webhook_queue *q, const struct webhook_line *line)
{
	return shares_have_room(line->bytes, q->bytes, HOOK_QUEUE_MAX);
}

bool
webhook_queue_make_room(struct broker *br, struct webhook_line *line)
{
	struct webhook_queue *q = br->webhook_queue;
	const struct broker_app *a = apps_find(br, line->app);
	uint64_t before = line->dropped;

	while (!has_room(q, line) && !list_is_empty(&line->droppable)) {
		forget(
		    q, LIST_ITEM(line->droppable.next, struct hook, droppable));
		line->dropped++;
		q->dropped++;
	}
	if (line->dropped != before)
		log_warnx("webhooks: the courier does not keep up, the oldest "
			  "client events are dropped app=%s total=%llu",
		    a == NULL ? "" : a->app.id,
		    (unsigned long long)line->dropped);
	return has_room(q, line);
}

static bool
is_droppable(uint32_t kind)
{
	return kind == WEBHOOK_CLIENT_EVENT || kind == WEBHOOK_COUNT;
}

/* Appends it to the hooks that may be sent. */
static void
append(struct webhook_queue *q, struct hook *h)
{
	list_append(&h->line->unsent, &h->all);
	if (list_is_empty(&h->line->turn))
		list_append(&q->turns, &h->line->turn);
}

void
webhook_queue_put_id(struct broker *br, struct buf **event,
    const struct msg_hook *m, uint64_t mark)
{
	const struct broker_app *a = apps_lookup(br, m->app);

	webhook_put_id(event, mark, a == NULL ? S("") : str_of(a->app.id),
	    (enum webhook_kind)m->kind, m->channel, m->user_id);
}

void
webhook_queue_put(struct broker *br, struct msg_hook *m)
{
	struct webhook_queue *q = br->webhook_queue;
	struct webhook_line *line = webhook_queue_line(br, m->app);
	struct hook *h = xcalloc(1, sizeof(*h));
	size_t n;

	m->time_ms = clock_ms(CLOCK_REALTIME);
	if (m->owner.n == 0)
		m->owner = str_of(line->owner);
	n = msg_hook_size(m);
	h->line = line;
	h->place = m->kind == WEBHOOK_CLIENT_EVENT ? ++q->place : q->place;
	h->b = buf_new(n);
	msg_hook_put(h->b->data, m);
	h->b->len = (uint32_t)n;
	list_init(&h->all);
	list_init(&h->droppable);
	if (is_droppable(m->kind))
		list_append(&line->droppable, &h->droppable);
	/* channel_occupied goes before any event of the channel. */
	if (is_droppable(m->kind) &&
	    (q->silent || !q->open || !list_is_empty(&line->pending) ||
		!list_is_empty(&line->early)))
		list_append(&line->early, &h->all);
	else
		append(q, h);
	line->bytes += cost(h);
	budget_add(q->budget, line->app, cost(h));
	line->n++;
	q->bytes += cost(h);
	q->n++;
	pump(q);
	webhook_queue_make_room(br, line);
}

void
webhook_queue_release(struct webhook_queue *q, struct webhook_line *line)
{
	while (!q->silent && !list_is_empty(&line->early)) {
		struct hook *h = LIST_ITEM(line->early.next, struct hook, all);

		list_remove(&h->all);
		append(q, h);
	}
	pump(q);
}

void
webhook_queue_open(struct webhook_queue *q)
{
	struct hash_node *n;

	q->open = true;
	HASH_FOREACH(n, &q->lines) {
		struct webhook_line *line =
		    container_of(n, struct webhook_line, node);

		if (list_is_empty(&line->pending))
			webhook_queue_release(q, line);
	}
	pump(q);
}

/* ---- several hosts ---- */

void
webhook_queue_set_silent(struct webhook_queue *q, bool silent)
{
	q->silent = silent;
	if (!silent && q->open)
		webhook_queue_open(q);
}

void
webhook_queue_notified(struct webhook_queue *q, uint32_t app,
    enum webhook_kind kind, uint64_t place, struct str channel)
{
	struct webhook_line *line = webhook_queue_find(q, app);
	struct list *e, *next;

	if (line == NULL)
		return;
	LIST_FOREACH_SAFE(e, next, &line->early) {
		struct hook *h = LIST_ITEM(e, struct hook, all);
		struct msg_hook m = read_hook(h);

		if (m.kind != kind)
			continue;
		if (kind == WEBHOOK_COUNT ? str_eq(m.channel, channel)
					  : h->place <= place)
			forget(q, h);
		else if (kind != WEBHOOK_COUNT)
			break;
	}
}

/* ---- the courier ---- */

void
webhook_queue_lost(struct webhook_queue *q)
{
	q->courier = NULL;
	q->ready = false;
	q->in_flight = 0;
	q->resend = q->sent.next;
}

void
webhook_queue_start(struct webhook_queue *q)
{
	q->ready = true;
	q->in_flight = 0;
	q->resend = q->sent.next;
	pump(q);
}

int
webhook_queue_acked(struct webhook_queue *q, uint64_t seq)
{
	if (seq > q->seq)
		return -1;
	while (!list_is_empty(&q->sent)) {
		struct hook *h = LIST_ITEM(q->sent.next, struct hook, all);

		if (h->seq > seq)
			break;
		if (q->resend == &h->all)
			return -1; /* this courier never got it */
		q->in_flight -= MIN(q->in_flight, cost(h));
		if (q->stored != NULL) {
			struct msg_hook m = read_hook(h);

			q->stored(q->stored_arg, &m, h->place);
		}
		forget(q, h);
	}
	pump(q);
	return 0;
}
