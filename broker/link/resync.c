/* SPDX-License-Identifier: MIT */
/*
 * resync.c: what a new broker does before it speaks.  Owns the answers that
 * are put off.
 *
 * QUIET: the workers replay what they have; it is only entered.  A worker that
 * has said RESYNC_DONE is not read any further, until all have, or 2 s have
 * passed; longer while a replay that has begun moves.  A worker that comes
 * later is told that its clients may lack events (MISSED).  BACKLOG: each
 * worker is read as far as its messages are a second sending of what the old
 * broker did not acknowledge.  Events that follow from them go out with the
 * number of their cause, so that a worker that has seen them drops them.
 * Backlogs are merged: what the old broker had taken goes out in the order in
 * which it was taken (event_order.h), since it had been handed to some workers
 * and not to others; the rest by the time when it was read, since one event may
 * have been published after the 200 of another.  All answers wait: a list of
 * members that was written before all of the backlog is in could lack somebody
 * whose member_added will be dropped as seen.  LIVE: the answers go out, in
 * portions and as far as there is room, and until then the questions are not
 * acknowledged; all links are read, the control socket too.
 *
 * Must never keep a broker quiet for a worker that is stopped, and for others
 * no longer than RESYNC_MAX.
 */

#include "broker/link/resync.h"

#include <stdlib.h>

#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/event_order.h"
#include "shared/proc/proc.h"

struct put_off {
	struct list link;
	resync_answer answer;
	uint64_t origin, sid, stamp;
	unsigned slot;
	uint32_t app, ref;
	size_t name_len;
	char name[];
};

#define ANSWERS_AT_ONCE 1000

static void on_timer(struct ev_loop *, ev_timer *, int);

void
resync_init(struct broker *br)
{
	list_init(&br->resync->answers);
	ev_init(&br->resync->timer, on_timer);
	br->resync->timer.data = br;
}

static struct put_off *
first_answer(struct broker *br)
{
	return LIST_ITEM(br->resync->answers.next, struct put_off, link);
}

/* Its bytes in the app's account. */
static size_t
booked(const struct put_off *a)
{
	return sizeof(*a) + a->name_len + BUDGET_BLOCK;
}

static void
forget(struct broker *br, struct put_off *a)
{
	list_remove(&a->link);
	budget_sub(br->budget, a->app, booked(a));
	free(a);
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
	while (!list_is_empty(&br->resync->answers))
		forget(br, first_answer(br));
	forget_runs(br);
}

static void
wait_a_little(struct broker *br)
{
	ev_timer_stop(br->loop, &br->resync->timer);
	ev_timer_set(&br->resync->timer, RESYNC_SECONDS, 0.);
	ev_timer_start(br->loop, &br->resync->timer);
}

void
resync_begin(struct broker *br)
{
	br->resync->state = RESYNC_QUIET;
	br->links->acks_wait = true;
	br->resync->began = broker_now();
	br->resync->base_us =
	    (uint32_t)proc_clock_us(CLOCK_MONOTONIC) - (UINT32_C(1) << 31);
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
	return p->replayed && p->last >= p->replay_end;
}

/* ---- the answers ---- */

void
resync_put_off(struct peer *p, resync_answer answer, const struct msg_sub *m,
    uint64_t stamp)
{
	struct put_off *a = xcalloc(1, sizeof(*a) + m->channel.n);

	a->answer = answer;
	a->origin = p->origin;
	a->slot = (unsigned)p->slot;
	a->app = m->app;
	a->sid = m->sid;
	a->ref = m->ref;
	a->stamp = stamp;
	a->name_len = m->channel.n;
	if (m->channel.n > 0)
		memcpy(a->name, m->channel.p, m->channel.n);
	list_init(&a->link);
	list_append(&p->br->resync->answers, &a->link);
	p->owed++;
	budget_add(p->br->budget, a->app, booked(a));
}

/* The worker that asked; NULL: it is gone. */
static struct peer *
asker(const struct broker *br, const struct put_off *a)
{
	struct peer *p = br->peers[a->slot];

	return p != NULL && p->origin == a->origin ? p : NULL;
}

static void
give_answer(struct broker *br, struct put_off *a)
{
	struct peer *p = asker(br, a);
	struct msg_sub m = { .app = a->app,
		.sid = a->sid,
		.ref = a->ref,
		.channel = str_make(a->name, a->name_len) };

	if (p != NULL && p->owed > 0)
		p->owed--;
	if (p != NULL)
		a->answer(p, &m, a->stamp);
	forget(br, a);
}

static bool
give_answers(struct broker *br)
{
	unsigned left = ANSWERS_AT_ONCE;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->resync->answers) {
		struct put_off *a = LIST_ITEM(e, struct put_off, link);
		struct peer *p = asker(br, a);

		if (p != NULL && !peer_has_room(p))
			continue; /* its link goes on by itself */
		if (left-- == 0)
			return true;
		give_answer(br, a);
	}
	return false;
}

bool
resync_go_on(struct broker *br)
{
	return !resync_is_on(br) && give_answers(br);
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
	resync_go_on(br);
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL)
			continue;
		n++;
		ipc_resume(&p->ipc);
	}
	br->links->ops->open(br, n);
}

static void
read_backlog(struct broker *br)
{
	br->resync->state = RESYNC_BACKLOG;
	wait_a_little(br);
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL || !p->replayed)
			event_order_set_complete(br->event_order, i, 0);
		if (p == NULL)
			continue;
		if (!p->replayed)
			p->rejoined = true; /* too late for the quiet time */
		else if (!is_caught_up(p))
			ipc_resume(&p->ipc);
	}
}

/* ---- one order of what several workers send again ---- */

/* NULL unless this slot's worker has more of its backlog to send. */
static struct peer *
behind(struct broker *br, unsigned slot)
{
	struct peer *p = br->peers[slot];

	return p != NULL && p->replayed && !is_caught_up(p) ? p : NULL;
}

/*
 * Where a message stands among those of all workers: first comes what an older
 * broker has taken, as it has; then the others by the time when they were read,
 * what is no event as if at the time of the event before it.  The clock has 32
 * bits: right for 35 minutes.
 */
static uint64_t
place_of(struct peer *p, uint64_t seq, uint32_t read_us)
{
	const struct resync *r = p->br->resync;

	if (read_us != 0)
		p->read_us = read_us - r->base_us;
	return (uint64_t)event_order_find(
		   r->runs, r->nruns, &p->run, p->origin, seq)
	    << 32 |
	    p->read_us;
}

/* May another worker still have something that stands before p->next_pos? */
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
resync_must_wait(struct peer *p, uint64_t seq, uint32_t read_us)
{
	if (p->br->resync->state != RESYNC_BACKLOG || !p->replayed ||
	    seq == 0 || p->backlog.resuming)
		return false;
	p->next_pos = place_of(p, seq, read_us);
	if (!is_ahead(p))
		return false;
	p->waits = true;
	ipc_defer(&p->ipc);
	resync_check(p->br);
	return true;
}

/*
 * When all that are behind wait for each other, the oldest message is next.
 * False: nobody is behind.
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

void
resync_check(struct broker *br)
{
	if (br->resync->state == RESYNC_QUIET) {
		for (unsigned i = 0; i < br->nslots; i++)
			if (br->peers[i] == NULL ? i < br->conf->nworkers
						 : !br->peers[i]->replayed)
				return;
		read_backlog(br);
	}
	if (br->resync->state == RESYNC_BACKLOG && !take_oldest(br))
		go_live(br);
}

/*
 * Has a worker that is not done sent anything since the last call?  HELLO
 * alone (message 1) is no replay.
 */
static bool
has_moved(struct broker *br)
{
	bool moved = false;

	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL || (p->replayed && is_caught_up(p)))
			continue;
		moved = moved || p->ipc.nin > MAX(p->heard_resync, UINT64_C(1));
		p->heard_resync = p->ipc.nin;
	}
	return moved && broker_now() - br->resync->began < RESYNC_MAX;
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	if (has_moved(br)) {
		wait_a_little(br);
		return;
	}
	log_warnx("resync: not every worker is there in time");
	if (br->resync->state == RESYNC_QUIET) {
		read_backlog(br);
		resync_check(br);
	} else {
		go_live(br);
	}
}

void
resync_on_up(struct peer *p)
{
	p->rejoined = p->rejoined || p->br->resync->state != RESYNC_QUIET;
}

/*
 * Absence is told: a worker that has clients and may have missed an event for
 * them hears of it.  Until it has read that, it counts as one that was not
 * told: this broker may die before.
 */
static void
check_complete(struct peer *p)
{
	unsigned slot = (unsigned)p->slot;
	struct msg_missed m = { 0 };
	struct msg_ping ping;

	if (event_order_is_complete(p->br->event_order, slot, p->origin))
		return;
	if (!p->br->links->ops->has_clients(p)) {
		event_order_set_complete(p->br->event_order, slot, p->origin);
		return;
	}
	log_info("worker %u: went on without it: its clients are told pid=%u",
	    slot, p->pid);
	ipc_send_missed(&p->ipc, &m);
	p->missed_ping = ping.id = ++p->br->links->ping_id;
	ipc_send_ping(&p->ipc, &ping);
}

int
resync_on_done(struct peer *p, const struct msg_resync_done *m)
{
	log_debug("worker %d: has said what it has", p->slot);
	check_complete(p);
	p->replayed = true;
	p->replay_end = m->seq;
	/* It replaces one whose clients are gone, perhaps. */
	if (!p->br->links->ops->has_clients(p))
		p->br->resync->fresh = true;
	if (p->br->resync->state == RESYNC_QUIET)
		ipc_pause(&p->ipc);
	resync_check(p->br);
	return 0;
}

void
resync_step(struct peer *p)
{
	if (p->br->resync->state != RESYNC_BACKLOG || !is_caught_up(p))
		return;
	ipc_pause(&p->ipc);
	resync_check(p->br);
}
