/* SPDX-License-Identifier: MIT */
/*
 * broker.c: the broker process: makes the loop, accepts links, exits.  Owns
 * struct broker and the order in which a turn ends: long lists continue, every
 * link is flushed, ended links are freed.  Exits on SIGTERM, and when the
 * master is gone (EOF on the life line).  Must never touch a client's socket,
 * write to disk, or wait for anyone.
 */

#include "broker/broker.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/app/apps.h"
#include "broker/app/apps_read.h"
#include "broker/app/idempotency.h"
#include "broker/channel/cache.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/dead_slot.h"
#include "broker/channel/departures.h"
#include "broker/channel/presence.h"
#include "broker/channel/query.h"
#include "broker/channel/receipt.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/channel/subscribe.h"
#include "broker/channel/subscription_count.h"
#include "broker/channel/suspects.h"
#include "broker/cluster/cluster.h"
#include "broker/cluster/leave.h"
#include "broker/control/console_job.h"
#include "broker/control/control.h"
#include "broker/control/verb_master.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/dispatch.h"
#include "broker/link/alive.h"
#include "broker/link/alone.h"
#include "broker/link/answers.h"
#include "broker/link/arrivals.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/log/replay.h"
#include "broker/order.h"
#include "broker/slot.h"
#include "broker/stats/closes.h"
#include "broker/stats/failures.h"
#include "broker/stats/history.h"
#include "broker/stats/metrics.h"
#include "broker/stats/minutes.h"
#include "broker/stats/totals.h"
#include "broker/user/user.h"
#include "broker/user/users.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/events.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/exit_watch.h"
#include "shared/ipc/heartbeat.h"
#include "shared/ipc/master_link.h"
#include "shared/net/acceptor.h"

#define ACCEPTS_PER_TURN 16
#define END_SECONDS .8 /* for the running minute at the end */
#define END_TURNS 64   /* for the last reports of workers */

/* The modules of the broker. */
struct parts {
	ev_prepare prepare; /* end of the turn: flush, acknowledge, reap */
	ev_idle busy;       /* runs while a turn left work over */
	ev_timer tick;      /* once a second: expiries */
	struct heartbeat heartbeat;
	struct exit_watch exit_watch;
	struct acceptor acceptor; /* the workers' and the courier's socket */
	struct master_link master_link;

	struct link_table links;
	struct resync resync;
	struct slot_move slot_move;
	struct broker_apps apps;
	struct idempotency idempotency;
	struct registry registry;
	struct cache cache;
	struct replay replay;
	struct suspects suspects;
	struct departures departures;
	struct subscription_counts subscription_counts;
	struct users users;
	struct queries queries;
	struct receipts receipts;
	struct webhook_endpoints endpoints;
	struct webhook_queue webhook_queue;
	struct webhook_states webhook_states;
	struct totals totals;
	struct route_taps taps;
	struct last_closes closes;
	struct all_failures failures;
	struct channel_events events;
	struct history history;
	struct minutes minutes;
	struct scrapes scrapes;
	struct control control;
	struct console console;
};

static void
on_busy(struct ev_loop *loop, ev_idle *w, int revents)
{
	/* Keeps the loop from sleeping. */
}

/* Sends the results of a resync, in portions, while every link has room. */
static bool
tell(struct broker *br)
{
	bool more;

	if (resync_is_on(br))
		return false;
	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL && !peer_has_room(br->peers[i]))
			return false; /* continues when the link has room */
	more = suspects_go_on(br);
	more = users_go_on(br) || more;
	more = subscription_count_go_on(br) || more;
	more = webhook_events_go_on(br) || more;
	return webhook_states_go_on(br) || more;
}

void
broker_turn(struct broker *br)
{
	bool more = query_continue(br);

	more = metrics_continue(br) || more;
	more = users_free_some(br) || more;
	/* Sessions first: they keep the users' own channels. */
	more = users_drop_dying(br) || dead_slot_go_on(br) || more;
	more = tell(br) || more;
	more = departures_go_on(br) || more;

	control_jobs_step(br);
	more = answers_go_on(br) || more;
	cluster_turn(br->cluster);
	/* A flush may end a link or queue messages for others. */
	do
		peer_flush(br);
	while (control_flush(br));
	cluster_turn_ends(br->cluster);
	alive_check_queues(br);
	peer_reap(br);
	more = control_reap(br) || more;
	if (!peer_turn_ends(br, !more))
		ev_idle_start(br->loop, &br->parts->busy);
	else
		ev_idle_stop(br->loop, &br->parts->busy);
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct broker *br = w->data;

	broker_turn(br);
	totals_turn_ends(br);
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct broker *br = w->data;

	apps_expire(br);
	apps_try(br);
	apps_expire_sessions(br);
	cache_sweep(br);
	idempotency_expire(br);
	control_tick(br);
	console_tick(br);
	alive_tick(br);
	alone_give(br);
	totals_tick(br);
	failures_tick(br);
	log_tick();
	history_tick(br);
}

bool
broker_is_busy(const struct broker *br)
{
	return ev_is_active(&br->parts->busy);
}

static void
wire(struct broker *br)
{
	struct parts *all = xcalloc(1, sizeof(*all));

	br->parts = all;
	br->links = &all->links;
	br->resync = &all->resync;
	br->slot_move = &all->slot_move;
	br->apps = &all->apps;
	br->idempotency = &all->idempotency;
	br->registry = &all->registry;
	br->cache = &all->cache;
	br->replay = &all->replay;
	br->suspects = &all->suspects;
	br->departures = &all->departures;
	br->subscription_counts = &all->subscription_counts;
	br->users = &all->users;
	br->queries = &all->queries;
	br->receipts = &all->receipts;
	br->endpoints = &all->endpoints;
	br->webhook_queue = &all->webhook_queue;
	br->webhook_states = &all->webhook_states;
	br->totals = &all->totals;
	br->taps = &all->taps;
	br->closes = &all->closes;
	br->failures = &all->failures;
	br->history = &all->history;
	br->minutes = &all->minutes;
	br->scrapes = &all->scrapes;
	br->control = &all->control;
	br->console = &all->console;
	br->master_link = &all->master_link;
}

static void
init(struct broker *br, const struct conf *conf, unsigned nslots)
{
	xheap_init();
	*br = (struct broker){ .conf = conf, .nslots = nslots };
	if (cluster_is_wanted(conf))
		br->nslots = PROC_MAX_WORKERS; /* for workers of other hosts */
	br->loop = ev_loop_new(EVFLAG_AUTO);
	if (br->loop == NULL)
		fatalx("cannot make an event loop");
	wire(br);
	peer_init(br, &order_of_links);
	arrivals_init(br);
	alive_init(br);
	br->budget = budget_new(conf->memory_limit);
	registry_init(br->registry, br->nslots, br->budget);
	dead_slot_init(br);
	cache_init(br);
	suspects_init(br);
	departures_init(br);
	query_init(br);
	receipts_init(br);
	replay_init(br->replay, conf);
	br->replay->sessions.memory.budget = br->budget;
	users_init(br);
	idempotency_init(br->idempotency);
	control_init(br);
	console_init(br);
	route_init(br);
	br->parts->events = order_of_channels();
	br->events = &br->parts->events;
	failures_init(br);
	br->apps->ops = &order_of_apps;
	totals_init(br);
	history_init(br);
	minutes_init(br);
	metrics_init(br);
	webhook_events_init(br);
	resync_init(br);
	if (cluster_is_wanted(conf))
		br->cluster = cluster_new(br, cluster_handlers, nslots);
	br->id = proc_random();
	br->started = broker_now();
	ev_prepare_init(&br->parts->prepare, on_prepare);
	ev_idle_init(&br->parts->busy, on_busy);
	ev_timer_init(&br->parts->tick, on_tick, 1., 1.);
	br->parts->prepare.data = br->parts->tick.data = br;
}

void
broker_init(struct broker *br, const struct conf *conf)
{
	init(br, conf, proc_slot_room(conf->nworkers));
}

void
broker_clear(struct broker *br)
{
	resync_clear(br);
	peer_drop_all(br);
	query_drop(br, NULL);
	metrics_drop(br, NULL);
	peer_reap(br);
	receipts_clear(br);
	webhook_events_clear(br);
	subscription_count_clear(br);
	subscribe_clear(br);
	suspects_clear(br);
	users_clear(br);
	cluster_free(br->cluster);
	cache_clear(br);
	idempotency_clear(br->idempotency);
	replay_clear(br->replay);
	totals_clear(br);
	history_clear(br);
	last_closes_clear(br->closes);
	failures_clear(br);
	registry_clear(br->registry);
	apps_clear(br);
	minutes_clear(br);
	budget_free(br->budget);
	buf_unref(br->scratch);
	ev_loop_destroy(br->loop);
	free(br->parts);
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct broker *br = w->data;
	int fd;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = acceptor_accept(&br->parts->acceptor);
		if (fd == -1)
			return;
		peer_accept(br, fd);
	}
}

/* The configuration has changed: informs the modules that copy options. */
static char *
on_reconf(void *owner, const struct msg_reconf *m, const int *fds, size_t n)
{
	struct broker *br = owner;
	char *why = NULL, *failed;

	budget_set(br->budget, br->conf->memory_limit);
	cache_shrink(br);
	resync_check(br); /* fewer workers to wait for */
	if (apps_read(br, &why) == 0)
		return NULL;
	log_warnx("cannot read the apps: %s", why);
	failed = xasprintf("the apps are unchanged: %s", why);
	free(why);
	return failed;
}

static const struct master_link_ops master_link_ops = {
	.on_reconf = on_reconf,
	.on_reply = verb_master_on_reply,
};

static void
start(struct broker *br, const struct inherit *in)
{
	ev_now_update(br->loop); /* reading the database may have taken long */
	ev_prepare_start(br->loop, &br->parts->prepare);
	ev_timer_start(br->loop, &br->parts->tick);
	alive_start(br);
	exit_watch_start(&br->parts->exit_watch, br->loop, in->life_fd);
	acceptor_init(&br->parts->acceptor, br->loop, "link", on_accept);
	br->parts->acceptor.io.data = br;
	acceptor_open(&br->parts->acceptor, in->broker_fd, false);
	heartbeat_start(&br->parts->heartbeat, br->loop, in->heartbeat);
	master_link_start(br->master_link, br->loop, in->link_fd, in->conf,
	    &master_link_ops, br);
	/* A later broker must give higher stamps than its predecessors. */
	br->stamp = (uint64_t)(broker_now() * 1e9);
	br->event_order = in->event_order;
	br->links->rings = true;
	resync_begin(br);
}

/*
 * Workers have exited before: their last reports can be read.  Then the courier
 * writes the running minute.
 */
static void
end_minute(struct broker *br)
{
	double until = broker_now() + END_SECONDS;

	if (!ev_is_active(&br->parts->exit_watch.life))
		return; /* the master is gone, and everybody else goes */
	for (int i = 0; i < END_TURNS; i++)
		ev_run(br->loop, EVRUN_NOWAIT);
	history_end(br);
	while ((minutes_wait(br) || leave_at_stop(br->cluster)) &&
	    broker_now() < until)
		ev_run(br->loop, EVRUN_ONCE);
	leave_late(br->cluster);
}

static void
stop(struct broker *br)
{
	end_minute(br);
	/*
	 * The master's answer to pusherctl, which arrived before the order to
	 * exit.
	 */
	master_link_take_all(br->master_link);
	while (control_flush(br))
		;
	control_clear(br);
	console_clear(br);
	master_link_stop(br->master_link, br->loop);
	acceptor_close(&br->parts->acceptor);
	exit_watch_stop(&br->parts->exit_watch, br->loop);
	ev_prepare_stop(br->loop, &br->parts->prepare);
	ev_idle_stop(br->loop, &br->parts->busy);
}

/*
 * Without apps every client would be told that its app is gone.  So the broker
 * does not start; the workers keep the clients meanwhile.  It waits for a
 * database that is only busy, as long as there is a master.
 */
static void
read_apps(struct broker *br, const struct inherit *in)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct pollfd life = { .fd = in->life_fd, .events = POLLIN };
	bool logged = false;
	sigset_t none;
	char *why = NULL;

	sigemptyset(&none);
	br->parts->heartbeat.counter = in->heartbeat; /* the master reads it */
	while (apps_start(br, &why) == -1) {
		if (errno != EBUSY)
			fatalx("cannot read the apps: %s", why);
		if (!logged)
			log_warnx("apps: waiting for the database: %s", why);
		logged = true;
		heartbeat_beat(&br->parts->heartbeat);
		free(why);
		why = NULL;
		if (ppoll(&life, 1, &pause, &none) == 1)
			_exit(0); /* the master is gone */
	}
}

int
broker_main(const struct inherit *in)
{
	struct broker br;

	proc_signal(SIGPIPE, SIG_IGN);
	hash_seed();
	init(&br, in->conf, in->room);
	br.inherit = in;
	history_recall(&br);
	resumes_recall(&br.replay->sessions, in->sessions);
	read_apps(&br, in);
	idempotency_recall(&br, in->answers);
	start(&br, in);
	log_info("serving workers=%u apps=%zu", in->conf->nworkers, br.apps->n);
	if (in->ready_fd != -1) {
		if (write(in->ready_fd, "1", 1) != 1)
			log_warn("cannot report to the master that the broker "
				 "is ready");
		close(in->ready_fd);
	}
	proc_unblock_signals();
	ev_run(br.loop, 0);
	stop(&br);
	broker_clear(&br);
	return 0;
}
