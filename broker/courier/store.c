/* SPDX-License-Identifier: MIT */
/*
 * store.c: opens, loads, commits and closes the outbox at the right moments,
 * and writes the minutes of statistics beside it.  Events from the broker are
 * acknowledged and sent out only when they are on disk.  When the disk is full
 * or the outbox broken, everything in memory is dropped and the broker keeps
 * all unacknowledged events: all of it is in the file or in the broker when the
 * outbox works again.  A lack of descriptors is no damage: the courier waits
 * for some.  Until an app has an endpoint there is no file.
 */

#include "broker/courier/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/courier/core.h"
#include "broker/courier/deliver.h"
#include "broker/courier/endpoint.h"
#include "broker/courier/sender.h"
#include "broker/courier/status.h"
#include "shared/app/outbox.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/minute_log.h"
#include "shared/proc/proc.h"

#define REOPEN_MS 5000 /* until the outbox is tried again */
#define CLAIM_MS 500   /* until the lock is tried again */
#define SHOWN_MS 2000  /* a repaired trouble stays visible */
#define PRUNE_MS 600000
#define SAVE_MS 60000
#define HEARTBEAT_ROWS 10000 /* rows read between two heartbeats */

static void
store_close(struct courier *c)
{
	outbox_close(c->outbox);
	c->outbox = NULL;
	free(c->outbox_failed);
	c->outbox_failed = NULL;
	c->owes_ack = false;
	c->try_at = courier_now_ms() + REOPEN_MS;
	ev_timer_stop(c->loop, &c->commit);
	endpoint_forget_all(c);
	status_tell(c);
}

/* The outbox cannot be used; takes why. */
static void
set_trouble(struct courier *c, char *why)
{
	if (deliver_has_descriptors(c->deliver)) {
		status_trouble(c, why);
		return;
	}
	free(why);
	status_starved(c);
}

void
store_on_turn_end(struct courier *c)
{
	if (c->outbox_failed == NULL)
		return;
	set_trouble(c, c->outbox_failed);
	c->outbox_failed = NULL;
	store_close(c);
}

/* Rows of endpoints that have been removed. */
struct loading {
	struct courier *c;
	uint32_t orphan; /* of this endpoint */
	bool adopt;      /* some have no owner yet */
	unsigned n;
};

static int
load_row(void *arg, const struct outbox_row *r)
{
	struct loading *l = arg;
	struct endpoint *e = endpoint_find(l->c, r->endpoint);

	if (l->n++ % HEARTBEAT_ROWS == 0)
		heartbeat_beat(&l->c->heartbeat);
	if (e == NULL || e->gone) {
		l->orphan = r->endpoint;
		return 1;
	}
	if (r->owner.n == 0) {
		l->adopt = true;
		return 1;
	}
	endpoint_load(e, r);
	return 0;
}

/* The row's endpoint has been removed, or is of another database. */
static int
disown(struct courier *c, uint32_t endpoint)
{
	int n =
	    outbox_disown(c->outbox, endpoint, c->database, courier_now_ms());

	if (n > 0)
		log_warnx("webhook %u: %d requests belong to another database "
			  "and are kept as dead letters",
		    endpoint, n);
	return n == -1 ? -1 : 0;
}

static int
adopt(struct courier *c)
{
	struct hash_node *n;

	HASH_FOREACH(n, &c->endpoints) {
		const struct endpoint *e =
		    container_of(n, const struct endpoint, node);

		if (!e->gone &&
		    outbox_adopt(c->outbox, e->num, e->app, e->owner) == -1)
			return -1;
	}
	return 0;
}

static void
load_health(void *arg, const struct outbox_health *h)
{
	struct loading *l = arg;
	struct endpoint *e = endpoint_find(l->c, h->endpoint);

	if (e == NULL || e->gone)
		l->orphan = h->endpoint;
	else
		e->failing_ms = h->failing_ms;
}

static int
load(struct courier *c)
{
	struct outbox_query q = { .state = OUTBOX_WAITING };
	struct loading l = { .c = c };

	do {
		l.orphan = 0;
		l.adopt = false;
		endpoint_forget_all(c);
		if (outbox_each(c->outbox, &q, load_row, &l) == -1 ||
		    outbox_each_health(
			c->outbox, c->database, load_health, &l) == -1 ||
		    (l.adopt && adopt(c) == -1) ||
		    (l.orphan != 0 && disown(c, l.orphan) == -1))
			return -1;
	} while (l.orphan != 0 || l.adopt);
	return outbox_commit(c->outbox);
}

void
store_load(struct courier *c)
{
	if (!courier_has_outbox(c))
		return;
	if (load(c) == -1)
		courier_outbox_failed(c);
	else
		sender_kick_all(c);
}

static bool
has_claim(struct courier *c)
{
	char *why = NULL;

	if (outbox_lock_take(
		&c->lock, c->conf->outbox, c->conf->runtime_dir, &why) == 0)
		return true;
	set_trouble(c, why);
	return false;
}

/* After a lack of descriptors: gives requests the time that they have lost. */
static int
load_again(struct courier *c)
{
	if ((c->starved_at != 0 &&
		outbox_postpone(c->outbox, c->starved_at, courier_now_ms()) ==
		    -1) ||
	    load(c) == -1)
		return -1;
	c->starved_at = 0;
	return 0;
}

void
store_open(struct courier *c)
{
	char *why = NULL;

	if (!has_claim(c)) {
		c->try_at = courier_now_ms() + CLAIM_MS;
		status_tell(c);
		return;
	}
	c->try_at = courier_now_ms() + REOPEN_MS;
	outbox_bring_back(c->conf->outbox);
	c->outbox = outbox_open(c->conf->outbox, true, &why);
	if (c->outbox == NULL) {
		set_trouble(c, why);
		status_tell(c);
		return;
	}
	if (!has_claim(c)) { /* of a file that is new now */
		store_close(c);
		return;
	}
	if (outbox_probe(c->outbox) == -1 ||
	    outbox_set_clock(c->outbox, courier_now_ms()) == -1 ||
	    load_again(c) == -1) {
		courier_outbox_failed(c);
		return;
	}
	outbox_has_changed(c->outbox);
	status_trouble(c, NULL);
	c->full = false;
	status_tell(c);
	sender_kick_all(c);
}

bool
store_is_over_bound(const struct courier *c, unsigned percent)
{
	struct outbox_counts n;

	outbox_count(c->outbox, &n);
	return n.waiting + n.dead > c->conf->outbox_max_rows / 100 * percent ||
	    n.bytes > c->conf->outbox_max_bytes / 100 * percent;
}

bool
store_is_needed(const struct courier *c)
{
	return c->known &&
	    (c->endpoints.n > 0 || access(c->conf->outbox, F_OK) == 0);
}

void
store_commit(struct courier *c)
{
	struct msg_hook_ack ack = { .seq = c->seq };

	ev_timer_stop(c->loop, &c->commit);
	if (!courier_has_outbox(c))
		return;
	if (endpoint_write_batches(c) == -1 ||
	    (c->owes_ack &&
		outbox_set_seq(
		    c->outbox, c->origin, c->seq, courier_now_ms()) == -1) ||
	    outbox_commit(c->outbox) == -1) {
		courier_outbox_failed(c);
		return;
	}
	if (c->owes_ack && c->started && ipc_is_open(&c->ipc))
		ipc_send_hook_ack(&c->ipc, &ack);
	c->owes_ack = false;
	while (!list_is_empty(&c->fresh) && courier_has_outbox(c)) {
		struct delivery *d =
		    LIST_ITEM(c->fresh.next, struct delivery, link);
		struct endpoint *e =
		    container_of(d->queue->of, struct endpoint, queues);

		delivery_queue(d);
		sender_kick(e);
	}
}

static void
on_commit(struct ev_loop *loop, ev_timer *w, int revents)
{
	store_commit(container_of(w, struct courier, commit));
}

/* ---- once a second ---- */

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
static void
reload(struct courier *c)
{
	store_commit(c);
	store_load(c);
}

static void
beat(void *arg)
{
	heartbeat_beat(&((struct courier *)arg)->heartbeat);
}

/*
 * The file was deleted, replaced or overwritten while in use.  Its rows are
 * still in the open file: they are copied to a new one, which is opened two
 * seconds later.  (Until then status shows the reason.)
 */
static bool
is_lost(struct courier *c)
{
	const char *what = outbox_is_lost(c->outbox);
	char *why;

	if (what == NULL)
		return false;
	store_commit(c);
	if (!courier_has_outbox(c))
		return true;
	why = xasprintf("%s %s while in use", c->conf->outbox, what);
	if (outbox_save(c->outbox, c->conf->outbox, beat, c) == -1) {
		/* The rows are only in this open file: it stays open. */
		if (!deliver_has_descriptors(c->deliver))
			status_starved(c);
		else
			courier_outbox_failed(c);
		free(why);
		return true;
	}
	status_trouble(c, why);
	store_close(c);
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
	if (r == -1) {
		courier_outbox_failed(c);
		return;
	}
	if (!outbox_is_dirty(c->outbox) && outbox_has_changed(c->outbox))
		reload(c);
	if (courier_has_outbox(c) && c->full && !store_is_over_bound(c, 90)) {
		c->full = false;
		status_trouble(c, NULL);
		status_tell(c);
	}
}

static void
save_minutes(struct courier *c)
{
	char *path;
	int r;

	c->save_at = courier_now_ms() + SAVE_MS;
	if (c->inherit->minute_log == NULL || !has_claim(c))
		return;
	path = minute_log_path(c->conf->outbox);
	r = minute_log_save(
	    c->inherit->minute_log, path, (uint64_t)time(NULL), &c->saved);
	r = r == -1 ? errno : 0;
	if (r != 0 && r != c->save_errno)
		log_warnx("statistics are not kept on disk: %s: %s", path,
		    strerror(r));
	c->save_errno = r;
	free(path);
}

/* Once a second while descriptors are lacking: are some free again? */
static void
look_for_descriptors(struct courier *c)
{
	if (!deliver_has_descriptors(c->deliver))
		return;
	if (c->outbox == NULL && store_is_needed(c)) {
		store_open(c);
		return;
	}
	store_commit(c);
	if (!courier_has_outbox(c)) {
		if (c->outbox == NULL)
			c->starved_at = 0;
		return;
	}
	if (load_again(c) == -1) {
		courier_outbox_failed(c);
		return;
	}
	status_trouble(c, NULL);
	c->full = false;
	status_tell(c);
	sender_kick_all(c);
}

void
store_tick(struct courier *c)
{
	struct outbox_counts now;

	if (courier_now_ms() >= c->save_at)
		save_minutes(c);
	if (c->starved_at != 0)
		look_for_descriptors(c);
	else if (courier_has_outbox(c))
		look_after_outbox(c);
	else if (c->outbox == NULL && store_is_needed(c) &&
	    courier_now_ms() >= c->try_at)
		store_open(c);
	if (!courier_has_outbox(c) || !c->reported_ready)
		return;
	outbox_count(c->outbox, &now);
	if (now.waiting != c->reported_waiting || now.dead != c->reported_dead)
		status_tell(c);
}

void
store_start(struct courier *c)
{
	outbox_lock_init(&c->lock);
	list_init(&c->fresh);
	ev_init(&c->commit, on_commit);
}

void
store_stop(struct courier *c)
{
	store_commit(c);
	save_minutes(c);
}

void
store_free(struct courier *c)
{
	ev_timer_stop(c->loop, &c->commit);
	endpoint_forget_all(c);
	outbox_close(c->outbox);
	c->outbox = NULL;
	free(c->outbox_failed);
	outbox_lock_drop(&c->lock);
}
