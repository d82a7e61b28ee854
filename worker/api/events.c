/* SPDX-License-Identifier: MIT */
/*
 * events.c: publishing over HTTP: single, batch, and the route of 2012.
 * Everything is read and checked first; then all events are sent, or none
 * (protocol reference, 5.4 and 5.5).  The reply is held until the link to the
 * broker has taken the bytes, so that a 200 survives this process.  Must never
 * send anything before the last check has passed.
 */

#include "worker/api/events.h"

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"
#include "shared/pusher/api_params.h"
#include "shared/pusher/channel_name.h"
#include "worker/api/ask.h"
#include "worker/api/event.h"
#include "worker/api/retry.h"
#include "worker/app/apps.h"
#include "worker/app/stats.h"
#include "worker/conn/input.h"
#include "worker/core/core.h"
#include "worker/link/link.h"
#include "worker/link/publish.h"
#include "worker/link/unacked.h"

/* ---- the body ---- */

static void
put_member(struct buf **b, struct str key, struct str text)
{
	if ((*b)->len > 1)
		buf_putc(b, ',');
	json_quote(b, key);
	buf_putc(b, ':');
	json_quote(b, text);
}

/* All values of a parameter as an array, or as one comma list. */
static void
put_values(
    struct buf **b, const struct api_params *params, struct str key, bool array)
{
	struct buf *list = NULL;
	struct str v;
	size_t pos = 0;

	while (api_params_next(params, key, &pos, &v)) {
		if (list != NULL)
			buf_putc(&list, ',');
		else
			list = buf_new(128);
		if (array)
			json_quote(&list, v);
		else
			buf_append(&list, v);
	}
	if (list == NULL)
		return;
	if (!array)
		put_member(b, key, buf_str(list));
	else {
		if ((*b)->len > 1)
			buf_putc(b, ',');
		json_quote(b, key);
		buf_append(b, S(":["));
		buf_append(b, buf_str(list));
		buf_putc(b, ']');
	}
	buf_unref(list);
}

/*
 * The parameters of the query as the JSON body that they stand for (protocol
 * reference, 5.3).  `data` and `channel` replace those of the query when their
 * p is not NULL.
 */
static struct buf *
body_from_query(
    const struct api_params *params, struct str data, struct str channel)
{
	static const struct str plain[] = { { "name", 4 }, { "data", 4 },
		{ "channel", 7 }, { "socket_id", 9 } };
	struct buf *b = buf_new(256);
	struct str v;

	buf_putc(&b, '{');
	for (size_t i = 0; i < nitems(plain); i++) {
		v = i == 1 && data.p != NULL ? data
		    : i == 2 && channel.p != NULL
		    ? channel
		    : api_params_get(params, plain[i]);
		if (v.p != NULL)
			put_member(&b, plain[i], v);
	}
	if (channel.p == NULL)
		put_values(&b, params, S("channels"), true);
	put_values(&b, params, S("info"), false);
	v = api_params_get(params, S("batch"));
	if (v.p != NULL && v.n > 0) {
		if (b->len > 1)
			buf_putc(&b, ',');
		buf_append(&b, S("\"batch\":"));
		buf_append(&b, v); /* the body is JSON and was parsed */
	}
	buf_putc(&b, '}');
	return b;
}

/*
 * False: there is no body and no query in its place; the request was answered.
 */
static bool
is_empty(const struct api_request *r, struct str one, struct str other)
{
	if (api_params_get(r->params, one).p != NULL ||
	    api_params_get(r->params, other).p != NULL)
		return false;
	api_error(r->c, 400,
	    S("the body is empty: it has to be a JSON object, with "
	      "Content-Length or chunked"));
	return true;
}

/* The probable format of a body that is not JSON, or "". */
static const char *
other_kind(struct str text)
{
	struct str name;

	if (str_starts(text, S("--")))
		return ": this looks like multipart/form-data, send JSON";
	name = str_cut(&text, '=');
	if (text.p != NULL && name.n > 0 && name.p[0] != '{' &&
	    name.p[0] != '[' && name.p[0] != '"' && str_find(name, ' ') == -1)
		return ": this looks like a form "
		       "(application/x-www-form-urlencoded), send JSON";
	return "";
}

/*
 * Parses the parameters, and finds the events in them; false when they were
 * refused.
 */
static bool
parse(const struct api_request *r, struct str text, struct json_rows *rows)
{
	struct json root;
	const char *err;

	if (json_parse_rows(text, &root, rows, &err) == -1) {
		api_errorf(r->c, 400, "the parameters are not valid JSON: %s%s",
		    err, other_kind(text));
		return false;
	}
	if (root.kind == JSON_OBJECT)
		return true;
	api_error(r->c, 400, S("the body has to be a JSON object"));
	return false;
}

/* ---- sending ---- */

/* The app has filled the room for its events. */
static void
refuse(const struct api_request *r)
{
	struct buf *text = NULL;

	r->c->w->stats->counts.publishes_refused++;
	buf_printf(&text,
	    "the server is overloaded: %zu bytes of this app's events wait, "
	    "as many as it may have now; publish again later",
	    unacked_app_bytes(r->c->w, r->app->app.num));
	api_unavailable(r->c, buf_str(text));
	buf_unref(text);
}

/* May these events be sent now?  If not, the request was answered. */
static bool
may_publish(const struct api_request *r, uint32_t n, bool asks)
{
	if (!link_takes_events(r->c->w)) {
		api_retry(r);
		return false;
	}
	if (!unacked_may_publish(r->c->w, r->app->app.num)) {
		refuse(r);
		return false;
	}
	/* One that has its tokens or its key has waited already. */
	if (!r->granted && r->c->http->idem_key == NULL &&
	    unacked_must_wait(r->c->w, r->app->app.num)) {
		api_retry(r);
		return false;
	}
	return (!asks || api_may_ask(r)) && api_take(r, TAKE_EVENTS, n);
}

static void
publish(const struct api_request *r, struct event *e)
{
	struct publish p = {
		.event = e->name, .data_raw = e->data_raw, .except = e->except
	};

	/* Each further channel has a frame of its own. */
	input_charge(
	    r->c, (e->n - 1) * (COST_MESSAGE + e->data_raw.n / COST_BYTES));
	e->seq = r->c->w->unacked->seq + 1;
	for (size_t i = 0; i < e->n; i++) {
		p.channel = e->v[i].name;
		p.flags =
		    (e->v[i].flags & CHANNEL_CACHE) != 0 ? EVENT_CACHE : 0;
		publish_event(r->c->w, &r->app->app, &p);
	}
	r->app->stats.events_api += e->n;
	conn_await(r->c, r->c->w->unacked->seq);
}

/* Adds a line of QUERY for each of the event's channels. */
static void
put_lines(struct buf **b, const struct event *e)
{
	for (size_t i = 0; i < e->n; i++)
		buf_printf(b, "%u %llu %llu %.*s\n", e->info,
		    (unsigned long long)e->seq + i,
		    (unsigned long long)e->except, STR_ARG(e->v[i].name));
}

/* Sends one event that has been read; answers with this status. */
static void
publish_one(const struct api_request *r, struct event *e, unsigned status)
{
	struct buf *lines = NULL;

	publish(r, e);
	if (e->info == 0 && r->wait_ms == 0) {
		api_reply(r->c, status, status == 200 ? S("{}") : S(""));
		return;
	}
	put_lines(&lines, e);
	api_ask(
	    r, QUERY_EVENT_INFO, e->info, buf_str(lines), ANSWER_EVENT_INFO);
	buf_unref(lines);
}

static void
post_text(const struct api_request *r, struct str text, unsigned status)
{
	struct json row[1 + EVENT_KEYS];
	struct json_rows rows = {
		.keys = event_keys, .nkeys = EVENT_KEYS, .cells = row, .max = 1
	};
	struct buf *why = NULL;
	struct event e;
	unsigned refused;

	if (!parse(r, text, &rows))
		return;
	refused = event_read(&e, &r->app->app, row, false, &why);
	if (refused != 200)
		api_error(r->c, refused, buf_str(why));
	else if (may_publish(r, 1, e.info != 0 || r->wait_ms > 0))
		publish_one(r, &e, status);
	event_clear(&e);
	buf_unref(why);
}

/* The request with its X-Pusherd-Confirm; false: that was refused. */
static bool
read_confirm(struct api_request *r, const struct api_request *plain)
{
	struct str value = http_header(plain->head, S("X-Pusherd-Confirm"));
	uint64_t ms = 0;

	*r = *plain;
	if (value.p != NULL && str_to_ms(value, QUERY_WAIT_MS, &ms) == -1) {
		api_errorf(r->c, 400,
		    "X-Pusherd-Confirm is \"%.*s\": must be a time like 500ms "
		    "or 2s, up to %us",
		    (int)MIN(value.n, 40u), value.p, QUERY_WAIT_MS / 1000);
		return false;
	}
	r->wait_ms = (uint32_t)ms;
	return true;
}

static void
post(const struct api_request *r)
{
	struct str none = { NULL, 0 };
	struct buf *made;

	if (r->body.n > 0) {
		post_text(r, r->body, 200);
		return;
	}
	if (is_empty(r, S("name"), S("data")))
		return;
	made = body_from_query(r->params, none, none);
	post_text(r, buf_str(made), 200);
	buf_unref(made);
}

void
api_events_post(const struct api_request *plain)
{
	struct api_request r;

	if (read_confirm(&r, plain))
		post(&r);
}

/* name and socket_id are in the query, the body is the data. */
void
api_events_post_channel(const struct api_request *r)
{
	struct str data = r->body.n > 0 ? r->body : S("");
	struct buf *made = body_from_query(r->params, data, r->arg);

	post_text(r, buf_str(made), 202);
	buf_unref(made);
}

/* ---- batch ---- */

struct batch {
	struct json_rows rows;
	struct event *v;
	size_t n;      /* those that have been read */
	uint32_t info; /* of all events */
};

static void
batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		event_clear(&b->v[i]);
	free(b->v);
	free(b->rows.cells);
}

/* Reads every event; false when the request was refused. */
static bool
batch_read(const struct api_request *r, struct batch *b)
{
	struct buf *why = NULL;

	b->v = xreallocarray(NULL, b->rows.n, sizeof(*b->v));
	while (b->n < b->rows.n) {
		unsigned status = event_read(&b->v[b->n], &r->app->app,
		    json_row(&b->rows, b->n), true, &why);

		b->info |= b->v[b->n++].info;
		if (status == 200)
			continue;
		api_errorf(r->c, status, "event %zu of the batch: %.*s", b->n,
		    STR_ARG(buf_str(why)));
		buf_unref(why);
		return false;
	}
	return true;
}

/* Finds the events; false when the request was refused. */
static bool
batch_split(const struct api_request *r, struct str text, struct batch *b)
{
	uint32_t max = r->app->app.max_batch_events;
	struct json_rows *rows = &b->rows;

	*rows = (struct json_rows){ .array = S("batch"),
		.keys = event_keys,
		.nkeys = EVENT_KEYS,
		.max = MIN(max, text.n) };
	rows->cells = xreallocarray(
	    NULL, rows->max, (1 + EVENT_KEYS) * sizeof(*rows->cells));
	if (!parse(r, text, rows))
		return false;
	if (rows->kind != JSON_ARRAY)
		api_error(r->c, 400, S("batch has to be an array of events"));
	else if (rows->n == 0)
		api_error(r->c, 400, S("batch is empty"));
	else if (rows->n > max)
		api_errorf(r->c, 400,
		    "batch has %zu events: at most %u "
		    "(max_batch_events)",
		    rows->n, max);
	return rows->kind == JSON_ARRAY && rows->n > 0 && rows->n <= max;
}

static void
batch_publish(const struct api_request *r, const struct batch *b)
{
	struct buf *lines = NULL;

	for (size_t i = 0; i < b->n; i++)
		publish(r, &b->v[i]);
	if (b->info == 0 && r->wait_ms == 0) {
		api_reply(r->c, 200, S("{}"));
		return;
	}
	for (size_t i = 0; i < b->n; i++)
		put_lines(&lines, &b->v[i]);
	r->c->http->nbatch = (uint32_t)b->n;
	api_ask(
	    r, QUERY_BATCH_INFO, b->info, buf_str(lines), ANSWER_BATCH_INFO);
	buf_unref(lines);
}

static void
post_batch(const struct api_request *r)
{
	struct str none = { NULL, 0 }, text = r->body;
	struct buf *made = NULL;
	struct batch b = { 0 };

	if (text.n == 0) {
		if (is_empty(r, S("batch"), S("batch")))
			return;
		made = body_from_query(r->params, none, none);
		text = buf_str(made);
	}
	if (batch_split(r, text, &b) && batch_read(r, &b) &&
	    may_publish(r, (uint32_t)b.n, b.info != 0 || r->wait_ms > 0))
		batch_publish(r, &b);
	batch_clear(&b);
	buf_unref(made);
}

void
api_events_post_batch(const struct api_request *plain)
{
	struct api_request r;

	if (read_confirm(&r, plain))
		post_batch(&r);
}
