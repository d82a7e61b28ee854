/* SPDX-License-Identifier: MIT */
/*
 * hook_queue.c: the broker's end of the way to the courier.  Owns struct hook
 * and the numbers.  A hook is forgotten when the courier has it on disk; until
 * then it is sent again to every new courier, which knows by origin and number
 * what it has already.
 *
 * Only some of the queue is under way at a time, so that what must go can
 * still go.  Must never wait for the courier.
 */

#include "broker/webhook/hook_queue.h"

#include <stdlib.h>

#include "broker/broker.h"
#include "broker/link/peer.h"
#include "broker/webhook/hook_apps.h"
#include "broker/webhook/hooks.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"
#include "shared/pusher/webhook.h"

#define WINDOW (1u << 20) /* bytes under way */
#define OVERHEAD 96       /* of one hook in memory, about */
#define TROUBLE_MAX 500   /* bytes of a sentence */

struct hook {
	struct list all, droppable;
	uint64_t seq;
	struct buf *b;
};

void
hook_queue_init(struct hook_queue *q)
{
	*q = (struct hook_queue){ .origin = proc_random() | 1 };
	list_init(&q->all);
	list_init(&q->droppable);
	q->unsent = &q->all;
}

static size_t
cost(const struct hook *h)
{
	return h->b->len + OVERHEAD;
}

static void
forget(struct hook_queue *q, struct hook *h)
{
	if (q->unsent == &h->all)
		q->unsent = h->all.next;
	list_remove(&h->all);
	list_remove(&h->droppable);
	q->bytes -= cost(h);
	q->n--;
	buf_unref(h->b);
	free(h);
}

void
hook_queue_clear(struct hook_queue *q)
{
	while (!list_is_empty(&q->all))
		forget(q, LIST_ITEM(q->all.next, struct hook, all));
	free(q->trouble);
	q->trouble = NULL;
}

/* Sends as much as may be under way. */
static void
pump(struct hook_queue *q)
{
	while (q->ready && q->unsent != &q->all && q->in_flight < WINDOW) {
		struct hook *h = LIST_ITEM(q->unsent, struct hook, all);

		q->in_flight += cost(h);
		ipc_queue(&q->courier->ipc, h->b, 0, h->b->len);
		q->unsent = q->unsent->next;
		list_remove(&h->droppable);
	}
}

bool
hook_queue_has_room(const struct hook_queue *q)
{
	return q->bytes < HOOK_QUEUE_MAX;
}

/* The oldest that may go, until there is room or nothing is left of them. */
static void
make_room(struct hook_queue *q)
{
	uint64_t before = q->dropped;

	while (!hook_queue_has_room(q) && !list_is_empty(&q->droppable)) {
		forget(q, LIST_ITEM(q->droppable.next, struct hook, droppable));
		q->dropped++;
	}
	if (q->dropped != before)
		log_warnx("webhooks: the courier does not keep up, the oldest "
			  "client events are dropped total=%llu",
		    (unsigned long long)q->dropped);
}

static bool
is_droppable(uint32_t kind)
{
	return kind == WEBHOOK_CLIENT_EVENT || kind == WEBHOOK_COUNT;
}

void
hook_queue_put(struct hook_queue *q, struct msg_hook *m)
{
	struct hook *h = xcalloc(1, sizeof(*h));
	size_t n = msg_hook_size(m);

	h->seq = m->seq = ++q->seq;
	h->b = buf_new(n);
	msg_hook_put(h->b->data, m);
	h->b->len = (uint32_t)n;
	list_init(&h->all);
	list_init(&h->droppable);
	list_append(&q->all, &h->all);
	if (is_droppable(m->kind))
		list_append(&q->droppable, &h->droppable);
	if (q->unsent == &q->all)
		q->unsent = &h->all;
	q->bytes += cost(h);
	q->n++;
	pump(q);
	make_room(q);
}

/* ---- the courier ---- */

void
hook_queue_lost(struct hook_queue *q)
{
	q->courier = NULL;
	q->ready = false;
	q->in_flight = 0;
	q->unsent = q->all.next;
}

int
hook_queue_on_hello(struct peer *p, const struct msg_courier_hello *m)
{
	struct broker *br = p->br;
	struct hook_queue *q = &br->hooks.queue;

	if (p->slot != -1 || p->courier)
		return -1;
	if (m->version != IPC_VERSION ||
	    !str_eq(m->build, str_of(proc_build_id()))) {
		log_warnx("link refused: another build pid=%u", m->pid);
		return -1;
	}
	if (q->courier != NULL)
		peer_drop(q->courier, "replaced by a new link");
	p->courier = true;
	p->pid = m->pid;
	q->courier = p;
	log_debug("courier: link up pid=%u", m->pid);
	hook_apps_send(br, p);
	return 0;
}

static void
begin(struct broker *br, struct hook_queue *q)
{
	struct msg_hook_start start = { .origin = q->origin,
		.want_told = !br->hooks.told };

	q->ready = true;
	q->in_flight = 0;
	q->unsent = q->all.next;
	ipc_send_hook_start(&q->courier->ipc, &start);
	pump(q);
}

int
hook_queue_on_state(struct peer *p, const struct msg_courier_state *m)
{
	struct hook_queue *q = &p->br->hooks.queue;

	q->waiting = m->waiting;
	q->dead = m->dead;
	q->outbox_dropped = m->dropped;
	free(q->trouble);
	q->trouble = xstrndup(m->trouble.p, MIN(m->trouble.n, TROUBLE_MAX));
	if (m->ready && !q->ready)
		begin(p->br, q);
	else if (!m->ready)
		q->ready = false;
	return 0;
}

int
hook_queue_on_ack(struct peer *p, const struct msg_hook_ack *m)
{
	struct hook_queue *q = &p->br->hooks.queue;

	if (m->seq > q->seq)
		return -1;
	while (!list_is_empty(&q->all)) {
		struct hook *h = LIST_ITEM(q->all.next, struct hook, all);

		if (h->seq > m->seq)
			break;
		if (q->unsent == &h->all)
			return -1; /* what it never got */
		q->in_flight -= MIN(q->in_flight, cost(h));
		forget(q, h);
	}
	pump(q);
	hooks_on_room(p->br);
	return 0;
}
