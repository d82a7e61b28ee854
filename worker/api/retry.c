/* SPDX-License-Identifier: MIT */
/*
 * retry.c: publishes while there is no broker, or while too many deliveries
 * of their app are on their way.  The unchanged request is stored, with nothing
 * published, and its connection is paused; the next broker is there within
 * milliseconds, or some have been delivered, and then the request runs from its
 * beginning.  After a second it is answered with 503; nothing was published, so
 * nothing is delivered later.  An app may use all free room.  When there is
 * none, the app that holds most loses its oldest requests, which get their 503
 * earlier.  Must never hold more than API_RETRY_MAX requests or
 * API_RETRY_BYTES.
 */

#include "worker/api/retry.h"

#include "shared/conf/conf.h"
#include "worker/api/wait.h"
#include "worker/app/stats.h"
#include "worker/conn/http_request.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

static size_t
bytes_of(const struct http *h)
{
	return buf_str(h->head).n + buf_str(h->body).n;
}

/* The request's bytes in the app's share, with a fixed cost. */
static size_t
cost(const struct http *h)
{
	return API_RETRY_BYTES / API_RETRY_MAX + bytes_of(h);
}

static struct http *
first(struct worker *w)
{
	return LIST_ITEM(w->retries->requests.next, struct http, retry);
}

static void
arm(struct worker *w)
{
	struct api_retries *p = w->retries;
	double left;

	ev_timer_stop(w->loop, &p->timer);
	if (list_is_empty(&p->requests))
		return;
	left = first(w)->retry_since + API_RETRY_SECONDS - worker_now();
	/* A clock that jumps back makes no request wait longer. */
	ev_timer_set(&p->timer, MIN(MAX(left, 0.001), API_RETRY_SECONDS), 0.);
	ev_timer_start(w->loop, &p->timer);
}

/* The request no longer counts; its connection must still be answered. */
static void
uncount(struct worker *w, struct http *h)
{
	if (h->retry_share == NULL)
		return;
	list_remove(&h->retry_in_app);
	shares_sub(&w->retries->shares, h->retry_share, cost(h));
	h->retry_share = NULL;
	w->retries->n--;
	w->retries->bytes -= bytes_of(h);
}

static void
take_out(struct worker *w, struct http *h)
{
	list_remove(&h->retry);
	uncount(w, h);
}

/* Why a publish has waited in vain. */
static struct str
reason(const struct worker *w)
{
	if (!link_is_up(w))
		return S("the server is starting again");
	if (w->link->leaves)
		return S("this host has left its cluster");
	if (!link_takes_events(w))
		return S("the Redis server of the cluster cannot be reached");
	return S("the server is overloaded: so many deliveries of this app's "
		 "events are on their way that other apps would wait for "
		 "them; publish again later");
}

static void
refuse(struct conn *c)
{
	if (link_takes_events(c->w))
		c->w->stats->counts.publishes_refused++;
	api_unavailable(c, reason(c->w));
}

static void
give_up(struct conn *c)
{
	refuse(c);
	api_continue(c);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct worker *w = timer->data;
	double limit = worker_now() - API_RETRY_SECONDS;
	struct http *h;

	while (!list_is_empty(&w->retries->requests)) {
		h = first(w);
		if (h->retry_since > limit + 0.001 &&
		    h->retry_since <= worker_now())
			break;
		take_out(w, h);
		give_up(h->conn);
	}
	arm(w);
}

void
api_retry_init(struct worker *w)
{
	list_init(&w->retries->requests);
	ev_timer_init(&w->retries->timer, on_timer, 0., 0.);
	w->retries->timer.data = w;
}

void
api_retry_free(struct worker *w)
{
	ev_timer_stop(w->loop, &w->retries->timer);
	shares_clear(&w->retries->shares);
}

/*
 * Is there room for n bytes of this app?  If not, the app with the largest
 * share loses requests, unless it is the same app.  The timer answers these
 * requests: the next request of their connection must not run in this call.
 */
static bool
has_room(struct worker *w, uint32_t app, size_t bytes)
{
	struct api_retries *p = w->retries;

	while (p->n >= API_RETRY_MAX || p->bytes + bytes > API_RETRY_BYTES) {
		struct share *most = shares_largest(&p->shares);
		struct http *h;

		if (most == NULL || most->app == app)
			return false;
		h = LIST_ITEM(most->entries.next, struct http, retry_in_app);
		uncount(w, h);
		list_remove(&h->retry);
		list_append(p->requests.next, &h->retry); /* at the front */
		h->retry_since = 0;
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
	struct msg_idem_store none = { .status = 0 };

	buf_unref(h->asked_key); /* runs again from its beginning */
	h->asked_key = NULL;
	idempotency_store(c, &none); /* it will ask for its key again */
	idempotency_forget(c);
	h->state = API_RETRIES;
	h->conn = c;
	h->retry_since = worker_now();
	list_append(&w->retries->requests, &h->retry);
	h->retry_share = shares_get(&w->retries->shares, h->app);
	list_append(&h->retry_share->entries, &h->retry_in_app);
	shares_add(&w->retries->shares, h->retry_share, cost(h));
	w->retries->n++;
	w->retries->bytes += bytes_of(h);
	if (!ev_is_active(&w->retries->timer))
		arm(w);
}

void
api_retry(const struct api_request *r)
{
	struct conn *c = r->c;

	if (!has_room(c->w, c->http->app, c->http->raw.n + r->body.n)) {
		refuse(c);
		return;
	}
	api_wait(r, API_RETRIES);
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
	if (c->http->state == API_RETRIES)
		take_out(c->w, c->http);
}

void
api_retry_run(struct worker *w)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &w->retries->requests) {
		struct http *h = LIST_ITEM(e, struct http, retry);
		struct conn *c = h->conn;

		if (!link_takes_events(w))
			break;
		if (unacked_must_wait(w, h->app))
			continue;
		take_out(w, h);
		api_run_again(c);
		api_continue(c);
	}
	arm(w);
}

void
api_confirm_tick(struct worker *w)
{
	struct conn *c;

	if (*w->conf->cluster == '\0')
		return;
	while (
	    (c = conn_overdue(w, worker_now() - API_CONFIRM_SECONDS)) != NULL) {
		w->stats->counts.publishes_unconfirmed++;
		api_unconfirmed(c,
		    S("the Redis server of the cluster has not confirmed this "
		      "request for 5 seconds: its events may still be "
		      "published, so repeat it only if they may come twice"));
	}
}
