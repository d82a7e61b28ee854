/* SPDX-License-Identifier: MIT */
/* query.c: bodies of the HTTP API. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/app/quota.h"
#include "shared/base/base.h"
#include "shared/json/json_slice.h"
#include "tests/unit/broker/links.h"

static void
fill(struct links *l)
{
	struct buf *b = NULL;
	struct said s;

	links_sub(l, 0, 1, "room-1", "");
	links_sub(l, 1, 2, "room-1", "");
	links_sub(l, 0, 3, "cache-a", "");
	links_sub(l, 0, 4, "presence-a", "u-7");
	links_sub(l, 2, 5, "presence-a", "7\"");
	links_sub(l, 2, 6, "presence-a", "u-7");
	frame_event(&b, S("e"), S("cache-a"), S("\"{\\\"v\\\":1}\\/\""),
	    (struct str){ NULL, 0 });
	links_event(l, 1, "cache-a", buf_str(b), EVENT_CACHE);
	links_event(l, 1, "cache-b", buf_str(b), EVENT_CACHE);
	buf_unref(b);
	SEND(l, 0, signin, .app = 1, .sid = 1, .user_id = S("ada"));
	SEND(l, 0, conn_open, .app = 1, .sid = 1);
	SEND(l, 1, conn_open, .app = 1, .sid = 2);
	while (links_next(l, 0, &s) || links_next(l, 1, &s))
		;
}

static const struct {
	uint32_t app, kind, info;
	const char *channel, *want;
} rows[] = {
	{ 1, QUERY_CHANNELS, 0, "",
	    "{\"channels\":{\"room-1\":{},\"cache-a\":{},\"presence-a\":{}}}" },
	{ 1, QUERY_CHANNELS, 2, "r",
	    "{\"channels\":{\"room-1\":{\"subscription_count\":2}}}" },
	{ 1, QUERY_CHANNELS, 1, "presence-",
	    "{\"channels\":{\"presence-a\":{\"user_count\":2}}}" },
	{ 1, QUERY_CHANNELS, 1, "x", "{\"channels\":{}}" },
	{ 1, QUERY_CHANNELS, 0, "#", "{\"channels\":{}}" },
	{ 2, QUERY_CHANNELS, 0, "", "{\"channels\":{}}" },
	{ 1, QUERY_CHANNEL, 0, "room-1", "{\"occupied\":true}" },
	{ 1, QUERY_CHANNEL, 2, "room-1",
	    "{\"occupied\":true,\"subscription_count\":2}" },
	{ 1, QUERY_CHANNEL, 3, "presence-a",
	    "{\"occupied\":true,\"user_count\":2,\"subscription_count\":3}" },
	{ 1, QUERY_CHANNEL, 3, "presence-b",
	    "{\"occupied\":false,\"user_count\":0,\"subscription_count\":0}" },
	{ 2, QUERY_CHANNEL, 0, "room-1", "{\"occupied\":false}" },
	{ 1, QUERY_CHANNEL, 4, "cache-a",
	    "{\"occupied\":true,\"cache\":{\"data\":\"{\\\"v\\\":1}\\/\","
	    "\"ttl\":1800}}" },
	{ 1, QUERY_CHANNEL, 4, "cache-b",
	    "{\"occupied\":false,\"cache\":{\"data\":\"{\\\"v\\\":1}\\/\","
	    "\"ttl\":1800}}" },
	{ 1, QUERY_CHANNEL, 4, "cache-c",
	    "{\"occupied\":false,\"cache\":null}" },
	{ 1, QUERY_USERS, 0, "presence-a",
	    "{\"users\":[{\"id\":\"u-7\"},{\"id\":\"7\\\"\"}]}" },
	{ 1, QUERY_USERS, 0, "presence-b", "{\"users\":[]}" },
	{ 1, QUERY_EVENT_INFO, 0,
	    "3 1 0 room-1\n3 2 7 presence-a\n2 3 0 nobody\n0 4 0 other\n",
	    "{\"channels\":{\"room-1\":{\"subscription_count\":2},"
	    "\"presence-a\":{\"user_count\":2,\"subscription_count\":3},"
	    "\"nobody\":{\"subscription_count\":0},\"other\":{}}}" },
	{ 1, QUERY_BATCH_INFO, 0,
	    "2 1 0 room-1\n0 2 0 room-1\n1 3 0 presence-a\n",
	    "{\"batch\":[{\"subscription_count\":2},{},{\"user_count\":2}]}" },
	{ 1, QUERY_CONNECTIONS, 0, "", "{\"connections\":2}" },
	{ 9, QUERY_CONNECTIONS, 0, "", "{\"connections\":0}" },
};

static void
every_question_has_its_body(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_reply m;

	(void)state;
	fill(l);
	for (size_t i = 0; i < nitems(rows); i++) {
		SEND(l, 3, query, .id = i, .app = rows[i].app,
		    .kind = rows[i].kind, .info = rows[i].info,
		    .channel = str_of(rows[i].channel));
		EXPECT(l, 3, reply, REPLY, &m);
		assert_int_equal(m.id, i);
		assert_int_equal(m.status, 200);
		assert_bytes(m.body, str_of(rows[i].want));
	}
	links_free(l);
}

static void
lines_that_are_none_end_the_link(void **state)
{
	static const char *const said[] = { "8 a\n", "1a\n", "\n", "1 2 \n",
		"1 2 3 \n", "1 2 3\n", "1 2 x a\n", "1 2 3 a\nx" };
	struct links *l = links_new(NULL);

	(void)state;
	for (size_t i = 0; i < nitems(said); i++) {
		SEND(l, 0, query, .app = 1, .kind = QUERY_EVENT_INFO,
		    .channel = str_of(said[i]));
		if (!links_is_over(l, 0))
			fail_msg("%s is believed", said[i]);
		close(l->fd[0]);
		links_hello(l, 0, 100 + i);
	}
	links_free(l);
}

static size_t
count_members(struct str body)
{
	struct json v, k, e;
	const char *err;
	size_t pos = 0, n = 0;

	assert_int_equal(json_parse(body, &v, &err), 0);
	v = json_get(v, S("channels"));
	assert_int_equal(v.kind, JSON_OBJECT);
	while (json_next_member(v, &pos, &k, &e))
		n++;
	return n;
}

/* Written in portions; meanwhile others are served, channels come and go. */
static void
a_long_list_takes_several_turns(void **state)
{
	enum { N = 10000 };
	struct links *l = links_new(NULL);
	struct msg_reply m;
	struct msg_pong pong;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "room-%u", i);
		registry_enter(l->br.registry,
		    registry_get(l->br.registry, 1, str_of(name)), 0);
	}
	SEND(l, 3, query, .id = 1, .app = 1, .kind = QUERY_CHANNELS);
	SEND(l, 2, query, .id = 2, .app = 1, .kind = QUERY_CHANNELS);
	SEND(l, 3, ping, .id = 9);
	SEND(l, 0, unsub, .app = 1, .sid = 1, .channel = S("room-9999"));
	ev_run(l->br.loop, EVRUN_NOWAIT);
	broker_turn(&l->br);
	assert_true(broker_is_busy(&l->br));
	EXPECT(l, 3, pong, PONG, &pong);
	links_kill(l, 2); /* its question goes with it */
	links_turn(l);
	EXPECT(l, 3, reply, REPLY, &m);
	assert_int_equal(m.id, 1);
	assert_int_equal(count_members(m.body), N - 1);
	links_turn(l);
	assert_false(broker_is_busy(&l->br));
	links_free(l);
}

static void
a_list_has_a_bound(void **state)
{
	enum { N = 80000 };
	struct links *l = links_new(NULL);
	struct msg_reply m;
	char name[256];

	(void)state;
	memset(name, 'x', sizeof(name));
	for (unsigned i = 0; i < N; i++) {
		snprintf(name + 200, 16, "%u", i);
		registry_enter(l->br.registry,
		    registry_get(l->br.registry, 1, str_of(name)), 0);
	}
	SEND(l, 3, query, .id = 1, .app = 1, .kind = QUERY_CHANNELS);
	for (int i = 0; i < 30; i++)
		links_turn(l);
	EXPECT(l, 3, reply, REPLY, &m);
	assert_int_equal(m.status, 400);
	links_free(l);
}

static void
tokens_are_taken_from_one_bucket(void **state)
{
	static const char *const settings[] = { "max_backend_events_per_second",
		"10", NULL };
	struct links *l = links_new(settings);
	struct msg_take_done done;
	static const struct {
		uint32_t kind, n;
		uint32_t min, max; /* of wait_ms */
	} takes[] = {
		{ TAKE_EVENTS, 4, 0, 0 },
		{ TAKE_EVENTS, 6, 0, 0 },
		{ TAKE_EVENTS, 1, 1, 100 },
		{ TAKE_EVENTS, 10, 500, 1000 },
		{ TAKE_READS, 1000, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < nitems(takes); i++) {
		SEND(l, i % LINKS, take, .id = i, .app = 1,
		    .kind = takes[i].kind, .n = takes[i].n);
		EXPECT(l, i % LINKS, take_done, TAKE_DONE, &done);
		assert_int_equal(done.id, i);
		assert_in_range(done.wait_ms, takes[i].min, takes[i].max);
	}
	links_free(l);
}

static void
more_than_a_bucket_holds_is_paid_back(void **state)
{
	struct bucket b = { 0 };

	(void)state;
	assert_int_equal(quota_take(&b, 5, 10, 100.), 0);
	assert_int_equal(quota_take(&b, 5, 1, 100.), 1200);
	assert_int_equal(quota_take(&b, 5, 1, 101.), 200);
	assert_int_equal(quota_take(&b, 5, 1, 101.25), 0);
	assert_int_equal(quota_take(&b, 5, 100, 200.), 0);
	assert_int_equal(quota_take(&b, 5, 100, 219.), 1000);
	assert_int_equal(quota_take(&b, 5, 100, 220.), 0);
	assert_int_equal(quota_take(&b, 1, 1, 50.), 96000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_question_has_its_body),
		cmocka_unit_test(lines_that_are_none_end_the_link),
		cmocka_unit_test(a_long_list_takes_several_turns),
		cmocka_unit_test(a_list_has_a_bound),
		cmocka_unit_test(tokens_are_taken_from_one_bucket),
		cmocka_unit_test(more_than_a_bucket_holds_is_paid_back),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
