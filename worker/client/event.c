/* SPDX-License-Identifier: MIT */
/*
 * event.c: client-... events (protocol reference, 3.10): checks all conditions,
 * then sends them like any other event, but not to their sender.  An invalid
 * one is dropped with pusher:error; nothing is closed.
 */

#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/buf.h"
#include "shared/base/token_bucket.h"
#include "shared/base/utf8.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/app/stats.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/error.h"
#include "worker/client/message.h"
#include "worker/conn/conn.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/publish.h"
#include "worker/link/unacked.h"

/* JSON text without the white space between its tokens. */
static struct buf *
compact(struct str raw)
{
	struct buf *b = buf_new(raw.n);
	bool string = false;

	for (size_t i = 0; i < raw.n; i++) {
		char ch = raw.p[i];

		if (string && ch == '\\') {
			b->data[b->len++] = ch;
			ch = raw.p[++i]; /* json_parse() has checked it */
		} else if (ch == '"') {
			string = !string;
		} else if (!string &&
		    (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r')) {
			continue;
		}
		b->data[b->len++] = ch;
	}
	return b;
}

/*
 * `data` as the raw string that is sent: a string stays the same, byte for
 * byte; any other value becomes a string with its text, in *made.  *bytes is
 * the length of the content, or -1 if it has an unpaired surrogate.
 */
static struct str
data_string(struct json data, struct buf **made, ssize_t *bytes)
{
	struct buf *text;

	if (data.kind == JSON_STRING) {
		*bytes = json_length(data);
		return data.raw;
	}
	text = compact(data.raw);
	*bytes = text->len;
	json_quote(made, buf_str(text));
	buf_unref(text);
	return buf_str(*made);
}

/* The subscription that allows the event; NULL: it has been answered. */
static struct subscription *
check_channel(struct conn *c, const struct client_msg *m)
{
	struct subscription *s = NULL;
	struct str name;
	char *tmp = NULL;

	if (m->channel.kind != JSON_STRING ||
	    json_string(m->channel, &name, &tmp) == -1)
		client_error(
		    c, 0, S("client event dropped: channel is not a string"));
	else if (!(channel_flags(name) & CHANNEL_PRIVATE))
		client_error(c, 0,
		    S("client event dropped: only private and presence "
		      "channels have client events"));
	else if ((s = subscription_find(c, name)) == NULL || !s->on) {
		s = NULL;
		client_errorf(c, 0,
		    "client event dropped: not subscribed to \"%.*s\"",
		    STR_ARG(utf8_cut(name, CLIENT_SHOWN)));
	}
	free(tmp);
	return s;
}

/* Is it too fast for the app, or for the broker? */
static bool
check_rate(struct conn *c)
{
	uint32_t rate = c->app->max_client_events_per_second;
	struct conn_rates *p = rate == 0 ? NULL : client_rates(c);

	if (p != NULL &&
	    !token_bucket_take(&p->events, &p->events_at, worker_now(), rate)) {
		client_errorf(c, PUSHER_CLIENT_EVENT_RATE,
		    "client event dropped: more than %u in one second "
		    "(max_client_events_per_second)",
		    rate);
		stats_of(c->app)->limited_client++;
		return false;
	}
	if (!unacked_may_publish(c->w, c->app->num)) {
		client_errorf(c, 0,
		    "client event dropped: the server is overloaded: %zu bytes "
		    "of this app's events wait, as many as it may have now",
		    unacked_app_bytes(c->w, c->app->num));
		return false;
	}
	return true;
}

/* To the broker, and to the clients here if it need not say when. */
static void
pass_on(struct conn *c, const struct publish *p)
{
	struct msg_event m = publish_event(c->w, c->app, p);

	if (m.flags & EVENT_DELIVERED)
		topic_on_event(c->w, &m);
}

static void
publish(
    struct conn *c, const struct client_msg *m, const struct subscription *s)
{
	struct publish p = { .channel = topic_name(s->t),
		.event = m->event,
		.except = conn_sid(c),
		.flags = EVENT_CLIENT };
	struct event_rule rule;
	struct buf *made = NULL;
	const char *why;
	ssize_t bytes = 0;

	if (m->data.kind != JSON_NONE) /* else it is relayed without */
		p.data_raw = data_string(m->data, &made, &bytes);
	if (bytes == -1)
		client_error(c, 0,
		    S("client event dropped: data holds half a surrogate "
		      "pair"));
	else if ((why = event_rule_data(
		      &rule, (size_t)bytes, c->app->max_event_bytes)) != NULL)
		client_errorf(c, 0, "client event dropped: %s", why);
	else if (check_rate(c)) {
		if (s->member != NULL)
			p.user_id = s->member->id;
		pass_on(c, &p);
		input_charge(c, topic_event_cost(s->t, p.data_raw.n));
		stats_of(c->app)->events_client++;
	}
	buf_unref(made);
}

void
client_event(struct conn *c, const struct client_msg *m)
{
	const struct app *app = c->app;
	struct subscription *s;
	struct event_rule rule;
	const char *why;

	if (!app->client_events) {
		client_error(c, 0,
		    S("client event dropped: client_events is off for this "
		      "app"));
		return;
	}
	why = event_rule_length(&rule, m->event, app->max_event_name_length);
	if (why != NULL) {
		client_errorf(c, 0, "client event dropped: %s", why);
		return;
	}
	if ((s = check_channel(c, m)) != NULL)
		publish(c, m, s);
}
