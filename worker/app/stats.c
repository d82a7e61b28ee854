/* SPDX-License-Identifier: MIT */
/*
 * stats.c: the counters and measurements of this worker. Owns the histograms,
 * the records of ended connections and the clock of a turn, which begins when
 * the loop wakes up and ends when all its output has been handed to the
 * kernel.
 *
 * Without a broker nothing is reported and nothing is lost, except the oldest
 * records of ended connections. Must never cost more than an increment where
 * events pass.
 */

#include "worker/app/stats.h"

#include <dirent.h>

#include "shared/base/clock.h"
#include "shared/net/ws_frame.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"

/* ---- the turn ---- */

static void
on_check(struct ev_loop *loop, ev_check *check, int revents)
{
	struct worker *w = check->data;

	w->stats->woke = clock_us(CLOCK_MONOTONIC_COARSE);
}

/* The clock is read once for all that one read of a connection causes. */
uint64_t
stats_stamp(struct worker *w)
{
	if (w->stats->stamp == 0)
		w->stats->stamp = clock_us(CLOCK_MONOTONIC) | 1;
	return w->stats->stamp;
}

static void
observe_latency(struct stats *s)
{
	uint32_t us = (uint32_t)clock_us(CLOCK_MONOTONIC) | 1;

	for (unsigned i = 0; i < s->nsamples; i++)
		stats_observe(&s->counts.write_latency, stats_bounds_short,
		    us - s->samples[i]);
	s->nsamples = 0;
}

void
stats_turn_ends(struct worker *w)
{
	struct stats *s = w->stats;
	uint64_t turn;

	if (s->nsamples > 0)
		observe_latency(s);
	s->stamp = 0;
	if (s->woke == 0)
		return;
	turn = clock_us(CLOCK_MONOTONIC_COARSE) - s->woke;
	stats_observe(&s->counts.turn, stats_bounds_short, turn);
	s->turn_max = MAX(s->turn_max, turn);
	s->woke = 0;
}

/* Descriptors of this process, except for the one that lists them. */
static uint32_t
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint32_t n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n < 3 ? 0 : n - 3;
}

void
stats_init(struct worker *w)
{
	ev_check_init(&w->stats->check, on_check);
	w->stats->check.data = w;
	ev_set_priority(&w->stats->check, EV_MAXPRI);
	ev_check_start(w->loop, &w->stats->check);
	w->stats->base_fds = count_fds();
}

void
stats_free(struct worker *w)
{
	ev_check_stop(w->loop, &w->stats->check);
	last_closes_clear(&w->stats->closes);
}

/* ---- counting ---- */

struct stats_app *
stats_of(struct app *app)
{
	return &container_of(app, struct client_app, app)->stats;
}

void
stats_on_answer(struct app *app, struct str frames)
{
	struct ws_head h;
	ssize_t n;

	if (app == NULL)
		return;
	while ((n = ws_head_read(&h, frames)) > 0) {
		stats_of(app)->messages_out += h.opcode == WS_TEXT;
		if (h.len >= frames.n - (size_t)n)
			break;
		frames = str_from(frames, (size_t)n + (size_t)h.len);
	}
}

void
stats_on_reply(struct worker *w, uint32_t app, unsigned status, uint64_t bytes)
{
	struct client_app *a = app == 0 ? NULL : apps_by_num(w, app);

	if (a == NULL)
		return;
	a->stats.api_out += bytes;
	if (status < 400)
		a->stats.api_2xx++;
	else if (status < 500)
		a->stats.api_4xx++;
	else
		a->stats.api_5xx++;
}

struct stats_close *
stats_next_close(struct stats *s, uint32_t app)
{
	s->counts.closes_lost += last_closes_is_full(&s->closes);
	return last_closes_add(&s->closes, app);
}
