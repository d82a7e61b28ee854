/* SPDX-License-Identifier: MIT */
/*
 * lane.c: one request after the other, and what becomes of each: arrived, to
 * be tried again, or given up.
 *
 * A request is tried for as long as its time lasts (Pusher documentation,
 * "Webhooks": five minutes), after 1, 2, 4 … 60 seconds, each a little later
 * at random, with the same body, signature and id.  Those behind it wait, so
 * that the events of a channel stay in their order.  Whose time is over while
 * one after the other fails is given up without a try: otherwise each of them
 * would cost a whole time-out, and the rest would never get its turn.  Must
 * never log a URL.
 */

#include "broker/courier/courier.h"
#include "broker/courier/deliver.h"
#include "broker/courier/endpoint.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/crypto/sign.h"
#include "shared/proc/proc.h"
#include "shared/pusher/webhook.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define IN_A_ROW 3    /* failures after which nobody answers there */
#define AT_ONCE 20000 /* requests that are given up together */

/* 1: it is under way; 0: the row does not wait any more; -1: no outbox. */
static int
start(struct lane *l, struct item *i)
{
	struct endpoint *e = l->e;
	struct courier *c = e->c;
	struct buf *events = NULL, *body = NULL;
	unsigned char mac[SIGN_SHA256_LEN];
	char hex[SIGN_HEX_LEN + 1], name[OUTBOX_NAME_MAX];
	bool old = e->old_until > courier_now_ms() / 1000;
	struct str bytes;
	int r = outbox_events(c->outbox, i->id, &events);

	if (r == 1) {
		webhook_put_body(&body, i->time_ms, buf_str(events));
		bytes = buf_str(body);
		/* The oldest key that counts (protocol reference, 6.2). */
		sign_hmac(old ? e->old_sign : e->sign, &bytes, 1, mac);
		str_hex(mac, sizeof(mac), hex);
		outbox_name(c->outbox, i->id, name);
		list_remove(&i->link);
		l->active = i;
		deliver_start(c->deliver,
		    &(struct deliver_request){ .url = e->url,
			.headers = e->headers,
			.key = old ? e->old_key : e->key,
			.signature = hex,
			.name = name,
			.body = bytes,
			.allow_private = e->allow_private,
			.owner = l });
	}
	buf_unref(events);
	buf_unref(body);
	return r;
}

/* Also when the clock was set back: nothing waits longer than that. */
static bool
is_due(const struct item *i, uint64_t now)
{
	return i->next_ms <= now || i->next_ms > now + 2 * BACKOFF_MAX_MS;
}

/* Starts the lane's first request, or its timer. */
static void
kick(struct lane *l)
{
	struct courier *c = l->e->c;
	uint64_t now = courier_now_ms();
	struct item *i;
	int r = 0;

	while (r == 0 && c->outbox != NULL && l->e->enabled &&
	    l->active == NULL && !list_is_empty(&l->waiting)) {
		i = LIST_ITEM(l->waiting.next, struct item, link);
		if (!is_due(i, now)) {
			ev_timer_stop(c->loop, &l->timer);
			ev_timer_set(
			    &l->timer, (double)(i->next_ms - now) / 1000, 0.);
			ev_timer_start(c->loop, &l->timer);
			return;
		}
		r = start(l, i);
		if (r == 0)
			item_free(i);
	}
	if (r == -1)
		courier_trouble(c);
}

void
lane_on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	UNUSED(loop);
	UNUSED(revents);
	kick(container_of(w, struct lane, timer));
}

void
endpoint_kick(struct endpoint *e)
{
	for (size_t i = 0; i < ENDPOINT_ALL_LANES; i++)
		kick(&e->lanes[i]);
}

/* 1, 2, 4 … 60 s, and up to a quarter of it at random: no march in step. */
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
record_failure(struct item *i, struct outbox_row *r)
{
	uint64_t now = r->changed_ms;

	if (now >= i->until_ms) {
		r->state = OUTBOX_DEAD;
		log_warnx("webhook %u: given up after %u tries: %s", i->e->num,
		    i->attempts, r->answer.p);
	} else {
		r->state = OUTBOX_WAITING;
		r->next_ms = MIN(now + backoff_ms(i->attempts), i->until_ms);
		i->next_ms = r->next_ms;
	}
	return outbox_failed(i->e->c->outbox, r);
}

/* An event of a broker whose clock was ahead has no age. */
static void
observe_age(struct courier *c, const struct item *i, uint64_t now)
{
	uint64_t ms = now > i->time_ms ? now - i->time_ms : 0;

	stats_observe(&c->ages, stats_bounds_age, ms * 1000);
}

/* The row gets what came of the try; the item stays when it is not over. */
static int
record(struct item *i, const struct deliver_result *result, bool *over)
{
	struct courier *c = i->e->c;
	struct outbox_row r = { .id = i->id,
		.attempts = ++i->attempts,
		.status = result->status,
		.changed_ms = courier_now_ms(),
		.answer = str_of(result->text),
		.bytes = i->bytes };
	struct lane *l = &i->e->lanes[i->lane];
	int n;

	l->failed = result->ok ? 0 : l->failed + 1;
	if (result->ok) {
		*over = true;
		observe_age(c, i, r.changed_ms);
		return outbox_done(c->outbox, &r);
	}
	log_debug(
	    "webhook %u: %s attempts=%u", i->e->num, result->text, i->attempts);
	n = record_failure(i, &r);
	*over = r.state == OUTBOX_DEAD;
	return n;
}

/* Those whose time is over behind several that failed. */
static int
give_up(struct lane *l)
{
	struct outbox_row r = { .state = OUTBOX_DEAD,
		.changed_ms = courier_now_ms(),
		.answer = S("not tried: those before it failed") };
	unsigned n = 0;
	struct item *i;

	while (l->failed >= IN_A_ROW && !list_is_empty(&l->waiting) &&
	    n < AT_ONCE) {
		i = LIST_ITEM(l->waiting.next, struct item, link);
		if (i->until_ms > r.changed_ms)
			break;
		r.id = i->id;
		r.attempts = i->attempts;
		item_free(i);
		n++;
		if (outbox_failed(l->e->c->outbox, &r) == -1)
			return -1;
	}
	if (n > 0)
		log_warnx("webhook %u: %u more given up, those before them "
			  "have failed",
		    l->e->num, n);
	return 0;
}

void
endpoint_on_done(void *owner, const struct deliver_result *result)
{
	struct lane *l = owner;
	struct endpoint *e = l->e;
	struct courier *c = e->c;
	struct item *i = l->active;
	bool over = true;
	int r = 0;

	l->active = NULL;
	if (c->outbox != NULL && !e->gone)
		r = record(i, result, &over);
	if (over || r == -1) {
		item_free(i);
	} else { /* before those that have waited behind it */
		list_append(l->waiting.next, &i->link);
	}
	if (e->gone && endpoint_is_idle(e)) {
		endpoint_free(e);
		return;
	}
	if (r == 0 && over && c->outbox != NULL)
		r = give_up(l);
	if (r == -1) {
		courier_trouble(c);
		return;
	}
	courier_commit_soon(c, COURIER_COMMIT_LATER);
	kick(l);
}
