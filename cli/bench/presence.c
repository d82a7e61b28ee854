/* SPDX-License-Identifier: MIT */
/*
 * presence.c: members of presence channels that come and go.  First all join at
 * once; then, in each channel, `in_flight` of them leave and come back, one
 * after the other.  Every client keeps a list of the present members, from its
 * roster and the member events: an event that changes nothing is a duplicate or
 * out of order, and a member that is missing at the end was lost.
 */

#include <stdlib.h>

#include "cli/bench/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define SETTLE_NS 3000000000u
#define QUIET_NS 100000000u /* in which nothing more may come */

/* The number of the member after the next '#' of *text; -1: none. */
static int64_t
next_member(const struct run *run, struct str *text)
{
	ssize_t at = str_find(*text, '#');
	uint64_t index;

	if (at == -1)
		return -1;
	*text = str_from(*text, (size_t)at + 1);
	if (str_to_u64(
		str_make(text->p, MIN(text->n, 6)), UINT32_MAX, &index) == -1 ||
	    index / run->conf->channels >= run->members)
		return -1;
	return (int64_t)(index / run->conf->channels);
}

/* Notes the change; true if it is new. */
static bool
set_present(struct run *run, struct peer *p, uint32_t member, bool present)
{
	uint64_t bit = UINT64_C(1) << (member % 64);
	uint64_t *word = &p->view[member / 64];

	if (((*word & bit) != 0) == present)
		return false;
	run->full -= p->nview == run->members;
	*word ^= bit;
	p->nview = present ? p->nview + 1 : p->nview - 1;
	run->full += p->nview == run->members;
	return true;
}

static void
take_roster(struct run *run, struct peer *p, struct str text)
{
	struct bench_result *r = run->r;
	int64_t m;

	run->full -= p->nview == run->members;
	memset(p->view, 0, (run->members + 63) / 64 * 8);
	p->nview = 0;
	while ((m = next_member(run, &text)) != -1)
		set_present(run, p, (uint32_t)m, true);
	m = p->index / run->conf->channels;
	if (!(p->view[m / 64] >> (m % 64) & 1))
		r->disorder++; /* the newcomer is not on its own list */
	p->state = PEER_ON;
	histogram_add(&r->latency, run->moved - p->started);
	if (p->churns) {
		r->churns += 2;
		run->churning--;
		run->free[run->nfree++] = p;
	} else {
		run->ready++;
	}
	p->churns = false;
}

void
presence_on_text(struct run *run, struct peer *p, struct str text)
{
	bool added;
	int64_t m;

	if (p->state == PEER_SUBSCRIBING) {
		if (peer_is_event(text, S("subscription_succeeded")))
			take_roster(run, p, text);
		return; /* otherwise from before it left */
	}
	added = peer_is_event(text, S("member_added"));
	if (!added && !peer_is_event(text, S("member_removed")))
		return;
	if ((m = next_member(run, &text)) == -1)
		return;
	run->r->delivered++;
	if (!set_present(run, p, (uint32_t)m, added)) {
		run->r->duplicate += added;
		run->r->disorder += !added;
	}
}

static void
join(struct run *run, struct peer *p)
{
	p->state = PEER_SUBSCRIBING;
	p->started = run->now;
	peer_subscribe(run, p, p->channel);
	peer_write(run, p);
	run->worked = true;
}

/* All join, `at_once` of them on their way. */
static void
join_all(struct run *run)
{
	uint64_t t0;
	uint32_t asked = 0;

	run->ready = 0;
	t0 = run->moved = run->now = bench_now();
	while (bench_is_ok(run) &&
	    (run->ready < run->nclients || run->full < run->nclients)) {
		while (asked < run->nclients &&
		    asked - run->ready < run->conf->at_once)
			join(run, &run->clients[asked++]);
		bench_wait_turn(run, "joined", run->ready, run->nclients);
	}
	run->r->joins = run->nclients;
	run->r->join_ns = bench_now() - t0;
}

/* A member leaves and comes back: one step of the churn. */
static void
churn(struct run *run, struct peer *p)
{
	const struct bench_conf *conf = run->conf;

	run->text->len = 0;
	buf_printf(&run->text,
	    "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"%s%u\"}"
	    "}",
	    conf->scenario->prefix, p->channel);
	peer_text(p, buf_str(run->text));
	p->churns = true;
	run->churning++;
	join(run, p);
}

/* The next member of the same channel that is not moving. */
static struct peer *
next_of(struct run *run, struct peer *p)
{
	uint32_t channels = run->conf->channels, n = run->conf->processes;
	uint32_t step = channels % n == 0 ? channels / n : 1;
	uint32_t i = (uint32_t)(p - run->clients);

	do
		i = (i + step) % run->nclients;
	while (run->clients[i].state != PEER_ON ||
	    run->clients[i].channel != p->channel);
	return &run->clients[i];
}

static void
churn_for_some_time(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	double rate = conf->rate / conf->processes;
	uint64_t step = conf->rate > 0 ? (uint64_t)(1e9 / rate) : 0;
	uint32_t first = 0, n;

	/* The first ones: in_flight of each channel. */
	for (n = 0; n < run->nclients &&
	     run->clients[n].index / conf->channels < conf->in_flight;
	     n++)
		run->free[run->nfree++] = &run->clients[n];
	bench_begin(run);
	do {
		n = run->nfree;
		while (first < n && bench_is_ok(run)) {
			if (step != 0 && run->intended > run->now)
				break;
			run->intended += step;
			churn(run, next_of(run, run->free[first++]));
		}
		memmove(run->free, run->free + first,
		    (run->nfree - first) * sizeof(struct peer *));
		run->nfree -= first;
		first = 0;
	} while (bench_may_go_on(run, "member events"));
	bench_end(run);
}

static void
settle(struct run *run)
{
	uint64_t end = bench_now() + SETTLE_NS;
	struct bench_result *r = run->r;
	uint64_t delivered = r->delivered, churns = r->churns;
	struct histogram keep = r->latency;

	while (run->churning > 0 && bench_now() < end && bench_is_ok(run))
		bench_turn(run);
	bench_barrier(run);
	while (
	    run->full < run->nclients && bench_now() < end && bench_is_ok(run))
		bench_turn(run);
	end = bench_now() + QUIET_NS;
	while (bench_now() < end && bench_is_ok(run))
		bench_turn(run);
	for (uint32_t i = 0; i < run->nclients; i++)
		r->lost += run->members - run->clients[i].nview;
	r->delivered = delivered;
	r->churns = churns;
	r->latency = keep;
}

void
presence_run(struct run *run)
{
	const struct bench_conf *conf = run->conf;

	run->members = conf->clients / conf->channels;
	run->free = xcalloc(run->nclients + 1, sizeof(struct peer *));
	run->text = buf_new(4096);
	for (uint32_t i = 0; i < run->nclients; i++)
		run->clients[i].view =
		    xcalloc((run->members + 63) / 64, sizeof(uint64_t));
	bench_bring_up(run);
	bench_barrier(run);
	join_all(run);
	bench_barrier(run);
	if (!bench_is_ok(run))
		return;
	run->r->latency = (struct histogram){ 0 };
	churn_for_some_time(run);
	settle(run);
}
