/* SPDX-License-Identifier: MIT */
/*
 * slot.c: a slot loses its worker.  Either the worker has died, and all that
 * was its own ends; or it leaves, and the worker in another slot, the receiver,
 * takes the clients over (worker/admin/move.c).
 *
 * From the mark (MERGE) on the receiver gets what is sent to both.  The counts
 * of the broker stay in the old slot until the receiver has said MERGED: if one
 * of the two is gone before that, the slot ends like that of a dead worker. One
 * slot moves at a time.
 *
 * Must never send anything to the worker that leaves behind the mark, and never
 * leave the mark in one of the two links alone: when this process dies between
 * them nobody could tell whose the clients are.
 */

#include "broker/slot.h"

#include <poll.h>

#include "broker/app/idempotency.h"
#include "broker/app/quota.h"
#include "broker/channel/dead_slot.h"
#include "broker/channel/departures.h"
#include "broker/channel/receipt.h"
#include "broker/channel/registry.h"
#include "broker/cluster/outgoing.h"
#include "broker/control/console_job.h"
#include "broker/control/control_job.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/stats/totals.h"
#include "broker/user/users.h"
#include "shared/base/log.h"

/* Nobody answers for this slot any more. */
static void
end_questions(struct broker *br, unsigned slot)
{
	receipts_lost(br, slot);
	idempotency_drop(br, slot);
	console_drop(br, slot);
	control_jobs_pong(br, slot, UINT64_MAX);
	departures_on_pong(br, slot, UINT64_MAX);
	totals_on_pong(br, slot, UINT64_MAX);
}

static void
lose(struct broker *br, unsigned slot, uint64_t origin)
{
	quota_drop(br, slot);
	if (br->cluster != NULL)
		outgoing_worker_gone(br->cluster, slot, origin);
	else
		dead_slot_begin(br, slot);
	end_questions(br, slot);
}

/* The slot that was moving ends as if its worker had died. */
static void
lose_moving(struct broker *br)
{
	struct slot_move *sm = br->slot_move;

	log_warnx("worker %u: its %u clients are lost: worker %u did not take "
		  "them over",
	    sm->slot, sm->from == NULL ? sm->nconns : sm->from->nconns,
	    br->registry->receiver);
	br->registry->moving = br->registry->moved = 0;
	lose(br, sm->slot, sm->origin);
	if (sm->from != NULL)
		peer_drop(sm->from, "its clients are lost");
}

void
slot_down(struct peer *p)
{
	struct broker *br = p->br;
	struct registry *r = br->registry;
	struct slot_move *sm = br->slot_move;

	if (p == sm->from) { /* the receiver has the last word */
		sm->nconns = p->nconns;
		sm->from = NULL;
		return;
	}
	if (r->moved != 0 && (int)r->receiver == p->slot) {
		r->moving = r->moved = 0;
		lose(br, sm->slot, sm->origin);
	} else if (r->moving != 0 && (int)r->receiver == p->slot) {
		lose_moving(br);
	}
	lose(br, (unsigned)p->slot, p->origin);
}

/* ---- the hand-over ---- */

/* Has the other end not been closed?  Its death may not have been read yet. */
static bool
is_there(const struct peer *p)
{
	struct pollfd poll_fd = { .fd = p->ipc.carrier.fd };

	return ipc_is_open(&p->ipc) && poll(&poll_fd, 1, 0) == 0;
}

/* May what is sent to this worker go to the other one from now on? */
static bool
may_move(const struct peer *p, const struct peer *receiver)
{
	const struct broker *br = p->br;

	return receiver != NULL && receiver != p && is_there(receiver) &&
	    br->cluster == NULL && !resync_is_on(br) &&
	    br->registry->moving == 0;
}

/* Has the kernel taken all that is queued for it? */
static bool
is_sent(struct peer *p)
{
	ipc_flush(&p->ipc);
	return ipc_is_open(&p->ipc) && outq_is_empty(&p->ipc.out);
}

int
slot_on_merge(struct peer *p, const struct msg_merge *m)
{
	struct broker *br = p->br;
	struct peer *receiver =
	    m->receiver < br->nslots ? br->peers[m->receiver] : NULL;
	struct msg_merge mark = { .slot = (uint32_t)p->slot,
		.receiver = m->receiver };

	if (br->peers[p->slot] != p)
		return -1; /* it asks twice */
	br->links->ops->flush(br);
	if (!may_move(p, receiver) || !is_sent(p)) {
		mark.receiver = UINT32_MAX;
		if (ipc_is_open(&p->ipc))
			ipc_send_merge(&p->ipc, &mark);
		return 0;
	}
	ipc_send_merge(&p->ipc, &mark);
	if (!is_sent(p)) {
		peer_drop(p, "its link is full");
		return 0;
	}
	ipc_send_merge(&receiver->ipc, &mark);
	ipc_flush(&receiver->ipc); /* at once: see above */
	br->registry->moving = UINT64_C(1) << p->slot;
	br->registry->receiver = m->receiver;
	br->dying |= br->registry->moving;
	*br->slot_move = (struct slot_move){
		.from = p, .slot = (unsigned)p->slot, .origin = p->origin
	};
	peer_detach(p);
	log_debug("worker %d: worker %u takes over its %u clients", p->slot,
	    m->receiver, p->nconns);
	return 0;
}

int
slot_on_merged(struct peer *p, const struct msg_merged *m)
{
	struct broker *br = p->br;
	struct registry *r = br->registry;
	struct slot_move *sm = br->slot_move;

	if (r->moving == 0 || r->moved != 0 || (int)r->receiver != p->slot)
		return -1;
	/* Its last messages came before it handed its clients over. */
	if (sm->from != NULL)
		ipc_drain_input(&sm->from->ipc);
	if (!m->taken) {
		lose_moving(br);
		return 0;
	}
	p->nconns += sm->from == NULL ? sm->nconns : sm->from->nconns;
	quota_move(br, sm->slot, r->receiver);
	users_move(br, sm->slot, r->receiver);
	dead_slot_move(br, sm->slot);
	end_questions(br, sm->slot);
	if (sm->from != NULL)
		peer_drop(sm->from, "has handed its clients over");
	return 0;
}
