/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_PAIR_H
#define TESTS_FUZZ_PAIR_H

/*
 * A worker with clients (house.h) and its broker in one process, with the real
 * link between them.  Include it behind fuzz.h.
 */

#include "broker/app/apps.h"
#include "broker/broker.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "tests/fuzz/house.h"

static struct broker br;
static struct conf pair_conf; /* of the broker */

/* Until both have nothing to say any more. */
static inline void
pair_turn(struct house *h)
{
	for (int i = 0; i < 4; i++) {
		house_worker_turn(&h->r.w);
		ev_run(br.loop, EVRUN_NOWAIT);
		broker_turn(&br);
	}
}

/* limits: settings of the one app, ended by NULL. */
static inline void
pair_init(struct house *h, const char *const *limits)
{
	struct app a;
	char *why;
	int fd;

	conf_init(&pair_conf);
	pair_conf.nworkers = 1;
	broker_init(&br, &pair_conf);
	app_init(&a);
	a.num = RIG_APP;
	a.id = xstrdup("77");
	a.key = xstrdup(RIG_KEY);
	a.secret = xstrdup(RIG_SECRET);
	a.name = xstrdup("demo");
	a.enabled = 1;
	a.client_events = 1;
	for (; *limits != NULL; limits += 2)
		assert_int_equal(app_set(&a, limits[0], limits[1], &why), 0);
	apps_put(&br, &a);
	app_clear(&a);
	house_init(h, &fd);
	h->turn = pair_turn;
	peer_accept(&br, fd);
	pair_turn(h);
}

/* The clients leave. */
static inline void
pair_hang_up(struct house *h)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		house_hang_up(h, i);
	pair_turn(h);
}

static inline void
pair_clear(struct house *h)
{
	house_clear(h);
	broker_clear(&br);
	conf_clear(&pair_conf);
}

#endif
