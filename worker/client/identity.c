/* SPDX-License-Identifier: MIT */
/*
 * identity.c: reads the signed JSON about a user.  The raw text of user_info is
 * passed on byte for byte to the other members.  Pure.  Must only be given
 * bytes whose signature has been checked.
 */

#include "worker/client/identity.h"

#include <stdlib.h>

#include "shared/json/json_slice.h"
#include "shared/pusher/channel_name.h"

static enum identity_result
bad(const char **why, const char *text)
{
	*why = text;
	return IDENTITY_BAD;
}

/* user_info, unchanged; null is the same as none. */
static struct str
info_of(struct json v)
{
	return v.kind == JSON_NONE || v.kind == JSON_NULL ? S("") : v.raw;
}

enum identity_result
identity_of_channel_data(struct identity *who, struct str data,
    struct identity_limits limits, const char **why)
{
	static const struct str keys[] = { { "user_id", 7 },
		{ "user_info", 9 } };
	struct json obj, v[2];
	const char *err;

	*who = (struct identity){ 0 };
	if (json_parse(data, &obj, &err) == -1 || obj.kind != JSON_OBJECT)
		return bad(why, "channel_data is not a JSON object");
	json_get_many(obj, keys, v, 2);
	if (v[0].kind == JSON_NONE)
		return bad(why, "channel_data has no user_id");
	if (v[0].kind == JSON_NUMBER)
		who->id = v[0].raw;
	else if (v[0].kind != JSON_STRING)
		return bad(why, "user_id is neither a string nor a number");
	else if (json_string(v[0], &who->id, &who->tmp) == -1)
		return bad(why, "user_id has an unpaired surrogate");
	who->info = info_of(v[1]);
	switch (user_id_check(who->id, limits.id)) {
	case USER_ID_GOOD:
		return IDENTITY_OK;
	case USER_ID_LONG:
		return IDENTITY_LIMIT;
	case USER_ID_EMPTY:
		return bad(why, "user_id is empty");
	default:
		return bad(why, "user_id has a control character");
	}
}

static bool
is_user_id(struct json v, uint32_t max)
{
	struct str id;
	char *tmp = NULL;
	bool good;

	if (v.kind != JSON_STRING || v.raw.n > USER_ID_JSON_BYTES)
		return false;
	good = json_string(v, &id, &tmp) == 0 && user_id_is_valid(id, max);
	free(tmp);
	return good;
}

/* Writes the first ids of the list as an array of their own. */
static enum identity_result
read_watchlist(struct identity *who, struct json list,
    struct identity_limits limits, const char **why)
{
	struct json e;
	size_t pos = 0;

	while (json_next(list, &pos, &e)) {
		if (!is_user_id(e, limits.id))
			return bad(why,
			    "watchlist has an entry that is not a user id: "
			    "each is a string of 1 to max_user_id_length "
			    "characters without control characters");
		if (who->nwatch++ >= limits.watch)
			continue;
		buf_putc(&who->watch, who->nwatch == 1 ? '[' : ',');
		buf_append(&who->watch, e.raw);
	}
	if (who->watch != NULL)
		buf_putc(&who->watch, ']');
	return IDENTITY_OK;
}

enum identity_result
identity_of_user_data(struct identity *who, struct str data,
    struct identity_limits limits, const char **why)
{
	static const struct str keys[] = { { "id", 2 }, { "user_info", 9 },
		{ "watchlist", 9 } };
	struct json obj, v[3];
	const char *err;

	*who = (struct identity){ 0 };
	if (json_parse(data, &obj, &err) == -1 || obj.kind != JSON_OBJECT)
		return bad(why, "user_data is not a JSON object");
	json_get_many(obj, keys, v, 3);
	if (v[0].kind != JSON_STRING)
		return bad(why, "user_data.id is missing or not a string");
	if (json_string(v[0], &who->id, &who->tmp) == -1)
		return bad(why, "the id has an unpaired surrogate");
	switch (user_id_check(who->id, limits.id)) {
	case USER_ID_GOOD:
		break;
	case USER_ID_LONG:
		return IDENTITY_LIMIT;
	case USER_ID_EMPTY:
		return bad(why, "the id is empty");
	default:
		return bad(why, "the id has a control character");
	}
	who->info = info_of(v[1]);
	if (v[2].kind == JSON_NONE || v[2].kind == JSON_NULL)
		return IDENTITY_OK;
	if (v[2].kind != JSON_ARRAY)
		return bad(why, "watchlist is not an array");
	return read_watchlist(who, v[2], limits, why);
}

void
identity_clear(struct identity *who)
{
	buf_unref(who->watch);
	free(who->tmp);
	*who = (struct identity){ 0 };
}
