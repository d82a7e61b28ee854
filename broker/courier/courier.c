/* SPDX-License-Identifier: MIT */
/*
 * courier.c: the courier process: its loop, its link to the broker, and the
 * moments at which the outbox is committed.  Owns struct courier.
 *
 * What the broker sends is acknowledged when it is on disk, and sent out only
 * then.  When the disk is full or the outbox broken, everything in memory is
 * given up and the broker keeps what it has: it is all still there, in the
 * file or in the broker, when the outbox works again.  Until an app has an
 * endpoint there is no file and nothing to do.
 */

#include "broker/courier/courier.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "broker/courier/claim.h"
#include "broker/courier/deliver.h"
#include "broker/courier/endpoint.h"
#include "broker/courier/intake.h"
#include "broker/courier/report.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/sign.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"

#define RETRY_SECONDS 0.1 /* to connect again */
#define REOPEN_MS 5000    /* to try the outbox again */
#define CLAIM_MS 500      /* to ask again whether another server has it */
#define SHOWN_MS 2000     /* a trouble that we can mend is shown */
#define PRUNE_MS 600000
#define PULSE_ROWS 10000 /* that are read between two signs of life */
#define NICE 10          /* no message waits for a webhook's turn */

static uint64_t
clock_ms(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * What is written down has to mean something to the next courier, and a step
 * of the wall clock must neither put off a try nor give a delivery up.  So it
 * is the wall clock of our first look, and goes on by itself.
 */
uint64_t
courier_now_ms(void)
{
	static uint64_t ahead; /* of the monotonic clock */

	if (ahead == 0)
		ahead = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
	return clock_ms(CLOCK_MONOTONIC) + ahead;
}

/* ---- the outbox ---- */

static void
drop_fresh(struct courier *c)
{
	while (!list_is_empty(&c->fresh)) {
		struct item *i = LIST_ITEM(c->fresh.next, struct item, link);

		list_remove(&i->link);
		free(i);
	}
}

static void
courier_close(struct courier *c)
{
	outbox_close(c->outbox);
	c->outbox = NULL;
	c->owes_ack = false;
	c->try_at = courier_now_ms() + REOPEN_MS;
	ev_timer_stop(c->loop, &c->commit);
	drop_fresh(c);
	endpoint_forget_all(c);
	report_state(c);
}

void
courier_trouble(struct courier *c)
{
	if (c->outbox == NULL)
		return;
	report_trouble(
	    c, xasprintf("%s: %s", c->conf->outbox, outbox_error(c->outbox)));
	courier_close(c);
}

/* Rows of endpoints that have been removed. */
struct loading {
	struct courier *c;
	uint32_t orphan; /* of this endpoint */
	unsigned n;
};

static int
load_row(void *arg, const struct outbox_row *r)
{
	struct loading *l = arg;
	struct endpoint *e = endpoint_find(l->c, r->endpoint);

	if (l->n++ % PULSE_ROWS == 0)
		pulse_beat(&l->c->pulse);
	if (e == NULL || e->gone) {
		l->orphan = r->endpoint;
		return 1;
	}
	endpoint_load(e, r);
	return 0;
}

/* Everything that waits, from the file. */
int
courier_load(struct courier *c)
{
	struct outbox_query q = { .state = OUTBOX_WAITING };
	struct loading l = { .c = c };

	do {
		l.orphan = 0;
		endpoint_forget_all(c);
		if (outbox_each(c->outbox, &q, load_row, &l) == -1)
			return -1;
		if (l.orphan != 0 &&
		    outbox_delete(c->outbox,
			&(struct outbox_query){
			    .state = -1, .endpoint = l.orphan }) == -1)
			return -1;
	} while (l.orphan != 0);
	return outbox_commit(c->outbox);
}

bool
courier_has_claim(struct courier *c)
{
	char *why = NULL;

	if (claim_take(
		&c->claim_fd, c->conf->outbox, c->conf->runtime_dir, &why) == 0)
		return true;
	report_trouble(c, why);
	return false;
}

void
courier_open_outbox(struct courier *c)
{
	char *why = NULL;

	if (!courier_has_claim(c)) {
		c->try_at = courier_now_ms() + CLAIM_MS;
		report_state(c);
		return;
	}
	c->try_at = courier_now_ms() + REOPEN_MS;
	outbox_bring_back(c->conf->outbox);
	c->outbox = outbox_open(c->conf->outbox, true, &why);
	if (c->outbox == NULL) {
		report_trouble(c, why);
		report_state(c);
		return;
	}
	if (outbox_probe(c->outbox) == -1 || courier_load(c) == -1) {
		courier_trouble(c);
		return;
	}
	outbox_has_changed(c->outbox);
	report_trouble(c, NULL);
	c->full = false;
	report_state(c);
	endpoint_kick_all(c);
}

bool
courier_is_over_bound(const struct courier *c, unsigned percent)
{
	struct outbox_counts n;

	outbox_count(c->outbox, &n);
	return n.waiting + n.dead > c->conf->outbox_max_rows / 100 * percent ||
	    n.bytes > c->conf->outbox_max_bytes / 100 * percent;
}

/* Some app has an endpoint, or something is left from when one had. */
bool
courier_is_needed(const struct courier *c)
{
	return c->known &&
	    (c->endpoints.n > 0 || access(c->conf->outbox, F_OK) == 0);
}

void
courier_commit(struct courier *c)
{
	struct msg_hook_ack ack = { .seq = c->seq };

	ev_timer_stop(c->loop, &c->commit);
	if (c->outbox == NULL)
		return;
	if (endpoint_write_batches(c) == -1 ||
	    (c->owes_ack &&
		outbox_set_seq(
		    c->outbox, c->origin, c->seq, courier_now_ms()) == -1) ||
	    outbox_commit(c->outbox) == -1) {
		courier_trouble(c);
		return;
	}
	if (c->owes_ack && c->started && ipc_is_open(&c->ipc))
		ipc_send_hook_ack(&c->ipc, &ack);
	c->owes_ack = false;
	while (!list_is_empty(&c->fresh)) {
		struct item *i = LIST_ITEM(c->fresh.next, struct item, link);
		struct endpoint *e = i->e;

		endpoint_queue(i);
		endpoint_kick(e);
		if (c->outbox == NULL)
			return;
	}
}

static void
on_commit(struct ev_loop *loop, ev_timer *w, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	courier_commit(container_of(w, struct courier, commit));
}

void
courier_commit_soon(struct courier *c, double seconds)
{
	if (ev_is_active(&c->commit)) {
		if (ev_timer_remaining(c->loop, &c->commit) <= seconds)
			return;
		ev_timer_stop(c->loop, &c->commit);
	}
	ev_timer_set(&c->commit, seconds, 0.);
	ev_timer_start(c->loop, &c->commit);
}

/* ---- the link ---- */

static void
retry_later(struct courier *c)
{
	ev_timer_set(&c->retry, RETRY_SECONDS, 0.);
	ev_timer_start(c->loop, &c->retry);
}

static void
on_dead(void *owner, const char *why)
{
	struct courier *c = owner;

	log_info("link to the broker lost: %s", why);
	ipc_close(&c->ipc);
	courier_commit(c); /* what it said before */
	c->started = c->said_ready = false;
	retry_later(c);
}

static const struct ipc_ops ops = {
	.peer = FROM_BROKER,
	.handlers = intake_handlers,
	.on_dead = on_dead,
};

static void
link_up(struct courier *c)
{
	struct msg_courier_hello hello = { .version = IPC_VERSION,
		.build = str_of(proc_build_id()),
		.pid = (uint32_t)getpid() };
	int fd = sock_connect_unix(c->conf->broker_path);

	if (fd == -1) {
		retry_later(c);
		return;
	}
	ipc_init(&c->ipc, c->loop, fd, &ops, c);
	ipc_send_courier_hello(&c->ipc, &hello);
	/* How we are is said behind ENDPOINTS_DONE. */
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	link_up(container_of(w, struct courier, retry));
}

/* ---- the loop ---- */

static int
prune(struct courier *c)
{
	uint64_t days = c->conf->webhook_dead_letter_days;
	uint64_t age = days * 24 * 3600 * 1000;

	c->prune_at = courier_now_ms() + PRUNE_MS;
	if (outbox_prune(c->outbox, courier_now_ms() - age) == -1)
		return -1;
	courier_commit_soon(c, COURIER_COMMIT_LATER);
	return 0;
}

/* pusherctl has changed the file. */
static int
reload(struct courier *c)
{
	courier_commit(c);
	if (c->outbox == NULL)
		return 0;
	if (courier_load(c) == -1)
		return -1;
	endpoint_kick_all(c);
	return 0;
}

static void
beat(void *arg)
{
	pulse_beat(&((struct courier *)arg)->pulse);
}

/*
 * The file has been deleted, replaced or overwritten under our hands.  What
 * it held is still in the open one: it goes into a new file, from which all
 * goes on a second later.  (Until then status says what has happened.)
 */
static bool
is_lost(struct courier *c)
{
	const char *what = outbox_is_lost(c->outbox);
	char *why;

	if (what == NULL)
		return false;
	courier_commit(c);
	if (c->outbox == NULL)
		return true;
	why = xasprintf("%s %s while in use", c->conf->outbox, what);
	if (outbox_save(c->outbox, c->conf->outbox, beat, c) == -1) {
		courier_trouble(c);
		free(why);
		return true;
	}
	report_trouble(c, why);
	courier_close(c);
	c->try_at = courier_now_ms() + SHOWN_MS;
	return true;
}

static void
look_after_outbox(struct courier *c)
{
	struct outbox_counts n;
	int r = 0;

	if (is_lost(c))
		return;
	if (courier_now_ms() >= c->prune_at)
		r = prune(c);
	outbox_count(c->outbox, &n);
	if (r == 0 && n.done > 2 * OUTBOX_DONE_KEPT) {
		r = outbox_forget_done(c->outbox);
		courier_commit_soon(c, COURIER_COMMIT_LATER);
	}
	if (r == 0 && !outbox_is_dirty(c->outbox) &&
	    outbox_has_changed(c->outbox))
		r = reload(c);
	if (r == -1) {
		courier_trouble(c);
		return;
	}
	if (c->outbox != NULL && c->full && !courier_is_over_bound(c, 90)) {
		c->full = false;
		report_trouble(c, NULL);
		report_state(c);
	}
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct courier *c = container_of(w, struct courier, tick);
	struct outbox_counts now;

	UNUSED(loop);
	UNUSED(revents);
	log_tick();
	report_stats(c);
	if (courier_now_ms() >= c->save_at)
		report_save(c);
	if (c->outbox != NULL)
		look_after_outbox(c);
	else if (courier_is_needed(c) && courier_now_ms() >= c->try_at)
		courier_open_outbox(c);
	if (c->outbox == NULL || !c->said_ready)
		return;
	outbox_count(c->outbox, &now);
	if (now.waiting != c->said.waiting || now.dead != c->said.dead)
		report_state(c);
}

static void
on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	ipc_flush(&container_of(w, struct courier, prepare)->ipc);
}

static const struct orders_ops orders_ops = { .on_reconf = NULL };

static void
start(struct courier *c, const struct inherit *in)
{
	c->deliver = deliver_new(c->loop, c->conf, endpoint_on_done);
	ev_prepare_init(&c->prepare, on_prepare);
	ev_prepare_start(c->loop, &c->prepare);
	ev_timer_init(&c->tick, on_tick, 1., 1.);
	ev_timer_start(c->loop, &c->tick);
	ev_init(&c->retry, on_retry);
	ev_init(&c->commit, on_commit);
	leave_start(&c->leave, c->loop, in->life_fd);
	pulse_start(&c->pulse, c->loop, in->pulse);
	/* All that the configuration says is looked up when it is needed. */
	orders_start(
	    &c->orders, c->loop, in->cord_fd, in->conf, &orders_ops, c);
	link_up(c);
}

/* What the broker said last still counts; what is under way goes again. */
static void
stop(struct courier *c)
{
	if (ipc_is_open(&c->ipc))
		ipc_drain_input(&c->ipc);
	courier_commit(c);
	report_save(c);
	if (ipc_is_open(&c->ipc)) {
		ipc_flush(&c->ipc);
		ipc_close(&c->ipc);
	}
	orders_stop(&c->orders, c->loop);
	leave_stop(&c->leave, c->loop);
	deliver_free(c->deliver);
	drop_fresh(c);
	endpoint_clear_all(c);
	outbox_close(c->outbox);
	claim_drop(&c->claim_fd);
	free(c->trouble);
	memory_free(&c->memory);
	sign_cleanup();
	ev_loop_destroy(c->loop);
}

int
courier_main(const struct inherit *in)
{
	struct courier c = { .inherit = in, .conf = in->conf };

	proc_signal(SIGPIPE, SIG_IGN);
	if (setpriority(PRIO_PROCESS, 0, NICE) == -1)
		log_warn("priority");
	hash_seed();
	c.loop = ev_loop_new(EVFLAG_AUTO);
	if (c.loop == NULL)
		fatalx("cannot make an event loop");
	c.ipc.fd = -1;
	c.claim_fd = -1;
	memory_init(&c.memory, 0);
	list_init(&c.fresh);
	start(&c, in);
	if (in->ready_fd != -1) {
		if (write(in->ready_fd, "1", 1) != 1)
			log_warn("ready line");
		close(in->ready_fd);
	}
	proc_unblock_signals();
	ev_run(c.loop, 0);
	stop(&c);
	return 0;
}
