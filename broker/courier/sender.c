/* SPDX-License-Identifier: MIT */
/*
 * sender.c: starts requests, and records the result of each: delivered, to be
 * tried again, or given up.  A request is tried for five minutes (Pusher
 * documentation, "Webhooks"), after 1, 2, 4 ... 60 seconds plus a random part,
 * with the same body, signature and id.  Later events of its channel wait for
 * it (queue.h).  An endpoint at which many attempts in a row found no working
 * server is tried less often, so that a dead endpoint with many channels costs
 * little.  Expired requests are then given up without an attempt: each would
 * cost a whole time-out, and the rest would never be tried.  Must never log a
 * URL.
 */

#include "broker/courier/sender.h"

#include <time.h>

#include "broker/courier/core.h"
#include "broker/courier/deliver.h"
#include "broker/courier/endpoint.h"
#include "broker/courier/status.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/crypto/sign.h"
#include "shared/proc/proc.h"
#include "shared/pusher/webhook.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define IN_A_ROW 3                 /* failures of a channel */
#define IS_DOWN (3 * QUEUE_ACTIVE) /* failures of an endpoint */
#define REST 0.1      /* seconds between attempts at a dead endpoint */
#define AT_ONCE 20000 /* requests given up in one turn */
/*
 * Requests in progress.  Each may need a thread for its name lookup, and a few
 * descriptors: TasksMax in etc/pusherd.service has room for twice as many.
 */
#define IN_FLIGHT_MAX 256u

/* 1: in progress; 0: the row no longer waits; -1: the outbox failed. */
static int
start(struct endpoint *e, struct delivery *d)
{
	struct courier *c = e->c;
	struct buf *events = NULL, *body = NULL;
	unsigned char mac[SIGN_SHA256_LEN];
	char hex[SIGN_HEX_LEN + 1], name[OUTBOX_NAME_MAX];
	bool old = e->old_until > (uint64_t)time(NULL);
	struct str bytes;
	int r = outbox_events(c->outbox, d->id, &events);

	if (r == 1) {
		webhook_put_body(&body, d->time_ms, buf_str(events));
		bytes = buf_str(body);
		/* The oldest valid key signs (protocol reference, 6.2). */
		sign_hmac(old ? e->old_sign : e->sign, &bytes, 1, mac);
		str_hex(mac, sizeof(mac), hex);
		outbox_name(c->outbox, d->id, name);
		d->app = e->app;
		shares_add_app(&c->in_flight, d->app, 1);
		delivery_start(d);
		deliver_start(c->deliver,
		    &(struct deliver_request){ .url = e->url,
			.headers = e->headers,
			.key = old ? e->old_key : e->key,
			.signature = hex,
			.name = name,
			.body = bytes,
			.allow_private = e->allow_private,
			.owner = d });
	}
	buf_unref(events);
	buf_unref(body);
	return r;
}

/*
 * The request has expired, and an attempt would only delay others.  One that
 * was tried before has its last try, unless its endpoint is down.
 */
static bool
is_hopeless(const struct endpoint *e, const struct delivery *d)
{
	bool fails = d->queue->failed >= IN_A_ROW, down = e->down >= IS_DOWN;

	return (d->attempts == 0 ? fails || down : fails && down) &&
	    d->until_ms <= courier_now_ms();
}

/*
 * May one more request start?  An app with many endpoints that do not answer
 * takes neither all threads and descriptors of the process nor the room of
 * other apps; an endpoint that fails leaves half of the room to those that
 * work.
 */
static bool
has_room(const struct endpoint *e)
{
	return shares_may_add(&e->c->in_flight, e->app, 1,
	    e->down > 0 ? IN_FLIGHT_MAX / 2 : IN_FLIGHT_MAX);
}

/* Otherwise the endpoint waits for room.  A test of the operator does not. */
static bool
may_start(struct endpoint *e, const struct delivery *d)
{
	if (d->queue->key == QUEUE_TESTS || has_room(e))
		return true;
	list_remove(&e->held);
	list_append(&e->c->held, &e->held);
	return false;
}

static int
give_up(struct endpoint *e, const struct delivery *d, const char *why)
{
	struct outbox_row r = { .id = d->id,
		.state = OUTBOX_DEAD,
		.attempts = d->attempts,
		.until_ms = d->until_ms,
		.changed_ms = courier_now_ms(),
		.answer = str_of(why) };

	return outbox_failed(e->c->outbox, &r);
}

void
sender_kick(struct endpoint *e)
{
	struct courier *c = e->c;
	struct delivery *d;
	unsigned given_up = 0, foreign = 0;
	int r = 0;

	while (r != -1 && e->enabled && !e->gone && !c->ends &&
	    c->starved_at == 0 && courier_has_outbox(c) &&
	    given_up + foreign < AT_ONCE &&
	    (d = queues_next(&e->queues)) != NULL) {
		if (!endpoint_owns(e, d)) {
			r = give_up(
			    e, d, "not sent: it belongs to another app");
			foreign++;
			delivery_free(d);
		} else if (is_hopeless(e, d)) {
			r = give_up(e, d,
			    d->attempts > 0 ? "" /* the last one stays */
					    : "not tried: earlier ones failed");
			given_up++;
			delivery_free(d);
		} else if (!may_start(e, d)) {
			break;
		} else if ((r = start(e, d)) == 0) {
			delivery_free(d);
		}
	}
	if (foreign > 0)
		log_warnx("webhook %u: %u requests belong to another app that "
			  "had its number, and are kept as dead letters",
		    e->num, foreign);
	if (given_up > 0)
		log_warnx("webhook %u: %u given up without another try: "
			  "earlier ones failed",
		    e->num, given_up);
	if (given_up + foreign > 0)
		courier_commit_soon(c, COURIER_COMMIT_LATER);
	if (given_up + foreign == AT_ONCE) /* the others in a later turn */
		ev_feed_event(c->loop, &e->rest, EV_TIMER);
	if (r == -1)
		courier_outbox_failed(c);
}

void
sender_kick_all(struct courier *c)
{
	endpoint_each(c, sender_kick);
}

void
sender_on_ready(struct courier *c, uint32_t endpoint)
{
	struct endpoint *e = endpoint_find(c, endpoint);

	if (e != NULL)
		sender_kick(e);
}

/* 1, 2, 4 … 60 s, and up to a quarter of it at random. */
static uint64_t
backoff_ms(uint32_t attempts)
{
	uint64_t ms = BACKOFF_MIN_MS;

	while (--attempts > 0 && ms < BACKOFF_MAX_MS)
		ms *= 2;
	ms = MIN(ms, BACKOFF_MAX_MS * 4 / 5);
	return ms + proc_random() % (ms / 4);
}

static int
record_failure(struct endpoint *e, struct delivery *d, struct outbox_row *r)
{
	uint64_t now = r->changed_ms;

	if (now >= d->until_ms) {
		r->state = OUTBOX_DEAD;
		log_warnx("webhook %u: given up after %u tries: %s", e->num,
		    d->attempts, r->answer.p);
	} else {
		r->state = OUTBOX_WAITING;
		r->next_ms = MIN(now + backoff_ms(d->attempts), d->until_ms);
		d->next_ms = r->next_ms;
	}
	return outbox_failed(e->c->outbox, r);
}

/* The time of an event is that of the wall clock, which may have been set. */
static void
observe_age(struct courier *c, const struct delivery *d)
{
	uint64_t now = clock_ms(CLOCK_REALTIME);

	stats_observe(
	    &c->ages, stats_bounds_age, (now - MIN(now, d->time_ms)) * 1000);
}

/* A failed test does not count: nothing waits for it. */
static int
record_health(struct endpoint *e, const struct delivery *d, bool ok)
{
	uint64_t since = ok ? 0 : courier_now_ms();

	if (ok == (e->failing_ms == 0) || (!ok && d->queue->key == QUEUE_TESTS))
		return 0;
	e->failing_ms = since;
	return outbox_set_failing(e->c->outbox, e->num, e->c->database, since);
}

/* Records the attempt in the row; *over: there are no further attempts. */
static int
record(struct endpoint *e, struct delivery *d,
    const struct deliver_result *result, bool *over)
{
	struct courier *c = e->c;
	struct outbox_row r = { .id = d->id,
		.attempts = ++d->attempts,
		.status = result->status,
		.until_ms = d->until_ms,
		.changed_ms = courier_now_ms(),
		.answer = str_of(result->text),
		.bytes = d->bytes };
	int n;

	if (record_health(e, d, result->ok) == -1)
		return -1;
	d->queue->failed = result->ok ? 0 : d->queue->failed + 1;
	if (result->ok) {
		*over = true;
		observe_age(c, d);
		return outbox_done(c->outbox, &r);
	}
	log_debug(
	    "webhook %u: %s attempts=%u", e->num, result->text, d->attempts);
	n = record_failure(e, d, &r);
	*over = r.state == OUTBOX_DEAD;
	return n;
}

/* A server that refuses a request (4xx) works. */
static void
observe_health(struct endpoint *e, const struct delivery *d,
    const struct deliver_result *result)
{
	bool works =
	    result->ok || (result->status >= 300 && result->status <= 499);

	if (works)
		e->down = 0;
	else if (d->queue->key != QUEUE_TESTS)
		e->down++;
	if (e->down < IS_DOWN || d->queue->key == QUEUE_TESTS)
		return;
	e->queues.resting++;
	if (!ev_is_active(&e->rest)) {
		ev_timer_set(&e->rest, REST, 0.);
		ev_timer_start(e->c->loop, &e->rest);
	}
}

/* There is room for one more, of some apps at least. */
static void
kick_held(struct courier *c)
{
	struct list *l, *next;

	LIST_FOREACH_SAFE(l, next, &c->held) {
		struct endpoint *e = LIST_ITEM(l, struct endpoint, held);

		if (!has_room(e))
			continue;
		list_remove(l);
		sender_kick(e);
	}
}

void
sender_on_done(void *owner, const struct deliver_result *result)
{
	struct delivery *d = owner;
	struct endpoint *e =
	    container_of(d->queue->of, struct endpoint, queues);
	struct courier *c = e->c;
	bool over = true;
	int r = 0;

	shares_sub_app(&c->in_flight, d->app, 1);
	if (result->starved) {
		status_starved(c);
		over = e->gone;
	} else {
		e->ok += result->ok;
		e->failed += !result->ok;
		if (courier_has_outbox(c) && !e->gone)
			r = record(e, d, result, &over);
		observe_health(e, d, result);
	}
	if (over || r == -1)
		delivery_free(d);
	else
		delivery_again(d);
	if (e->gone && queues_are_idle(&e->queues)) {
		endpoint_free(e);
	} else {
		if (r == -1)
			courier_outbox_failed(c);
		courier_commit_soon(c, COURIER_COMMIT_LATER);
		sender_kick(e);
	}
	kick_held(c);
	if (c->ends && c->in_flight.held == 0)
		ev_break(c->loop, EVBREAK_ALL);
}
