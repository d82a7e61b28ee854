/* SPDX-License-Identifier: MIT */
/*
 * resume.c: scenario of the load generator in which all clients are cut off
 * with a reset, again and again, and come back to their sessions while events
 * are published.  Events that a client gets twice or never are counted.
 */

#include "cli/bench/peer.h"

#include <stdlib.h>

#define STAY_NS 500000000u /* with all clients there, before they are cut */
#define AWAY_NS 200000000u /* seconds without any of them */

/* Publishes on time for this long. */
static void
go_on(struct run *run, uint64_t ns)
{
	uint64_t end = bench_now() + ns;

	while (bench_now() < end && bench_is_ok(run)) {
		if (run->process == 0)
			publish_feed(run);
		bench_turn(run);
	}
	run->moved =
	    run->now; /* nothing has to come to clients that are away */
}

static void
cut(struct run *run)
{
	for (uint32_t i = 0; i < run->nclients; i++) {
		run->clients[i].doubles = 0;
		peer_close(&run->clients[i], true);
	}
	run->opened = run->ready = 0;
}

void
resume_run(struct run *run)
{
	if (!publish_begin(run))
		return;
	run->count_ready = true;
	do {
		uint64_t start;

		go_on(run, STAY_NS);
		cut(run);
		go_on(run, AWAY_NS);
		start = bench_now();
		bench_bring_up(run);
		run->r->rounds++;
		run->r->connects += run->ready;
		run->r->connect_ns += bench_now() - start;
		histogram_add(&run->r->round_time, bench_now() - start);
	} while (bench_may_go_on(run, "answered and delivered"));
	bench_end(run);
	sent_event_wait(run);
}

void
resume_on_word(struct run *run, struct str text)
{
	struct bench_result *r = run->r;
	const char *n = memmem(text.p, text.n, "replayed\\\":", 11);

	if (memmem(text.p, text.n, "continued", 9) == NULL) {
		r->gaps += memmem(text.p, text.n, "gap", 3) != NULL;
		return;
	}
	r->resumed++;
	if (n != NULL) /* a brace stands behind the number */
		r->replayed += strtoull(n + 11, NULL, 10);
}
