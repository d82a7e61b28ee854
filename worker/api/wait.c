/* SPDX-License-Identifier: MIT */
/*
 * wait.c: requests that wait.  Stores a copy of the request before its bytes
 * are gone, and stops the input of its connection.
 */

#include "worker/api/wait.h"

#include "worker/app/apps.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"

void
api_pause(struct conn *c, enum api_state state)
{
	c->http->state = state;
	if (state == API_RETRIES)
		timeout_clear(&c->timeout); /* has a clock of its own */
	else
		conn_set_timeout(c, API_ASK_SECONDS);
	input_pause(c);
}

bool
api_may_ask(const struct api_request *r)
{
	if (link_is_up(r->c->w))
		return true;
	api_unavailable(r->c, S("the server is starting again"));
	return false;
}

/* Copies the request, whose bytes are gone when feed returns. */
static void
keep_copy(const struct api_request *r)
{
	struct http *h = r->c->http;

	if (h->head != NULL)
		return; /* it came in chunks */
	h->head = buf_from(h->raw);
	if (r->body.n > 0)
		h->body = buf_from(r->body);
}

void
api_wait(const struct api_request *r, enum api_state state)
{
	keep_copy(r);
	api_pause(r->c, state);
}

void
idempotency_store(struct conn *c, struct msg_idem_store *m)
{
	const struct http *h = c->http;

	/* The number of a deleted app may be another one's by now. */
	if (h->idem_key == NULL || client_app_of(h->idem_app)->deleted)
		return;
	m->app = h->idem_app->num;
	m->key = buf_str(h->idem_key);
	unacked_send_idem_store(c->w, m);
}

void
idempotency_forget(struct conn *c)
{
	buf_unref(c->http->idem_key);
	c->http->idem_key = NULL;
}
