/* SPDX-License-Identifier: MIT */
/*
 * stats.c: what this worker counts and measures, and its report to the broker.
 * Owns the histograms, the records of ended connections and the clock of a
 * turn: it begins when the loop wakes up and ends when all its output has
 * been handed to the kernel.
 *
 * While there is no broker nothing is reported and nothing lost, but for the
 * oldest records of ended connections.  Must never cost more than an
 * increment where events pass.
 */

#include "worker/app/stats.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/ws_frame.h"
#include "shared/proc/proc.h"
#include "shared/proc/usage.h"
#include "worker/api/api_park.h"
#include "worker/app/apps.h"
#include "worker/app/limit.h"
#include "worker/client/hold.h"
#include "worker/conn/api_http.h"
#include "worker/conn/conn.h"
#include "worker/conn/via.h"
#include "worker/core/core.h"
#include "worker/link/kept.h"
#include "worker/link/link.h"

/* ---- the turn ---- */

static void
on_check(struct ev_loop *loop, ev_check *check, int revents)
{
	struct worker *w = check->data;

	UNUSED(loop);
	UNUSED(revents);
	w->stats->woke = proc_clock_us(CLOCK_MONOTONIC_COARSE);
}

/* The clock is read once for all publishes of a turn. */
uint32_t
stats_stamp(struct worker *w)
{
	if (w->stats->stamp == 0)
		w->stats->stamp = (uint32_t)proc_clock_us(CLOCK_MONOTONIC) | 1;
	return w->stats->stamp;
}

static void
observe_latency(struct stats *s)
{
	uint32_t us = (uint32_t)proc_clock_us(CLOCK_MONOTONIC) | 1;

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
	turn = proc_clock_us(CLOCK_MONOTONIC_COARSE) - s->woke;
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
	free(w->stats->closes);
	w->stats->closes = NULL;
}

/* ---- the report ---- */

static void
gauge(struct worker *w, struct stats_gauges *g)
{
	struct rlimit rl;
	struct list *e;

	*g = (struct stats_gauges){
		.to_broker = link_queued(w),
		.sockets = w->nconns,
		.sockets_limit = w->max_conns,
		.fds = w->stats->base_fds + w->nconns,
		.memory = memory_used(&w->hold->memory),
		.memory_limit = w->hold->memory.limit,
		.kept = outq_bytes(&w->unacked->messages),
		.parked = w->parked->n,
		.draining = w->draining,
		.turn_max = w->stats->turn_max,
	};
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		g->fds_limit = rl.rlim_cur;
	LIST_FOREACH(e, &w->blocked) {
		g->blocked++;
		g->blocked_bytes +=
		    outq_bytes(&LIST_ITEM(e, struct conn, link)->out);
	}
}

/* A row for each app that has something new. */
static struct buf *
take_apps(struct worker *w)
{
	static const struct stats_app zero;
	struct buf *b = NULL;
	struct hash_node *n;

	for (n = hash_first(&w->apps->by_num); n != NULL;
	     n = hash_next(&w->apps->by_num, n)) {
		struct client_app *a =
		    container_of(n, struct client_app, num_node);
		struct stats_row row;

		if (memcmp(&a->stats, &zero, sizeof(zero)) == 0)
			continue;
		row = (struct stats_row){ a->app.num, a->stats };
		a->stats = zero;
		buf_append(&b, str_make((const char *)&row, sizeof(row)));
	}
	return b;
}

/* The oldest first. */
static struct buf *
take_closes(struct stats *s)
{
	struct buf *b = NULL;
	uint32_t i;

	for (i = 0; i < s->ncloses; i++) {
		const struct stats_close *c =
		    &s->closes[(s->first + i) % STATS_CLOSES];

		buf_append(&b, str_make((const char *)c, sizeof(*c)));
	}
	s->ncloses = s->first = 0;
	return b;
}

void
stats_report(struct worker *w)
{
	struct stats *s = w->stats;
	struct stats_worker all;
	struct buf *apps, *closes;
	struct msg_stats m;
	uint64_t cpu = usage_cpu_us();

	if (!link_is_up(w))
		return;
	s->counts.cpu = cpu - s->cpu;
	s->cpu = cpu;
	all.counts = s->counts;
	gauge(w, &all.gauges);
	apps = take_apps(w);
	closes = take_closes(s);
	m.worker = str_make((const char *)&all, sizeof(all));
	m.apps = buf_str(apps);
	m.closes = buf_str(closes);
	link_send_stats(w, &m);
	s->counts = (struct stats_counts){ 0 };
	s->turn_max = 0;
	buf_unref(apps);
	buf_unref(closes);
}

int
stats_on_ask(struct worker *w, const struct msg_stats_ask *m)
{
	UNUSED(m);
	stats_report(w);
	return 0;
}

/* ---- counting ---- */

struct stats_app *
stats_of(struct app *app)
{
	return &container_of(app, struct client_app, app)->stats;
}

void
stats_on_answer(struct conn *c, struct str frames)
{
	struct ws_head h;
	ssize_t n;

	if (c->app == NULL)
		return;
	while ((n = ws_head_read(&h, frames)) > 0) {
		stats_of(c->app)->messages_out += h.opcode == WS_TEXT;
		if (h.len >= frames.n - (size_t)n)
			break;
		frames = str_from(frames, (size_t)n + (size_t)h.len);
	}
}

void
stats_on_reply(struct conn *c, unsigned status, uint64_t bytes)
{
	struct client_app *a;

	if (c->http->app == 0 || (a = apps_by_num(c->w, c->http->app)) == NULL)
		return;
	a->stats.api_out += bytes;
	if (status < 400)
		a->stats.api_2xx++;
	else if (status < 500)
		a->stats.api_4xx++;
	else
		a->stats.api_5xx++;
}

static uint64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Room for one more record; the oldest goes when there is none. */
static struct stats_close *
next_record(struct stats *s)
{
	if (s->closes == NULL)
		s->closes = xcalloc(STATS_CLOSES, sizeof(*s->closes));
	if (s->ncloses < STATS_CLOSES)
		return &s->closes[(s->first + s->ncloses++) % STATS_CLOSES];
	s->counts.closes_lost++;
	s->first = (s->first + 1) % STATS_CLOSES;
	return &s->closes[(s->first + STATS_CLOSES - 1) % STATS_CLOSES];
}

void
stats_on_close(struct conn *c, unsigned code, struct str reason)
{
	struct stats *s = c->w->stats;
	struct stats_close *r;
	double age;

	if (c->close_counted)
		return;
	c->close_counted = true;
	age = MAX(worker_now() - c->opened_at, 0.);
	if (c->greeted) {
		s->counts.closed[stats_code(code)]++;
		stats_of(c->app)->ended++;
		stats_observe(&s->counts.lifetime, stats_bounds_long,
		    (uint64_t)(age * 1e6));
	} else {
		s->counts.refused[stats_code(code)]++;
	}
	r = next_record(s);
	*r = (struct stats_close){ .time_ms = wall_ms(),
		.age_ms = (uint64_t)(age * 1e3),
		.bytes_out = c->out.out,
		.app = c->app == NULL ? 0 : c->app->num,
		.code = (uint16_t)code,
		.by_client = c->peer_closed,
		.greeted = c->greeted };
	via_peer_text(c, r->peer, sizeof(r->peer));
	reason = limit_cut(reason, sizeof(r->reason) - 1);
	if (reason.n > 0)
		memcpy(r->reason, reason.p, reason.n);
}
