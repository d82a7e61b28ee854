/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_HONEST_H
#define TESTS_FUZZ_HONEST_H

/*
 * A worker beside hostile ones: it keeps its link, its channel and its member.
 * Include it behind fuzz.h.
 */

#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "tests/unit/broker/links.h"

#define HONEST 3 /* its slot */

static inline void
honest_enter(struct links *l)
{
	links_sub(l, HONEST, 9002, "presence-x", "honest");
	links_sub(l, HONEST, 9001, "room", ""); /* last: its count follows */
}

static inline void
honest_check(struct links *l)
{
	struct channel *c = registry_find(l->br.registry, 1, S("room"));

	assert_false(links_is_over(l, HONEST));
	assert_non_null(c);
	assert_int_equal(c->count[HONEST], 1);
	c = registry_find(l->br.registry, 1, S("presence-x"));
	assert_non_null(c);
	assert_int_equal(c->count[HONEST], 1);
	assert_true(presence_count(c->presence) >= 1);
}

#endif
