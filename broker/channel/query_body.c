/* SPDX-License-Identifier: MIT */
/*
 * query_body.c: what the answers to questions of the HTTP API have in common:
 * the attributes of a channel, and the message that the answer goes in.
 *
 * The worker has decided which attribute a channel may be asked for; here one
 * that does not apply is left out.
 */

#include "broker/channel/query_body.h"

#include <math.h>

#include "broker/channel/cache.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "shared/json/json_write.h"
#include "shared/net/http_reply.h"
#include "shared/pusher/channel_name.h"

#define MAX_BYTES ((size_t)16 << 20)
#define PARTS 12 /* of what apps may hold */

size_t
query_max_bytes(const struct broker *br)
{
	uint64_t all = br->budget == NULL ? 0 : budget_max(br->budget);

	return all == 0 ? MAX_BYTES : MIN(MAX_BYTES, (size_t)(all / PARTS));
}

static void
reply(struct peer *p, uint64_t id, uint32_t status, struct str body)
{
	struct msg_reply m = { .id = id, .status = status, .body = body };

	ipc_send_reply(&p->ipc, &m);
}

void
query_refuse(struct peer *p, uint64_t id, unsigned status, struct str why)
{
	struct buf *error = NULL;

	http_error_body(&error, status, why);
	reply(p, id, status, buf_str(error));
	buf_unref(error);
}

void
query_reply_json(struct peer *p, uint64_t id, struct json_writer *w)
{
	struct buf *b = json_writer_take(w);
	size_t max = query_max_bytes(p->br);

	if (b->len <= max) {
		reply(p, id, 200, buf_str(b));
	} else {
		struct buf *text = NULL;

		buf_printf(&text,
		    "the answer is larger than %zu bytes; narrow it with "
		    "filter_by_prefix%s",
		    max, max < MAX_BYTES ? ", or raise memory_limit" : "");
		query_refuse(p, id, 400, buf_str(text));
		buf_unref(text);
	}
	buf_unref(b);
}

/* The payload of an unmasked text frame. */
static struct str
payload(struct str frame)
{
	unsigned char len;

	if (frame.n < 2)
		return str_from(frame, frame.n);
	len = (unsigned char)frame.p[1] & 0x7f;
	return str_from(frame, len == 127 ? 10 : len == 126 ? 4 : 2);
}

/* {"data":"…","ttl":n} of the last event, or null. */
static void
put_cache(struct broker *br, struct json_writer *w, struct channel *c)
{
	struct str frame = { NULL, 0 };
	struct json event, data = { .kind = JSON_NONE };
	const char *err;
	double left = 0;

	if (c != NULL)
		frame = cache_get(br, c, &left);
	if (frame.p != NULL && json_parse(payload(frame), &event, &err) == 0)
		data = json_get(event, S("data"));
	if (data.kind != JSON_STRING) {
		json_put_null(w);
		return;
	}
	json_object_open(w);
	json_member_raw(w, "data", data.raw);
	json_member_u64(w, "ttl", (uint64_t)ceil(left));
	json_object_close(w);
}

void
query_put_info(struct broker *br, struct json_writer *w, struct str name,
    struct channel *c, uint32_t info)
{
	unsigned flags = channel_flags(name);

	if ((info & INFO_USER_COUNT) && (flags & CHANNEL_PRESENCE))
		json_member_u64(w, "user_count",
		    c == NULL ? 0 : presence_count(c->presence));
	if (info & INFO_SUBSCRIPTION_COUNT)
		json_member_u64(
		    w, "subscription_count", c == NULL ? 0 : c->total);
	if ((info & INFO_CACHE) && (flags & CHANNEL_CACHE)) {
		json_key(w, "cache");
		put_cache(br, w, c);
	}
}
