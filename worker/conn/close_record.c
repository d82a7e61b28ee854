/* SPDX-License-Identifier: MIT */
/*
 * close_record.c: the record of a connection that ends, for statistics and
 * for pusherctl.  Each connection is counted once.
 */

#include <string.h>
#include <time.h>

#include "shared/app/app.h"
#include "worker/app/stats.h"
#include "worker/app/token_bucket.h"
#include "worker/conn/conn.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"

static uint64_t
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
conn_record_close(struct conn *c, unsigned code, struct str reason)
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
	r = stats_next_close(s);
	*r = (struct stats_close){ .time_ms = wall_ms(),
		.age_ms = (uint64_t)(age * 1e3),
		.bytes_out = c->out.out,
		.app = c->app == NULL ? 0 : c->app->num,
		.code = (uint16_t)code,
		.by_client = c->peer_closed,
		.greeted = c->greeted };
	remote_text(c, r->peer, sizeof(r->peer));
	reason = utf8_cut(reason, sizeof(r->reason) - 1);
	if (reason.n > 0)
		memcpy(r->reason, reason.p, reason.n);
}
