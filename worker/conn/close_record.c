/* SPDX-License-Identifier: MIT */
/*
 * close_record.c: the record of a connection that ends, for statistics and
 * for pusherctl.  Each connection is counted once.
 */

#include <string.h>

#include "shared/app/app.h"
#include "shared/base/clock.h"
#include "shared/base/utf8.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/remote.h"
#include "worker/core/core.h"

/* Of a connection that was greeted. */
static void
count_close(struct stats_app *s, unsigned code)
{
	s->ended++;
	if (code == 1000 || code == 1001 || code == 1005)
		s->closed_normal++;
	else if (code == 1006)
		s->closed_lost++;
	else if (code / 100 == 41)
		s->closed_busy++;
	else if (code / 100 == 42)
		s->closed_reconnect++;
	else
		s->closed_error++;
}

void
conn_record_close(struct conn *c, unsigned code, struct str reason)
{
	struct stats *s = c->w->stats;
	uint32_t app = c->app == NULL ? 0 : c->app->num;
	struct stats_close *r;
	double age;

	if (c->close_recorded)
		return;
	c->close_recorded = true;
	age = MAX(worker_now() - c->opened_at, 0.);
	if (c->greeted) {
		s->counts.closed[stats_code(code)]++;
		count_close(stats_of(c->app), code);
		stats_observe(&s->counts.lifetime, stats_bounds_long,
		    (uint64_t)(age * 1e6));
	} else {
		s->counts.refused[stats_code(code)]++;
	}
	r = stats_next_close(s, app);
	*r = (struct stats_close){ .time_ms = clock_ms(CLOCK_REALTIME_COARSE),
		.age_ms = (uint64_t)(age * 1e3),
		.bytes_out = c->out.out,
		.app = app,
		.code = (uint16_t)code,
		.by_client = c->peer_closed,
		.greeted = c->greeted };
	remote_text(c, r->peer, sizeof(r->peer));
	reason = utf8_cut(reason, sizeof(r->reason) - 1);
	if (reason.n > 0)
		memcpy(r->reason, reason.p, reason.n);
}
