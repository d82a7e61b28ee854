/* SPDX-License-Identifier: MIT */
/* event.c: the conditions, and the bytes of what goes on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/client/client_rig.h"
#include "worker/client/message.h"

static void
client_events(void **state)
{
	static const struct {
		const char *text, *frame; /* NULL: refused with null */
	} rows[] = {
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\","
		  "\"data\":\"s \\/ \\u00e9 \xf0\x9f\x98\x80\"}",
		    "{\"event\":\"client-x\",\"channel\":\"private-a\","
		    "\"data\":\"s \\/ \\u00e9 \xf0\x9f\x98\x80\"}" },
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\","
		  "\"data\":{ \"a b\" : [ 1e400 , 9007199254740993 ,\n"
		  "\"\\\" x \\\\\" ] , \"a b\" : null } }",
		    "{\"event\":\"client-x\",\"channel\":\"private-a\","
		    "\"data\":\"{\\\"a b\\\":[1e400,9007199254740993,"
		    "\\\"\\\\\\\" x \\\\\\\\\\\"],\\\"a b\\\":null}\"}" },
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\","
		  "\"data\":\"\"}",
		    "{\"event\":\"client-x\",\"channel\":\"private-a\","
		    "\"data\":\"\"}" },
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\","
		  "\"data\":null}",
		    "{\"event\":\"client-x\",\"channel\":\"private-a\","
		    "\"data\":\"null\"}" },
		{ "{\"event\":\"client-\",\"channel\":\"private-a\","
		  "\"data\":true,\"user_id\":\"forged\"}",
		    "{\"event\":\"client-\",\"channel\":\"private-a\","
		    "\"data\":\"true\"}" },
		{ "{\"event\":\"client-x\",\"channel\":\"presence-a\","
		  "\"data\":1,\"user_id\":\"forged\"}",
		    "{\"event\":\"client-x\",\"channel\":\"presence-a\","
		    "\"data\":\"1\",\"user_id\":\"u\\\"7\"}" },
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\"}",
		    "{\"event\":\"client-x\",\"channel\":\"private-a\"}" },
		{ "{\"event\":\"client-x\",\"data\":\"x\"}", NULL },
		{ "{\"event\":\"client-x\",\"channel\":7,\"data\":\"x\"}",
		    NULL },
		{ "{\"event\":\"client-x\",\"channel\":\"\\ud800\","
		  "\"data\":\"x\"}",
		    NULL },
		{ "{\"event\":\"client-x\",\"channel\":\"room\","
		  "\"data\":\"x\"}",
		    NULL }, /* subscribed, but open */
		{ "{\"event\":\"client-x\",\"channel\":\"private-b\","
		  "\"data\":\"x\"}",
		    NULL },
		{ "{\"event\":\"client-x\",\"channel\":\"private-a\","
		  "\"data\":\"\\udc00\"}",
		    NULL },
	};
	struct msg_event e;

	join("private-a", NULL);
	join("presence-a", "{\"user_id\":\"u\\\"7\"}");
	join("room", NULL);
	say(rows[0].text); /* off by default */
	rig_expect_text(&rig, NULL_ERROR);
	rig_app(&rig)->client_events = 1;
	for (size_t i = 0; i < nitems(rows); i++) {
		if (rig.c->rates != NULL)
			rig.c->rates->events_at = 0.;
		say(rows[i].text);
		if (rows[i].frame == NULL) {
			rig_expect_text(&rig, NULL_ERROR);
			rig_heard_nothing(&rig);
			continue;
		}
		rig_expect_nothing(&rig);
		HEAR(event, EVENT, e);
		assert_true(e.except == conn_sid(rig.c));
		assert_int_equal(e.flags, EVENT_CLIENT);
		/* the head of a short server frame has two bytes, or four */
		assert_str(str_from(e.frame, e.frame.n - strlen(rows[i].frame)),
		    rows[i].frame);
	}
}

static void
client_event_limits(void **state)
{
	const char *text = "{\"event\":\"client-x\",\"channel\":\"private-a\","
			   "\"data\":\"12345\"}";
	struct msg_event e;

	join("private-a", NULL);
	rig_app(&rig)->client_events = 1;
	rig_app(&rig)->max_client_events_per_second = 3;
	for (int i = 0; i < 3; i++) {
		say(text);
		HEAR(event, EVENT, e);
	}
	say(text);
	rig_expect_text(
	    &rig, "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,*");
	rig_heard_nothing(&rig);
	assert_false(rig.eof);
	rig_app(&rig)->max_client_events_per_second = 0;
	say(text);
	HEAR(event, EVENT, e);
	rig_app(&rig)->max_event_bytes = 5;
	say(text);
	HEAR(event, EVENT, e);
	rig_app(&rig)->max_event_bytes = 4;
	say(text);
	rig_expect_text(&rig, NULL_ERROR);
	rig_app(&rig)->max_event_name_length = 7;
	say("{\"event\":\"client-x\",\"channel\":\"private-a\","
	    "\"data\":\"1\"}");
	rig_expect_text(&rig, NULL_ERROR);
	rig_heard_nothing(&rig);
}

static void
acknowledge(uint64_t seq)
{
	struct msg_ack m = { .seq = seq, .taken = rig.w.unacked->seq };

	assert_int_equal(unacked_on_ack(&rig.w, &m), 0);
}

/* The flags of the client event that the broker hears of. */
static uint32_t
flags_of_next(void)
{
	struct msg_event e;

	say("{\"event\":\"client-x\",\"channel\":\"private-a\","
	    "\"data\":\"1\"}");
	HEAR(event, EVENT, e);
	return e.flags;
}

static void
a_lone_worker_delivers_at_once(void **state)
{
	const uint32_t both = EVENT_CLIENT | EVENT_DELIVERED;
	const struct topic *t;

	join("private-a", NULL);
	rig_app(&rig)->client_events = 1;
	rig_app(&rig)->max_client_events_per_second = 0;
	assert_int_equal(
	    link_on_alone(&rig.w, &(struct msg_alone){ .alone = 1 }), 0);
	assert_int_equal(flags_of_next(), EVENT_CLIENT); /* SUB is on its way */
	acknowledge(rig.w.unacked->seq);
	t = topic_find(&rig.w, rig_app(&rig)->num, S("private-a"));
	assert_int_equal(stats_of(rig.c->app)->deliveries, 0);
	assert_int_equal(t->n, 1);
	assert_int_equal(flags_of_next(), both);
	assert_int_equal(flags_of_next(), both);
	rig_expect_nothing(&rig); /* it is the sender */
	rig_app(&rig)->resume = 1;
	assert_int_equal(flags_of_next(), both);
	rig_app(&rig)->resume_client_events = 1;
	assert_int_equal(flags_of_next(), EVENT_CLIENT | EVENT_LOG);
	acknowledge(rig.w.unacked->seq);
	rig_app(&rig)->resume = 0;
	assert_true(link_is_alone(&rig.w));
	rig.w.link->ipc.blocked = true; /* it might leave too late */
	assert_false(link_is_alone(&rig.w));
	rig.w.link->ipc.blocked = false;
	rig.w.link->ipc.rests = true; /* this turn has delivered enough */
	assert_false(link_is_alone(&rig.w));
	rig.w.link->ipc.rests = false;
	assert_int_equal(
	    link_on_alone(&rig.w, &(struct msg_alone){ .alone = 0 }), 0);
	assert_int_equal(flags_of_next(), EVENT_CLIENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(client_events),
		TEST(client_event_limits),
		TEST(a_lone_worker_delivers_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
