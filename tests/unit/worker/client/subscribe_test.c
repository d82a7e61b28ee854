/* SPDX-License-Identifier: MIT */
/* subscribe.c: who may enter which channel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/worker/client/client_rig.h"

static void
open_channels(void **state)
{
	static const char *const rows[] = {
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":"
		"\"room\"}}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
		"\"channel\":\"cache-room\"}}",
		"{\"event\":\"pusher:subscribe\",\"data\":"
		"\"{\\\"channel\\\":\\\"private\\\"}\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a\","
		"\"channel\":\"presence\",\"auth\":7,\"channel_data\":{}}}",
	};
	static const char *const names[] = { "room", "cache-room", "private",
		"presence" };
	struct msg_sub m;
	struct msg_unsub u;

	for (size_t i = 0; i < nitems(rows); i++) {
		say(rows[i]);
		rig_expect_nothing(&rig);
		HEAR(sub, SUB, m);
		assert_int_equal(m.app, RIG_APP);
		assert_true(m.sid == conn_sid(rig.c));
		assert_str(m.channel, names[i]);
		assert_int_equal(m.user_id.n + m.user_info.n, 0);
		confirm(m.ref, 0);
	}
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":"
	    "\"room\"}}");
	HEAR(unsub, UNSUB, u);
	assert_str(u.channel, "room");
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":"
	    "\"room\"}}");
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":"
	    "\"#server-to-user-x\"}}");
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"\"}}");
	rig_heard_nothing(&rig);
	rig_expect_nothing(&rig);
	say("{\"event\":\"pusher:unsubscribe\",\"data\":{}}");
	rig_expect_text(&rig, NULL_ERROR);
	assert_int_equal(rig.c->nsubs, 3);
	/* The end: the rest is left, once. */
	rig_hang_up(&rig);
	for (int i = 0; i < 3; i++)
		HEAR(unsub, UNSUB, u);
	rig_heard_nothing(&rig);
}

static void
subscribe_shapes(void **state)
{
	static const char *const rows[] = {
		"{\"event\":\"pusher:subscribe\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":null}",
		"{\"event\":\"pusher:subscribe\",\"data\":[]}",
		"{\"event\":\"pusher:subscribe\",\"data\":\"room\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":\"[]\"}",
		"{\"event\":\"pusher:subscribe\",\"data\":{}}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":null}}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":7}}",
		"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":[]}}",
		"{\"event\":\"pusher:subscribe\",\"data\":"
		"{\"channel\":\"\\ud800\"}}",
		"{\"event\":\"pusher:subscribe\",\"channel\":\"room\"}",
	};
	struct buf *b = NULL;

	for (size_t i = 0; i < nitems(rows); i++) {
		say(rows[i]);
		rig_expect_text(&rig, NULL_ERROR);
		rig_expect_nothing(&rig);
	}
	rig_heard_nothing(&rig);
	/* A name too long to be sent back. */
	buf_append(&b,
	    S("{\"event\":\"pusher:subscribe\",\"data\":"
	      "{\"channel\":\""));
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, 'x');
	buf_append(&b, S("\"}}"));
	rig_text(&rig, buf_str(b));
	rig_expect_text(&rig, NULL_ERROR);
	rig_expect_nothing(&rig);
	buf_unref(b);
}

static void
names(void **state)
{
	static const char *const rows[] = { "", "a b", "a\\n", "a\\u0000",
		"a/b", "\xc3\xa9", "#x", "#server-to-use-r" };
	char text[512], name[256];

	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(text, sizeof(text),
		    "{\"event\":\"pusher:subscribe\",\"data\":"
		    "{\"channel\":\"%s\"}}",
		    rows[i]);
		say(text);
		refused("InvalidChannel", 400);
	}
	memset(name, 'x', sizeof(name));
	name[165] = '\0';
	subscribe(name, NULL);
	refused("InvalidChannel", 400);
	name[164] = '\0';
	join(name, NULL);
	rig_app(&rig)->max_channel_name_length = 3;
	subscribe("room", NULL);
	refused("InvalidChannel", 400);
}

static void
signatures(void **state)
{
	static const char *const rows[] = {
		"{\"channel\":\"private-a\"}",
		"{\"channel\":\"private-a\",\"auth\":\"\"}",
		"{\"channel\":\"private-a\",\"auth\":null}",
		"{\"channel\":\"private-a\",\"auth\":{}}",
		"{\"channel\":\"private-a\",\"auth\":\"\\ud800\"}",
		"{\"channel\":\"private-a\",\"auth\":\"x:y\"}",
		"{\"channel\":\"private-a\",\"auth\":\"demo-app-key-01:y\"}",
		"{\"channel\":\"private-encrypted-a\",\"auth\":\"\"}",
		"{\"channel\":\"private-encrypted-cache-a\",\"auth\":\"\"}",
		"{\"channel\":\"presence-a\",\"auth\":\"\"}",
		"{\"channel\":\"presence-cache-a\",\"auth\":\"\"}",
		"{\"channel\":\"private-a\",\"auth\":\"x:y\","
		"\"channel_data\":{\"user_id\":\"a\"}}",
		"{\"channel\":\"presence-a\",\"auth\":\"x:y\","
		"\"channel_data\":7}",
		"{\"channel\":\"presence-a\",\"auth\":\"x:y\","
		"\"channel_data\":\"\\udfff\"}",
	};
	char text[512];
	struct msg_sub m;

	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(text, sizeof(text),
		    "{\"event\":\"pusher:subscribe\",\"data\":%s}", rows[i]);
		say(text);
		refused("AuthError", 401);
	}
	/* channel_data on a private channel is signed when it is there. */
	m = join("private-a", "{\"user_id\":\"x\"}");
	assert_int_equal(m.user_id.n, 0);
	join("private-encrypted-cache-a", NULL);
}

static void
presence(void **state)
{
	static const struct {
		const char *data, *type;
		unsigned status;
	} rows[] = {
		{ NULL, "AuthError", 401 }, /* nor signed in */
		{ "", "AuthError", 401 },
		{ "x", "AuthError", 401 },
		{ "{}", "AuthError", 401 },
		{ "{\"user_id\":\"\"}", "AuthError", 401 },
		{ "{\"user_id\":null}", "AuthError", 401 },
		{ "{\"user_id\":\"a\",\"user_info\":\"12345678901234567\"}",
		    "LimitReached", 413 },
	};
	char text[200];
	struct msg_sub m;

	rig_app(&rig)->max_presence_member_bytes = 18;
	for (size_t i = 0; i < nitems(rows); i++) {
		subscribe("presence-a", rows[i].data);
		refused(rows[i].type, rows[i].status);
	}
	snprintf(text, sizeof(text), "{\"user_id\":\"%0129d\"}", 1);
	subscribe("presence-a", text);
	refused("LimitReached", 413);
	subscribe(
	    "presence-a", "{\"user_info\":{\"a\": 1e400},\"user_id\":10}");
	HEAR(sub, SUB, m);
	assert_str(m.user_id, "10");
	assert_str(m.user_info, "{\"a\": 1e400}");
	/* Full: what the broker says goes to the client, and it is out. */
	confirm(m.ref, 413);
	assert_int_equal(rig.c->nsubs, 0);
	assert_null(subscription_find(rig.c, S("presence-a")));
}

static void
again(void **state)
{
	struct msg_sub_again a;
	struct msg_sub m;

	m = join("private-a", NULL);
	subscribe("private-a", NULL);
	HEAR(sub_again, SUB_AGAIN, a);
	assert_int_equal(a.ref, m.ref);
	assert_int_equal(a.stamp, 5);
	confirm(a.ref, 0);
	assert_int_equal(rig.c->nsubs, 1);
	say("{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":"
	    "\"private-a\",\"auth\":\"x\"}}");
	refused("AuthError", 401);
	/* A presence channel keeps its first identity. */
	join("presence-a", "{\"user_id\":\"a\"}");
	subscribe("presence-a", "{\"user_id\":\"b\"}");
	HEAR(sub_again, SUB_AGAIN, a);
	confirm(a.ref, 0);
	assert_str(subscription_find(rig.c, S("presence-a"))->member->id, "a");
	rig.conf.strict_subscribe = true;
	subscribe("private-a", NULL);
	rig_expect_text(&rig, NULL_ERROR);
	rig_heard_nothing(&rig);
	/* The limit is for new ones. */
	rig_app(&rig)->max_subscriptions = 2;
	subscribe("private-b", NULL);
	refused("LimitReached", 413);
}

/* A list that leads to one that was freed ends the process. */
static void
m1_a_freed_subscription_is_not_used(void **state)
{
	struct rlimit none = { 0, 0 };
	struct subscription *s;
	int status;
	pid_t pid;

	(void)state;
	join("room", NULL);
	assert_int_equal(sizeof(*s), 72); /* the magic number costs nothing */
	s = subscription_find(rig.c, S("room"));
	assert_int_equal(s->magic, MAGIC_SUBSCRIPTION);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		close(STDERR_FILENO);
		magic_poison16(&s->magic);
		subscription_end_all(rig.c);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	/* One that has ended waits, alive, for the broker's answer. */
	subscription_end(s);
	assert_int_equal(s->magic, MAGIC_SUBSCRIPTION);
}

/* A client with many channels names one that it has not, again and again. */
static void
searching_many_subscriptions_counts(void **state)
{
	struct topic *other = topic_get(&rig.w, RIG_APP, S("other"));
	uint32_t before = rig.w.input->spent;
	char name[16];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		subscription_new(rig.c, str_of(name));
		rig.c->nsubs++;
	}
	assert_non_null(subscription_find(rig.c, S("c0")));
	assert_null(subscription_find(rig.c, S("nowhere")));
	assert_int_equal(rig.w.input->spent, before);
	assert_non_null(subscription_find(rig.c, S("c999")));
	assert_int_equal(rig.w.input->spent, before + 10);
	assert_null(subscription_find(rig.c, S("other")));
	assert_int_equal(rig.w.input->spent, before + 20);
	topic_unref(&rig.w, other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(open_channels),
		TEST(subscribe_shapes),
		TEST(names),
		TEST(signatures),
		TEST(presence),
		TEST(again),
		TEST(m1_a_freed_subscription_is_not_used),
		TEST(searching_many_subscriptions_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
