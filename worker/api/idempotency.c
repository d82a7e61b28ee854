/* SPDX-License-Identifier: MIT */
/*
 * idempotency.c: idempotency keys of requests.  A request with a key asks the
 * broker before it does anything; it then runs from its beginning, as the key's
 * holder, and sends its answer to the broker; to the next one, too, if that
 * broker has not acknowledged it.
 */

#include "worker/api/idempotency.h"

#include "worker/api/retry.h"
#include "worker/api/wait.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

bool
idempotency_begin(const struct api_request *r)
{
	struct http *h = r->c->http;
	struct str key = http_header(r->head, S("X-Idempotency-Key"));
	struct msg_idem_begin m = {
		.id = conn_sid(r->c), .app = r->app->app.num, .key = key
	};

	if (key.p == NULL ||
	    (h->idem_key != NULL && h->idem_app == &r->app->app))
		return true;
	idempotency_forget(r->c); /* of an app that is deleted */
	if (key.n == 0 || key.n > IDEMPOTENCY_KEY_MAX) {
		api_errorf(r->c, 400,
		    "X-Idempotency-Key has %zu bytes: 1 to %d are allowed",
		    key.n, IDEMPOTENCY_KEY_MAX);
		return false;
	}
	if (!link_takes_events(r->c->w) ||
	    unacked_must_wait(r->c->w, r->app->app.num)) {
		api_retry(r);
		return false;
	}
	link_send_idem_begin(r->c->w, &m);
	h->asked_key = buf_from(key);
	client_app_unref(h->idem_app);
	h->idem_app = client_app_ref(r->app);
	api_wait(r, API_BEGINS);
	return false;
}

void
idempotency_provisional(struct conn *c, struct str body)
{
	struct msg_idem_store m = {
		.provisional = true, .status = 200, .body = body
	};

	idempotency_store(c, &m);
}

void
idempotency_answer(struct conn *c, unsigned status, struct str body)
{
	struct msg_idem_store m = { .status = status / 100 == 2 ? status : 0,
		.body = body };

	idempotency_store(c, &m);
	idempotency_forget(c);
}

/* The client has left: releases the key. */
static void
give_back(struct worker *w, const struct msg_idem_result *m)
{
	struct msg_idem_store none = { .app = m->app, .key = m->key };

	if (m->status == 0)
		unacked_send_idem_store(w, &none);
}

int
idempotency_on_result(struct worker *w, const struct msg_idem_result *m)
{
	struct conn *c = conn_find(w, m->id);
	struct http *h = c == NULL ? NULL : c->http;

	if (h == NULL || h->state != API_BEGINS) {
		give_back(w, m);
		return 0;
	}
	if (m->status == 0) {
		h->idem_key = h->asked_key;
		h->asked_key = NULL;
		api_run_again(c);
	} else {
		buf_unref(h->asked_key);
		h->asked_key = NULL;
		conn_await(c, w->unacked->seq); /* with it, what it tells of */
		api_reply(c, m->status, m->body);
	}
	api_continue(c);
	return 0;
}
