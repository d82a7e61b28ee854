/* SPDX-License-Identifier: MIT */
/*
 * worker.c: the worker role: makes the loop, connects the modules, and orders
 * the end of each turn: messages to the broker leave first, then each client is
 * written once, then closed connections are freed.  A worker opens no file
 * after it has started and never decides about a channel's state.
 */

#include "worker/worker.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/heartbeat.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/proc.h"
#include "worker/admin/conn_list.h"
#include "worker/admin/drain.h"
#include "worker/admin/move.h"
#include "worker/admin/stats_report.h"
#include "worker/api/retry.h"
#include "worker/app/apps.h"
#include "worker/app/auth_failures.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/client.h"
#include "worker/client/client_memory.h"
#include "worker/client/closing.h"
#include "worker/client/socket.h"
#include "worker/conn/compression.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/listener.h"
#include "worker/conn/output.h"
#include "worker/conn/pump.h"
#include "worker/conn/timeout.h"
#include "worker/conn/tls.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/sandbox.h"
#include "worker/session/session.h"
#include "worker/wiring.h"

#define RESERVED_FDS 64  /* links, listeners, log */
#define STOP_CONNS 256   /* closed at once at the end */
#define ORPHAN_DRAIN 0.5 /* seconds, when the master is gone */

/* The state of every module, in one piece; struct worker points into it. */
struct modules {
	struct api_retries retries;
	struct apps apps;
	struct compression compression;
	struct drain drain;
	struct inputs input;
	struct auth_failures auth_failures, tls_refused;
	struct cache_replica cache_replica;
	struct client_memory client_memory;
	struct closings closings;
	struct link link;
	struct unacked unacked;
	struct subscriptions subscriptions;
	struct listeners listeners;
	struct master_link master_link;
	struct move move;
	struct heartbeat heartbeat;
	struct sessions sessions;
	struct stats stats;
	struct timeouts timeouts;
	struct tls tls;
	struct conn_lists conn_lists;
};

/* ---- the loop ---- */

static void
on_busy(struct ev_loop *loop, ev_idle *idle, int revents)
{
	/* its being active keeps the loop from sleeping */
}

/* Does the flush wait for more events, or for what these will bring? */
static bool
may_wait(struct worker *w)
{
	struct coalesce *c = &w->coalesce;
	unsigned n = w->conf->nworkers;

	return !w->link->ipc.rests && coalesce_pays(c, n) &&
	    coalesce_waits(c, n, c->nevents + w->link->ipc.nout,
		clock_us(CLOCK_MONOTONIC));
}

/* The end of a turn. */
static void
on_prepare(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	struct worker *w = container_of(prepare, struct worker, prepare);
	bool waits, later, left;

	tls_turn(w);
	if (!w->moving) {
		ws_turn(w);
		input_run(w);
	}
	waits = may_wait(w);
	later = !waits && !w->moving && coalesce_is_short(&w->coalesce) &&
	    link_flush_later(w);
	if (!later)
		link_flush(w);
	unacked_release(w);
	if (waits) {
		ev_idle_start(loop, &w->busy);
		link_turn_ends(w);
		sched_yield(); /* to those who share our core */
		ipc_turn(&w->link->ipc, false);
		return;
	}
	coalesce_end(&w->coalesce);
	left = closing_turn(w);
	client_memory_check(w);
	sessions_turn(w->sessions);
	left = output_flush(w) || left;
	conn_reap(w);
	if (!later)
		link_flush(w); /* closing sends messages to the broker, too */
	link_turn_ends(w);
	stats_turn_ends(w);
	move_turn(w);
	left = move_start_more(w) || left;
	left = ipc_go_on(&w->link->ipc) || left;
	left = left || later || (input_is_left(w) && !w->moving) ||
	    !list_is_empty(&w->closed) || !list_is_empty(&w->dirty) ||
	    !list_is_empty(&w->slow);
	if (!ipc_turn(&w->link->ipc, !left))
		ev_idle_start(loop, &w->busy);
	else
		ev_idle_stop(loop, &w->busy);
	worker_rewind(w->arena);
	worker_rewind(w->events);
	if (drain_is_over(w))
		ev_break(loop, EVBREAK_ALL);
}

static void
on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = container_of(timer, struct worker, tick);

	client_memory_tick(w);
	stats_report(w);
	output_tick(w);
	tls_refresh(w);
	unacked_tick(w);
	api_confirm_tick(w);
	cache_replica_tick(w);
	client_tick(w);
	log_tick();
}

static void
on_term(struct ev_loop *loop, ev_signal *sig, int revents)
{
	struct worker *w = container_of(sig, struct worker, term);

	drain_start(w, (double)w->conf->drain_time);
}

static void
on_quit(struct ev_loop *loop, ev_signal *sig, int revents)
{
	ev_break(loop, EVBREAK_ALL);
}

static void
on_life(struct ev_loop *loop, ev_io *io, int revents)
{
	struct worker *w = container_of(io, struct worker, life);

	ev_io_stop(loop, io);
	log_warnx("the master is gone: exiting");
	drain_hurry(w, ORPHAN_DRAIN);
}

/* How many sockets this worker may hold. */
static uint32_t
connection_limit(const struct conf *conf)
{
	struct rlimit rl;
	uint64_t limit = UINT32_MAX, share;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < limit)
		limit = rl.rlim_cur > 2 * RESERVED_FDS
		    ? rl.rlim_cur - RESERVED_FDS
		    : rl.rlim_cur / 2;
	if (conf->max_connections != 0) {
		share = (conf->max_connections + conf->nworkers - 1) /
		    conf->nworkers;
		limit = MIN(limit, share);
	}
	return (uint32_t)limit;
}

/* Limits that follow from the configuration and the number of workers. */
static void
take_shares(struct worker *w)
{
	w->max_conns = connection_limit(w->conf);
	client_memory_share(w);
}

static char *
on_reconf(void *owner, const struct msg_reconf *m, const int *fds, size_t n)
{
	struct worker *w = owner;
	uint32_t ids[FDPASS_FDS];

	memcpy(ids, m->listeners.p, n * sizeof(ids[0]));
	tls_refresh(w);
	listener_replace(w, fds, ids, n);
	take_shares(w);
	return NULL;
}

static void
on_drain_order(void *owner, const struct msg_drain *m)
{
	struct worker *w = owner;

	if (m->how == DRAIN_RETIRE)
		drain_retire(w, (double)m->ms / 1000);
	else if (m->how == DRAIN_END)
		drain_end(w);
	else
		drain_stop(w, (double)m->ms / 1000, m->how == DRAIN_SPREAD);
}

static const struct master_link_ops master_link_ops = {
	.on_reconf = on_reconf,
	.on_drain = on_drain_order,
	.on_link = link_take,
	.on_move = move_out,
	.on_move_in = move_in,
};

void
worker_init(struct worker *w)
{
	struct modules *m = xcalloc(1, sizeof(*m));

	w->retries = &m->retries;
	w->http = &worker_http;
	w->ws = &client_socket;
	w->apps = &m->apps;
	w->apps->ops = &worker_apps;
	list_init(&w->apps->gone);
	w->compression = &m->compression;
	w->drain = &m->drain;
	w->input = &m->input;
	w->auth_failures = &m->auth_failures;
	w->tls_refused = &m->tls_refused;
	w->cache_replica = &m->cache_replica;
	w->client_memory = &m->client_memory;
	w->closings = &m->closings;
	w->link = &m->link;
	w->link->ops = &worker_link;
	w->unacked = &m->unacked;
	w->unacked->cost = topic_fanout;
	w->unacked->restamp = worker_restamp;
	w->subscriptions = &m->subscriptions;
	w->listeners = &m->listeners;
	w->master_link = &m->master_link;
	w->move = &m->move;
	w->move->receiver = MOVE_NEW;
	w->heartbeat = &m->heartbeat;
	w->sessions = &m->sessions;
	w->stats = &m->stats;
	w->timeouts = &m->timeouts;
	m->timeouts.fire = conn_on_timeout;
	w->tls = &m->tls;
	w->conn_lists = &m->conn_lists;
	list_init(&w->clients);
	list_init(&w->cursors);
	w->before_read = client_memory_check;
	/* No limits until client_memory_init(). */
	w->unacked_state_max = w->answer_max = UINT64_MAX;
	list_init(&w->dirty);
	list_init(&w->awaiting);
	list_init(&w->blocked);
	list_init(&w->slow);
	list_init(&w->closed);
	cache_replica_init(w);
	closings_init(w);
	compression_init(w);
	sessions_init(w->sessions);
	w->sessions->sid = conn_sid;
	w->sessions->app = client_app_num;
	w->sessions->queue = conn_queue_bytes;
	unacked_init(w);
	api_retry_init(w);
	conn_lists_init(w);
}

void
worker_clear(struct worker *w)
{
	free(container_of(w->retries, struct modules, retries));
}

static void
start(struct worker *w)
{
	worker_init(w);
	w->recv = xmalloc(WORKER_RECV_BYTES);

	ev_prepare_init(&w->prepare, on_prepare);
	ev_prepare_start(w->loop, &w->prepare);
	ev_idle_init(&w->busy, on_busy);
	ev_timer_init(&w->tick, on_tick, 1., 1.);
	ev_timer_start(w->loop, &w->tick);
	client_memory_init(w);
	take_shares(w);
	heartbeat_start(w->heartbeat, w->loop, w->inherit->heartbeat);
	drain_init(w);
	ev_signal_init(&w->term, on_term, SIGTERM);
	ev_signal_start(w->loop, &w->term);
	ev_signal_init(&w->quit, on_quit, SIGQUIT);
	ev_signal_start(w->loop, &w->quit);
	ev_io_init(&w->life, on_life, w->inherit->life_fd, EV_READ);
	ev_io_start(w->loop, &w->life);
	sessions_start(
	    w->sessions, w->conf, w->inherit->sessions, w->loop, &w->link->ipc);
	tls_init(w);
	listener_init(w);
	move_init(w);
	link_init(w);
	stats_init(w);
	master_link_start(w->master_link, w->loop, w->inherit->link_fd,
	    w->inherit->conf, &master_link_ops, w);
}

static bool
close_some(struct worker *w)
{
	struct hash_node *n = hash_first(&w->conns), *next;

	for (unsigned i = 0; i < STOP_CONNS && n != NULL; i++, n = next) {
		next = hash_next(&w->conns, n);
		conn_close(container_of(n, struct conn, node));
	}
	while (!list_is_empty(&w->closed))
		conn_reap(w);
	return w->conns.n > 0;
}

/* Frees a part of what the process has; true: there is more. */
static bool
stop(void *worker)
{
	struct worker *w = worker;

	if (close_some(w))
		return true;
	closing_finish(w, 0);
	stats_report(w);
	link_flush(w);
	conn_lists_clear(w);
	move_clear(w);
	sessions_clear(w->sessions);
	input_clear(w);
	compression_free(w);
	listener_free(w);
	drain_free(w);
	tls_free(w);
	link_free(w);
	unacked_free(w);
	subscriptions_free(w);
	cache_replica_free(w);
	client_memory_free(w);
	stats_free(w);
	api_retry_free(w);
	apps_free(w);
	timeouts_free(w);
	auth_failures_clear(w->auth_failures);
	auth_failures_clear(w->tls_refused);
	hash_clear(&w->conns);
	hash_clear(&w->topics);
	buf_unref(w->arena);
	buf_unref(w->events);
	buf_unref(w->scratch);
	free(w->recv);
	worker_clear(w);
	ev_loop_destroy(w->loop);
	sign_cleanup();
	return false;
}

int
worker_main(const struct inherit *inherit)
{
	struct worker w = { .inherit = inherit, .conf = inherit->conf };
	bool pumps;

	proc_signal(SIGPIPE, SIG_IGN);
	hash_seed();
	if ((w.loop = ev_default_loop(EVFLAG_AUTO)) == NULL)
		fatalx("no event loop");
	start(&w);
	if (w.conf->sandbox)
		sandbox_enter();
	proc_unblock_signals();
	ev_run(w.loop, 0);
	if (w.move->over)
		move_let_go(&w);
	pumps = w.move->over && w.move->pump != NULL;
	if (pumps)
		pump_run(
		    w.move->pump, inherit->life_fd, w.move->linger, stop, &w);
	while (!pumps && stop(&w))
		continue;
	return 0;
}
