/* SPDX-License-Identifier: MIT */
/*
 * frames.c: every frame that pusherd sends, built once and then shared as
 * bytes.  Room for a frame head is left before the JSON; when its length is
 * known, the shortest head goes there and the difference is closed up.  `data`
 * is a string that holds JSON, except in pusher:error, where clients want an
 * object.  Owns nothing: appends to the caller's buf.  Must never look into the
 * data of an event; it passes through as a raw string.
 */

#include "shared/pusher/frames.h"

#include <assert.h>

#include "shared/base/utf8.h"
#include "shared/json/json_write.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/pusher_errors.h"

#define HEAD_USUAL 4         /* head of 126 to 65535 bytes: the reserved room */
#define CLOSE_REASON_MAX 123 /* RFC 6455, 5.5: 125 less the code */

/* A frame whose payload is at hand. */
static void
put_frame(struct buf **b, enum ws_opcode op, struct str payload)
{
	unsigned char bytes[WS_HEAD_MAX];
	size_t head = ws_head_write(op, payload.n, bytes);
	char *p = buf_reserve(b, head + payload.n);

	memcpy(p, bytes, head);
	if (payload.n > 0)
		memcpy(p + head, payload.p, payload.n);
	(*b)->len += (uint32_t)(head + payload.n);
}

void
frame_text(struct buf **b, struct str json)
{
	put_frame(b, WS_TEXT, json);
}

size_t
frame_begin(struct buf **b)
{
	size_t mark;

	buf_reserve(b, HEAD_USUAL);
	mark = (*b)->len;
	(*b)->len += HEAD_USUAL;
	return mark;
}

void
frame_end(struct buf **b, size_t mark)
{
	size_t n = (*b)->len - mark - HEAD_USUAL, head;
	unsigned char bytes[WS_HEAD_MAX];
	char *p;

	head = ws_head_write(WS_TEXT, n, bytes);
	if (head > HEAD_USUAL)
		buf_reserve(b, head - HEAD_USUAL);
	p = (*b)->data + mark;
	if (head != HEAD_USUAL)
		memmove(p + head, p + HEAD_USUAL, n);
	memcpy(p, bytes, head);
	(*b)->len = (uint32_t)(mark + head + n);
}

/* {"event":"…","channel":"…" */
static size_t
channel_only(struct buf **b, struct str event, struct str channel)
{
	size_t mark = frame_begin(b);

	json_raw(b, S("{\"event\":"));
	json_quote(b, event);
	json_raw(b, S(",\"channel\":"));
	json_quote(b, channel);
	return mark;
}

/* {"event":"…","channel":"…","data": */
static size_t
channel_begin(struct buf **b, struct str event, struct str channel)
{
	size_t mark = channel_only(b, event, channel);

	json_raw(b, S(",\"data\":"));
	return mark;
}

/* A quoted text inside of a string: \"…\", escaped twice. */
static void
nest_quoted(struct buf **b, struct str text)
{
	struct buf *once = NULL;

	json_quote(&once, text);
	json_nest(b, buf_str(once));
	buf_unref(once);
}

void
frame_established(struct buf **b, uint64_t sid, uint32_t timeout)
{
	size_t mark = frame_begin(b);

	buf_printf(b,
	    "{\"event\":\"pusher:connection_established\",\"data\":"
	    "\"{\\\"socket_id\\\":\\\"%u.%u\\\",\\\"activity_timeout\\\":%u}"
	    "\"}",
	    (unsigned)(sid >> 32), (unsigned)(sid & UINT32_MAX),
	    (unsigned)timeout);
	frame_end(b, mark);
}

void
frame_error(struct buf **b, unsigned code, struct str message)
{
	size_t mark = frame_begin(b);

	if (message.p == NULL)
		message = pusher_error_text(code);
	json_raw(b, S("{\"event\":\"pusher:error\",\"data\":{\"code\":"));
	if (code == 0)
		json_raw(b, S("null"));
	else
		buf_printf(b, "%u", code);
	json_raw(b, S(",\"message\":"));
	json_quote(b, message);
	json_raw(b, S("}}"));
	frame_end(b, mark);
}

void
frame_pong(struct buf **b)
{
	frame_text(b, S("{\"event\":\"pusher:pong\",\"data\":\"{}\"}"));
}

void
frame_subscribed(struct buf **b, struct str channel)
{
	size_t mark = channel_begin(
	    b, S("pusher_internal:subscription_succeeded"), channel);

	json_raw(b, S("\"{}\"}"));
	frame_end(b, mark);
}

/* pusher:error for clients that do not know pusher:subscription_error. */
static void
put_channel_error(struct buf **b, struct str channel, struct str text)
{
	struct buf *message = NULL;

	if (channel.p != NULL) {
		buf_append(&message, S("Subscription to "));
		buf_append(&message, channel);
		buf_append(&message, S(" failed: "));
	}
	buf_append(&message, text);
	frame_error(b, 0, buf_str(message));
	buf_unref(message);
}

void
frame_subscription_error(struct buf **b, struct str channel, const char *type,
    unsigned status, struct str text)
{
	size_t mark;

	if (channel.p != NULL) {
		mark =
		    channel_begin(b, S("pusher:subscription_error"), channel);
		json_raw(b, S("\"{\\\"type\\\":"));
		nest_quoted(b, str_of(type));
		json_raw(b, S(",\\\"error\\\":"));
		nest_quoted(b, text);
		buf_printf(b, ",\\\"status\\\":%u}\"}", status);
		frame_end(b, mark);
	}
	put_channel_error(b, channel, text);
}

void
frame_event(struct buf **b, struct str event, struct str channel,
    struct str data_raw, struct str user_id)
{
	size_t mark;

	/* One reservation for all; only escapes in names could need more. */
	buf_reserve(
	    b, event.n + channel.n + data_raw.n + user_id.n + WS_HEAD_MAX + 64);
	mark = data_raw.p == NULL ? channel_only(b, event, channel)
				  : channel_begin(b, event, channel);
	if (data_raw.p != NULL)
		json_raw(b, data_raw);
	if (user_id.p != NULL) {
		json_raw(b, S(",\"user_id\":"));
		json_quote(b, user_id);
	}
	json_raw(b, S("}"));
	frame_end(b, mark);
}

void
frame_member_added(
    struct buf **b, struct str channel, struct str user_id, struct str info)
{
	size_t mark =
	    channel_begin(b, S("pusher_internal:member_added"), channel);

	json_raw(b, S("\"{\\\"user_id\\\":"));
	nest_quoted(b, user_id);
	json_raw(b, S(",\\\"user_info\\\":"));
	json_raw(b, info);
	json_raw(b, S("}\"}"));
	frame_end(b, mark);
}

void
frame_member_removed(struct buf **b, struct str channel, struct str user_id)
{
	size_t mark =
	    channel_begin(b, S("pusher_internal:member_removed"), channel);

	json_raw(b, S("\"{\\\"user_id\\\":"));
	nest_quoted(b, user_id);
	json_raw(b, S("}\"}"));
	frame_end(b, mark);
}

void
frame_subscription_count(struct buf **b, struct str channel, uint32_t count)
{
	size_t mark =
	    channel_begin(b, S("pusher_internal:subscription_count"), channel);

	buf_printf(b, "\"{\\\"subscription_count\\\":%u}\"}", (unsigned)count);
	frame_end(b, mark);
}

void
frame_cache_miss(struct buf **b, struct str channel)
{
	size_t mark = channel_begin(b, S("pusher:cache_miss"), channel);

	json_raw(b, S("\"{}\"}"));
	frame_end(b, mark);
}

void
frame_resume(struct buf **b, struct str channel, const char *status,
    struct str reason, uint64_t replayed)
{
	size_t mark = channel_begin(b, S("pusher:resume"), channel);

	buf_printf(b, "\"{\\\"status\\\":\\\"%s\\\",", status);
	if (reason.p != NULL)
		buf_printf(
		    b, "\\\"reason\\\":\\\"%.*s\\\"}\"}", STR_ARG(reason));
	else
		buf_printf(b, "\\\"replayed\\\":%llu}\"}",
		    (unsigned long long)replayed);
	frame_end(b, mark);
}

void
frame_signin_success(struct buf **b, struct str user_data)
{
	size_t mark = frame_begin(b);

	json_raw(b,
	    S("{\"event\":\"pusher:signin_success\",\"data\":\""
	      "{\\\"user_data\\\":"));
	nest_quoted(b, user_data);
	json_raw(b, S("}\"}"));
	frame_end(b, mark);
}

void
frame_ws_ping(struct buf **b)
{
	put_frame(b, WS_PING, S(""));
}

void
frame_ws_ping_with(struct buf **b, struct str payload)
{
	put_frame(b, WS_PING, payload);
}

void
frame_ws_pong(struct buf **b, struct str payload)
{
	assert(payload.n <= 125);
	put_frame(b, WS_PONG, payload);
}

void
frame_ws_close(struct buf **b, unsigned code, struct str reason)
{
	char payload[2 + CLOSE_REASON_MAX];

	if (code == 0) {
		put_frame(b, WS_CLOSE, S(""));
		return;
	}
	if (reason.p == NULL)
		reason = pusher_error_text(code);
	reason = utf8_cut(reason, CLOSE_REASON_MAX);
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (reason.n > 0)
		memcpy(payload + 2, reason.p, reason.n);
	put_frame(b, WS_CLOSE, str_make(payload, reason.n + 2));
}
