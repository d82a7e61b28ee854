/* SPDX-License-Identifier: MIT */
/*
 * ask.c: requests that need the broker's answer: counts, members, rate limits.
 * The question carries the connection's sid; the connection is paused until the
 * answer is there, so the sid identifies the request.  An answer is dropped if
 * its connection is gone or has no question open.  Must never ask twice for one
 * request, and never publish twice: a request that waited for tokens runs from
 * its beginning, because it has done nothing before.
 */

#include "worker/api/ask.h"

#include <inttypes.h>
#include <stdio.h>

#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "worker/api/console_answer.h"
#include "worker/api/idempotency.h"
#include "worker/api/retry.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

/* The reply to a publish whose counts are not available. */
static struct buf *
without_counts(const struct http *h)
{
	struct json_writer jw;

	if (h->answer == ANSWER_EVENT_INFO)
		return buf_from(S("{\"channels\":{}}"));
	json_writer_init(&jw);
	json_object_open(&jw);
	json_key(&jw, "batch");
	json_array_open(&jw);
	for (uint32_t i = 0; i < h->nbatch; i++)
		json_put_raw(&jw, S("{}"));
	json_array_close(&jw);
	json_object_close(&jw);
	return json_writer_take(&jw);
}

/*
 * The event is published: no retry may publish it again while counts are
 * fetched.
 */
static void
store_provisional(struct conn *c)
{
	struct buf *b;

	if (c->http->idem_key == NULL || c->http->answer < ANSWER_EVENT_INFO ||
	    c->http->answer > ANSWER_BATCH_INFO)
		return;
	b = without_counts(c->http);
	idempotency_provisional(c, buf_str(b));
	buf_unref(b);
}

void
api_ask(const struct api_request *r, enum query_kind kind, uint32_t info,
    struct str channel, enum api_answer answer)
{
	struct msg_query m = { .id = conn_sid(r->c),
		.app = r->app == NULL ? 0 : r->app->app.num,
		.kind = kind,
		.info = info,
		.wait_ms = r->wait_ms,
		.channel = channel };

	link_send_query(r->c->w, &m);
	r->c->http->answer = answer;
	r->c->http->waits = r->wait_ms > 0;
	store_provisional(r->c);
	api_pause(r->c, API_ASKS);
}

static uint32_t
limit_of(const struct app *app, enum take_kind kind)
{
	return kind == TAKE_EVENTS ? app->max_backend_events_per_second
				   : app->max_read_requests_per_second;
}

bool
api_take(const struct api_request *r, enum take_kind kind, uint32_t n)
{
	struct msg_take m = { .id = conn_sid(r->c),
		.app = r->app->app.num,
		.kind = kind,
		.n = n };

	uint32_t limit = limit_of(&r->app->app, kind);

	if (r->granted || limit == 0)
		return true;
	if (!link_is_up(r->c->w)) {
		api_retry(r);
		return false;
	}
	r->c->http->take = kind;
	r->c->http->limit = limit;
	link_send_take(r->c->w, &m);
	api_wait(r, API_TAKES);
	return false;
}

/* The connection if it waits in this state, or NULL. */
static struct conn *
find(struct worker *w, uint64_t id, enum api_state state)
{
	struct conn *c = conn_find(w, id);

	return c != NULL && c->http != NULL && c->http->state == state ? c
								       : NULL;
}

/*
 * Writes the counts under the names of 2012; false if the body is unexpected.
 */
static bool
reply_stats(struct conn *c, struct str body)
{
	static const struct str keys[] = {
		{ "occupied", 8 },
		{ "user_count", 10 },
		{ "subscription_count", 18 },
	};
	struct json root, v[nitems(keys)];
	struct json_writer jw;
	struct buf *b;
	const char *err;

	if (json_parse(body, &root, &err) == -1)
		return false;
	json_get_many(root, keys, v, nitems(keys));
	if (v[0].kind == JSON_NONE || v[2].kind == JSON_NONE)
		return false;
	json_writer_init(&jw);
	json_object_open(&jw);
	json_member_raw(&jw, "occupied", v[0].raw);
	if (v[1].kind != JSON_NONE)
		json_member_raw(&jw, "user_count", v[1].raw);
	json_member_raw(&jw, "connection_count", v[2].raw);
	json_object_close(&jw);
	b = json_writer_take(&jw);
	api_reply(c, 200, buf_str(b));
	buf_unref(b);
	return true;
}

int
api_on_reply(struct worker *w, const struct msg_reply *m)
{
	struct conn *c = find(w, m->id, API_ASKS);

	if (c == NULL)
		return 0;
	if (c->http->answer == ANSWER_METRICS && m->status == 200)
		api_reply_typed(c, 200, METRICS_TYPE, m->body);
	else if (c->http->answer == ANSWER_CSV && m->status == 200)
		api_reply_typed(c, 200, "text/csv; charset=utf-8", m->body);
	else if (m->status == 429 || m->status == 503)
		api_reply_extra(c, m->status, "Retry-After: 1\r\n", m->body);
	else if (c->http->answer != ANSWER_STATS || m->status != 200)
		api_reply(c, m->status, m->body);
	else if (!reply_stats(c, m->body))
		return -1;
	api_continue(c);
	return 0;
}

static void
reply_limited(struct conn *c, uint32_t wait_ms)
{
	uint64_t seconds = ((uint64_t)wait_ms + 999) / 1000;
	struct client_app *a = apps_by_num(c->w, c->http->app);
	char extra[64], text[256];

	if (a != NULL)
		a->stats.limited_api++;
	snprintf(extra, sizeof(extra), "Retry-After: %" PRIu64 "\r\n", seconds);
	snprintf(text, sizeof(text),
	    "{\"error\":\"the app's limit is %u %s: try again in %" PRIu64
	    " s\",\"code\":429}",
	    c->http->limit,
	    c->http->take == TAKE_EVENTS
		? "events per second (max_backend_events_per_second)"
		: "GET requests per second (max_read_requests_per_second)",
	    seconds);
	api_reply_extra(c, 429, extra, str_of(text));
}

int
api_on_take_done(struct worker *w, const struct msg_take_done *m)
{
	struct conn *c = find(w, m->id, API_TAKES);

	if (c == NULL)
		return 0;
	if (m->wait_ms == 0)
		api_run_granted(c);
	else
		reply_limited(c, m->wait_ms);
	api_continue(c);
	return 0;
}

/*
 * No answer will come.  A publish with info has been accepted, and its event is
 * sent again to the new broker: it succeeds without counts.
 */
static void
answer_lost(struct conn *c)
{
	struct http *h = c->http;
	struct buf *b;

	if (h->answer != ANSWER_EVENT_INFO && h->answer != ANSWER_BATCH_INFO) {
		api_unavailable(c, S("the server is starting again"));
		return;
	}
	b = without_counts(h);
	api_reply(c, 200, buf_str(b));
	buf_unref(b);
}

/* A late answer must find no other request, so the connection ends. */
void
api_ask_late(struct conn *c)
{
	if (c->http->state == API_CONSOLE) {
		console_on_late(c);
		return;
	}
	c->http->keep_alive = false;
	if (c->http->state == API_ASKS)
		answer_lost(c);
	else
		api_unavailable(c, S("the server does not answer in time"));
}

void
api_link_lost(struct worker *w)
{
	struct hash_node *n;

	HASH_FOREACH(n, &w->conns) {
		struct conn *c = CONN_OF(n, node);

		if (c->state == CONN_CLOSED || c->http == NULL)
			continue;
		if (c->http->state == API_ASKS) {
			answer_lost(c);
			api_continue(c);
		} else if (c->http->state == API_CONSOLE) {
			console_on_lost(c);
		} else if (c->http->state == API_TAKES ||
		    c->http->state == API_BEGINS) {
			api_retry_copy(c); /* it has done nothing yet */
		}
	}
}
