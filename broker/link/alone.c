/* SPDX-License-Identifier: MIT */
/*
 * alone.c: lets the only worker deliver client events itself, ahead of the
 * broker, which does only the rest of the work with them (EVENT_DELIVERED).
 * Owns this permission: at most one worker has it.
 *
 * There is one order for all clients as long as all of them are this worker's.
 * So the permission is given when no other worker has a link, after all of
 * their messages; and another worker's HELLO waits until the permission is
 * back: until the PONG to a PING behind ALONE 0, or the end of the link.  By
 * then all events that were delivered with it have been handled, because they
 * left before the PONG.
 */

#include "broker/link/alone.h"

#include "broker/core/core.h"
#include "broker/link/resync.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"

static void
say(struct peer *p, bool alone)
{
	struct msg_alone m = { .alone = alone };

	ipc_send_alone(&p->ipc, &m);
}

/* The only worker, if nothing of another one is left; or NULL. */
static struct peer *
lone_worker(const struct broker *br)
{
	struct peer *lone = NULL;
	struct list *e;

	if (br->cluster != NULL || br->conf->nworkers != 1 || br->dying != 0 ||
	    resync_is_on(br))
		return NULL;
	LIST_FOREACH(e, &br->links->all) {
		struct peer *p = PEER_OF(e);

		if (p->courier)
			continue;
		if (lone != NULL || !p->replayed)
			return NULL;
		lone = p;
	}
	return lone;
}

void
alone_give(struct broker *br)
{
	struct link_table *t = br->links;

	if (t->alone != NULL || (t->alone = lone_worker(br)) == NULL)
		return;
	log_debug("worker %d: delivers client events itself", t->alone->slot);
	t->alone_ping = 0;
	say(t->alone, true);
}

static void
take_back(struct link_table *t)
{
	log_debug("worker %d: is no longer alone", t->alone->slot);
	say(t->alone, false);
	t->alone_ping = peer_ping_one(t->alone);
}

bool
alone_must_wait(struct peer *p)
{
	struct link_table *t = p->br->links;

	if (t->alone == NULL || p->slot != -1 || p->courier)
		return false;
	if (t->alone_ping == 0)
		take_back(t);
	ipc_defer(&p->ipc);
	return true;
}

void
alone_say_again(struct peer *p)
{
	if (p->br->links->alone == p && p->br->links->alone_ping == 0)
		say(p, true);
}

void
alone_on_down(struct peer *p)
{
	if (p->br->links->alone != p)
		return;
	p->br->links->alone = NULL;
	peer_hello_again(p->br);
}

void
alone_on_pong(struct peer *p, uint64_t id)
{
	uint64_t ping = p->br->links->alone_ping;

	if (p->br->links->alone == p && ping != 0 && id >= ping)
		alone_on_down(p);
}
