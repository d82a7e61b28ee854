/* SPDX-License-Identifier: MIT */
/*
 * error.c: pusher:error, and the close that follows it.
 */

#include "worker/client/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/base/utf8.h"
#include "shared/conf/conf.h"
#include "shared/pusher/frames.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/conn/conn.h"
#include "worker/conn/ws.h"
#include "worker/core/core.h"
#include "worker/link/failure.h"

#define ERROR_BYTES 1024 /* of one error text */

static void
send_error(struct conn *c, unsigned code, struct str text)
{
	struct buf **b;

	if (conn_is_ending(c))
		return;
	b = worker_scratch(c->w);
	frame_error(b, code, text);
	conn_queue_goodbye(c);
}

/* text is no view into a buffer in which frames are built. */
static void
report(struct conn *c, struct str text)
{
	struct msg_failure m = { .kind = FAILURE_CLIENT, .why = text };

	failure_report(c->w, client_app_of(c->app), &m);
}

void
client_error(struct conn *c, unsigned code, struct str text)
{
	if (c->app != NULL && !conn_is_ending(c))
		report(c, text);
	send_error(c, code, text);
}

void
client_errorf(struct conn *c, unsigned code, const char *fmt, ...)
{
	char text[ERROR_BYTES + 4]; /* cuts between two characters */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	client_error(c, code,
	    n < 0 ? S("?") : utf8_cut(str_make(text, (size_t)n), ERROR_BYTES));
}

void
client_close(struct conn *c, unsigned code, struct str text)
{
	/*
	 * Before the greeting, 42xx makes clients reconnect without any pause
	 * (protocol reference, 1.2).
	 */
	if (!c->greeted && code >= 4200 && code <= 4299)
		code = PUSHER_OVER_CAPACITY;
	if (code == PUSHER_APP_FULL)
		report(c, text);
	send_error(c, code, text);
	ws_close(c, code, text);
}

void
client_close_auth_failures(struct conn *c)
{
	char text[120];

	stats_of(c->app)->limited_auth++;
	snprintf(text, sizeof(text),
	    "more than %u wrong signatures in a minute from this address "
	    "(max_auth_failures_per_minute)",
	    (unsigned)c->w->conf->max_auth_failures_per_minute);
	client_close(c, PUSHER_OVER_CAPACITY, str_of(text));
}
