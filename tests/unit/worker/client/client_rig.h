/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_WORKER_CLIENT_CLIENT_RIG_H
#define TESTS_UNIT_WORKER_CLIENT_CLIENT_RIG_H

/* One greeted client, whose part these speak, and the broker's. */

#include "shared/json/json_write.h"
#include "shared/pusher/frames.h"
#include "tests/unit/worker/rig.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/client.h"

static struct rig rig;

static inline int
setup(void **state)
{
	rig_init(&rig);
	rig_link(&rig);
	rig_greeted(&rig);
	return 0;
}

static inline int
teardown(void **state)
{
	rig_clear(&rig);
	return 0;
}

static inline void
say(const char *text)
{
	rig_text(&rig, str_of(text));
}

#define HEAR(name, NAME, m) \
	do { \
		struct str body_; \
		uint32_t type_ = rig_heard(&rig, &body_); \
		if (type_ != IPC_##NAME) \
			fail_msg("%s", ipc_name(type_)); \
		assert_int_equal(msg_##name##_get(&(m), body_), 0); \
	} while (0)

static inline void
assert_str(struct str s, const char *want)
{
	if (!str_eq(s, str_of(want)))
		fail_msg("%.*s\nis not %s", STR_ARG(s), want);
}

/* "KEY:HEX" over parts with the socket id in front. */
static inline void
sign(const char *rest, char out[128])
{
	struct sign_key *k = sign_key_new(S(RIG_SECRET));
	char sid[SOCKET_ID_MAX], hex[SIGN_HEX_LEN + 1];
	unsigned char mac[SIGN_SHA256_LEN];
	struct str parts[2];

	socket_id_text(conn_sid(rig.c), sid);
	parts[0] = str_of(sid);
	parts[1] = str_of(rest);
	sign_hmac(k, parts, 2, mac);
	str_hex(mac, sizeof(mac), hex);
	snprintf(out, 128, "%s:%s", RIG_KEY, hex);
	sign_key_free(k);
}

/* Subscribes with the right signature; data: plain JSON text, or NULL. */
static inline void
subscribe(const char *channel, const char *data)
{
	char auth[128], rest[4096];
	struct buf *b = NULL;

	snprintf(rest, sizeof(rest), ":%s%s%s", channel,
	    data == NULL ? "" : ":", data == NULL ? "" : data);
	sign(rest, auth);
	buf_printf(&b,
	    "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\","
	    "\"auth\":\"%s\"",
	    channel, auth);
	if (data != NULL) {
		buf_append(&b, S(",\"channel_data\":"));
		json_quote(&b, str_of(data));
	}
	buf_append(&b, S("}}"));
	rig_text(&rig, buf_str(b));
	buf_unref(b);
}

/* The broker says yes (or no) to the SUB with this ref. */
static inline void
confirm(uint32_t ref, uint32_t status)
{
	struct buf *b = NULL;
	struct msg_sub_done m = {
		.sid = conn_sid(rig.c), .ref = ref, .status = status, .stamp = 5
	};

	frame_subscribed(&b, S("confirmed"));
	m.frames = buf_str(b);
	assert_int_equal(client_on_sub_done(&rig.w, &m), 0);
	buf_unref(b);
	rig_turn(&rig);
	rig_expect_text(&rig,
	    "{\"event\":\"pusher_internal:subscription_succeeded\","
	    "\"channel\":\"confirmed\",\"data\":\"{}\"}");
}

static inline struct msg_sub
join(const char *channel, const char *data)
{
	struct msg_sub m;

	subscribe(channel, data);
	rig_expect_nothing(&rig);
	HEAR(sub, SUB, m);
	assert_str(m.channel, channel);
	confirm(m.ref, 0);
	return m;
}

#define NULL_ERROR "{\"event\":\"pusher:error\",\"data\":{\"code\":null,*"
#define ERROR_4009 "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,*"

/* A refused subscription: two frames, and the broker never hears of it. */
static inline void
refused(const char *type, unsigned status)
{
	enum ws_opcode op;
	struct buf *b;
	char want[64];

	if (!rig_next(&rig, &op, &b))
		fail_msg("no answer");
	b->data[b->len - 1] = '\0';
	snprintf(
	    want, sizeof(want), "\"data\":\"{\\\"type\\\":\\\"%s\\\"", type);
	if (strstr(b->data, "\"event\":\"pusher:subscription_error\"") ==
		NULL ||
	    strstr(b->data, want) == NULL)
		fail_msg("%s: %s", type, b->data);
	snprintf(want, sizeof(want), "\\\"status\\\":%u}", status);
	if (strstr(b->data, want) == NULL)
		fail_msg("%u: %s", status, b->data);
	buf_unref(b);
	rig_expect_text(&rig, NULL_ERROR);
	rig_expect_nothing(&rig);
	rig_heard_nothing(&rig);
}

static inline void
signin(const char *user_data)
{
	char auth[128], rest[512];
	struct buf *b = NULL;

	snprintf(rest, sizeof(rest), "::user::%s", user_data);
	sign(rest, auth);
	buf_printf(&b,
	    "{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"%s\","
	    "\"user_data\":",
	    auth);
	json_quote(&b, str_of(user_data));
	buf_append(&b, S("}}"));
	rig_text(&rig, buf_str(b));
	buf_unref(b);
}

static inline void
signin_done(const char *frame)
{
	struct buf *b = NULL;
	struct msg_signin_done m = { .sid = conn_sid(rig.c) };

	if (frame != NULL)
		frame_text(&b, str_of(frame));
	m.frames = buf_str(b);
	assert_int_equal(client_on_signin_done(&rig.w, &m), 0);
	buf_unref(b);
	rig_turn(&rig);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
