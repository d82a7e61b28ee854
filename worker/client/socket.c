/* SPDX-License-Identifier: MIT */
/*
 * socket.c: the client's callbacks for its WebSocket: a message, the end, a
 * deadline, and the close of a client that reads too slowly.
 */

#include "worker/client/socket.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/conf/conf.h"
#include "worker/channel/subscription.h"
#include "worker/client/admission.h"
#include "worker/client/client.h"
#include "worker/client/closing.h"
#include "worker/client/error.h"
#include "worker/client/refused.h"
#include "worker/conn/conn.h"
#include "worker/conn/timeout.h"
#include "worker/core/core.h"
#include "worker/session/session.h"

static void
message(struct conn *c, bool binary, struct str text)
{
	/* ws.c refuses it */
	if (!closing_hasten(c))
		client_message(c, text);
}

static void
on_pong(struct conn *c, struct str payload)
{
	if (c->session.named)
		client_on_pong(c, payload);
}

static void
leave(struct conn *c)
{
	if (c->session.named) {
		if (!c->session.refused && !c->peer_closed &&
		    (c->close_code == 0 || c->close_code / 100 == 41 ||
			c->close_code / 100 == 42))
			c->resume = CONN_RESUME_BROKE;
		session_end(c->w->sessions, &c->session, conn_sid(c),
		    client_log_pos(c));
	}
	subscription_end_all(c);
	client_signin_end(c);
	admission_end(c);
}

/* The time for signing in or joining a private channel is over. */
static bool
is_too_late(const struct conn *c)
{
	return !c->authorized && c->app->authorized_connections &&
	    worker_now() - c->opened_at >
	    (double)c->app->authorized_connection_timeout - 0.05;
}

static void
close_unauthorized(struct conn *c)
{
	char text[120];

	snprintf(text, sizeof(text),
	    "neither signed in nor on a private or presence channel after "
	    "authorized_connection_timeout (%u s)",
	    c->app->authorized_connection_timeout);
	client_close(c, 4009, str_of(text));
}

static void
on_timeout(struct conn *c)
{
	if (c->state == CONN_PARTING) {
		client_parted(c);
	} else if (refused_late(c)) {
		return;
	} else if (!c->greeted) {
		admission_late(c);
	} else if (is_too_late(c)) {
		close_unauthorized(c);
	} else if (conn_input_is(c, INPUT_STOPPED)) {
		ws_arm(c); /* the silence is the server's fault */
	} else if (c->pinged) {
		ws_close(c, 4201, S("pong not received"));
	} else {
		if (!c->authorized && !c->app->authorized_connections)
			admission_authorize(c); /* no longer asked for */
		ws_ping(c);
	}
}

static void
on_slow(struct conn *c)
{
	struct buf *b = NULL;
	char text[96];

	/* Asked before the goodbye. */
	if (c->session.named &&
	    session_last(
		c->w->sessions, &c->session, c, client_log_pos(c), &b)) {
		outq_push_copy(&c->out, buf_str(b));
		buf_unref(b);
	}
	snprintf(text, sizeof(text),
	    "client reads too slowly: more than client_buffer (%llu) bytes "
	    "wait",
	    (unsigned long long)c->w->conf->client_buffer);
	client_close(c, 4100, str_of(text));
	/* Without a session no later message of it matters. */
	if (!c->session.named)
		conn_finish(c);
	/* Sending all queued bytes may take longer than an answer. */
	conn_set_timeout(c, (uint32_t)c->w->conf->client_buffer_age);
}

static void
on_gone(struct conn *c)
{
	session_free(c->w->sessions, &c->session, conn_sid(c));
	free(c->rates);
	c->rates = NULL;
}

const struct ws_handler client_socket = {
	.message = message,
	.pong = on_pong,
	.leave = leave,
	.timeout = on_timeout,
	.slow = on_slow,
	.gone = on_gone,
};
