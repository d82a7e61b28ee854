/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_FRAMES_H
#define SHARED_PUSHER_FRAMES_H

/*
 * Every frame that pusherd sends, finished: WebSocket head and JSON.  Each
 * function appends one whole frame to *b.  Except for pusher:error, `data`
 * is always a string that holds JSON (Pusher documentation, "Channels
 * WebSocket protocol": double encoding).
 */

#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"

/* A text frame around finished JSON. */
void frame_text(struct buf **b, struct str json);
/*
 * Finishes a text frame whose JSON is written directly into *b: call
 * frame_begin(), append the JSON, call frame_end() with its result.
 */
size_t frame_begin(struct buf **b);
void frame_end(struct buf **b, size_t mark);

/* pusher:connection_established; timeout in seconds. */
void frame_established(struct buf **b, uint64_t sid, uint32_t timeout);
/*
 * pusher:error; code 0 is written as null.  A message whose p is NULL is the
 * default text of the code (pusher_errors.def).
 */
void frame_error(struct buf **b, unsigned code, struct str message);
/* pusher:pong */
void frame_pong(struct buf **b);
/* pusher_internal:subscription_succeeded of a channel without members. */
void frame_subscribed(struct buf **b, struct str channel);
/*
 * A refused subscription: pusher:subscription_error for the channel, then
 * pusher:error with code null (protocol reference, 2.4).  type: AuthError,
 * LimitReached, InvalidChannel, ServerError.  Without a channel (p is NULL:
 * the client named none) only the pusher:error.
 */
void frame_subscription_error(struct buf **b, struct str channel,
    const char *type, unsigned status, struct str text);
/*
 * A published event.  `data` is a raw JSON string with its quotes, passed
 * through untouched; event is plain text; user_id is plain text and left
 * out when its p is NULL.
 */
void frame_event(struct buf **b, struct str event, struct str channel,
    struct str data_raw, struct str user_id);
/* pusher_internal:member_added; info as inside the string data. */
void frame_member_added(
    struct buf **b, struct str channel, struct str user_id, struct str info);
void frame_member_removed(
    struct buf **b, struct str channel, struct str user_id);
/* pusher_internal:subscription_count */
void frame_subscription_count(
    struct buf **b, struct str channel, uint32_t count);
/* pusher:cache_miss */
void frame_cache_miss(struct buf **b, struct str channel);
/*
 * pusher:resume: the result for the channel.  status: new, continued, gap, off;
 * with the reason (if p is not NULL), else with the number of replayed events.
 */
void frame_resume(struct buf **b, struct str channel, const char *status,
    struct str reason, uint64_t replayed);
/* pusher:signin_success; user_data is the signed plain text. */
void frame_signin_success(struct buf **b, struct str user_data);

/* Control frames. */
void frame_ws_ping(struct buf **b);
void frame_ws_ping_with(struct buf **b, struct str payload);
void frame_ws_pong(struct buf **b, struct str payload);
/*
 * Reason is cut to 123 bytes at a character border; p == NULL: the default text
 * of the code.  Code 0: empty body.
 */
void frame_ws_close(struct buf **b, unsigned code, struct str reason);

#endif
