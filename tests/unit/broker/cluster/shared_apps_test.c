/* SPDX-License-Identifier: MIT */
/*
 * shared_apps_test.c: records of apps come from Redis, a process writes them,
 * and hosts say when they have them.  The test is Redis, the master and the
 * other host.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/shared_apps.h"
#include "shared/base/base.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/proc.h"
#include "tests/unit/broker/links.h"

struct test {
	struct links *l;
	struct cluster *cl;
	struct host *other;
	struct inherit inherit;
	int master;
};

static void
on_write(struct ev_loop *loop, ev_io *w, int revents)
{
	ev_io_stop(loop, w);
}

/* A host that is in its cluster with another one; commands are only counted. */
static int
set_up(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));
	struct links *l = xcalloc(1, sizeof(*l));
	int fds[2];

	conf_init(&l->conf);
	free(l->conf.cluster);
	l->conf.cluster = xstrdup("redis://127.0.0.1:1");
	free(l->conf.cluster_host);
	l->conf.cluster_host = xstrdup("a");
	broker_init(&l->br, &l->conf);
	links_start(l, NULL);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	l->br.master_link->io.fd = fds[0];
	l->br.inherit = &t->inherit;
	*t = (struct test){ .l = l, .cl = l->br.cluster, .master = fds[1] };
	t->other = hosts_enter(&l->br, &t->cl->hosts, S("b"), 1);
	t->cl->state = CLUSTER_LIVE;
	t->cl->engine.up = true;
	t->cl->engine.commands.wire.loop = l->br.loop;
	ev_init(&t->cl->engine.commands.wire.io, on_write);
	t->cl->engine.commands.wire.up = true;
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct test *t = *state;
	struct wire *w = &t->cl->engine.commands.wire;

	ev_clear_pending(t->l->br.loop, &w->io);
	outq_clear(&w->out);
	free(w->what);
	close(t->l->br.master_link->io.fd);
	close(t->master);
	t->l->br.inherit = NULL;
	links_free(t->l);
	free(t);
	return 0;
}

/* The command that was sent last, or -1; how many there are. */
static int
last_command(const struct test *t, unsigned n)
{
	const struct wire *w = &t->cl->engine.commands.wire;

	assert_int_equal(w->n, n);
	return n == 0 ? -1 : w->what[w->n - 1];
}

/* Redis answers with this many texts. */
static void
answer(const struct test *t, size_t n, const char *const *texts)
{
	redisReply all[8], *v[8];
	redisReply r = { .type = REDIS_REPLY_ARRAY, .element = v };

	assert_true(n <= nitems(all));
	for (size_t i = 0; i < n; i++) {
		all[i] = (redisReply){ .type = REDIS_REPLY_STRING,
			.str = (char *)(uintptr_t)texts[i],
			.len = strlen(texts[i]) };
		v[i] = &all[i];
	}
	r.elements = n;
	shared_apps_on_records(t->cl, &r);
}

#define ANSWER(t, ...) \
	answer(t, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), \
	    (const char *[]){ __VA_ARGS__ })

/* The answer to a change. */
static void
answer_set(const struct test *t, const char *text)
{
	redisReply r = { .type = REDIS_REPLY_STRING,
		.str = (char *)(uintptr_t)text,
		.len = strlen(text) };

	shared_apps_on_answer(t->cl, &r);
}

/* How often the master was asked for a process, since the last call. */
static unsigned
asked(const struct test *t)
{
	struct msg_master_request m;
	struct buf *in = NULL;
	struct said s;
	uint32_t at = 0;
	unsigned n = 0;

	said_read(t->master, &in);
	for (; said_next(in, &at, &s); n++) {
		assert_int_equal(s.type, IPC_MASTER_REQUEST);
		assert_int_equal(msg_master_request_get(&m, s.body), 0);
		assert_true(str_eq(m.verb, S("cluster-apps")));
	}
	buf_unref(in);
	return n;
}

/* What is pending, as "id=record ...". */
static void
expect_pending(const struct test *t, const char *want)
{
	const struct app_records *s = shared_apps_records(t->cl);
	struct buf *b = NULL;
	const struct list *e;

	buf_printf(&b, "%s", "");
	LIST_FOREACH(e, &s->pending) {
		const struct app_record *a =
		    LIST_ITEM(e, struct app_record, link);

		buf_printf(&b, "%s%s=%.*s", b->len > 0 ? " " : "", a->id,
		    a->text == NULL ? 0 : (int)a->text->len,
		    a->text == NULL ? "" : a->text->data);
	}
	buf_putc(&b, '\0');
	assert_string_equal(b->data, want);
	buf_unref(b);
}

/* The version that this host has said to have, or 0. */
static uint64_t
said_version(const struct test *t)
{
	struct msg_host_apps_done m = { 0 };
	const struct list *e;
	struct ipc_in in;
	uint32_t at;

	outgoing_end_entry(t->cl);
	LIST_FOREACH(e, &t->cl->parts) {
		at = 0;
		while (entry_next(
			   LIST_ITEM(e, struct part, link)->b, &at, &in) == 1)
			if (in.type == IPC_HOST_APPS_DONE)
				assert_int_equal(
				    msg_host_apps_done_get(&m, in.body), 0);
	}
	return m.version;
}

static void
test_all_records_of_a_join(void **state)
{
	struct test *t = *state;

	shared_apps_join(t->cl);
	assert_int_equal(last_command(t, 1), ENGINE_APPS);
	ANSWER(t, "7", "", "", "x", "{1}", "y", "{2}");
	assert_true(shared_apps_records(t->cl)->whole);
	expect_pending(t, "x={1} y={2}");
	assert_int_equal(asked(t), 1);
	shared_apps_written(t->cl, 7);
	assert_false(shared_apps_records(t->cl)->whole);
	expect_pending(t, "");
	assert_int_equal(said_version(t), 7);
	assert_int_equal(asked(t), 0);
}

/* They replace what came before them; an answer that came late adds itself. */
static void
test_all_records_replace(void **state)
{
	struct test *t = *state;

	ANSWER(t, "5", "x", "{old}");
	ANSWER(t, "6", "", "", "y", "{2}");
	expect_pending(t, "y={2}");
	ANSWER(t, "4", "z", "{3}");
	expect_pending(t, "y={2} z={3}");
	assert_int_equal(shared_apps_records(t->cl)->version, 6);
}

static void
test_the_last_record_counts(void **state)
{
	struct test *t = *state;

	ANSWER(t, "5", "x", "{1}");
	ANSWER(t, "6", "y", "{2}");
	ANSWER(t, "7", "x", "{3}");
	expect_pending(t, "y={2} x={3}");
	ANSWER(t, "8", "y", "");
	expect_pending(t, "x={3} y=");
}

static void
test_bad_answers(void **state)
{
	struct test *t = *state;

	ANSWER(t, "0", "x", "{1}");
	ANSWER(t, "no number", "x", "{1}");
	ANSWER(t, "");
	expect_pending(t, "");
	ANSWER(t, "5", "x"); /* without its record */
	expect_pending(t, "");
	t->cl->state = CLUSTER_COLLECTING;
	ANSWER(t, "9", "x", "{1}");
	expect_pending(t, "");
	assert_int_equal(shared_apps_records(t->cl)->version, 5);
}

/* One process at a time; another one when it has done less than there is. */
static void
test_one_process(void **state)
{
	struct test *t = *state;

	ANSWER(t, "5", "x", "{1}");
	ANSWER(t, "6", "y", "{2}");
	shared_apps_beat(t->cl);
	assert_int_equal(asked(t), 1);
	shared_apps_written(t->cl, 5);
	expect_pending(t, "x={1} y={2}"); /* all once more */
	assert_int_equal(said_version(t), 5);
	assert_int_equal(asked(t), 1);
	shared_apps_written(t->cl, 6);
	expect_pending(t, "");
	assert_int_equal(said_version(t), 6);
	shared_apps_beat(t->cl);
	assert_int_equal(asked(t), 0);
}

/* A process that has not come for 5 seconds is asked for again at a beat. */
static void
test_a_process_is_lost(void **state)
{
	struct test *t = *state;

	ANSWER(t, "5", "x", "{1}");
	assert_int_equal(asked(t), 1);
	t->cl->apps.asked -= 6; /* as if so much time had passed */
	shared_apps_beat(t->cl);
	assert_int_equal(asked(t), 1);
	shared_apps_beat(t->cl);
	assert_int_equal(asked(t), 0);
}

static void
test_an_older_version_is_not_said(void **state)
{
	struct test *t = *state;

	ANSWER(t, "5", "x", "{1}");
	shared_apps_written(t->cl, 5);
	ANSWER(t, "6", "x", "{2}");
	shared_apps_written(t->cl, 4);
	expect_pending(t, "x={2}");
	assert_int_equal(said_version(t), 5);
	t->cl->state = CLUSTER_OUT;
	shared_apps_written(t->cl, 6);
	assert_int_equal(said_version(t), 5);
}

static bool
take(const struct test *t, struct str id)
{
	struct msg_host_app_set m = { .id = id };
	struct entry e = { 0 };
	bool taken;

	entry_put_host_app_set(&e, &m);
	taken = shared_apps_take(t->cl, e.b);
	buf_unref(e.b);
	return taken;
}

static void
test_an_entry_says_that_a_record_has_changed(void **state)
{
	struct test *t = *state;
	struct msg_host_apps_done m = { .version = 1 };
	struct entry e = { 0 };

	assert_true(take(t, S("x")));
	assert_int_equal(last_command(t, 1), ENGINE_APPS);
	assert_true(take(t, S(""))); /* of no app: nothing is asked */
	last_command(t, 1);
	entry_put_host_apps_done(&e, &m);
	assert_false(shared_apps_take(t->cl, e.b));
	buf_unref(e.b);
	last_command(t, 1);
}

/* pusherctl waits until each host has its change, and names one that has not.
 */
static void
test_a_change_is_on_all_hosts(void **state)
{
	struct test *t = *state;
	struct msg_host_apps_done done = { .version = 9 };
	const char *missing;
	uint64_t ticket = shared_apps_set(t->cl, S("x"), S("{1}"), false);

	assert_true(ticket != 0);
	assert_int_equal(last_command(t, 1), ENGINE_APP_SET);
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_WAIT);
	assert_null(missing);
	answer_set(t, "9");
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_WAIT);
	assert_string_equal(missing, "b");
	shared_apps_on_done(t->other, &done);
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_WAIT);
	assert_null(missing); /* this host has not */
	ANSWER(t, "9", "x", "{1}");
	shared_apps_written(t->cl, 9);
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_DONE);
	t->cl->engine.up = false;
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_LOST);
}

/* The app was there: nothing is to be waited for but the answer. */
static void
test_an_app_that_is_there_already(void **state)
{
	struct test *t = *state;
	const char *missing;
	uint64_t ticket = shared_apps_set(t->cl, S("x"), S("{1}"), true);

	answer_set(t, "0");
	assert_int_equal(
	    shared_apps_ask(t->cl, ticket, &missing), SHARED_APPS_DONE);
}

static void
test_no_change_without_the_cluster(void **state)
{
	struct test *t = *state;

	t->cl->state = CLUSTER_COLLECTING;
	assert_int_equal(shared_apps_set(t->cl, S("x"), S("{}"), false), 0);
	t->cl->state = CLUSTER_LIVE;
	t->cl->engine.up = false;
	assert_int_equal(shared_apps_set(t->cl, S("x"), S("{}"), false), 0);
	last_command(t, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_records_of_a_join),
		TEST(test_all_records_replace),
		TEST(test_the_last_record_counts),
		TEST(test_bad_answers),
		TEST(test_one_process),
		TEST(test_a_process_is_lost),
		TEST(test_an_older_version_is_not_said),
		TEST(test_an_entry_says_that_a_record_has_changed),
		TEST(test_a_change_is_on_all_hosts),
		TEST(test_an_app_that_is_there_already),
		TEST(test_no_change_without_the_cluster),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
