/* SPDX-License-Identifier: MIT */
/*
 * event.c: one event of a publish request, from JSON.  Every field is checked
 * before anything is sent, each with a sentence that names the limit, the value
 * and the setting.  The data is not changed: only its length and its surrogates
 * are checked.  Pure.  Must never change data, and never deliver to one channel
 * twice.
 */

#include "worker/api/event.h"
#include "worker/api/info.h"

#include "shared/base/hash.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"

#define NAME_SHOWN 64 /* bytes of a wrong name in a sentence */
/* Data of one event in all its channels: the broker gets a copy for each. */
#define COPIES_MAX ((size_t)32 << 20)

enum field { NAME, DATA, CHANNEL, CHANNELS, SOCKET_ID, INFO };

const struct str event_keys[EVENT_KEYS] = {
	{ "name", 4 },
	{ "data", 4 },
	{ "channel", 7 },
	{ "channels", 8 },
	{ "socket_id", 9 },
	{ "info", 4 },
};

/* The context of the functions below. */
struct reader {
	struct event *e;
	const struct app *app;
	struct buf **why;
	unsigned status; /* of the refusal */
};

static bool
refuse(struct reader *r, unsigned status, struct str text)
{
	r->status = status;
	buf_append(r->why, text);
	return false;
}

/* The sentence of a broken rule, or NULL. */
static bool
keeps(struct reader *r, unsigned status, const char *why)
{
	return why == NULL || refuse(r, status, str_of(why));
}

/* "NAME must be a string" and similar. */
static bool
refuse_kind(struct reader *r, enum field f, struct json v, const char *want)
{
	buf_append(r->why, event_keys[f]);
	buf_append(r->why,
	    v.kind == JSON_NONE ? S(" is missing: it has to be ")
				: S(" has to be "));
	return refuse(r, 400, str_of(want));
}

/*
 * Reads a string without escapes; false if it is none, or not representable in
 * UTF-8.
 */
static bool
read_string(
    struct reader *r, enum field f, struct json v, struct str *out, char **tmp)
{
	if (v.kind != JSON_STRING)
		return refuse_kind(r, f, v, "a string");
	if (json_string(v, out, tmp) == 0)
		return true;
	free(*tmp);
	*tmp = NULL;
	buf_append(r->why, event_keys[f]);
	return refuse(r, 400, S(" has an unpaired surrogate"));
}

/* Optional members may also be null. */
static bool
is_absent(struct json v)
{
	return v.kind == JSON_NONE || v.kind == JSON_NULL;
}

static bool
read_name(struct reader *r, struct json v)
{
	struct event_rule rule;

	return read_string(r, NAME, v, &r->e->name, &r->e->name_tmp) &&
	    keeps(r, 400,
		event_rule_name(
		    &rule, r->e->name, r->app->max_event_name_length));
}

static bool
read_data(struct reader *r, struct json v)
{
	struct event_rule rule;
	ssize_t n;

	if (v.kind != JSON_STRING)
		return refuse_kind(r, DATA, v, "a string");
	if ((n = json_length(v)) == -1)
		return refuse(r, 400, S("data has an unpaired surrogate"));
	r->e->data_raw = v.raw;
	return keeps(
	    r, 413, event_rule_data(&rule, (size_t)n, r->app->max_event_bytes));
}

/* Is it there already?  Most events have one channel, and need no hash. */
static bool
has_channel(struct event *e, struct event_channel *ch)
{
	if (e->n == 0)
		return false;
	if (e->n == 1)
		e->v[0].hash = hash_str(e->v[0].name, 0);
	ch->hash = hash_str(ch->name, 0);
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].hash == ch->hash && str_eq(e->v[i].name, ch->name))
			return true;
	return false;
}

static void
add_channel(struct event *e, const struct event_channel *ch)
{
	if (e->n == e->cap) {
		struct event_channel *old = e->v == e->few ? NULL : e->v;

		e->cap *= 4;
		e->v = xreallocarray(old, e->cap, sizeof(*e->v));
		if (old == NULL)
			memcpy(e->v, e->few, sizeof(e->few));
	}
	e->v[e->n++] = *ch;
}

static bool
read_channel(struct reader *r, enum field f, struct json v)
{
	struct event_channel ch = { .tmp = NULL };
	struct event_rule rule;
	const char *why;

	if (!read_string(r, f, v, &ch.name, &ch.tmp))
		return false;
	why = event_rule_channel(&rule, ch.name,
	    r->app->max_channel_name_length, r->app->max_user_id_length);
	if (why != NULL) { /* its index, too */
		if (ch.name.n > 0)
			buf_printf(r->why,
			    "%.*s: ", STR_ARG(utf8_cut(ch.name, NAME_SHOWN)));
		free(ch.tmp);
		return refuse(r, 400, str_of(why));
	}
	ch.flags = channel_flags(ch.name);
	if (has_channel(r->e, &ch))
		free(ch.tmp);
	else
		add_channel(r->e, &ch);
	return true;
}

/* The number of elements; it cannot exceed the bytes of the text. */
static size_t
count_elements(struct json array)
{
	struct json v;
	size_t pos = 0, n = 0;

	while (json_next(array, &pos, &v))
		n++;
	return n;
}

static bool
read_channels(struct reader *r, struct json one, struct json many)
{
	uint32_t max = r->app->max_event_channels;
	size_t pos = 0, n = is_absent(one) ? 0 : 1;
	struct json v;

	if (!is_absent(many) && many.kind != JSON_ARRAY)
		return refuse_kind(r, CHANNELS, many, "an array of strings");
	n += count_elements(many);
	if (n == 0)
		return refuse(r, 400,
		    is_absent(many)
			? S("channel or channels is missing: a string, or an "
			    "array of strings")
			: S("channels is empty"));
	if (n > max) {
		buf_printf(r->why,
		    "there are %zu channels: at most %u (max_event_channels)",
		    n, max);
		return refuse(r, 400, S(""));
	}
	if (!is_absent(one) && !read_channel(r, CHANNEL, one))
		return false;
	while (json_next(many, &pos, &v))
		if (!read_channel(r, CHANNELS, v))
			return false;
	return true;
}

/*
 * Each encrypted channel has a key of its own, so one ciphertext cannot be for
 * several; the libraries refuse it, too.
 */
static bool
check_encrypted(struct reader *r)
{
	if (r->e->n < 2)
		return true;
	for (size_t i = 0; i < r->e->n; i++)
		if ((r->e->v[i].flags & CHANNEL_ENCRYPTED) != 0)
			return refuse(r, 400,
			    S("an event for a private-encrypted- channel can "
			      "only be for that one channel"));
	return true;
}

/* The settings allow each, but together they would hold up other apps. */
static bool
check_copies(struct reader *r)
{
	size_t one = r->e->data_raw.n;

	if (one <= COPIES_MAX / r->e->n)
		return true;
	buf_printf(r->why,
	    "data has %zu bytes, for %zu channels: at most %zu bytes in all "
	    "of them together; use several requests",
	    one, r->e->n, COPIES_MAX);
	return refuse(r, 413, S(""));
}

static bool
read_socket_id(struct reader *r, struct json v)
{
	struct str s;
	char *tmp = NULL;
	bool ok;

	if (is_absent(v))
		return true;
	if (!read_string(r, SOCKET_ID, v, &s, &tmp))
		return false;
	if ((ok = socket_id_is_valid(s)))
		r->e->except = socket_id_parse(s);
	else
		refuse(r, 400,
		    S("socket_id is malformed: it has to be digits, a dot, "
		      "digits"));
	free(tmp);
	return ok;
}

static bool
read_info(struct reader *r, struct json v)
{
	struct str s, unknown = S("cache");
	char *tmp = NULL;
	bool ok;

	if (is_absent(v))
		return true;
	if (!read_string(r, INFO, v, &s, &tmp))
		return false;
	ok = api_info_add(s, &r->e->info, &unknown) == 0 &&
	    (r->e->info & INFO_CACHE) == 0;
	if (!ok) {
		buf_append(r->why, S("info: "));
		buf_append(r->why, unknown);
		refuse(r, 400,
		    S(" is not an attribute: allowed are user_count, "
		      "subscription_count, event_id here"));
	} else if ((r->e->info & INFO_EVENT_ID) && !r->app->resume) {
		ok = refuse(r, 400,
		    S("info: this app gives events no id: pusherctl app set "
		      "APP resume=on"));
	}
	free(tmp);
	return ok;
}

unsigned
event_read(struct event *e, const struct app *app, const struct json *row,
    bool batch, struct buf **why)
{
	const struct json *v = row + 1;
	struct reader r;

	*e = (struct event){ .cap = EVENT_FEW };
	e->v = e->few;
	r = (struct reader){ e, app, why, 200 };
	if (row->kind != JSON_OBJECT) {
		refuse(&r, 400, S("an event has to be a JSON object"));
		return r.status;
	}
	if (!read_name(&r, v[NAME]) || !read_data(&r, v[DATA]))
		return r.status;
	if (batch ? !read_channel(&r, CHANNEL, v[CHANNEL])
		  : !read_channels(&r, v[CHANNEL], v[CHANNELS]))
		return r.status;
	if (check_encrypted(&r) && check_copies(&r) &&
	    read_socket_id(&r, v[SOCKET_ID]))
		read_info(&r, v[INFO]);
	return r.status;
}

void
event_clear(struct event *e)
{
	free(e->name_tmp);
	for (size_t i = 0; i < e->n; i++)
		free(e->v[i].tmp);
	if (e->v != e->few)
		free(e->v);
}
