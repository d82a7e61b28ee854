/* SPDX-License-Identifier: MIT */
/*
 * events_test.c: what becomes a webhook event, what is held back, what a new
 * broker says after an old one, and what happens without a courier.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/pusher/channel_name.h"
#include "tests/unit/broker/webhook/desk.h"

static void
order_and_hold_back(void **state)
{
	struct desk *d = desk_ready("");

	(void)state;
	links_sub(d->l, 0, 1, "presence-x", "u");
	expect_hook(d, PRESENCE("occupied"));
	expect_hook(d, MEMBER("added", "u"));
	links_sub(d->l, 1, 2, "presence-x", "u");
	expect_hook(d, NULL);
	leave(d, 0, 1, "presence-x", "u");
	leave(d, 1, 2, "presence-x", "u");
	links_wait(d->l, 0.3);
	expect_hook(d, NULL);
	links_sub(d->l, 2, 3, "presence-x", "u"); /* back in time */
	links_wait(d->l, WEBHOOK_GRACE);
	expect_hook(d, NULL);
	leave(d, 2, 3, "presence-x", "u");
	links_wait(d->l, WEBHOOK_GRACE + 0.2);
	expect_hook(d, MEMBER("removed", "u"));
	expect_hook(d, PRESENCE("vacated"));
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhook_states->all.n, 0);
	desk_free(d);
}

static void
without_an_endpoint_there_is_nothing(void **state)
{
	struct desk *d = desk_new(NULL);

	(void)state;
	assert_false(d->l->br.webhook_states->active);
	courier_comes(d);
	links_sub(d->l, 0, 1, "room", "");
	leave(d, 0, 1, "room", "");
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhook_states->all.n, 0);
	desk_free(d);
}

static void
a_courier_that_comes_back_gets_what_it_did_not_acknowledge(void **state)
{
	struct desk *d = desk_ready("");

	(void)state;
	links_sub(d->l, 0, 1, "room", "");
	expect_hook(d, OCCUPIED);
	links_sub(d->l, 0, 2, "presence-x", "u");
	COURIER(d, hook_ack, .seq = d->acked);
	courier_goes(d);
	leave(d, 0, 2, "presence-x", "u");
	links_sub(d->l, 0, 3, "presence-y", "v");
	assert_int_equal(d->l->br.webhook_queue->n, 4);
	courier_comes(d);
	expect_hook(d, PRESENCE("occupied"));
	expect_hook(d, MEMBER("added", "u"));
	desk_free(d);
}

static void
a_new_broker_says_only_the_difference(void **state)
{
	struct desk *d = desk_new("");

	(void)state;
	links_sub(d->l, 0, 1, "presence-x", "stays");
	links_sub(d->l, 1, 2, "presence-x", "new");
	links_sub(d->l, 2, 3, "room", "");
	courier_comes(d);
	expect_hook(d, NULL);
	COURIER(d, hook_state, .app = 1, .channel = S("presence-x"));
	COURIER(d, hook_state, .app = 1, .channel = S("presence-x"),
	    .user_id = S("stays"));
	COURIER(d, hook_state, .app = 1, .channel = S("presence-x"),
	    .user_id = S("gone"));
	COURIER(d, hook_state, .app = 1, .channel = S("old"));
	COURIER(d, hook_states_done, .end_ = 0);
	expect_hook(d, MEMBER("added", "new"));
	expect_hook(d, OCCUPIED);
	expect_hook(d, NULL);
	links_wait(d->l, WEBHOOK_GRACE + 0.2);
	expect_hook(d, MEMBER("removed", "gone"));
	expect_hook(d, "{\"name\":\"channel_vacated\",\"channel\":\"old\"}");
	expect_hook(d, NULL);
	desk_free(d);
}

/* In a cluster; the outbox has what the other host has told, and more. */
static void
a_state_that_another_host_has_told_is_not_forgotten(void **state)
{
	struct desk *d = desk_new("");
	struct webhook_state_key told = { 1, S("room"), S("") };

	(void)state;
	webhook_states_distrust(&d->l->br);
	webhook_state_notified(&d->l->br, &told, false);
	courier_comes(d);
	COURIER(d, hook_state, .app = 1, .channel = S("room"));
	COURIER(d, hook_state, .app = 1, .channel = S("old"));
	COURIER(d, hook_states_done, .end_ = 0);
	expect_hook(d, ""); /* the outbox alone forgets "old" */
	expect_hook(d, NULL);
	desk_free(d);
}

#define CACHE(what, n) "{\"name\":\"" what "\",\"channel\":\"cache-" n "\"}"

static void
a_miss_that_nobody_could_tell_is_told_later(void **state)
{
	struct desk *d = desk_new("");
	struct buf *frame = NULL;

	(void)state;
	frame_event(&frame, S("e"), S("cache-d"), S("\"1\""), S(""));
	links_sub(d->l, 0, 1, "cache-a", ""); /* the miss waits */
	links_sub(d->l, 0, 2, "cache-b", ""); /* it is told already */
	links_sub(d->l, 0, 3, "cache-c", ""); /* they leave again */
	leave(d, 0, 3, "cache-c", "");
	links_sub(d->l, 0, 4, "cache-d", ""); /* it is filled meanwhile */
	links_sub(d->l, 0, 5, "cache-e", ""); /* told, and filled meanwhile */
	links_event(d->l, 1, "cache-d", buf_str(frame), EVENT_CACHE);
	links_event(d->l, 1, "cache-e", buf_str(frame), EVENT_CACHE);
	links_turn(d->l);
	courier_comes(d);
	COURIER(d, hook_state, .app = 1, .channel = S("cache-a"));
	COURIER(d, hook_state, .app = 1, .missed = 1, .channel = S("cache-b"));
	COURIER(d, hook_state, .app = 1, .missed = 1, .channel = S("cache-e"));
	COURIER(d, hook_states_done, .end_ = 0);
	expect_hook(d, ""); /* cache-e: no miss any more */
	expect_hook(d, CACHE("cache_miss", "a"));
	expect_hook(d, CACHE("channel_occupied", "d"));
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhook_states->nmissed, 2);
	links_sub(d->l, 1, 6, "cache-a", "");
	links_sub(d->l, 1, 7, "cache-b", "");
	expect_hook(d, NULL);
	buf_unref(frame);
	desk_free(d);
}

static void
without_room_changes_wait_and_client_events_go(void **state)
{
	struct desk *d = desk_ready("");
	struct buf *frame = NULL, *data = NULL;
	struct webhook_queue *q = d->l->br.webhook_queue;

	(void)state;
	courier_goes(d);
	buf_putc(&data, '"');
	for (int i = 0; i < 10000; i++)
		buf_append(&data, S("0123456789"));
	buf_putc(&data, '"');
	frame_event(&frame, S("client-a"), S("private-x"), buf_str(data),
	    (struct str){ NULL, 0 });
	for (int i = 0; i < 300; i++) {
		links_event(d->l, 1, "private-x", buf_str(frame), EVENT_CLIENT);
		links_turn(d->l);
	}
	assert_true(q->bytes < HOOK_QUEUE_MAX);
	assert_true(q->dropped > 100 && q->n < 200);
	links_sub(d->l, 0, 1, "room", ""); /* there is room again */
	assert_true(list_is_empty(&d->l->br.webhook_states->pending));
	buf_unref(frame);
	buf_unref(data);
	desk_free(d);
}

static void
client_events_have_string_values(void **state)
{
	struct desk *d = desk_ready("client_event");
	char sid[SOCKET_ID_MAX], want[300];
	struct buf *frame = NULL;

	(void)state;
	frame_event(
	    &frame, S("client-\"a"), S("presence-x"), S("\"{}\""), S("u"));
	SEND(d->l, 1, event, .origin = d->l->origin[1], .seq = ++d->l->seq[1],
	    .app = 1, .except = 77, .flags = EVENT_CLIENT,
	    .channel = S("presence-x"), .frame = buf_str(frame));
	links_turn(d->l);
	socket_id_text(77, sid);
	snprintf(want, sizeof(want),
	    "{\"name\":\"client_event\",\"channel\":\"presence-x\","
	    "\"event\":\"client-\\\"a\",\"data\":\"{}\","
	    "\"socket_id\":\"%s\",\"user_id\":\"u\"}",
	    sid);
	expect_hook(d, want);
	/* Published over HTTP: none of their business. */
	links_event(d->l, 1, "presence-x", buf_str(frame), 0);
	expect_hook(d, NULL);
	buf_unref(frame);
	desk_free(d);
}

/* A client event of this app, so many times, with this many bytes. */
static void
say(struct desk *d, uint32_t app, const char *text, unsigned n, size_t bytes)
{
	struct buf *frame = NULL, *data = NULL;

	buf_printf(&data, "\"%s", text);
	while (data->len < bytes)
		buf_append(&data, S("0123456789"));
	buf_putc(&data, '"');
	frame_event(&frame, S("client-a"), S("private-x"), buf_str(data),
	    (struct str){ NULL, 0 });
	for (unsigned i = 0; i < n; i++) {
		SEND(d->l, 1, event, .origin = d->l->origin[1],
		    .seq = ++d->l->seq[1], .app = app, .flags = EVENT_CLIENT,
		    .channel = S("private-x"), .frame = buf_str(frame));
		links_turn(d->l);
	}
	buf_unref(frame);
	buf_unref(data);
}

/* The app of the next hook; 0: there is none. */
static uint32_t
next_app(struct desk *d)
{
	struct msg_hook m;
	struct said s;

	if (!next(d, &s))
		return 0;
	assert_int_equal(s.type, IPC_HOOK);
	assert_int_equal(msg_hook_get(&m, s.body), 0);
	assert_int_equal(m.seq, d->acked + 1);
	d->acked = m.seq;
	return m.app;
}

static void
s5_a_flood_of_one_app_neither_drops_nor_delays_those_of_others(void **state)
{
	struct desk *d = desk_new("");
	struct webhook_queue *q = d->l->br.webhook_queue;

	(void)state;
	add_endpoints(d, "", 3);
	courier_comes(d);
	COURIER(d, hook_states_done, .end_ = 0);
	courier_goes(d);
	say(d, 2, "few", 10, 10);
	say(d, 1, "flood", 200, 100000);
	say(d, 3, "flood", 200, 100000);
	say(d, 2, "few", 10, 10);
	assert_true(webhook_queue_find(q, 1)->dropped > 100);
	assert_true(webhook_queue_find(q, 3)->dropped > 100);
	assert_int_equal(webhook_queue_find(q, 2)->dropped, 0);
	assert_true(
	    webhook_queue_make_room(&d->l->br, webhook_queue_find(q, 2)));
	assert_true(q->bytes < HOOK_QUEUE_MAX);
	links_sub(d->l, 0, 1, "room", ""); /* app 1: it has just made room */
	assert_true(list_is_empty(&d->l->br.webhook_states->pending));
	d->acked = 0;
	courier_comes(d);
	for (unsigned i = 0; i < 3; i++) { /* in turn */
		assert_int_equal(next_app(d), 2);
		assert_int_equal(next_app(d), 1);
		assert_int_equal(next_app(d), 3);
	}
	desk_free(d);
}

static void
events_of_a_channel_follow_the_news_that_it_is_occupied(void **state)
{
	struct desk *d = desk_new("");

	(void)state;
	courier_comes(d);
	links_sub(d->l, 0, 1, "private-x", "");
	say(d, 1, "hello", 1, 0);
	expect_hook(d, NULL);
	COURIER(d, hook_states_done, .end_ = 0);
	expect_hook(
	    d, "{\"name\":\"channel_occupied\",\"channel\":\"private-x\"}");
	assert_int_equal(next_app(d), 1);
	expect_hook(d, NULL);
	desk_free(d);
}

static void
no_event_overtakes_those_that_waited_for_a_state(void **state)
{
	struct desk *d = desk_ready("");
	struct webhook_states *h = d->l->br.webhook_states;

	(void)state;
	h->lease = 0; /* none may be reported */
	links_sub(d->l, 0, 1, "private-x", "");
	say(d, 1, "first", 1, 0);
	leave(d, 0, 1, "private-x", "");
	h->lease = INFINITY;
	say(d, 1, "second", 1, 0);
	links_wait(d->l, 0.25);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		struct msg_hook m;
		struct said s;

		assert_true(next(d, &s));
		assert_int_equal(msg_hook_get(&m, s.body), 0);
		assert_int_equal(m.source_seq, seq);
	}
	desk_free(d);
}

static void
t2_state_of_another_app_is_forgotten(void **state)
{
	struct desk *d = desk_new("");
	struct msg_hook m;
	struct said s;

	(void)state;
	links_sub(d->l, 0, 1, "room", "");
	courier_comes(d);
	COURIER(d, hook_state, .app = 1, .channel = S("room"),
	    .owner = S("other/1"));
	COURIER(d, hook_state, .app = 1, .channel = S("old"),
	    .owner = S("other/1"));
	COURIER(d, hook_states_done, .end_ = 0);
	for (int i = 0; i < 2; i++) {
		assert_true(next(d, &s));
		assert_int_equal(msg_hook_get(&m, s.body), 0);
		assert_int_equal(m.kind, WEBHOOK_VACATED);
		assert_int_equal(m.endpoints.n, 0);
		assert_bytes(m.owner, S("other/1"));
	}
	expect_hook(d, OCCUPIED);
	links_wait(d->l, WEBHOOK_GRACE + 0.2);
	expect_hook(d, NULL);
	desk_free(d);
}

#define CHANNELS 12000

/* Nobody waits for an endpoint, however many channels are older than it is. */
static void
what_is_older_than_an_endpoint_is_found_in_portions(void **state)
{
	struct desk *d = desk_new(NULL);
	const struct webhook_states *all = d->l->br.webhook_states;
	char name[16];

	(void)state;
	for (unsigned i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof(name), "old-%u", i);
		links_sub(d->l, 0, 10 + i, name, "");
	}
	links_sub(d->l, 1, 1, "room", "");
	links_sub(d->l, 1, 2, "presence-x", "u");
	add_endpoints(d, "", 1);
	assert_in_range(all->all.n, 1, CHANNELS / 2);
	courier_comes(d);
	COURIER(d, hook_states_done, .end_ = 0);
	assert_true(all->seeding);
	/* They leave before they are found, perhaps, and are reported. */
	leave(d, 1, 1, "room", "");
	leave(d, 1, 2, "presence-x", "u");
	while (all->seeding)
		links_turn(d->l);
	expect_hook(d, NULL); /* nothing that is older */
	assert_int_equal(all->all.n, CHANNELS + 3);
	links_wait(d->l, WEBHOOK_GRACE + 0.2);
	expect_hook(d, VACATED);
	expect_hook(d, MEMBER("removed", "u"));
	expect_hook(d, PRESENCE("vacated"));
	expect_hook(d, NULL);
	links_sub(d->l, 1, 3, "room", "");
	expect_hook(d, OCCUPIED);
	desk_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_hold_back),
		cmocka_unit_test(without_an_endpoint_there_is_nothing),
		cmocka_unit_test(
		    a_courier_that_comes_back_gets_what_it_did_not_acknowledge),
		cmocka_unit_test(a_new_broker_says_only_the_difference),
		cmocka_unit_test(
		    a_state_that_another_host_has_told_is_not_forgotten),
		cmocka_unit_test(a_miss_that_nobody_could_tell_is_told_later),
		cmocka_unit_test(
		    without_room_changes_wait_and_client_events_go),
		cmocka_unit_test(client_events_have_string_values),
		cmocka_unit_test(
		    s5_a_flood_of_one_app_neither_drops_nor_delays_those_of_others),
		cmocka_unit_test(
		    what_is_older_than_an_endpoint_is_found_in_portions),
		cmocka_unit_test(t2_state_of_another_app_is_forgotten),
		cmocka_unit_test(
		    events_of_a_channel_follow_the_news_that_it_is_occupied),
		cmocka_unit_test(
		    no_event_overtakes_those_that_waited_for_a_state),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
