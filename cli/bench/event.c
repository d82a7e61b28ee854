/* SPDX-License-Identifier: MIT */
/*
 * event.c: client events: the members of each private channel write to
 * each other.  Closed loop: each client has `in_flight` events under way, and
 * sends the next when one has reached all others of its channel.  Open loop:
 * the clients take turns at fixed times.
 */

#include <stdio.h>
#include <stdlib.h>

#include "cli/bench/peer.h"
#include "shared/base/xmalloc.h"

static void
send_event(struct run *run, struct peer *p, uint64_t start)
{
	const struct bench_conf *conf = run->conf;
	struct sent_event *f = sent_event_new(
	    run, start, p->index / conf->channels, run->members - 1);

	f->by = p;
	run->text->len = 0;
	buf_printf(&run->text,
	    "{\"event\":\"client-bench\",\"channel\":\"%s%u\",\"data\":\"",
	    conf->scenario->prefix, p->channel);
	sent_event_put_data(run, &run->text, f->seq);
	buf_append(&run->text, S("\"}"));
	peer_text(p, buf_str(run->text));
	peer_write(run, p);
	run->worked = true;
}

/* Clients whose events have arrived send the next. */
static void
feed_closed(struct run *run)
{
	uint32_t n = run->nfree;

	run->nfree = 0;
	for (uint32_t i = 0; i < n; i++)
		send_event(run, run->free[i], run->now);
}

static void
feed_open(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	double rate = conf->rate / conf->processes;
	uint64_t step = (uint64_t)(1e9 / rate);
	static uint32_t next; /* of this process */

	run->nfree = 0;
	while (run->intended <= run->now && bench_is_ok(run)) {
		send_event(run, &run->clients[next], run->intended);
		next = (next + 1) % run->nclients;
		run->intended += step;
	}
}

void
event_run(struct run *run)
{
	const struct bench_conf *conf = run->conf;

	run->members = conf->clients / conf->channels;
	run->nlast = run->members;
	/* All members of a channel are of one process. */
	run->sent = xcalloc(BENCH_SENT_EVENTS, sizeof(*run->sent));
	run->text = buf_new(4096);
	run->free =
	    xcalloc((size_t)run->nclients * conf->in_flight + BENCH_SENT_EVENTS,
		sizeof(struct peer *));
	bench_bring_up(run);
	for (uint32_t i = 0; i < run->nclients; i++) {
		run->clients[i].last = xcalloc(run->nlast, sizeof(uint64_t));
		for (uint32_t k = 0; k < conf->in_flight; k++)
			run->free[run->nfree++] = &run->clients[i];
	}
	bench_barrier(run);
	bench_begin(run);
	do {
		if (!bench_is_ok(run))
			break;
		if (conf->rate > 0)
			feed_open(run);
		else
			feed_closed(run);
	} while (bench_may_go_on(run, "delivered"));
	bench_end(run);
	if (bench_is_ok(run))
		sent_event_wait(run);
	free(run->sent);
	run->sent = run->shared->sent;
}
