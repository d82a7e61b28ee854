/* SPDX-License-Identifier: MIT */
/*
 * retry.c: publishes while there is no broker.  A request is kept as it
 * came, with nothing published, and its connection is paused; the next broker
 * is there within milliseconds, and then it runs from its beginning.  When a
 * second has passed it is answered with 503, and as nothing was published,
 * nothing of it is delivered later.
 *
 * An app may have all the room that is free.  When there is none, the app that
 * holds most loses its oldest requests, which get their 503 earlier.
 *
 * Must never keep more than API_RETRY_MAX requests or API_RETRY_BYTES.
 */

#include "worker/api/retry.h"

#include "worker/api/wait.h"
#include "worker/conn/http_request.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

static size_t
bytes_of(const struct http *h)
{
	return buf_str(h->head).n + buf_str(h->body).n;
}

/* Its bytes in the app's share, with a fixed cost for each request. */
static size_t
cost(const struct http *h)
{
	return API_RETRY_BYTES / API_RETRY_MAX + bytes_of(h);
}

static struct http *
first(struct worker *w)
{
	return LIST_ITEM(w->parked->requests.next, struct http, parked);
}

static void
arm(struct worker *w)
{
	struct api_retries *p = w->parked;
	double left;

	ev_timer_stop(w->loop, &p->timer);
	if (list_is_empty(&p->requests))
		return;
	left = first(w)->parked_at + API_RETRY_SECONDS - worker_now();
	/* A clock that jumps back makes no request wait longer. */
	ev_timer_set(&p->timer, MIN(MAX(left, 0.001), API_RETRY_SECONDS), 0.);
	ev_timer_start(w->loop, &p->timer);
}

/* No longer counted; its connection still has to be answered. */
static void
uncount(struct worker *w, struct http *h)
{
	if (h->parked_share == NULL)
		return;
	list_remove(&h->parked_in_app);
	shares_sub(&w->parked->shares, h->parked_share, cost(h));
	h->parked_share = NULL;
	w->parked->n--;
	w->parked->bytes -= bytes_of(h);
}

static void
take_out(struct worker *w, struct http *h)
{
	list_remove(&h->parked);
	uncount(w, h);
}

static void
give_up(struct conn *c)
{
	api_unavailable(c, S("the server is starting again"));
	api_settle(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	double limit = worker_now() - API_RETRY_SECONDS;
	struct http *h;

	while (!list_is_empty(&w->parked->requests)) {
		h = first(w);
		if (h->parked_at > limit + 0.001 &&
		    h->parked_at <= worker_now())
			break;
		take_out(w, h);
		give_up(h->conn);
	}
	arm(w);
}

void
api_retry_init(struct worker *w)
{
	list_init(&w->parked->requests);
	ev_timer_init(&w->parked->timer, on_timer, 0., 0.);
	w->parked->timer.data = w;
}

void
api_retry_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->parked->timer);
	shares_clear(&w->parked->shares);
}

/*
 * Is there room for so many bytes of this app?  The largest share makes it,
 * unless that is the app's own.  The timer answers the requests that go:
 * the next request of their connection must not run in here.
 */
static bool
has_room(struct worker *w, uint32_t app, size_t bytes)
{
	struct api_retries *p = w->parked;

	while (p->n >= API_RETRY_MAX || p->bytes + bytes > API_RETRY_BYTES) {
		struct share *most = shares_largest(&p->shares);
		struct http *h;

		if (most == NULL || most->app == app)
			return false;
		h = LIST_ITEM(most->entries.next, struct http, parked_in_app);
		uncount(w, h);
		list_remove(&h->parked);
		list_append(p->requests.next, &h->parked); /* in front */
		h->parked_at = 0;
		arm(w);
	}
	return true;
}

/* Its bytes have been copied. */
static void
put(struct conn *c)
{
	struct worker *w = c->w;
	struct http *h = c->http;

	buf_unref(h->asked_key); /* the claim is made once more */
	h->asked_key = NULL;
	idempotency_forget(c);
	h->state = API_PARKED;
	h->conn = c;
	h->parked_at = worker_now();
	list_append(&w->parked->requests, &h->parked);
	h->parked_share = shares_get(&w->parked->shares, h->app);
	list_append(&h->parked_share->entries, &h->parked_in_app);
	shares_add(&w->parked->shares, h->parked_share, cost(h));
	w->parked->n++;
	w->parked->bytes += bytes_of(h);
	if (!ev_is_active(&w->parked->timer))
		arm(w);
}

void
api_retry(const struct api_request *r)
{
	struct conn *c = r->c;

	if (!has_room(c->w, c->http->app, c->http->raw.n + r->body.n)) {
		api_unavailable(c, S("the server is starting again"));
		return;
	}
	api_wait(r, API_PARKED);
	put(c);
}

void
api_retry_copy(struct conn *c)
{
	if (has_room(c->w, c->http->app, bytes_of(c->http)))
		put(c);
	else
		give_up(c);
}

void
api_retry_forget(struct conn *c)
{
	if (c->http->state == API_PARKED)
		take_out(c->w, c->http);
}

void
api_retry_run(struct worker *w)
{
	struct http *h;
	struct conn *c;

	while (link_is_up(w) && !list_is_empty(&w->parked->requests)) {
		h = first(w);
		c = h->conn;
		take_out(w, h);
		api_run_again(c);
		api_settle(c);
	}
	arm(w);
}
