/* SPDX-License-Identifier: MIT */
/*
 * reply.c: what has the port of Redis may be another program, or a proxy with a
 * fault.  Nothing in an answer is used before it has been checked here.
 */

#include "broker/cluster/reply.h"

#include <string.h>

#include "shared/base/str.h"
#include "shared/proc/event_order.h"

#define JOIN_HEAD 7 /* texts before the hosts; see scripts.h */
#define BEAT_HEAD 4

static bool
is_text(const redisReply *r, const char *text)
{
	return r->type == REDIS_REPLY_STRING && strcmp(r->str, text) == 0;
}

static bool
is_number(const char *text)
{
	uint64_t n;

	return str_to_u64(str_of(text), UINT64_MAX, &n) == 0;
}

/* The id of an entry: milliseconds, "-", and a number. */
static bool
read_id(const char *text, uint64_t id[2])
{
	const char *dash = strchr(text, '-');

	return dash != NULL &&
	    strlen(text) < sizeof((struct order_place){ 0 }.id) &&
	    str_to_u64(str_make(text, (size_t)(dash - text)), UINT64_MAX,
		&id[0]) == 0 &&
	    str_to_u64(str_of(dash + 1), UINT64_MAX, &id[1]) == 0;
}

static bool
is_place(const char *id, const char *n)
{
	uint64_t v[2];

	return read_id(id, v) && is_number(n) && strtoull(n, NULL, 10) != 0;
}

/* An array of so many texts, or more. */
static bool
is_texts(const redisReply *r, size_t least)
{
	if (r->type != REDIS_REPLY_ARRAY || r->elements < least)
		return false;
	for (size_t i = 0; i < r->elements; i++)
		if (r->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return true;
}

static bool
is_join(const redisReply *r)
{
	const char *id = reply_text(r, 3), *n = reply_text(r, 4);

	if (!is_texts(r, 2))
		return false;
	if (strcmp(reply_text(r, 0), "ok") != 0)
		return is_text(r->element[0], "taken") ||
		    is_text(r->element[0], "format");
	return r->elements >= JOIN_HEAD && (r->elements - JOIN_HEAD) % 2 == 0 &&
	    is_place(reply_text(r, 1), reply_text(r, 2)) &&
	    ((*id == '\0' && *n == '\0') || is_place(id, n));
}

static bool
is_beat(const redisReply *r)
{
	if (!is_texts(r, BEAT_HEAD - 1) || !is_number(reply_text(r, 1)) ||
	    (!is_text(r->element[2], "kept") &&
		!is_text(r->element[2], "lost")))
		return false;
	return is_text(r->element[0], "fenced") ||
	    (is_text(r->element[0], "ok") && r->elements >= BEAT_HEAD &&
		r->elements % 2 == 0);
}

/* [[stream, [[id, fields], ...]]], and all ids behind this one. */
static bool
is_entries(const redisReply *r, const char *after)
{
	uint64_t last[2], id[2];

	if (r->type == REDIS_REPLY_NIL)
		return true; /* none has come */
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 1 ||
	    r->element[0]->type != REDIS_REPLY_ARRAY ||
	    r->element[0]->elements != 2 || !read_id(after, last))
		return false;
	r = r->element[0]->element[1];
	if (r->type != REDIS_REPLY_ARRAY)
		return false;
	for (size_t i = 0; i < r->elements; i++) {
		const redisReply *e = r->element[i];

		if (e->type != REDIS_REPLY_ARRAY || e->elements != 2 ||
		    !read_id(reply_text(e, 0), id) || id[0] < last[0] ||
		    (id[0] == last[0] && id[1] <= last[1]))
			return false;
		memcpy(last, id, sizeof(id));
	}
	return true;
}

bool
reply_is_valid(enum engine_call call, const redisReply *r, const char *after)
{
	if (r->type == REDIS_REPLY_ERROR)
		return true;
	switch (call) {
	case ENGINE_JOIN:
		return is_join(r);
	case ENGINE_SEND:
		return is_text(r, "ok") || is_text(r, "known") ||
		    is_text(r, "fenced");
	case ENGINE_WAIT:
		return r->type == REDIS_REPLY_INTEGER && r->integer >= 0;
	case ENGINE_BEAT:
		return is_beat(r);
	case ENGINE_LEAVE:
		return is_text(r, "ok") || is_text(r, "fenced");
	case ENGINE_APPS:
		return is_texts(r, 3) && r->elements % 2 == 1 &&
		    is_number(reply_text(r, 0));
	case ENGINE_APP_SET:
		return is_text(r, "fenced") ||
		    (r->type == REDIS_REPLY_STRING && is_number(r->str));
	case ENGINE_STORE:
		return r->type == REDIS_REPLY_STATUS;
	case ENGINE_STORED:
		return is_texts(r, 2) && r->elements == 2 &&
		    is_number(reply_text(r, 0));
	case ENGINE_READ:
		return is_entries(r, after);
	default:
		return true; /* engine.c has checked it */
	}
}
