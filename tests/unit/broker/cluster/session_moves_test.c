/* SPDX-License-Identifier: MIT */
/*
 * session_moves_test.c: a session is asked for by connections of two hosts.
 * The test is the stream: it says when each host reads an entry.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/session_moves.h"
#include "broker/log/replay.h"
#include "broker/log/resume_enter.h"
#include "tests/unit/broker/links.h"

#define ROWS 4
#define NEWS 77 /* the hash of a channel */
#define ID "0123456789abcdef"
#define OLD_SID 5 /* of the connection that has ended */

/* Host b, which had the session; the other one is a. */
struct test {
	struct links l;
	struct session_table *table;
	struct host *a;
	char dir[32];
};

static struct resumes *
sessions(struct test *t)
{
	return &t->l.br.replay->sessions;
}

static uint64_t
epoch(struct test *t)
{
	return ring_epoch(app_logs_find(&t->l.br.replay->logs, 1)->ring);
}

/* The client has the channel up to pos. */
static void
make_session(struct test *t, uint64_t pos)
{
	struct resume_hello h = { .app = 1,
		.id = S(ID),
		.sid = OLD_SID,
		.epoch = epoch(t),
		.now = broker_now() };
	struct resume_session *s = resumes_attach(sessions(t), &h);

	assert_non_null(s);
	resume_entered(sessions(t), s, NEWS, 1, 1);
	assert_true(session_row_ack(resumes_row(sessions(t), s), OLD_SID, pos));
	resumes_detach(sessions(t), s, broker_now());
}

static int
set_up(void **state)
{
	static const char *const settings[] = { "resume", "on", NULL };
	struct test *t = xcalloc(1, sizeof(*t));
	struct conf *conf = &t->l.conf;
	struct said s;

	strcpy(t->dir, "/tmp/pusherd-moves-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	conf_init(conf);
	conf->nworkers = LINKS;
	free(conf->cluster);
	conf->cluster = xstrdup("redis://127.0.0.1:1");
	free(conf->cluster_host);
	conf->cluster_host = xstrdup("b");
	free(conf->runtime_dir);
	conf->runtime_dir = xstrdup(t->dir);
	broker_init(&t->l.br, conf);
	links_start(&t->l, NULL);
	links_app(&t->l, 1, settings);
	t->table = session_table_map(ROWS);
	resumes_recall(sessions(t), t->table);
	t->a = hosts_enter(&t->l.br, &t->l.br.cluster->hosts, S("a"), 1);
	t->l.br.cluster->state = CLUSTER_LIVE;
	while (links_next(&t->l, 0, &s))
		continue; /* of the app and the cluster */
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct test *t = *state;
	char *path = xasprintf("%s/resume-1.log", t->dir);

	broker_clear(&t->l.br);
	conf_clear(&t->l.conf);
	for (unsigned i = 0; i < LINKS; i++) {
		close(t->l.fd[i]);
		buf_unref(t->l.in[i]);
	}
	munmap(t->table, sizeof(*t->table) + ROWS * sizeof(t->table->rows[0]));
	unlink(path);
	assert_int_equal(rmdir(t->dir), 0);
	free(path);
	free(t);
	return 0;
}

/* Entry n of the stream: a connection of a asks, or one of b with this sid. */
static void
asks_a(struct test *t, uint64_t n)
{
	struct msg_session m = { .app = 1, .sid = 6, .id = S(ID) };

	t->l.br.cluster->at.n = n;
	session_moves_on_other(t->l.br.cluster, t->a, &m);
	session_moves_turn(t->l.br.cluster);
}

static void
asks_b(struct test *t, uint64_t n, uint64_t sid)
{
	struct msg_session m = { .app = 1, .sid = sid, .id = S(ID) };

	t->l.br.cluster->at.n = n;
	assert_int_equal(session_moves_on_own(t->l.br.peers[0], &m), 0);
}

/* The other host has nothing of it, and says so. */
static void
answers_a(struct test *t, uint64_t n)
{
	struct msg_host_sessions_done m = { .entry = n };

	session_moves_on_done(t->l.br.cluster, t->a, &m);
}

/* Redis answers: it has what the client had confirmed before; pos 0: nothing.
 */
static void
answers_redis(struct test *t, uint64_t sid, uint64_t pos)
{
	uint64_t channel[2] = { NEWS, pos }, sids[SESSION_SIDS] = { OLD_SID };
	struct msg_host_session m = { .app = 1,
		.epoch = session_epoch(epoch(t)),
		.acked = pos,
		.id = S(ID),
		.sids = str_make((const char *)sids, sizeof(sids)),
		.channels = str_make((const char *)channel, sizeof(channel)) };
	char number[24], bytes[512];
	redisReply first = { .type = REDIS_REPLY_STRING, .str = number };
	redisReply second = { .type = REDIS_REPLY_STRING };
	redisReply *both[] = { &first, &second };
	redisReply r = {
		.type = REDIS_REPLY_ARRAY, .elements = 2, .element = both
	};

	snprintf(number, sizeof(number), "%llu", (unsigned long long)sid);
	first.len = strlen(number);
	msg_host_session_put(bytes, &m);
	second.str = bytes + IPC_HEAD;
	second.len = pos == 0 ? 0 : msg_host_session_size(&m) - IPC_HEAD;
	session_moves_on_stored(t->l.br.cluster, &r);
}

/* The stream brings what this host has appended. */
static void
comes_back(struct test *t)
{
	struct cluster *cl = t->l.br.cluster;
	struct msg_host_sessions_done done;
	struct msg_host_session given;
	struct part *part;
	struct ipc_in in;
	uint32_t at = 0;

	outgoing_end_entry(cl);
	assert_false(list_is_empty(&cl->parts));
	part = outgoing_first(cl);
	list_remove(&part->link);
	cl->queued -= part->b->len;
	while (entry_next(part->b, &at, &in) == 1) {
		if (in.type == IPC_HOST_SESSION) {
			msg_host_session_get(&given, in.body);
			session_moves_on_given(cl, &given);
		} else if (in.type == IPC_HOST_SESSIONS_DONE) {
			msg_host_sessions_done_get(&done, in.body);
			session_moves_on_done(cl, NULL, &done);
		}
	}
	buf_unref(part->b);
	free(part);
}

/* Up to where the client has the channel, in the session that it got. */
static void
expect_session(struct test *t, uint64_t sid, uint64_t pos)
{
	struct resume_session *s = resumes_find(sessions(t), 1, S(ID));
	struct msg_session_ok ok;

	EXPECT(&t->l, 0, session_ok, SESSION_OK, &ok);
	assert_int_equal(ok.sid, sid);
	assert_non_null(s);
	assert_int_equal(ok.row, s - sessions(t)->v);
	assert_int_equal(resumes_row(sessions(t), s)->sid, sid);
	assert_int_equal(
	    resume_channel_from(resume_channel_find(&s->channels, NEWS)), pos);
}

static void
what_is_here_is_given_at_once(void **state)
{
	struct test *t = *state;

	make_session(t, 10);
	asks_b(t, 1, 7);
	expect_session(t, 7, 10);
}

static void
what_redis_has_is_for_the_session_of_a_host_that_is_gone(void **state)
{
	struct test *t = *state;

	asks_b(t, 1, 7);
	answers_redis(t, 7, 9);
	expect_nothing(&t->l, 0);
	answers_a(t, 1);
	expect_session(t, 7, 9);
}

/*
 * It was given to a, whose connection has lost it since, and the stream has not
 * brought it: a has nothing, and Redis has less.
 */
static void
what_this_host_has_given_comes_back(void **state)
{
	struct test *t = *state;

	make_session(t, 10);
	asks_a(t, 1);
	assert_null(resumes_find(sessions(t), 1, S(ID)));
	asks_b(t, 2, 7);
	answers_redis(t, 7, 9);
	answers_a(t, 2);
	expect_nothing(&t->l, 0);
	comes_back(t);
	expect_session(t, 7, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(what_is_here_is_given_at_once),
		T(what_redis_has_is_for_the_session_of_a_host_that_is_gone),
		T(what_this_host_has_given_comes_back),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
