/* SPDX-License-Identifier: MIT */
/* topic.c: what an event of a channel costs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/worker/rig.h"
#include "worker/channel/topic.h"

#define BYTES 10240

/* One client that takes compressed events costs more than many others. */
static void
compressing_an_event_counts(void **state)
{
	static char bytes[BYTES];
	struct msg_event m = {
		.app = RIG_APP, .channel = S("a"), .frame = { bytes, BYTES }
	};
	struct conn plain = { .w = NULL }, packed = { .w = NULL };
	uint32_t index[2];
	struct topic *t;
	struct rig r;
	size_t cost;
	uint32_t fanout;

	rig_init(&r);
	assert_int_equal(topic_fanout(&r.w, &m), 0);
	t = topic_get(&r.w, RIG_APP, m.channel);
	topic_add(t, &plain, &index[0]);
	cost = topic_event_cost(t, BYTES);
	fanout = topic_fanout(&r.w, &m);
	packed.deflate.bits = 15;
	topic_add(t, &packed, &index[1]);
	assert_true(topic_event_cost(t, BYTES) > cost + BYTES / COST_DEFLATE);
	assert_true(topic_fanout(&r.w, &m) >
	    fanout + BYTES / COST_DEFLATE * COST_DELIVERIES);
	topic_remove(t, index[1]);
	assert_int_equal(topic_event_cost(t, BYTES), cost);
	assert_int_equal(topic_fanout(&r.w, &m), fanout);
	topic_remove(t, index[0]);
	topic_unref(&r.w, t);
	rig_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressing_an_event_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
