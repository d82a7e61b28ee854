/* SPDX-License-Identifier: MIT */
/*
 * workers.c: tells the workers of this host the state of the cluster, and stops
 * reading their links while too much waits.
 */

#include "broker/cluster/workers.h"

#include "broker/channel/registry.h"
#include "broker/cluster/hosts.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "shared/base/log.h"

#define YOUNG_SECONDS 5.

static void
tell(const struct cluster *cl, struct peer *p)
{
	struct msg_cluster m = { .up = cl->up,
		.apps = cl->apps.known,
		.leaves = cl->leave_by != 0 };

	ipc_send_cluster(&p->ipc, &m);
}

void
workers_tell(struct cluster *cl)
{
	for (unsigned i = 0; i < cl->br->nslots; i++)
		if (cl->br->peers[i] != NULL)
			tell(cl, cl->br->peers[i]);
}

void
workers_resume(struct cluster *cl)
{
	for (unsigned i = 0; i < cl->br->nslots; i++) {
		struct peer *p = cl->br->peers[i];

		if (p != NULL && p->paused) {
			p->paused = false;
			ipc_resume(&p->ipc);
		}
	}
}

void
workers_set_up(struct cluster *cl, bool up)
{
	if (cl->up == up)
		return;
	cl->up = up;
	workers_tell(cl);
	if (!up)
		workers_resume(cl); /* what may not wait for Redis */
}

void
workers_link_up(struct peer *p)
{
	struct cluster *cl = p->br->cluster;

	if ((cl->br->leaving >> p->slot & 1) == 0)
		cl->origins[p->slot] = p->origin;
	tell(cl, p);
}

void
workers_gone(struct cluster *cl, unsigned slot)
{
	if (cl->ends[slot] > 0 && --cl->ends[slot] == 0) {
		cl->br->leaving &= ~(UINT64_C(1) << slot);
		cl->br->registry->remote &= ~(UINT64_C(1) << slot);
	}
	cl->origins[slot] = 0;
	hosts_lose_slot(cl->br, &cl->hosts, slot);
}

/* It said so at once: the next broker would fare no better. */
static bool
is_in_vain(const struct cluster *cl, enum order_rejoin why)
{
	bool had_good =
	    why == REJOIN_MISSING ? cl->napplied > 0 : cl->beaten > 0;

	return !had_good && broker_now() - cl->br->started < YOUNG_SECONDS;
}

/* The broker's successor begins with a clean state. */
void
workers_begin_again(struct cluster *cl, enum order_rejoin why)
{
	static const char *const whys[ORDER_REJOINS] = {
		[REJOIN_DECLARED_DEAD] =
		    "the other hosts have declared this one dead, because it "
		    "was silent for 6 seconds",
		[REJOIN_LOST] = "Redis has lost its last entries, or all data",
		[REJOIN_MISSING] = "entries of the stream are missing",
	};

	if (is_in_vain(cl, why)) {
		engine_refuse(&cl->engine, whys[why]);
		return;
	}
	event_order_rejoin(cl->br->event_order, why);
	fatalx("cluster: %s: the broker restarts and joins again", whys[why]);
}

void
workers_pause(struct peer *p)
{
	p->paused = true;
	ipc_defer(&p->ipc);
}

bool
workers_must_wait(struct peer *p)
{
	if (p->relayed == 0)
		return false;
	workers_pause(p);
	return true;
}

/*
 * The clients of the workers may lack events.  A worker without clients forgets
 * those that it has seen, because they can come again.
 */
void
workers_tell_missed(struct cluster *cl)
{
	for (unsigned i = 0; i < cl->br->nslots; i++) {
		struct peer *p = cl->br->peers[i];

		if (p == NULL)
			continue;
		if (cl->br->links->ops->has_clients(p))
			log_warnx("cluster: worker %u: events are missing: its "
				  "clients are told to reconnect",
			    i);
		resync_tell_missed(p);
	}
}
