/* SPDX-License-Identifier: MIT */
/*
 * courier.c: the courier process: its loop and its connection to the broker.
 * Owns struct courier.  Must never wait for anything but the disk.
 */

#include "broker/courier/courier.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/courier/core.h"
#include "broker/courier/deliver.h"
#include "broker/courier/endpoint.h"
#include "broker/courier/from_broker.h"
#include "broker/courier/minutes.h"
#include "broker/courier/sender.h"
#include "broker/courier/status.h"
#include "broker/courier/store.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/ipc/exit_watch.h"
#include "shared/ipc/master_link.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"

#define RETRY_SECONDS 0.1 /* to connect again */
#define NICE 10           /* no message waits for a webhook's turn */
/*
 * For answers, after SIGTERM.  When the server stops, its clients come back a
 * second after they were closed, and must find the next server.
 */
#define FINISH_STOP 0.3
#define FINISH_REPLACED 3. /* the broker stays */

struct role {
	struct courier c;
	struct master_link master_link;
	struct exit_watch exit_watch;
	ev_signal term; /* beside that of exit_watch */
	bool may_finish;
	ev_timer finish;
	double finish_by; /* ev_now() */
	ev_prepare prepare;
	ev_timer retry; /* the connection */
	ev_timer tick;  /* once a second */
};

static void
retry_later(struct role *r)
{
	ev_timer_set(&r->retry, RETRY_SECONDS, 0.);
	ev_timer_start(r->c.loop, &r->retry);
}

static void
on_dead(void *owner, const char *why)
{
	struct courier *c = owner;

	log_info("link to the broker lost: %s", why);
	ipc_close(&c->ipc);
	store_commit(c); /* the events received before */
	minutes_commit(c);
	minutes_forget(c);
	c->started = c->reported_ready = false;
	retry_later(container_of(c, struct role, c));
}

static const struct ipc_ops ops = {
	.peer = FROM_BROKER,
	.handlers = from_broker_handlers,
	.on_dead = on_dead,
};

static void
link_up(struct role *r)
{
	struct courier *c = &r->c;
	struct msg_courier_hello hello = { .version = IPC_VERSION,
		.build = str_of(proc_build_id()),
		.pid = (uint32_t)getpid() };
	int fd = sock_connect_unix(c->conf->broker_path);

	if (fd == -1) {
		retry_later(r);
		return;
	}
	ipc_init(&c->ipc, c->loop, fd, &ops, c);
	ipc_send_courier_hello(&c->ipc, &hello);
	/* COURIER_STATE follows after ENDPOINTS_DONE. */
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	link_up(container_of(w, struct role, retry));
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct courier *c = &container_of(w, struct role, tick)->c;

	log_tick();
	status_count(c);
	store_tick(c);
	minutes_rest(c);
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct courier *c = &container_of(w, struct role, prepare)->c;

	store_on_turn_end(c);
	minutes_commit(c);
	minutes_answer(c);
	ipc_flush(&c->ipc);
}

static void
on_term(struct ev_loop *loop, ev_signal *w, int revents)
{
	container_of(w, struct role, term)->may_finish = true;
}

static const struct master_link_ops master_link_ops = { .on_reconf = NULL };

static void
start(struct role *r, const struct inherit *in)
{
	struct courier *c = &r->c;

	store_start(c);
	minutes_start(c);
	c->on_ready = sender_on_ready;
	list_init(&c->held);
	c->deliver = deliver_new(c->loop, c->conf, sender_on_done);
	ev_prepare_init(&r->prepare, on_prepare);
	ev_prepare_start(c->loop, &r->prepare);
	ev_timer_init(&r->tick, on_tick, 1., 1.);
	ev_timer_start(c->loop, &r->tick);
	ev_init(&r->retry, on_retry);
	exit_watch_start(&r->exit_watch, c->loop, in->life_fd);
	ev_signal_init(&r->term, on_term, SIGTERM);
	ev_signal_start(c->loop, &r->term);
	heartbeat_start(&c->heartbeat, c->loop, in->heartbeat);
	/* The configuration is read when it is needed. */
	master_link_start(&r->master_link, c->loop, in->link_fd, in->conf,
	    &master_link_ops, r);
	link_up(r);
}

/* Without a broker the server stops.  (The master still owns its socket.) */
static void
on_finish(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct role *r = container_of(w, struct role, finish);

	if (!r->c.started || ev_now(loop) >= r->finish_by)
		ev_break(loop, EVBREAK_ALL);
}

/*
 * Receives the answers to the requests in progress, which the next courier
 * would repeat.  Another signal, or the end of the master, ends it at once.
 */
static void
finish(struct role *r)
{
	struct courier *c = &r->c;

	ev_signal_stop(c->loop, &r->term);
	if (!r->may_finish || c->in_flight.held == 0)
		return;
	log_info("waiting for the answers to %llu webhook requests",
	    (unsigned long long)c->in_flight.held);
	c->ends = true;
	r->finish_by = ev_now(c->loop) + FINISH_REPLACED;
	ev_timer_init(&r->finish, on_finish, FINISH_STOP, FINISH_STOP);
	ev_timer_start(c->loop, &r->finish);
	ev_run(c->loop, 0);
	ev_timer_stop(c->loop, &r->finish);
	if (c->in_flight.held > 0)
		log_info("%llu webhook requests were not answered in time: "
			 "they are sent again",
		    (unsigned long long)c->in_flight.held);
}

/* Handles all input first.  The next courier repeats requests in progress. */
static void
stop(struct role *r)
{
	struct courier *c = &r->c;

	if (ipc_is_open(&c->ipc))
		ipc_drain_input(&c->ipc);
	store_stop(c);
	minutes_commit(c);
	minutes_forget(c);
	minutes_rest(c);
	status_count(c);
	if (ipc_is_open(&c->ipc)) {
		ipc_flush(&c->ipc);
		ipc_close(&c->ipc);
	}
	master_link_stop(&r->master_link, c->loop);
	exit_watch_stop(&r->exit_watch, c->loop);
	deliver_free(c->deliver);
	endpoint_clear_all(c);
	shares_clear(&c->in_flight);
	store_free(c);
	free(c->trouble);
	free(c->stats_trouble);
	free(c->database);
	memory_free(&c->memory);
	sign_cleanup();
	ev_loop_destroy(c->loop);
}

int
courier_main(const struct inherit *in)
{
	struct role r = { .c = { .inherit = in, .conf = in->conf } };

	proc_signal(SIGPIPE, SIG_IGN);
	/* Started with a lower one, it keeps that. */
	if (getpriority(PRIO_PROCESS, 0) < NICE &&
	    setpriority(PRIO_PROCESS, 0, NICE) == -1)
		log_warn("cannot lower the priority");
	hash_seed();
	r.c.loop = ev_loop_new(EVFLAG_AUTO);
	if (r.c.loop == NULL)
		fatalx("cannot make an event loop");
	r.c.ipc.carrier.fd = -1;
	memory_init(&r.c.memory);
	start(&r, in);
	if (in->ready_fd != -1) {
		if (write(in->ready_fd, "1", 1) != 1)
			log_warn("cannot report that the courier is ready");
		close(in->ready_fd);
	}
	proc_unblock_signals();
	ev_run(r.c.loop, 0);
	finish(&r);
	stop(&r);
	return 0;
}
