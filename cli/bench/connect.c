/* SPDX-License-Identifier: MIT */
/*
 * connect.c: many clients that connect at once: `connect` brings all up to the
 * greeting and drops them with a reset, again and again; `stampede` lets all
 * drop, and measures until all are back in their channels.
 */

#include "cli/bench/peer.h"

#define NAP_NS 100000000 /* seconds in which the server closes its ends */

static void
drop_all(struct run *run, bool hard)
{
	for (uint32_t i = 0; i < run->nclients; i++)
		peer_close(&run->clients[i], hard);
	run->opened = run->ready = 0;
}

/* Brings all clients up once; the time counts from `start`. */
static void
bring_up(struct run *run, uint64_t start)
{
	struct bench_result *r = run->r;
	uint64_t took;

	run->count_ready = true;
	bench_bring_up(run);
	took = bench_now() - start;
	r->rounds++;
	r->connects += run->ready;
	r->connect_ns += took;
	histogram_add(&r->round_time, took);
}

static void
rounds(struct run *run, bool stampede)
{
	if (stampede) { /* the first time is no reconnect */
		bench_bring_up(run);
		bench_barrier(run);
	}
	bench_begin(run);
	do {
		uint64_t start = bench_now();

		drop_all(run, !stampede);
		if (!stampede) /* closing them is not measured */
			bench_nap(run, NAP_NS);
		bring_up(run, stampede ? start : bench_now());
	} while (bench_may_go_on(run, "rounds"));
	bench_end(run);
	bench_barrier(run);
}

void
connect_run(struct run *run)
{
	rounds(run, false);
}

void
connect_run_stampede(struct run *run)
{
	rounds(run, true);
}
