/* SPDX-License-Identifier: MIT */
/*
 * admission.c: the connection's place among the app's max_connections, and
 * the greeting.  The broker grants the place; a connection counts once it is
 * authorized.
 */

#include "worker/client/admission.h"

#include <stdio.h>

#include "shared/app/app.h"
#include "shared/conf/conf.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/stats.h"
#include "worker/client/client_memory.h"
#include "worker/client/error.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/session/session.h"

/* pusher-js gives up after ten seconds */
#define ASK_SECONDS 8     /* for CONN_OK */
#define SESSION_SECONDS 3 /* for SESSION_OK; then it is greeted without */

struct str
admission_check_server(const struct worker *w)
{
	if (w->draining)
		return S("The server is restarting: try again in a moment");
	if (w->link->leaves)
		return S("The server has left its cluster: try again in a "
			 "moment");
	if (!w->serving)
		return S("The server is not ready: try again in a moment");
	if (w->memory_full)
		return str_of(w->client_memory->refusal);
	if (w->nconns > w->max_conns)
		return S("The server is over its limit of connections "
			 "(max_connections, open files): try again later");
	return str_make(NULL, 0);
}

static void
greet(struct conn *c)
{
	frame_established(
	    worker_scratch(c->w), conn_sid(c), c->app->activity_timeout);
	conn_queue_scratch(c);
	c->greeted = true;
	c->opened_at = worker_now();
	stats_of(c->app)->opened++;
	if (c->resume == CONN_RESUME_BAD)
		client_error(c, 0,
		    S("resume id ignored: 16 to 64 characters of A-Z a-z 0-9 "
		      "_ -"));
	ws_arm(c);
}

/* Reports the connection to the broker, or asks whether there is room. */
static void
open_place(struct conn *c)
{
	struct msg_conn_open m = { .app = c->app->num,
		.sid = conn_sid(c),
		.ask = c->app->max_connections > 0 };

	c->admission = m.ask ? ADMISSION_PENDING : ADMISSION_DONE;
	link_send_conn_open(c->w, &m); /* without a link the replay says it */
}

/* In a cluster the broker asks other hosts for the session first. */
static bool
waits_for_session(struct conn *c)
{
	bool waits = c->session.named && c->session.row == UINT32_MAX &&
	    !c->session.refused && *c->w->conf->cluster != '\0' &&
	    link_takes_events(c->w);

	if (waits)
		conn_set_timeout(c, SESSION_SECONDS);
	return waits;
}

/* Greets a client that had to wait, unless that has become too late. */
static void
greet_late(struct conn *c)
{
	if (c->w->draining || c->w->link->leaves) {
		client_close(
		    c, PUSHER_OVER_CAPACITY, admission_check_server(c->w));
		return;
	}
	greet(c);
	input_resume(c);
}

void
admission_begin(struct conn *c)
{
	conn_enlist(c);
	c->authorized = !c->app->authorized_connections;
	if (c->authorized)
		open_place(c);
	if (c->admission == ADMISSION_PENDING) {
		conn_set_timeout(c, ASK_SECONDS);
	} else if (!waits_for_session(c)) {
		greet(c);
		return;
	}
	input_pause(c);
}

void
admission_authorize(struct conn *c)
{
	if (c->authorized || conn_is_ending(c))
		return;
	c->authorized = true;
	open_place(c);
	ws_arm(c);
}

void
admission_end(struct conn *c)
{
	bool known = c->admission == ADMISSION_DONE;
	struct msg_conn_close m;

	c->admission = ADMISSION_NONE; /* a late grant is returned */
	if (!known)
		return;
	m = (struct msg_conn_close){ .app = c->app->num, .sid = conn_sid(c) };
	link_send_conn_close(c->w, &m);
}

void
admission_replay(struct conn *c)
{
	struct msg_conn_open m = { .app = c->app->num, .sid = conn_sid(c) };

	if (c->admission == ADMISSION_DONE)
		link_send_conn_open(c->w, &m);
}

void
admission_ask_again(struct conn *c)
{
	struct msg_conn_open m = {
		.app = c->app->num, .sid = conn_sid(c), .ask = 1
	};

	if (c->admission == ADMISSION_PENDING)
		link_send_conn_open(c->w, &m);
}

/* The client for which the broker has reserved a place is gone. */
static void
give_back(struct worker *w, const struct msg_conn_ok *ok)
{
	struct msg_conn_close m = { .app = ok->app, .sid = ok->sid };

	if (ok->granted == PLACE_GRANTED)
		link_send_conn_close(w, &m);
}

int
admission_on_conn_ok(struct worker *w, const struct msg_conn_ok *m)
{
	struct conn *c = conn_find(w, m->sid);
	char text[96];

	if (c == NULL || c->admission != ADMISSION_PENDING) {
		give_back(w, m);
		return 0;
	}
	c->admission = ADMISSION_NONE;
	if (m->granted == PLACE_LATER) {
		client_close(c, PUSHER_OVER_CAPACITY,
		    S("This host cannot ask the others for a place in the "
		      "app's max_connections: try again later"));
		return 0;
	}
	if (m->granted != PLACE_GRANTED) {
		snprintf(text, sizeof(text),
		    "This app is over its connection limit: "
		    "max_connections is %u",
		    c->app->max_connections);
		client_close(c, PUSHER_APP_FULL, str_of(text));
		return 0;
	}
	c->admission = ADMISSION_DONE;
	if (!c->greeted && !waits_for_session(c))
		greet_late(c);
	return 0;
}

void
admission_on_session(struct conn *c)
{
	if (!c->greeted && c->state == CONN_OPEN &&
	    c->admission != ADMISSION_PENDING)
		greet_late(c);
}

void
admission_late(struct conn *c)
{
	if (c->session.named && c->state == CONN_OPEN &&
	    c->admission != ADMISSION_PENDING)
		greet_late(c);
	else
		client_close(c, PUSHER_OVER_CAPACITY,
		    S("the server is not ready: try again"));
}
