/* SPDX-License-Identifier: MIT */
/*
 * Clients, a worker and a broker in one process, with the real link between
 * them.  The link survives, worker and broker agree about subscriptions and
 * members, and when the clients have gone nothing is left of them.
 * Input: what the clients do, one step after the other (house.h).
 */

#include "tests/fuzz/fuzz.h"

#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "broker/user/user.h"
#include "tests/fuzz/pair.h"
#include "worker/channel/topic.h"

static const char *const limits[] = { "max_presence_members", "2",
	"max_subscriptions", "6", "max_connections", "3",
	"max_backend_events_per_second", "5", NULL };

/* Both ends of the link know the same subscriptions. */
static void
check_same(struct house *h)
{
	struct hash_node *n;
	size_t here = 0, there = 0;

	assert_int_equal(h->r.w.link->state, LINK_UP);
	HASH_FOREACH(n, &h->r.w.topics) {
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
	HASH_FOREACH(n, &br.registry->channels) {
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
	HASH_FOREACH(n, &br.registry->channels) {
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

	fuzz_start();
	pair_init(&h, limits);
	for (int i = 0; i < 200 && in.n > 0; i++) {
		house_step(&h, &in);
		check_same(&h);
	}
	pair_hang_up(&h);
	check_empty(&h);
	pair_clear(&h);
	return 0;
}
