/* SPDX-License-Identifier: MIT */
/*
 * wiring.c: calls the modules of a worker in the right order when a broker
 * comes, serves or goes, and names the handlers of the link, of HTTP and of
 * the apps.
 */

#include "worker/wiring.h"

#include <unistd.h>

#include "shared/base/log.h"
#include "shared/proc/proc.h"
#include "worker/admin/conn_list.h"
#include "worker/admin/drain.h"
#include "worker/admin/stats_report.h"
#include "worker/api/ask.h"
#include "worker/api/retry.h"
#include "worker/api/route.h"
#include "worker/app/apps.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/admission.h"
#include "worker/client/client.h"
#include "worker/client/closing.h"
#include "worker/client/handshake.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/listener.h"
#include "worker/core/core.h"
#include "worker/dispatch.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

#define LEAVE_SECONDS 1. /* in which the clients are told */

/* The apps are here: begins to accept, and tells the master. */
static void
serve(struct worker *w)
{
	char one = 1;

	if (w->serving || w->draining)
		return;
	w->serving = true;
	listener_start(w);
	if (write(w->inherit->ready_fd, &one, 1) == -1)
		log_warn("cannot report to the master");
	close(w->inherit->ready_fd);
}

/* ---- a broker comes and goes ---- */

static void
each_conn(struct worker *w, void (*fn)(struct conn *))
{
	struct hash_node *n;

	HASH_FOREACH(n, &w->conns) {
		struct conn *c = CONN_OF(n, node);

		if (c->state != CONN_CLOSED && c->app != NULL)
			fn(c);
	}
}

/* Announces one connection as if it were new. */
static void
replay_conn(struct conn *c)
{
	link_replay_room(c->w);
	admission_replay(c);
	if (c->session.named)
		session_hello(
		    c->w->sessions, &c->session, conn_sid(c), c->app->num);
	client_signin_replay(c);
	subscription_replay(c);
}

/* Unanswered questions, after everything else. */
static void
ask_again(struct conn *c)
{
	admission_ask_again(c);
	subscription_ask_again(c);
}

/* The order in which a new broker learns the state of this worker. */
static void
on_replay(struct worker *w)
{
	struct msg_resync_done done = { 0 };

	if (w->unacked->seq > w->unacked->acked)
		done.seq = w->unacked->seq;
	each_conn(w, input_forget);
	unacked_replay(w);
	each_conn(w, replay_conn);
	topics_replay_rosters(w);
	cache_replica_replay(w);
	link_replay_room(w);
	if (!link_is_open(w))
		return; /* this broker has died, too */
	link_send_resync_done(w, &done);
	unacked_resend(w);
	each_conn(w, ask_again);
	each_conn(w, input_check);
}

static void
on_link_up(struct worker *w, bool dropped)
{
	w->no_broker = false;
	if (dropped) { /* the clients lack events, and must learn it */
		log_warnx("the broker had dropped this worker: exiting");
		drain_start(w, LEAVE_SECONDS);
	}
	apps_sweep(w);
	serve(w);
	api_retry_run(w);
}

static void
on_link_lost(struct worker *w)
{
	w->no_broker = true;
	api_link_lost(w);
	conn_lists_clear(w);
}

const struct link_handler worker_link = {
	.handlers = worker_handlers,
	.hello = apps_mark,
	.replay = on_replay,
	.up = on_link_up,
	.lost = on_link_lost,
};

const struct http_handler worker_http = {
	.is_upgrade = handshake_is_for,
	.on_upgrade = handshake_request,
	.on_request = api_route,
	.on_head = api_route_admit,
	.is_signed = api_route_is_signed,
	.on_reply = api_answered,
	.on_drop = api_on_drop,
	.on_late = api_ask_late,
};

/* The counters of a deleted app are reported while the broker knows it. */
static void
on_app_closed(struct worker *w, struct client_app *a)
{
	if (a->deleted)
		stats_report(w);
	list_remove(&a->gone);
}

const struct apps_ops worker_apps = {
	.on_gone = closing_app,
	.on_closed = on_app_closed,
	.on_new = closing_finish,
	.on_unknown = cache_replica_forget,
	.on_log_restart = client_restart_log,
};

void
worker_restamp(struct worker *w, uint32_t type, char *p, size_t n)
{
	if (type == IPC_SUB)
		subscription_restamp(w, p, n);
	else if (type == IPC_SIGNIN)
		client_signin_restamp(w, p, n);
}
