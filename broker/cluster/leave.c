/* SPDX-License-Identifier: MIT */
/*
 * leave.c: this host leaves the cluster.  When the server stops, its clients
 * are gone already.  When pusherctl says so, they are told to reconnect, and
 * the other hosts see them leave one by one; then what this host has to say is
 * appended, and Redis forgets the host.  It stays out until the server is
 * started again, also when a broker dies meanwhile.
 */

#include "broker/cluster/leave.h"

#include "broker/cluster/inside.h"
#include "broker/cluster/join.h"
#include "broker/cluster/leader.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/session_moves.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/webhook/queue.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/proc/event_order.h"

#define CLOSE_SECONDS 5 /* beyond drain_time, for clients to close */
#define QUEUE_SECONDS 5 /* for Redis and the courier to take the rest */

void
leave_send(struct cluster *cl)
{
	char read[PLACE_TEXT];
	const char *argv[] = { stream_length_text(&cl->length), read };

	place_text(read, cluster_applied(cl));
	cl->state = CLUSTER_LEAVING;
	for (unsigned i = 0; i < cl->br->nslots; i++)
		while (cl->ends[i] > 0)
			workers_gone(cl, i); /* no entry is read any more */
	outgoing_script(cl, ENGINE_LEAVE, script_leave, argv, NULL, 2);
}

/* In an upgrade the broker ends alone, and its successor reads on. */
static bool
has_workers(const struct broker *br)
{
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			return true;
	return false;
}

bool
leave_at_stop(struct cluster *cl)
{
	if (cl == NULL || !cl->started || !cl->engine.up || has_workers(cl->br))
		return false;
	if (cl->state == CLUSTER_LIVE && !cl->closed) {
		cl->closed = true;
		session_moves_leave(cl);
	}
	if (cl->state == CLUSTER_LIVE && cl->queued > 0)
		return true;
	if (cl->state > CLUSTER_JOINING)
		leave_send(cl);
	return cl->state == CLUSTER_LEAVING;
}

static unsigned
count_sessions(struct buf *b)
{
	uint32_t at = 0;
	unsigned n = 0;
	struct ipc_in in;

	while (b != NULL && entry_next(b, &at, &in) == 1)
		n += in.type == IPC_HOST_SESSION;
	return n;
}

void
leave_late(const struct cluster *cl)
{
	const struct list *e;
	unsigned n;

	if (cl == NULL || cl->state != CLUSTER_LIVE || !cl->closed)
		return;
	n = count_sessions(cl->entry.b);
	LIST_FOREACH(e, &cl->parts)
		n += count_sessions(LIST_ITEM(e, const struct part, link)->b);
	if (n > 0)
		log_warnx("cluster: the stop was over before Redis had taken "
			  "all sessions of this host: the clients of %u can "
			  "get events of the last seconds twice",
		    n);
}

bool
leave_for_good(struct cluster *cl)
{
	if (cl->leave_by == 0) {
		if (cl->state != CLUSTER_LIVE || !cl->engine.up)
			return false;
		log_info("cluster: leaving: closing %llu clients",
		    (unsigned long long)peers_connections(cl->br));
		event_order_set_left(cl->br->event_order);
		cl->leave_by = broker_now() + (double)cl->br->conf->drain_time +
		    CLOSE_SECONDS;
		workers_tell(cl);
	}
	return true;
}

void
leave_step(struct cluster *cl)
{
	double now = broker_now();
	bool rest;

	if (cl->leave_by == 0 || cl->state != CLUSTER_LIVE)
		return;
	if (!cl->closed) {
		if (peers_connections(cl->br) > 0 && now < cl->leave_by)
			return;
		cl->closed = true;
		cl->leave_by = now + QUEUE_SECONDS;
		workers_set_up(cl, false);
		session_moves_leave(cl);
		leader_end(cl);
	}
	rest = cl->queued > 0 || cl->br->webhook_queue->in_flight > 0;
	if (cl->engine.up && (!rest || now >= cl->leave_by))
		leave_send(cl);
}

void
leave_on_answer(struct cluster *cl)
{
	cl->state = CLUSTER_LEFT;
	if (cl->leave_by == 0)
		return; /* the server stops */
	log_info("cluster: left name=%s host=%s: until pusherd is started "
		 "again",
	    cl->br->conf->cluster_name, cl->br->conf->cluster_host);
	leader_elect(cl);
}

void
leave_recall(struct cluster *cl)
{
	if (!event_order_has_left(cl->br->event_order))
		return;
	cl->leave_by = broker_now();
	leave_on_answer(cl);
	workers_tell(cl);
	cl->br->links->ops->known(cl->br); /* others are none of its own */
}

bool
leave_is_over(const struct cluster *cl)
{
	return cl->leave_by != 0 && cl->state == CLUSTER_LEFT;
}
