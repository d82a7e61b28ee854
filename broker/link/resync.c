/* SPDX-License-Identifier: MIT */
/*
 * resync.c: what a new broker does before it answers anyone.  REPLAY: the
 * workers replay their state, which is only entered.  A worker that has said
 * RESYNC_DONE is not read any further until all have, or 2 s have passed;
 * longer while a replay that has begun makes progress, and in an upgrade, which
 * must close nobody.  A worker that comes later is told that its clients may
 * lack events (MISSED).
 *
 * RESEND: each worker is read as long as its messages repeat what the old
 * broker did not acknowledge.  Events that follow from them go out with the
 * number of their cause, so that a worker that has seen them drops them.  The
 * resent messages of all workers are merged: events that the old broker had
 * taken go out in the order in which it took them (event_order.h), because it
 * had passed them to some workers and not to others; the rest goes out by
 * its place, because one event may have been published after the 200 of
 * another.  All answers wait: a list of members that was written before
 * all resent messages are in could lack a member whose member_added is later
 * dropped as seen.
 *
 * LIVE: the answers go out (answers.c); all links and the control socket are
 * read.
 *
 * Ticks are counted, not seconds: a broker that was stopped meanwhile must not
 * blame its workers, whose messages it has not read yet.  Must never keep a
 * broker in a resync for a stopped worker that nobody replaces, or for others
 * beyond RESYNC_MAX.
 */

#include "broker/link/resync.h"

#include <stdlib.h>

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/proc/event_order.h"
#include "shared/proc/proc.h"

#define TICK_SECONDS (RESYNC_SECONDS / RESYNC_TICKS)
#define REMEMBERED_US (UINT64_C(1) << 31) /* older events are equally old */

static void on_timer(struct ev_loop *, ev_timer *, int);

void
resync_init(struct broker *br)
{
	ev_init(&br->resync->timer, on_timer);
	br->resync->timer.data = br;
}

static void
forget_runs(struct broker *br)
{
	free(br->resync->runs);
	br->resync->runs = NULL;
	br->resync->nruns = 0;
}

void
resync_clear(struct broker *br)
{
	ev_timer_stop(br->loop, &br->resync->timer);
	forget_runs(br);
}

static void
wait_a_little(struct broker *br)
{
	br->resync->ticks = 0;
	ev_timer_stop(br->loop, &br->resync->timer);
	ev_timer_set(&br->resync->timer, TICK_SECONDS, TICK_SECONDS);
	ev_timer_start(br->loop, &br->resync->timer);
}

void
resync_begin(struct broker *br)
{
	br->resync->state = RESYNC_REPLAY;
	br->links->acks_wait = true;
	br->resync->began = broker_now();
	br->resync->base_us =
	    MAX(clock_us(CLOCK_MONOTONIC), REMEMBERED_US) - REMEMBERED_US;
	br->resync->runs = event_order_get(br->event_order, &br->resync->nruns);
	wait_a_little(br);
}

bool
resync_is_on(const struct broker *br)
{
	return br->resync->state != RESYNC_LIVE;
}

static bool
is_caught_up(const struct peer *p)
{
	return p->replayed && MAX(p->last, p->handed) >= p->replay_end;
}

/* ---- from one state to the next ---- */

static void
go_live(struct broker *br)
{
	unsigned n = 0;

	br->resync->state = RESYNC_LIVE;
	br->links->acks_wait = false;
	forget_runs(br);
	ev_timer_stop(br->loop, &br->resync->timer);
	br->links->ops->live(br);
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL)
			continue;
		n++;
		ipc_resume(&p->ipc);
	}
	peer_hello_again(br);
	br->links->ops->open(br, n);
}

static void
read_backlog(struct broker *br)
{
	br->resync->state = RESYNC_RESEND;
	wait_a_little(br);
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL || !p->replayed)
			event_order_set_complete(br->event_order, i, 0);
		if (p == NULL)
			continue;
		if (!p->replayed)
			p->rejoined = true; /* too late */
		else if (!is_caught_up(p))
			ipc_resume(&p->ipc);
	}
}

/* ---- one order of what several workers send again ---- */

/* NULL unless this slot's worker has more messages to resend. */
static struct peer *
behind(struct broker *br, unsigned slot)
{
	struct peer *p = br->peers[slot];

	return p != NULL && p->replayed && !is_caught_up(p) ? p : NULL;
}

/*
 * The place of a message among those of all workers: first the events that an
 * older broker has taken, in its order; then the others by their PLACE.
 */
static uint64_t
place_of(struct peer *p, uint64_t seq)
{
	const struct resync *r = p->br->resync;

	return (uint64_t)event_order_find(
		   r->runs, r->nruns, &p->run, p->origin, seq)
	    << 32 |
	    MIN(MAX(p->place, r->base_us) - r->base_us, UINT32_MAX);
}

/* Can another worker still have an event before p->next_pos? */
static bool
is_ahead(const struct peer *p)
{
	for (unsigned i = 0; i < p->br->nslots; i++) {
		const struct peer *q = behind(p->br, i);

		if (q != NULL && q != p &&
		    (!q->waits || q->next_pos < p->next_pos))
			return true;
	}
	return false;
}

bool
resync_must_wait(struct peer *p, uint64_t seq)
{
	if (p->br->resync->state != RESYNC_RESEND || !p->replayed || seq == 0)
		return false;
	p->next_pos = place_of(p, seq);
	if (!is_ahead(p))
		return false;
	p->waits = true;
	ipc_defer(&p->ipc);
	resync_check(p->br);
	return true;
}

/*
 * If all workers that are behind wait for each other, the oldest message is
 * next.  False: none is behind.
 */
static bool
take_oldest(struct broker *br)
{
	struct peer *oldest = NULL, *p;

	for (unsigned i = 0; i < br->nslots; i++) {
		if ((p = behind(br, i)) == NULL)
			continue;
		if (!p->waits)
			return true; /* it is being read */
		if (oldest == NULL || p->next_pos < oldest->next_pos)
			oldest = p;
	}
	if (oldest == NULL)
		return false;
	oldest->waits = false;
	ipc_resume(&oldest->ipc);
	return true;
}

/* Will a worker connect in this slot?  One that leaves has clients, too. */
static bool
is_expected(const struct broker *br, unsigned slot)
{
	return slot < br->conf->nworkers ||
	    (br->inherit != NULL && (br->inherit->leaving >> slot & 1) != 0);
}

void
resync_check(struct broker *br)
{
	if (br->resync->state == RESYNC_REPLAY) {
		for (unsigned i = 0; i < br->nslots; i++)
			if (br->peers[i] == NULL ? is_expected(br, i)
						 : !br->peers[i]->replayed)
				return;
		read_backlog(br);
	}
	if (br->resync->state == RESYNC_RESEND && !take_oldest(br))
		go_live(br);
}

/*
 * Has a worker that is not done sent anything since the last call?  HELLO alone
 * (message 1) is no replay.
 */
static bool
has_moved(struct broker *br)
{
	bool moved = false;

	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL || (p->replayed && is_caught_up(p)))
			continue;
		moved = moved || p->ipc.nin > MAX(p->resync_nin, UINT64_C(1));
		p->resync_nin = p->ipc.nin;
	}
	return moved && broker_now() - br->resync->began < RESYNC_MAX;
}

static bool
is_patient(const struct broker *br)
{
	return br->inherit != NULL && br->inherit->patient;
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	if (++br->resync->ticks <
	    (is_patient(br) ? RESYNC_PATIENT : RESYNC_TICKS))
		return;
	if (has_moved(br)) {
		wait_a_little(br);
		return;
	}
	log_warnx("resync: not every worker connected in time");
	if (br->resync->state == RESYNC_REPLAY) {
		read_backlog(br);
		resync_check(br);
	} else {
		go_live(br);
	}
}

bool
resync_all_passed(const struct broker *br, uint64_t ping)
{
	if (resync_is_on(br) || br->dying != 0)
		return false;
	for (unsigned i = 0; i < br->nslots; i++) {
		const struct peer *p = br->peers[i];

		if (p == NULL ? i < br->conf->nworkers
			      : !p->ipc.sink && p->pong < ping)
			return false;
	}
	return true;
}

void
resync_on_up(struct peer *p)
{
	p->rejoined = p->rejoined || p->br->resync->state != RESYNC_REPLAY;
}

void
resync_tell_missed(struct peer *p)
{
	struct msg_missed m = { 0 };

	event_order_set_complete(p->br->event_order, (unsigned)p->slot, 0);
	ipc_send_missed(&p->ipc, &m);
	p->missed_ping = peer_ping_one(p);
}

/* A worker is told if its clients may have missed an event. */
static void
check_complete(struct peer *p)
{
	unsigned slot = (unsigned)p->slot;

	if (event_order_is_complete(p->br->event_order, slot, p->origin))
		return;
	if (!p->br->links->ops->has_clients(p)) {
		event_order_set_complete(p->br->event_order, slot, p->origin);
		return;
	}
	log_info(
	    "worker %u: connected too late: its clients are told to reconnect "
	    "pid=%u",
	    slot, p->pid);
	resync_tell_missed(p);
}

int
resync_on_done(struct peer *p, const struct msg_resync_done *m)
{
	log_debug("worker %d: has replayed its state", p->slot);
	check_complete(p);
	p->replayed = true;
	p->replay_end = m->seq;
	/* it may replace a worker whose clients are gone */
	if (!p->br->links->ops->has_clients(p))
		p->br->resync->fresh = true;
	if (p->br->resync->state == RESYNC_REPLAY)
		ipc_pause(&p->ipc);
	resync_check(p->br);
	return 0;
}

void
resync_step(struct peer *p)
{
	if (p->br->resync->state != RESYNC_RESEND || !is_caught_up(p))
		return;
	ipc_pause(&p->ipc);
	resync_check(p->br);
}
