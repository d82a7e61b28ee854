/* SPDX-License-Identifier: MIT */
/*
 * peer.c: the links to the workers.  Owns struct peer.  A slot has one link;
 * whatever is queued leaves at the end of the turn, and every EVENT of a
 * worker is acknowledged once the kernel has taken it for all its targets.
 *
 * A link may end while its own bytes are being dispatched or flushed, so
 * peer_drop() closes and peer_reap() frees.  Must never wait for a worker.
 */

#include "broker/link/peer.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"
#include "shared/proc/event_order.h"

#define TRIM_BYTES (1u << 20) /* queued: they go back to the system */
#define LINKS_MAX (2 * PROC_MAX_WORKERS)
#define ACK_SECONDS 0.005 /* that an acknowledgement waits for others */

/* ---- life and death ---- */

static void
on_dead(void *owner, const char *why)
{
	peer_drop(owner, why);
}

static size_t
count_links(const struct broker *br)
{
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, &br->links->all)
		n++;
	return n;
}

static struct peer *
new_peer(struct broker *br, int slot)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->magic = MAGIC_PEER;
	p->br = br;
	p->slot = slot;
	p->since = broker_now();
	list_init(&p->link);
	list_init(&p->answers.ring);
	list_init(&p->answers.numbered);
	return p;
}

static void
free_peer(struct peer *p)
{
	peer_forget_refusals(p, UINT64_MAX);
	hash_clear(&p->refused);
	magic_poison(&p->magic);
	free(p);
}

struct peer *
peer_new_remote(struct broker *br, unsigned slot)
{
	struct peer *p = new_peer(br, (int)slot);

	p->rejoined = true; /* its replay counts as new */
	ipc_init_sink(&p->ipc);
	return p;
}

void
peer_free_remote(struct peer *p)
{
	ipc_close(&p->ipc);
	free_peer(p);
}

void
peer_accept(struct broker *br, int fd)
{
	struct peer *p;
	uid_t uid;
	pid_t pid;
	gid_t gid;

	if (sock_peer(fd, &pid, &uid, &gid) == -1) {
		log_warn(
		    "link refused: cannot read the user id of the process");
		close(fd);
		return;
	}
	if (uid != geteuid() && uid != 0) {
		log_warnx(
		    "link refused: it comes from another user uid=%u pid=%d",
		    (unsigned)uid, (int)pid);
		close(fd);
		return;
	}
	if (count_links(br) >= LINKS_MAX) {
		log_warnx("link refused: too many");
		close(fd);
		return;
	}
	p = new_peer(br, -1);
	p->pid = (uint32_t)pid;
	list_append(&br->links->all, &p->link);
	ipc_init(&p->ipc, br->loop, fd, &br->links->ipc_ops, p);
}

/* Nobody waits for the messages to this slot any more. */
static void
lower_barriers(struct broker *br, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot;
	struct list *e;

	LIST_FOREACH(e, &br->links->all) {
		struct peer *p = PEER_OF(e);

		p->targets &= ~bit;
		p->now.targets &= ~bit;
		p->next.targets &= ~bit;
	}
}

void
peer_detach(struct peer *p)
{
	p->br->peers[p->slot] = NULL;
	lower_barriers(p->br, (unsigned)p->slot);
}

static void
end_link(struct peer *p, const char *why, bool orderly)
{
	struct broker *br = p->br;
	int slot = p->slot;

	if (p->ipc.carrier.fd == -1)
		return; /* in br->links->gone already */
	if (p->courier)
		log_info("courier: link ended: %s pid=%u", why, p->pid);
	else if (slot == -1 && (orderly || p->ipc.ended))
		log_info("link ended before hello: %s pid=%u", why, p->pid);
	else if (slot == -1)
		log_warnx("link dropped before hello: %s pid=%u", why, p->pid);
	else
		log_info("worker %d: link ended: %s pid=%u", slot, why, p->pid);
	p->large = outq_bytes(&p->ipc.out) > TRIM_BYTES;
	ipc_close(&p->ipc);
	list_remove(&p->link);
	list_append(&br->links->gone, &p->link);
	if (slot != -1 && br->peers[slot] == p)
		peer_detach(p);
	br->links->ops->down(p);
	peer_hello_again(br);
}

void
peer_drop(struct peer *p, const char *why)
{
	if (p->slot != -1)
		event_order_set_complete(
		    p->br->event_order, (unsigned)p->slot, 0);
	end_link(p, why, false);
}

void
peer_reap(struct broker *br)
{
	struct list *e, *tmp;
	bool trim = false;

	LIST_FOREACH_SAFE(e, tmp, &br->links->gone) {
		struct peer *p = PEER_OF(e);

		trim = trim || p->large;
		list_remove(e);
		free_peer(p);
	}
	if (trim)
		xtrim();
}

void
peer_drop_all(struct broker *br)
{
	/* Queued messages were not acknowledged: they are sent again. */
	while (!list_is_empty(&br->links->all))
		end_link(
		    PEER_OF(br->links->all.next), "the broker exits", true);
}

/* ---- messages ---- */

int
peer_on_ping(struct peer *p, const struct msg_ping *m)
{
	struct msg_pong pong = { .id = m->id };

	ipc_send_pong(&p->ipc, &pong);
	return 0;
}

int
peer_on_pong(struct peer *p, const struct msg_pong *m)
{
	if (m->id <= p->pong || m->id > p->br->links->ping_id)
		return -1;
	p->pong = m->id;
	if (p->missed_ping != 0 && m->id >= p->missed_ping) {
		event_order_set_complete(
		    p->br->event_order, (unsigned)p->slot, p->origin);
		p->missed_ping = 0;
	}
	peer_forget_refusals(p, m->id);
	p->br->links->ops->pong(p, m->id);
	return 0;
}

void
peer_number(struct peer *p, uint64_t seq)
{
	if (seq == 0)
		return; /* a replay */
	if (!p->ipc.sink)
		event_order_add(p->br->event_order, p->origin, seq);
	p->turn_last = p->last = seq;
	p->br->sender = p;
}

void
peer_step(struct peer *p)
{
	p->br->sender = NULL;
}

uint64_t
peer_ping_one(struct peer *p)
{
	struct msg_ping m = { .id = ++p->br->links->ping_id };

	ipc_send_ping(&p->ipc, &m);
	return m.id;
}

uint64_t
peer_ping(struct broker *br, uint64_t *slots)
{
	struct msg_ping m = { .id = ++br->links->ping_id };

	*slots = 0;
	for (unsigned i = 0; i < br->nslots; i++) {
		if (br->peers[i] == NULL)
			continue;
		ipc_send_ping(&br->peers[i]->ipc, &m);
		*slots |= UINT64_C(1) << i;
	}
	return m.id;
}

/* ---- the end of the turn ---- */

static void
send_ack(struct peer *p)
{
	/* The worker must keep what is not answered. */
	uint64_t owed = p->answers.owed;
	struct msg_ack m = {
		.seq = p->deliverable, .taken = p->last, .heard = p->heard
	};

	if (owed != 0 && m.seq >= owed)
		m.seq = MAX(owed - 1, p->acked);

	if ((m.seq == p->acked && p->last == p->acked_seen) ||
	    p->br->links->acks_wait)
		return;
	p->acked = m.seq;
	p->acked_seen = p->last;
	ipc_send_ack(&p->ipc, &m);
}

static void
on_ack_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			send_ack(br->peers[i]);
}

void
peer_init(struct broker *br, const struct link_ops *ops)
{
	struct link_table *t = br->links;

	t->ops = ops;
	t->ipc_ops = (struct ipc_ops){ .peer = FROM_WORKER | FROM_COURIER,
		.on_input = ops->input,
		.priority = PEER_PRIORITY,
		.handlers = ops->handlers,
		.on_dead = on_dead };
	list_init(&t->all);
	list_init(&t->gone);
	ev_init(&t->ack, on_ack_timer);
	t->ack.data = br;
}

/* Notes how far each target must get for the events of this turn. */
static void
raise_barrier(struct broker *br, struct peer *p)
{
	struct barrier *b = p->now.seq == 0 ? &p->now : &p->next;
	uint64_t mask;

	if (p->turn_last == 0)
		return;
	b->seq = p->turn_last;
	b->targets |= p->targets;
	for (mask = p->targets; mask != 0; mask &= mask - 1) {
		int slot = __builtin_ctzll(mask);

		b->pos[slot] = ipc_queued(&br->peers[slot]->ipc);
	}
	p->turn_last = p->targets = 0;
}

static bool
has_passed(struct broker *br, struct barrier *b)
{
	uint64_t mask;

	for (mask = b->targets; mask != 0; mask &= mask - 1) {
		int slot = __builtin_ctzll(mask);

		if (ipc_sent(&br->peers[slot]->ipc) >= b->pos[slot])
			b->targets &= ~(UINT64_C(1) << slot);
	}
	return b->targets == 0;
}

static void
check_barriers(struct broker *br, struct peer *p)
{
	while (p->now.seq != 0 && has_passed(br, &p->now)) {
		p->deliverable = p->now.seq;
		p->now = p->next;
		p->next.seq = p->next.targets = 0;
	}
	if (p->deliverable != p->acked && !ev_is_active(&br->links->ack)) {
		ev_timer_set(&br->links->ack, ACK_SECONDS, 0.);
		ev_timer_start(br->loop, &br->links->ack);
	}
}

/* Flushes each link that can take bytes; true when there was one. */
static bool
flush_links(struct broker *br)
{
	struct list *e, *tmp;
	bool any = false;

	LIST_FOREACH_SAFE(e, tmp, &br->links->all) {
		struct peer *p = PEER_OF(e);

		if (p->ipc.blocked || outq_is_empty(&p->ipc.out))
			continue;
		any = true;
		ipc_flush(&p->ipc);
		if (p->ipc.carrier.fd == -1)
			return true; /* the list has changed */
	}
	return any;
}

void
peer_flush(struct broker *br)
{
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL)
			continue;
		raise_barrier(br, p);
		/*
		 * The acknowledgement goes with other bytes; or publishers of
		 * a cluster wait for it.
		 */
		if (!outq_is_empty(&p->ipc.out) ||
		    (br->cluster != NULL && p->last != p->acked_seen))
			send_ack(p);
	}
	br->links->ops->flush(br);
	/* A link that ends here gives work to others; each ends only once. */
	while (flush_links(br))
		;
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			check_barriers(br, br->peers[i]);
}

bool
peer_turn_ends(struct broker *br, bool sleeps)
{
	struct list *e;

	if (ev_is_active(&br->links->arrivals))
		return sleeps; /* all are read in the next turn */
	LIST_FOREACH(e, &br->links->all)
		sleeps = ipc_turn(&PEER_OF(e)->ipc, sleeps);
	return sleeps;
}

uint64_t
peers_connections(const struct broker *br)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			n += br->peers[i]->nconns;
	return n;
}
