/* SPDX-License-Identifier: MIT */
#ifndef WORKER_APP_STATS_H
#define WORKER_APP_STATS_H

/*
 * The counters of this worker. Counting is an increment of a field, here or in
 * the struct stats_app of a struct client_app. Once a second, and on request,
 * they are sent to the broker and start from zero again.
 */

#include <ev.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/proc/last_closes.h"
#include "shared/proc/stats.h"

struct app;
struct worker;

#define STATS_SAMPLES 64 /* events of a turn whose latency is measured */

struct stats {
	struct stats_counts counts; /* since the last report */
	uint64_t turn_max;          /* likewise: microseconds */
	uint64_t woke;              /* this turn began, by the coarse clock */
	uint64_t stamp;             /* see stats_stamp(); 0: none yet */
	uint64_t cpu;               /* microseconds that were reported */
	uint32_t base_fds;          /* descriptors that are no clients */
	uint32_t samples[STATS_SAMPLES];
	unsigned nsamples;
	struct last_closes closes; /* since the last report */
	ev_check check;
};

void stats_init(struct worker *);
void stats_free(struct worker *);
/*
 * Microseconds of the monotonic clock, not before what this connection has sent
 * was read: for EVENT.read_us and PLACE.
 */
uint64_t stats_stamp(struct worker *);
/* Everything of this turn has been written. */
void stats_turn_ends(struct worker *);

/* The counters of a connection's app (conn->app). */
struct stats_app *stats_of(struct app *);
/* These frames are queued for a client; the bytes before them are none. */
void stats_on_answer(struct app *, struct str frames);
/* A request to the HTTP API was answered with this number of bytes. */
void stats_on_reply(
    struct worker *, uint32_t app, unsigned status, uint64_t bytes);
/* Room for one more record; see last_closes.h. */
struct stats_close *stats_next_close(struct stats *, uint32_t app);
/* An event with this read_us is being queued for clients. */
static inline void
stats_sample(struct stats *s, uint32_t read_us)
{
	if (read_us != 0 && s->nsamples < STATS_SAMPLES)
		s->samples[s->nsamples++] = read_us;
}

#endif
