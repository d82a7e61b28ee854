/* SPDX-License-Identifier: MIT */
/*
 * alive.c: finds dead links.  Owns struct alive of each peer, and
 * br->links->congested.  Pings and ticks are counted, not seconds: a broker
 * that was stopped for a minute must not blame its workers.  Any message is a
 * sign of life, and so is a worker that reads: the answer to a ping may stand
 * after many others.  Must never end a link for being busy: above the bound of
 * a queue no worker is read, so that the queue grows no further, until it is
 * shorter or its worker has read nothing for STILL_MAX ticks.
 */

#include "broker/link/alive.h"

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/log.h"

#define QUEUE_MAX (64u << 20) /* bytes; above it no worker is read */
#define STILL_MAX 2           /* ticks that such a queue may stand still */
#define PING_SECONDS 5.       /* between two pings */
#define SILENT_MAX 3          /* pings without a sign of life: 15 s */
#define HELLO_SECONDS 5.      /* pings until HELLO */

static bool
shows_life(struct peer *p)
{
	struct alive *a = &p->alive;
	uint64_t sent = ipc_sent(&p->ipc);
	bool life = p->ipc.nin != a->nin || (a->blocked && sent != a->read);

	a->nin = p->ipc.nin;
	a->read = sent;
	a->blocked = p->ipc.blocked;
	return life;
}

static void
on_ping_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;
	struct list *e, *tmp;
	uint64_t slots;

	LIST_FOREACH_SAFE(e, tmp, &br->links->all) {
		struct peer *p = PEER_OF(e);

		if (p->courier)
			continue; /* nobody waits for it */
		if (p->slot == -1) {
			/* paused: it has said HELLO, which waits */
			if (!p->ipc.paused &&
			    broker_now() - p->since > HELLO_SECONDS)
				peer_drop(p, "no hello");
			continue;
		}
		if (shows_life(p) || p->ipc.paused)
			p->alive.silent = 0;
		if (p->alive.silent++ >= SILENT_MAX) {
			log_warnx("worker %d: no answer for 15 seconds pid=%u",
			    p->slot, p->pid);
			peer_drop(p, "no answer");
		}
	}
	peer_ping(br, &slots);
}

void
alive_init(struct broker *br)
{
	ev_timer *w = &br->links->ping;

	ev_timer_init(w, on_ping_timer, PING_SECONDS, PING_SECONDS);
	w->data = br;
}

void
alive_start(struct broker *br)
{
	ev_timer_start(br->loop, &br->links->ping);
}

void
alive_tick(struct broker *br)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->links->all) {
		struct peer *p = PEER_OF(e);
		struct alive *a = &p->alive;
		size_t n = outq_bytes(&p->ipc.out);
		uint64_t sent = ipc_sent(&p->ipc);

		a->still = n > QUEUE_MAX && sent == a->taken ? a->still + 1 : 0;
		a->taken = sent;
		if (a->still <= STILL_MAX)
			continue;
		log_warnx("worker %d: does not read: %zu bytes queued pid=%u",
		    p->slot, n, p->pid);
		peer_drop(p, "queue over its bound");
	}
}

void
alive_check_queues(struct broker *br)
{
	br->links->congested = false;
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL &&
		    outq_bytes(&br->peers[i]->ipc.out) > QUEUE_MAX)
			br->links->congested = true;
}
