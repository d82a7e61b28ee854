/* SPDX-License-Identifier: MIT */
/*
 * Clients, a worker and a broker in one process, with the real link between
 * them.  The link survives, worker and broker agree about subscriptions and
 * members, and when the clients have gone nothing is left of them.
 * Input: what the clients do, one step after the other (house.h).
 */

#include "tests/fuzz/fuzz.h"

#include "broker/app/apps.h"
#include "broker/broker.h"
#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/user/user.h"
#include "tests/fuzz/house.h"
#include "worker/channel/topic.h"
#include "worker/conn/input.h"
#include "worker/conn/output.h"
#include "worker/conn/ws.h"
#include "worker/link/link.h"

static struct broker br;

/* Until both have nothing to say any more. */
static void
turn(struct house *h)
{
	for (int i = 0; i < 4; i++) {
		ev_run(h->r.w.loop, EVRUN_NOWAIT);
		link_flush(&h->r.w);
		unacked_release(&h->r.w);
		ws_turn(&h->r.w);
		input_run(&h->r.w);
		output_flush(&h->r.w);
		conn_reap(&h->r.w);
		link_flush(&h->r.w);
		unacked_release(&h->r.w);
		ev_run(br.loop, EVRUN_NOWAIT);
		broker_turn(&br);
	}
}

static void
put_app(void)
{
	struct app a;

	app_init(&a);
	a.num = RIG_APP;
	a.id = xstrdup("77");
	a.key = xstrdup(RIG_KEY);
	a.secret = xstrdup(RIG_SECRET);
	a.name = xstrdup("demo");
	a.enabled = 1;
	a.client_events = 1;
	a.max_presence_members = 2;
	a.max_subscriptions = 6;
	a.max_connections = 3;
	a.max_backend_events_per_second = 5;
	apps_put(&br, &a);
	app_clear(&a);
}

/* Both ends of the link know the same subscriptions. */
static void
check_same(struct house *h)
{
	struct hash_node *n;
	size_t here = 0, there = 0;

	assert_int_equal(h->r.w.link->state, LINK_UP);
	for (n = hash_first(&h->r.w.topics); n != NULL;
	     n = hash_next(&h->r.w.topics, n)) {
		struct topic *t = container_of(n, struct topic, node);
		struct channel *c;

		/* Other references wait for the broker's ACK. */
		assert_true(t->n <= t->refs);
		if (t->n == 0 ||
		    str_starts(topic_name(t), S(CHANNEL_USER_PREFIX)))
			continue;
		c = registry_find(br.registry, t->app, topic_name(t));
		assert_non_null(c);
		assert_int_equal(c->total, t->n);
		assert_true(presence_count(c->presence) <= t->n);
		here++;
	}
	for (n = hash_first(&br.registry->channels); n != NULL;
	     n = hash_next(&br.registry->channels, n)) {
		struct channel *c = container_of(n, struct channel, node);

		there += c->total > 0 && !c->hidden;
	}
	assert_int_equal(here, there);
}

static void
check_empty(struct house *h)
{
	struct hash_node *n;

	assert_int_equal(h->r.w.nconns, 0);
	assert_int_equal(br.users->by_sid.n, 0);
	for (n = hash_first(&br.registry->channels); n != NULL;
	     n = hash_next(&br.registry->channels, n)) {
		struct channel *c = container_of(n, struct channel, node);

		assert_int_equal(c->total, 0);
		assert_int_equal(presence_count(c->presence), 0);
		assert_non_null(c->cached);
	}
	assert_int_equal(apps_find(&br, RIG_APP)->nconns, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct house h;
	struct conf conf;
	int fd;

	fuzz_start();
	conf_init(&conf);
	conf.nworkers = 1;
	broker_init(&br, &conf);
	put_app();
	house_init(&h, &fd);
	h.turn = turn;
	peer_accept(&br, fd);
	turn(&h);
	for (int i = 0; i < 200 && in.n > 0; i++) {
		house_step(&h, &in);
		check_same(&h);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		house_hang_up(&h, i);
	turn(&h);
	check_empty(&h);
	house_clear(&h);
	broker_clear(&br);
	conf_clear(&conf);
	return 0;
}
