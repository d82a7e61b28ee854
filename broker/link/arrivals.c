/* SPDX-License-Identifier: MIT */
/*
 * arrivals.c: one order of the messages of all workers, by their places.  A
 * worker answers a publish when its bytes have left, and does not wait for the
 * broker; an event that somebody publishes after that, through any worker, has
 * a later place, and has to come later.
 *
 * The rule: notes the time, reads everything that is there, and then handles
 * the messages with an earlier place, in the order of the places.  If a message
 * follows from another one, the other one had left before the first got its
 * place, so that it has been read, too.  Later places wait for the next time.
 * Nobody waits for a slow or a dead worker; a link that is not read, because
 * too many of its answers wait, holds up the messages with later places, and
 * the links on which they came are not read either.
 *
 * Without PLACE, as before HELLO, messages are handled at once.
 */

#include "broker/link/arrivals.h"

#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"

/*
 * Before control clients: pusherctl sees an event whose 200 came before it
 * asked.
 */
#define PRIORITY (PEER_PRIORITY - 1)
#define CLOCK_US() clock_us(CLOCK_MONOTONIC)

/* The place of its next message; false: it has none. */
static bool
next_place(const struct peer *p, uint64_t *place)
{
	struct msg_place m;
	struct ipc_in in;

	*place = p->place;
	if (!ipc_next(&p->ipc, &in))
		return ipc_has_ended(&p->ipc);
	if (in.type == IPC_PLACE && msg_place_get(&m, in.body) == 0)
		*place = m.us;
	return true;
}

/* Messages with a later place wait for a link that is not read. */
static uint64_t
held_from(const struct broker *br)
{
	uint64_t place = UINT64_MAX;
	struct list *e;

	LIST_FOREACH(e, &br->links->all)
		if (PEER_OF(e)->answers.stopped && br->cluster == NULL)
			place = MIN(place, PEER_OF(e)->place);
	return place;
}

/* False: this link may be read. */
static bool
hold(struct peer *p, uint64_t from)
{
	uint64_t at;

	if (from == UINT64_MAX || !next_place(p, &at) || at <= from ||
	    !answers_hold(p))
		return false;
	p->place = at;
	return true;
}

/* The courier is read when it has sent something: no event follows from it. */
static bool
must_be_read(struct peer *p)
{
	bool readable = p->readable;

	p->readable = false;
	return readable || !p->courier;
}

/*
 * The link whose next message is the earliest, and the place of that; *until:
 * of the earliest one on another link, or unchanged.
 */
static struct peer *
earliest(struct broker *br, uint64_t *place, uint64_t *until)
{
	uint64_t from = held_from(br), at;
	struct peer *first = NULL;
	struct list *e;

	LIST_FOREACH(e, &br->links->all) {
		struct peer *p = PEER_OF(e);

		if (!next_place(p, &at))
			continue;
		if (first != NULL && at >= *place) {
			*until = MIN(*until, at);
			continue;
		}
		if (first != NULL)
			*until = MIN(*until, *place);
		first = p;
		*place = at;
	}
	*until = MIN(*until, from);
	return first != NULL && *place <= from ? first : NULL;
}

static void
run(struct ev_loop *loop, ev_idle *w, int revents)
{
	struct broker *br = w->data;
	uint64_t now = CLOCK_US(), from = held_from(br), place = 0, until;
	struct peer *p;
	struct list *e;

	LIST_FOREACH(e, &br->links->all)
		if (must_be_read(PEER_OF(e)) && !hold(PEER_OF(e), from))
			ipc_read(&PEER_OF(e)->ipc);
	for (;;) {
		until = now - 1;
		p = earliest(br, &place, &until);
		if (p == NULL || (place >= now && place <= CLOCK_US()))
			break;
		br->links->until = until;
		ipc_dispatch(&p->ipc);
	}
	br->links->until = UINT64_MAX;
	if (p != NULL)
		ev_idle_start(loop, w); /* goes on in the next turn */
	else
		ev_idle_stop(loop, w);
}

/* Some of what has come did not wake this process: see link_flush(). */
static void
on_woken(struct ev_loop *loop, ev_check *w, int revents)
{
	struct broker *br = w->data;
	struct list *e;

	LIST_FOREACH(e, &br->links->all)
		ipc_turn(&PEER_OF(e)->ipc, false);
}

void
arrivals_init(struct broker *br)
{
	ev_idle_init(&br->links->arrivals, run);
	ev_set_priority(&br->links->arrivals, PRIORITY);
	br->links->arrivals.data = br;
	ev_check_init(&br->links->woken, on_woken);
	ev_set_priority(&br->links->woken, PEER_PRIORITY);
	br->links->woken.data = br;
	ev_check_start(br->loop, &br->links->woken);
	br->links->until = UINT64_MAX;
}

void
arrivals_on_input(void *peer)
{
	struct peer *p = peer;
	struct broker *br = p->br;

	p->readable = true;
	ev_feed_event(br->loop, &br->links->arrivals, EV_CUSTOM);
}

int
arrivals_on_place(struct peer *p, const struct msg_place *m)
{
	if (m->us <= p->br->links->until)
		p->place = m->us;
	else if (m->us > CLOCK_US())
		return -1; /* it lies */
	else
		ipc_hold(&p->ipc);
	return 0;
}
