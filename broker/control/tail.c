/* SPDX-License-Identifier: MIT */
/*
 * tail.c: copies of passing events for `pusherctl tail`.  Owns struct tail,
 * of which a client of the control socket has one at most.
 *
 * A client that does not keep up gets no more than its queue's bound holds;
 * what finds no room is counted and lost for it.  Must never hold an event up,
 * and never write one to the log.
 */

#include "broker/control/tail.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/control/control.h"
#include "broker/control/verb_args.h"
#include "shared/base/base.h"
#include "shared/base/outq.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/webhook.h"

#define QUEUE_MAX (1u << 20) /* bytes; above it events are missed */

void
tail_free(struct tail *t)
{
	if (t == NULL)
		return;
	route_untap(t->cc->br, &t->tap);
	t->cc->tail = NULL;
	free(t);
}

/* Says what was missed; false: there is no room. */
static bool
catch_up(struct tail *t)
{
	struct json_writer w;

	if (outq_bytes(&t->cc->ipc.out) >= QUEUE_MAX)
		return false;
	if (t->missed == 0)
		return true;
	verb_row_begin(&w, "missed");
	verb_put_number(&w, "missed", t->missed);
	verb_row_end(t->cc, &w);
	t->missed = 0;
	return true;
}

void
tail_tick(struct tail *t)
{
	catch_up(t);
}

static bool
is_wanted(const struct tail *t, const struct msg_event *m, enum route_kind kind)
{
	if (kind == ROUTE_OWN && !t->own)
		return false;
	if (t->app != 0 && t->app != m->app)
		return false;
	return t->pattern_len == 0 ||
	    webhook_glob(str_make(t->pattern, t->pattern_len), m->channel);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A frame of ours is one JSON text behind its head. */
static void
put_event(struct tail *t, const struct msg_event *m, enum route_kind kind)
{
	static const char *const kinds[] = { [ROUTE_EVENT] = "event",
		[ROUTE_CLIENT] = "client",
		[ROUTE_OWN] = "own" };
	const struct broker_app *a = apps_find(t->cc->br, m->app);
	struct ws_head h;
	ssize_t head = ws_head_read(&h, m->frame);
	struct json_writer w;

	if (head <= 0 || a == NULL || m->frame.n - (size_t)head < h.len)
		return;
	verb_row_begin(&w, kinds[kind]);
	verb_put_number(&w, "time_ms", now_ms());
	verb_put_text(&w, "app", str_of(a->app.id));
	verb_put_text(&w, "channel", m->channel);
	json_key(&w, "frame");
	json_put_raw(&w, str_make(m->frame.p + head, (size_t)h.len));
	verb_row_end(t->cc, &w);
}

static void
on_event(struct route_tap *tap, const struct msg_event *m, enum route_kind kind)
{
	struct tail *t = container_of(tap, struct tail, tap);

	if (!is_wanted(t, m, kind))
		return;
	if (catch_up(t))
		put_event(t, m, kind);
	else
		t->missed++;
}

void
tail_begin(
    struct control_client *cc, uint32_t app, struct str pattern, bool own)
{
	struct tail *t = xcalloc(1, sizeof(*t) + pattern.n);

	t->cc = cc;
	t->app = app;
	t->own = own;
	t->pattern_len = pattern.n;
	if (pattern.n > 0)
		memcpy(t->pattern, pattern.p, pattern.n);
	t->tap.event = on_event;
	route_tap(cc->br, &t->tap);
	cc->tail = t;
}
