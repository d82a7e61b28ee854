/* SPDX-License-Identifier: MIT */
/* control.c, verb.c, apps.c: what pusherctl asks, over a real socket. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/broker/desk.h"

static void
refusals_are_sentences(void **state)
{
	static const char big[] =
	    "{\"app\":\"app1\",\"channel\":\"a\",\"event\":\"e\","
	    "\"data\":\"123456789\"}";
	static const struct {
		const char *verb, *args, *text;
	} rows[] = {
		{ "dance", "{}", "unknown verb \"dance\"" },
		{ "status", "[]", "the arguments are not a JSON object" },
		{ "status", "{", "the arguments are not a JSON object" },
		{ "publish", "{}", "app: the id of an app is missing" },
		{ "channels", "{\"app\":1}", "app: the id of an app" },
		{ "channels", "{\"app\":\"x\"}",
		    "the running pusherd knows no app \"x\"" },
		{ "channels", "{\"prefix\":7}", "prefix: not a text" },
		{ "publish", "{\"app\":\"app1\"}",
		    "channel, event and data have to be texts" },
		{ "publish",
		    "{\"app\":\"app1\",\"channel\":\"a b\",\"event\":\"e\","
		    "\"data\":\"\"}",
		    "a channel name is 1 to 164 (max_channel_name_length)" },
		{ "publish",
		    "{\"app\":\"app1\",\"channel\":\"a\",\"event\":\"\","
		    "\"data\":\"\"}",
		    "the name of an event is 1 to 200 "
		    "(max_event_name_length) characters; this one has 0" },
		{ "publish",
		    "{\"app\":\"app1\",\"channel\":\"a\","
		    "\"event\":\"pusher:x\",\"data\":\"\"}",
		    "only the server may send an event whose name" },
		{ "publish",
		    "{\"app\":\"app1\",\"channel\":\"a\",\"event\":\"e\","
		    "\"data\":\"\\ud800\"}",
		    "channel, event and data have to be texts" },
		{ "publish",
		    "{\"app\":\"app1\",\"channel\":\"a\",\"event\":\"e\","
		    "\"data\":\"\",\"socket_id\":\"7\"}",
		    "socket_id: digits, a dot, digits" },
		{ "publish", big,
		    "data has 9 bytes: at most 8 (max_event_bytes)" },
		{ "purge-cache", "{\"app\":\"app1\"}",
		    "the name of a channel is missing" },
	};
	struct desk *d = desk_new();

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		desk_ask(d, rows[i].verb, rows[i].args);
		assert_end(d, 1, rows[i].text);
	}
	desk_connect(d);
	SAY(d->fd, ctl_hello, .build = S("9.9"));
	SAY(d->fd, ctl_ask, .verb = S("status"), .args = S("{}"));
	assert_end(d, 1, "pusherctl is version 9.9, but the running pusherd");
	desk_free(d);
}

static void
nonsense_drops_the_client_alone(void **state)
{
	static const char *const said[] = { "GET / HTTP/1.1\r\n\r\n",
		"\377\377\377\377\377\377\377\377", "\4\0\0\0\0\0\0\0" };
	struct desk *d = desk_new();
	char byte;

	(void)state;
	for (size_t i = 0; i < nitems(said) + 2; i++) {
		desk_connect(d);
		if (i < nitems(said))
			assert_int_equal(send(d->fd, said[i], 8, 0), 8);
		else if (i == nitems(said)) /* no hello */
			SAY(d->fd, ctl_ask, .verb = S("status"),
			    .args = S("{}"));
		else /* a worker's message */
			SAY(d->fd, ping, .id = 1);
		links_turn(d->l);
		assert_int_not_equal(recv(d->fd, &byte, 1, MSG_DONTWAIT), 1);
		assert_int_equal(d->l->br.control->n, 0);
	}
	desk_ask(d, "channels", "{}");
	assert_end(d, 0, "");
	desk_free(d);
}

static void
events_are_published(void **state)
{
	struct desk *d = desk_new();
	struct msg_event m;

	(void)state;
	links_sub(d->l, 1, 1, "cache-a", "");
	desk_ask(d, "publish",
	    "{\"app\":\"app1\",\"channel\":\"cache-a\",\"event\":\"e\","
	    "\"data\":\"\\u00e9\\/\\\"\",\"socket_id\":\"1.2\"}");
	assert_row(d, "{\"subscriptions\":1}");
	assert_end(d, 0, "");
	EXPECT(d->l, 1, event, EVENT, &m);
	assert_frames(m.frame,
	    "{\"event\":\"e\",\"channel\":\"cache-a\","
	    "\"data\":\"\\u00e9\\/\\\"\"}");
	assert_true(m.except == (UINT64_C(1) << 32 | 2));
	desk_ask(
	    d, "purge-cache", "{\"app\":\"app1\",\"channel\":\"cache-a\"}");
	assert_row(d, "{\"purged\":true}");
	assert_end(d, 0, "");
	desk_ask(
	    d, "purge-cache", "{\"app\":\"app1\",\"channel\":\"cache-a\"}");
	assert_row(d, "{\"purged\":false}");
	assert_end(d, 0, "");
	desk_free(d);
}

static void
channels_are_sorted(void **state)
{
	const struct msg_event z = {
		.app = 1, .channel = S("cache-z"), .frame = S("frame")
	};
	const struct msg_event y = { .channel = S("cache-y"),
		.frame = S("frame") };
	struct desk *d = desk_new();

	(void)state;
	links_sub(d->l, 1, 1, "room-b", "");
	links_sub(d->l, 1, 2, "presence-a", "ada");
	links_sub(d->l, 1, 3, "presence-a", "ada");
	links_app(d->l, 0, NULL);
	cache_put(&d->l->br, &z);
	cache_put(&d->l->br, &y);
	desk_ask(d, "channels", "{}");
	assert_row(d,
	    "{\"app\":\"app0\",\"channel\":\"cache-y\",\"subscriptions\":0,"
	    "\"users\":null,\"cached\":true}");
	assert_row(d,
	    "{\"app\":\"app1\",\"channel\":\"cache-z\",\"subscriptions\":0,"
	    "\"users\":null,\"cached\":true}");
	assert_row(d,
	    "{\"app\":\"app1\",\"channel\":\"presence-a\","
	    "\"subscriptions\":2,\"users\":1,\"cached\":false}");
	assert_row(d,
	    "{\"app\":\"app1\",\"channel\":\"room-b\",\"subscriptions\":1,"
	    "\"users\":null,\"cached\":false}");
	assert_end(d, 0, "");
	desk_ask(d, "channels", "{\"app\":\"app1\",\"prefix\":\"room\"}");
	assert_row(d,
	    "{\"app\":\"app1\",\"channel\":\"room-b\",\"subscriptions\":1,"
	    "\"users\":null,\"cached\":false}");
	assert_end(d, 0, "");
	desk_free(d);
}

/* A client that does not read gets no more than its bound. */
static void
a_long_list_waits_for_its_reader(void **state)
{
	enum { N = 50000 };
	struct desk *d = desk_new();
	struct control_client *k;
	struct said s;
	char name[32];
	int n = 0;

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "room-%u", i);
		registry_enter(d->l->br.registry,
		    registry_get(d->l->br.registry, 1, str_of(name)), 0);
	}
	desk_ask(d, "channels", "{}");
	for (int i = 0; i < 100; i++)
		links_turn(d->l);
	k = LIST_ITEM(
	    d->l->br.control->clients.next, struct control_client, link);
	assert_in_range(outq_bytes(&k->ipc.out), 1 << 19, 1 << 21);
	while (desk_next(d, &s) && s.type == IPC_CTL_ROW)
		n++;
	assert_int_equal(s.type, IPC_CTL_END);
	assert_int_equal(n, N);
	desk_free(d);
}

static void
status_has_a_row_for_each_worker(void **state)
{
	struct desk *d = desk_new();
	struct said s;
	int n = 0;

	(void)state;
	links_kill(d->l, 2);
	desk_ask(d, "status", "{}");
	assert_false(desk_next(d, &s)); /* the workers are asked first */
	for (unsigned i = 0; i < LINKS; i++) {
		struct msg_stats_ask ask;
		struct msg_ping ping;

		if (i == 2)
			continue;
		EXPECT(d->l, i, stats_ask, STATS_ASK, &ask);
		assert_true(links_next_any(d->l, i, &s));
		assert_int_equal(s.type, IPC_PING);
		assert_int_equal(msg_ping_get(&ping, s.body), 0);
		SEND(d->l, i, pong, .id = ping.id);
	}
	for (; desk_next(d, &s) && s.type == IPC_CTL_ROW; n++) {
		struct msg_ctl_row m;

		assert_int_equal(msg_ctl_row_get(&m, s.body), 0);
		if (n == 4) /* behind server and webhooks */
			assert_bytes(m.json,
			    S("{\"type\":\"worker\",\"slot\":2,\"pid\":0,"
			      "\"state\":\"down\",\"connections\":0,"
			      "\"subscriptions\":0,\"queued\":0,"
			      "\"memory\":0,\"descriptors\":0,"
			      "\"uptime\":0}"));
	}
	assert_true(n > 2 + LINKS); /* limits follow */
	assert_int_equal(s.type, IPC_CTL_END);
	desk_free(d);
}

/* The end comes when each worker has said that it knows. */
static void
changed_apps_reach_every_worker_first(void **state)
{
	struct desk *d = desk_new();
	struct msg_app_set set;
	struct msg_app_del del;
	struct msg_ping ping;
	struct said s;

	(void)state;
	apps_replace(&d->l->br, NULL, 0);
	links_release_apps(d->l);
	links_app(d->l, 9, NULL);
	for (unsigned i = 0; i < LINKS; i++) {
		EXPECT(d->l, i, app_del, APP_DEL, &del);
		EXPECT(d->l, i, app_set, APP_SET, &set);
	}
	desk_ask(d, "apps-changed", "{}");
	assert_false(desk_next(d, &s));
	links_kill(d->l, 3); /* nobody waits for the dead */
	for (unsigned i = 0; i < 3; i++) {
		assert_false(desk_next(d, &s));
		/* The database has an app with the number 1, and no 9. */
		EXPECT(d->l, i, app_del, APP_DEL, &del);
		assert_int_equal(del.app, 9);
		EXPECT(d->l, i, app_set, APP_SET, &set);
		assert_int_equal(set.app, 1);
		assert_bytes(set.id, S("db1"));
		assert_int_equal(set.max_event_bytes, 10240);
		assert_true(links_next_any(d->l, i, &s));
		assert_int_equal(s.type, IPC_PING);
		assert_int_equal(msg_ping_get(&ping, s.body), 0);
		SEND(d->l, i, pong, .id = ping.id);
	}
	assert_end(d, 0, "");
	assert_int_equal(d->l->br.apps->n, 1);
	desk_ask(d, "apps-changed", "{}"); /* nothing new */
	for (unsigned i = 0; i < 3; i++)
		expect_nothing(d->l, i);
	assert_end(d, 0, "");
	desk_free(d);
}

/* A tenant's change that is expensive waits for the next second. */
static void
changes_of_tenants_share_a_read_if_it_takes_long(void **state)
{
	struct desk *d = desk_new();
	struct said s;

	desk_ask(d, "apps-changed", "{}");
	for (unsigned i = 0; i < LINKS; i++)
		while (links_next(d->l, i, &s))
			continue;
	d->l->br.apps->read_ms = 40;
	for (int i = 0; i < 3; i++) {
		desk_connect(d);
		SAY(d->fd, ctl_hello, .build = S(PUSHERD_VERSION),
		    .scope = S("db1"));
		SAY(d->fd, ctl_ask, .verb = S("apps-changed"), .args = S("{}"));
		assert_false(desk_next(d, &s));
	}
	assert_int_equal(d->l->br.apps->reads, 1);
	control_tick(&d->l->br);
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(d->l, i); /* answers the ping */
	assert_end(d, 0, "");
	assert_int_equal(d->l->br.apps->reads, 2);
	d->l->br.apps->read_ms = 40;
	desk_ask(d, "apps-changed", "{}"); /* of the operator */
	assert_false(desk_next(d, &s));
	assert_int_equal(d->l->br.apps->reads, 3);
	desk_free(d);
}

static void
an_unreadable_database_changes_nothing(void **state)
{
	struct desk *d = desk_new();

	(void)state;
	unlink(d->db);
	desk_ask(d, "apps-changed", "{}");
	assert_end(d, 1,
	    "the running pusherd could not read the apps and "
	    "keeps those it has: ");
	assert_int_equal(d->l->br.apps->n, 1);
	assert_non_null(apps_find_id(&d->l->br, S("app1")));
	for (unsigned i = 0; i < LINKS; i++)
		expect_nothing(d->l, i);
	desk_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals_are_sentences),
		cmocka_unit_test(nonsense_drops_the_client_alone),
		cmocka_unit_test(events_are_published),
		cmocka_unit_test(channels_are_sorted),
		cmocka_unit_test(a_long_list_waits_for_its_reader),
		cmocka_unit_test(status_has_a_row_for_each_worker),
		cmocka_unit_test(changed_apps_reach_every_worker_first),
		cmocka_unit_test(
		    changes_of_tenants_share_a_read_if_it_takes_long),
		cmocka_unit_test(an_unreadable_database_changes_nothing),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
