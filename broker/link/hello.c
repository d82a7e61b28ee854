/* SPDX-License-Identifier: MIT */
/*
 * hello.c: the first message of a link, which gets a slot.  It waits until all
 * that came by the slot's earlier link has been handled.
 */

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/log.h"

bool
peer_may_say_hello(
    const struct peer *p, uint32_t version, struct str build, uint32_t pid)
{
	if (p->slot != -1 || p->courier)
		return false;
	if (version == IPC_VERSION)
		return true;
	log_warnx("link refused: build %.*s has other messages pid=%u",
	    (int)MIN(build.n, 64), build.p, pid);
	return false;
}

/*
 * Is it not read now, but will be?  Then the next worker of its slot waits: a
 * publish that has been answered may be in it.
 */
static bool
is_unread(const struct peer *old)
{
	return old != NULL && old->ipc.paused && !old->paused;
}

/* Ends the old link of a slot; its answers to the worker still count. */
static void
replace(struct peer *old)
{
	if (old == NULL)
		return;
	ipc_drain_input(&old->ipc);
	peer_drop(old, "replaced by a new link"); /* unless it is gone */
}

/*
 * Is the slot not free yet?  A worker that was in it, and replays its clients,
 * waits until the stream has brought the end of its old link, too; all that a
 * new one does in order stands behind that.
 */
static bool
must_wait(const struct broker *br, unsigned slot, bool is_new)
{
	return (br->dying >> slot & 1) != 0 ||
	    (!is_new && (br->leaving >> slot & 1) != 0);
}

int
peer_on_hello(struct peer *p, const struct msg_hello *m)
{
	struct broker *br = p->br;
	bool is_new;

	if (!peer_may_say_hello(p, m->version, m->build, m->pid))
		return -1;
	if (m->slot >= br->nslots || m->origin == 0)
		return -1;
	if (is_unread(br->peers[m->slot])) {
		ipc_defer(&p->ipc);
		return 0;
	}
	replace(br->peers[m->slot]);
	is_new = br->links->origins[m->slot] != m->origin;
	if (must_wait(br, m->slot, is_new)) {
		ipc_defer(&p->ipc);
		return 0;
	}
	p->slot = (int)m->slot;
	p->pid = m->pid;
	p->origin = m->origin;
	p->rejoined = !is_new;
	p->since = broker_now();
	if (br->links->rings)
		carrier_offer(&p->ipc.carrier);
	br->peers[m->slot] = p;
	br->links->origins[m->slot] = m->origin;
	log_debug("worker %u: link up pid=%u", m->slot, m->pid);
	br->links->ops->up(p, is_new);
	return 0;
}

void
peer_hello_again(struct broker *br)
{
	struct list *e;

	LIST_FOREACH(e, &br->links->all)
		if (PEER_OF(e)->slot == -1)
			ipc_resume(&PEER_OF(e)->ipc);
}
