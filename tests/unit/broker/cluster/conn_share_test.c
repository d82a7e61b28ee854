/* SPDX-License-Identifier: MIT */
/*
 * conn_share_test.c: hosts share the places of max_connections.  The test is
 * the stream: what hosts append, all of them read in one order, sooner or
 * later.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/cluster/conn_share.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/webhook/state.h"
#include "tests/unit/broker/links.h"

#define HOSTS 3
#define PLACES 20 /* places */

struct test {
	struct links *host[HOSTS];
	uint64_t sid;
};

static const char *const names[HOSTS] = { "a", "b", "c" };

static struct cluster *
cluster_of(const struct test *t, int i)
{
	return t->host[i]->br.cluster;
}

static uint32_t
count(const struct test *t, int i)
{
	return apps_find(&t->host[i]->br, 1)->nconns;
}

static uint32_t
count_all(const struct test *t)
{
	uint32_t n = 0;

	for (int i = 0; i < HOSTS; i++)
		n += count(t, i);
	return n;
}

/* A host that is in the cluster, with the others. */
static struct links *
host_new(int i)
{
	static const char *const settings[] = { "max_connections", "20", NULL };
	struct links *l = xcalloc(1, sizeof(*l));
	struct cluster *cl;
	struct said s;

	conf_init(&l->conf);
	l->conf.nworkers = LINKS;
	free(l->conf.cluster);
	l->conf.cluster = xstrdup("redis://127.0.0.1:1");
	free(l->conf.cluster_host);
	l->conf.cluster_host = xstrdup(names[i]);
	broker_init(&l->br, &l->conf);
	links_start(l, settings);
	cl = l->br.cluster;
	for (int j = 0; j < HOSTS; j++)
		if (j != i)
			hosts_enter(&l->br, &cl->hosts, str_of(names[j]), 1);
	conn_share_join(cl);
	while (links_next(l, 0, &s))
		; /* CLUSTER */
	cl->state = CLUSTER_LIVE;
	cl->up = true;
	l->br.webhook_states->lease = INFINITY;
	return l;
}

static int
set_up(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	for (int i = 0; i < HOSTS; i++)
		t->host[i] = host_new(i);
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct test *t = *state;

	for (int i = 0; i < HOSTS; i++)
		links_free(t->host[i]);
	free(t);
	return 0;
}

/* All hosts read what this one has appended. */
static void
read_all(const struct test *t, int from, struct buf *b)
{
	struct msg_host_share m;
	struct ipc_in in;
	uint32_t at = 0;

	while (entry_next(b, &at, &in) == 1) {
		if (in.type != IPC_HOST_SHARE)
			continue;
		assert_int_equal(msg_host_share_get(&m, in.body), 0);
		for (int i = 0; i < HOSTS; i++) {
			struct cluster *cl = cluster_of(t, i);

			conn_share_on_message(cl,
			    i == from
				? NULL
				: hosts_find(&cl->hosts, str_of(names[from])),
			    false, &m);
		}
	}
}

/* The stream brings the next entry of this host; false: there is none. */
static bool
stream(const struct test *t, int i)
{
	struct cluster *cl = cluster_of(t, i);
	struct part *part;

	links_turn(t->host[i]);
	outgoing_end_entry(cl);
	if (list_is_empty(&cl->parts))
		return false;
	part = outgoing_first(cl);
	list_remove(&part->link);
	cl->queued -= part->b->len;
	read_all(t, i, part->b);
	buf_unref(part->b);
	free(part);
	assert_true(count_all(t) <= PLACES);
	return true;
}

static void
stream_all(const struct test *t)
{
	bool more = true;

	while (more) {
		more = false;
		for (int i = 0; i < HOSTS; i++)
			more = stream(t, i) || more;
	}
}

static void
open_at(struct test *t, int i)
{
	SEND(t->host[i], 0, conn_open, .app = 1, .sid = ++t->sid, .ask = 1);
	links_turn(t->host[i]);
}

static void
expect_answer(struct test *t, int i, enum place_answer is)
{
	struct msg_conn_ok m;

	EXPECT(t->host[i], 0, conn_ok, CONN_OK, &m);
	assert_int_equal(m.granted, is);
}

/* All places, by the first host. */
static void
take_all(struct test *t)
{
	for (int n = 0; n < PLACES; n++) {
		open_at(t, 0);
		stream_all(t);
		expect_answer(t, 0, PLACE_GRANTED);
	}
}

/* One host may fill all places, if no other one needs them. */
static void
test_one_fills_all(void **state)
{
	struct test *t = *state;

	take_all(t);
	open_at(t, 0);
	expect_answer(t, 0, PLACE_FULL); /* it knows that */
	for (int i = 1; i < HOSTS; i++) {
		open_at(t, i);
		stream_all(t);
		expect_nothing(t->host[i], 0); /* it waits */
	}
	for (int i = 1; i < HOSTS; i++) {
		links_wait(t->host[i], 2);
		expect_answer(t, i, PLACE_FULL);
	}
	assert_int_equal(count(t, 0), PLACES);
}

/* A host with free places gives them to one that needs them. */
static void
test_free_places_move(void **state)
{
	struct test *t = *state;

	take_all(t);
	for (uint64_t sid = 1; sid <= PLACES; sid++)
		SEND(t->host[0], 0, conn_close, .app = 1, .sid = sid);
	links_turn(t->host[0]);
	assert_int_equal(count_all(t), 0);
	for (int n = 0; n < PLACES; n++) {
		open_at(t, 1 + n % 2);
		stream_all(t);
		expect_answer(t, 1 + n % 2, PLACE_GRANTED);
	}
	assert_int_equal(count(t, 1), PLACES / 2);
	assert_int_equal(count(t, 2), PLACES / 2);
}

/* Without a lease the others may have the places. */
static void
test_no_lease(void **state)
{
	struct test *t = *state;

	open_at(t, 0);
	stream_all(t);
	expect_answer(t, 0, PLACE_GRANTED);
	t->host[0]->br.webhook_states->lease = 0;
	cluster_of(t, 0)->up = false;
	open_at(t, 0);
	stream_all(t);
	expect_nothing(t->host[0], 0);
	links_wait(t->host[0], 2);
	expect_answer(t, 0, PLACE_LATER);
	assert_int_equal(count(t, 0), 1);
}

/* Whatever comes, and however late an entry is: never above the limit. */
static void
test_never_above(void **state)
{
	struct test *t = *state;
	uint64_t open[HOSTS][4 * PLACES] = { { 0 } };
	size_t n[HOSTS] = { 0 };
	struct msg_conn_ok m;
	struct said s;
	unsigned granted = 0;

	srandom(1);
	for (int turn = 0; turn < 3000; turn++) {
		int i = (int)(random() % HOSTS);
		long what = random() % 4;

		if (what == 0)
			open_at(t, i);
		else if (what == 1 && n[i] > 0)
			SEND(t->host[i], 0, conn_close, .app = 1,
			    .sid = open[i][--n[i]]);
		else
			stream(t, i);
		assert_true(count_all(t) <= PLACES);
		while (links_next(t->host[i], 0, &s)) {
			assert_int_equal(s.type, IPC_CONN_OK);
			assert_int_equal(msg_conn_ok_get(&m, s.body), 0);
			if (m.granted != PLACE_GRANTED)
				continue;
			granted++;
			assert_true(n[i] < PLACES);
			open[i][n[i]++] = m.sid;
		}
	}
	assert_true(granted > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_fills_all),
		TEST(test_free_places_move),
		TEST(test_no_lease),
		TEST(test_never_above),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
