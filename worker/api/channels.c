/* SPDX-License-Identifier: MIT */
/*
 * channels.c: requests of the HTTP API about channels, members and connections,
 * and the closing of a user's connections.  Checks the parameters and asks the
 * broker, which owns the state and writes the body.  Rules: protocol reference,
 * 5.6 to 5.8.
 */

#include "worker/api/channels.h"

#include "shared/json/json_slice.h"
#include "shared/pusher/api_params.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "worker/api/ask.h"
#include "worker/api/info.h"
#include "worker/app/apps.h"
#include "worker/core/core.h"
#include "worker/link/unacked.h"

/*
 * Reads info= in all its forms; `allowed` are the attributes of this route, and
 * `names` lists them.  False when the request was refused.
 */
static bool
read_info(const struct api_request *r, uint32_t allowed, const char *names,
    uint32_t *info)
{
	struct str list, unknown;
	size_t pos = 0;

	*info = 0;
	while (api_params_next(r->params, S("info"), &pos, &list)) {
		if (api_info_add(list, info, &unknown) == -1) {
			api_errorf(r->c, 400,
			    "info: %.*s is not an attribute: allowed are %s "
			    "here",
			    STR_ARG(unknown), names);
			return false;
		}
	}
	if ((*info & ~allowed) == 0)
		return true;
	api_errorf(r->c, 400, "info: there are only %s here", names);
	return false;
}

/* False when the channel's name is invalid, and the request was answered. */
static bool
check_name(const struct api_request *r)
{
	struct event_rule rule;
	const char *why = event_rule_channel(
	    &rule, r->arg, r->app->app.max_channel_name_length, 0);

	if (why != NULL)
		api_error(r->c, 400, str_of(why));
	return why == NULL;
}

static void
ask(const struct api_request *r, enum query_kind kind, uint32_t info,
    struct str channel)
{
	if (api_may_ask(r))
		api_ask(r, kind, info, channel, ANSWER_QUERY);
}

void
api_channels_list(const struct api_request *r)
{
	struct str prefix = api_params_get(r->params, S("filter_by_prefix"));
	uint32_t info;

	if (prefix.p == NULL)
		prefix = S("");
	if (!read_info(r, INFO_USER_COUNT | INFO_SUBSCRIPTION_COUNT,
		"user_count, subscription_count", &info))
		return;
	if ((info & INFO_USER_COUNT) != 0 &&
	    !str_starts(prefix, S("presence-"))) {
		api_error(r->c, 400,
		    S("info: user_count is for presence channels only: it "
		      "needs a filter_by_prefix that begins with presence-"));
		return;
	}
	ask(r, QUERY_CHANNELS, info, prefix);
}

void
api_channels_get(const struct api_request *r)
{
	unsigned flags = channel_flags(r->arg);
	uint32_t info;

	if (!check_name(r) ||
	    !read_info(r,
		INFO_USER_COUNT | INFO_SUBSCRIPTION_COUNT | INFO_CACHE,
		"user_count, subscription_count, cache", &info))
		return;
	if ((info & INFO_USER_COUNT) != 0 && (flags & CHANNEL_PRESENCE) == 0) {
		api_error(r->c, 400,
		    S("info: user_count is for presence channels only"));
		return;
	}
	if ((info & INFO_CACHE) != 0 && (flags & CHANNEL_CACHE) == 0) {
		api_error(
		    r->c, 400, S("info: cache is for cache channels only"));
		return;
	}
	ask(r, QUERY_CHANNEL, info, r->arg);
}

void
api_channels_users(const struct api_request *r)
{
	if (!check_name(r))
		return;
	if ((channel_flags(r->arg) & CHANNEL_PRESENCE) == 0)
		api_error(r->c, 400, S("only presence channels have users"));
	else
		ask(r, QUERY_USERS, 0, r->arg);
}

void
api_channels_stats(const struct api_request *r)
{
	uint32_t info = INFO_SUBSCRIPTION_COUNT;

	if (!check_name(r) || !api_may_ask(r))
		return;
	if ((channel_flags(r->arg) & CHANNEL_PRESENCE) != 0)
		info |= INFO_USER_COUNT;
	api_ask(r, QUERY_CHANNEL, info, r->arg, ANSWER_STATS);
}

void
api_channels_connections(const struct api_request *r)
{
	ask(r, QUERY_CONNECTIONS, 0, S(""));
}

void
api_channels_terminate(const struct api_request *r)
{
	struct msg_terminate m = { .app = r->app->app.num, .user_id = r->arg };
	struct event_rule rule;
	const char *err, *why;
	struct json v;

	if (r->body.n > 0 &&
	    (json_parse(r->body, &v, &err) == -1 || v.kind != JSON_OBJECT)) {
		api_error(
		    r->c, 400, S("the body has to be empty or a JSON object"));
		return;
	}
	why = event_rule_user(&rule, r->arg, r->app->app.max_user_id_length);
	if (why != NULL) {
		api_error(r->c, 400, str_of(why));
		return;
	}
	if (!api_may_ask(r))
		return;
	unacked_send_terminate(r->c->w, &m);
	conn_await(r->c, r->c->w->unacked->seq);
	api_reply(r->c, 200, S("{}"));
}

/* ---- what was published ---- */

/* EPOCH-POS, as in the answers. */
static int
read_event_id(struct str id, uint64_t *epoch, uint64_t *pos)
{
	unsigned char hex[8];

	if (id.n < 18 || id.p[16] != '-' ||
	    str_unhex(str_make(id.p, 16), hex, sizeof(hex)) == -1 ||
	    str_to_u64(str_from(id, 17), UINT64_MAX, pos) == -1)
		return -1;
	*epoch = 0;
	for (size_t i = 0; i < sizeof(hex); i++)
		*epoch = *epoch << 8 | hex[i];
	return *epoch == 0 ? -1 : 0;
}

/* A numeric parameter; -1: it is not a number, and the request was answered. */
static int
read_number(
    const struct api_request *r, struct str key, uint64_t max, uint64_t *out)
{
	struct str text = api_params_get(r->params, key);

	if (text.p == NULL || str_to_u64(text, max, out) == 0)
		return 0;
	api_errorf(r->c, 400, "%.*s is not a number up to %llu", STR_ARG(key),
	    (unsigned long long)max);
	return -1;
}

void
api_channels_events(const struct api_request *r)
{
	struct str after = api_params_get(r->params, S("after"));
	uint64_t limit = 100, since = 0, epoch = 0, pos = 0;
	struct buf *text = NULL;

	if (!check_name(r))
		return;
	if (!r->app->app.resume) {
		api_error(r->c, 400,
		    S("this app keeps no events: pusherctl app set APP "
		      "resume=on"));
		return;
	}
	if (read_number(r, S("limit"), QUERY_PAST_MAX, &limit) == -1 ||
	    read_number(r, S("since"), INT64_MAX, &since) == -1)
		return;
	if (limit == 0) {
		api_error(r->c, 400, S("limit is 1 to 1000"));
		return;
	}
	if (after.p != NULL && read_event_id(after, &epoch, &pos) == -1) {
		api_error(r->c, 400,
		    S("after is not the id of an event: take one from \"last\" "
		      "or \"id\""));
		return;
	}
	buf_printf(&text, "%llu %llu %llu %llu %.*s", (unsigned long long)limit,
	    (unsigned long long)since, (unsigned long long)epoch,
	    (unsigned long long)pos, STR_ARG(r->arg));
	ask(r, QUERY_PAST, 0, buf_str(text));
	buf_unref(text);
}
