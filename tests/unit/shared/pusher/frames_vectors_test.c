/* SPDX-License-Identifier: MIT */
/* frames.c: the vectors server_frame and wire_publish, byte for byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/frames.h"
#include "tests/unit/shared/pusher/frame_read.h"
#include "tests/unit/shared/vectors.h"

static void
established(struct buf **b)
{
	frame_established(b, socket_id_parse(S("219049.5823310")), 120);
}

static void
subscribed(struct buf **b)
{
	frame_subscribed(b, S("room-1"));
}

/* The list of members, as the broker puts it together. */
static void
roster(struct buf **b)
{
	struct json_writer w;
	struct buf *data;
	size_t mark;

	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "presence");
	json_object_open(&w);
	json_key(&w, "ids");
	json_array_open(&w);
	json_put_str(&w, S("u-7"));
	json_put_str(&w, S("u-9"));
	json_array_close(&w);
	json_key(&w, "hash");
	json_object_open(&w);
	json_key_str(&w, S("u-7"));
	json_put_raw(&w, S("{\"nick\":\"Ada\"}"));
	json_key_str(&w, S("u-9"));
	json_put_null(&w);
	json_object_close(&w);
	json_key(&w, "count");
	json_put_u64(&w, 2);
	json_object_close(&w);
	json_object_close(&w);
	data = json_writer_take(&w);

	mark = frame_begin(b);
	json_raw(b,
	    S("{\"event\":\"pusher_internal:subscription_succeeded\","
	      "\"channel\":"));
	json_quote(b, S("presence-lobby"));
	json_raw(b, S(",\"data\":\""));
	json_nest(b, buf_str(data));
	json_raw(b, S("\"}"));
	frame_end(b, mark);
	buf_unref(data);
}

static void
member_added(struct buf **b)
{
	frame_member_added(
	    b, S("presence-lobby"), S("u-7"), S("{\\\"nick\\\":\\\"Ada\\\"}"));
}

static void
member_removed(struct buf **b)
{
	frame_member_removed(b, S("presence-lobby"), S("u-7"));
}

static void
error_4301(struct buf **b)
{
	frame_error(b, 4301, S("Client event rejected: rate limit"));
}

static void
cache_miss(struct buf **b)
{
	frame_cache_miss(b, S("cache-weather"));
}

static void
subscription_error(struct buf **b)
{
	struct buf *both = NULL;
	size_t at = 0;
	struct str first;

	frame_subscription_error(&both, S("private-orders.42"), "AuthError",
	    401, S("auth signature is not valid"));
	first = next_frame(both, &at, WS_TEXT);
	frame_text(b, first);
	/* The second frame, for clients that do not know the first. */
	assert_str(next_frame(both, &at, WS_TEXT),
	    S("{\"event\":\"pusher:error\",\"data\":{\"code\":null,"
	      "\"message\":\"Subscription to private-orders.42 failed: "
	      "auth signature is not valid\"}}"));
	assert_int_equal(at, both->len);
	buf_unref(both);
}

static void
subscription_count(struct buf **b)
{
	frame_subscription_count(b, S("room-1"), 3);
}

static void
signin_success(struct buf **b)
{
	frame_signin_success(b, S("{\"id\":\"u-7\"}"));
}

/* Put together from parts, as the list of members above. */
static void
watchlist(struct buf **b)
{
	size_t mark = frame_begin(b);

	json_raw(b,
	    S("{\"event\":\"pusher_internal:watchlist_events\","
	      "\"data\":\""));
	json_nest(b,
	    S("{\"events\":[{\"name\":\"online\",\"user_ids\":[\"u-8\"]},"
	      "{\"name\":\"offline\",\"user_ids\":[\"u-9\"]}]}"));
	json_raw(b, S("\"}"));
	frame_end(b, mark);
}

static void
client_event(struct buf **b)
{
	frame_event(b, S("client-typing"), S("presence-lobby"),
	    S("\"{\\\"on\\\":true}\""), S("u-7"));
}

static void
user_event(struct buf **b)
{
	frame_event(b, S("notice"), S("#server-to-user-u-7"),
	    S("\"{\\\"a\\\":1}\""), (struct str){ NULL, 0 });
}

static const struct {
	const char *id;
	void (*make)(struct buf **); /* NULL: no frame of ours */
} makers[] = {
	{ "sf-01", established },
	{ "sf-02", subscribed },
	{ "sf-03", roster },
	{ "sf-04", member_added },
	{ "sf-05", member_removed },
	{ "sf-06", frame_pong },
	/* pusher:ping is never sent: idle clients get a WebSocket ping. */
	{ "sf-07", NULL },
	{ "sf-08", error_4301 },
	{ "sf-09", cache_miss },
	{ "sf-10", subscription_error },
	{ "sf-11", subscription_count },
	{ "sf-12", signin_success },
	{ "sf-13", watchlist },
	{ "sf-14", client_event },
	{ "sf-15", user_event },
};

static void
server_frame_vectors(void **state)
{
	struct vectors vs;
	struct json v;
	struct str id, want;
	char *mem, *mem2;
	struct buf *b;
	size_t n = 0;

	vectors_open(&vs);
	for (; vectors_next(&vs, "server_frame", &v); n++) {
		assert_true(n < nitems(makers));
		id = vector_text(v, "id", &mem);
		assert_str(id, str_of(makers[n].id));
		want = vector_text(json_get(v, S("expect")), "frame", &mem2);
		if (makers[n].make != NULL) {
			b = NULL;
			makers[n].make(&b);
			assert_frame(b, want);
		}
		free(mem);
		free(mem2);
	}
	vectors_close(&vs);
	assert_int_equal(n, nitems(makers));
}

/* The same member of two frames, unescaped, byte for byte. */
static void
assert_same_member(struct json a, struct json b, const char *key)
{
	char *mem, *mem2;
	struct str one = vector_text(a, key, &mem);
	struct str two = vector_text(b, key, &mem2);

	assert_str(one, two);
	free(mem);
	free(mem2);
}

static void
wire_publish_vectors(void **state)
{
	struct vectors vs;
	struct json v, body, frame, want;
	struct str text, wanted, payload, event, channel;
	char *mem, *mem2, *name = NULL, *chan = NULL;
	const char *err;
	struct buf *b;
	size_t at, n = 0;

	vectors_open(&vs);
	for (; vectors_next(&vs, "wire_publish", &v); n++) {
		text = vector_text(json_get(v, S("input")), "http_body", &mem);
		wanted = vector_text(json_get(v, S("expect")), "frame", &mem2);
		assert_int_equal(json_parse(text, &body, &err), 0);
		assert_int_equal(json_parse(wanted, &want, &err), 0);
		json_string(json_get(body, S("name")), &event, &name);
		json_string(json_get(body, S("channel")), &channel, &chan);
		b = NULL;
		at = 0;
		frame_event(&b, event, channel, json_get(body, S("data")).raw,
		    (struct str){ NULL, 0 });
		payload = next_frame(b, &at, WS_TEXT);
		assert_int_equal(at, b->len);
		assert_int_equal(json_parse(payload, &frame, &err), 0);
		assert_same_member(frame, want, "event");
		assert_same_member(frame, want, "channel");
		assert_same_member(frame, want, "data");
		assert_int_equal(json_get(frame, S("user_id")).kind, JSON_NONE);
		/* And the raw text of data is the publisher's. */
		assert_str(json_get(frame, S("data")).raw,
		    json_get(body, S("data")).raw);
		buf_unref(b);
		free(mem);
		free(mem2);
	}
	vectors_close(&vs);
	free(name);
	free(chan);
	assert_int_equal(n, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(server_frame_vectors),
		cmocka_unit_test(wire_publish_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
