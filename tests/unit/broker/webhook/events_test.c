/* SPDX-License-Identifier: MIT */
/*
 * events_test.c: what becomes a webhook event, what is held back, what a new
 * broker says after an old one, and what happens without a courier.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/webhook/endpoints.h"
#include "shared/app/appdb_hooks.h"
#include "shared/pusher/channel_name.h"
#include "tests/unit/broker/links.h"

/* A broker with a database, one endpoint of app 1, and a courier. */
struct desk {
	struct links *l;
	char dir[32];
	int fd; /* the courier's end; -1 */
	struct buf *in;
	uint32_t at;
	uint64_t acked;
};

#define COURIER(d, name, ...) \
	do { \
		struct msg_##name m_ = { __VA_ARGS__ }; \
		size_t n_ = msg_##name##_size(&m_); \
		char *p_ = xmalloc(n_); \
\
		msg_##name##_put(p_, &m_); \
		assert_int_equal(send((d)->fd, p_, n_, 0), n_); \
		free(p_); \
		links_turn((d)->l); \
	} while (0)

/* The next message for the courier. */
static bool
next(struct desk *d, struct said *s)
{
	char bytes[65536];
	uint32_t len;
	ssize_t n;

	links_turn(d->l);
	while ((n = recv(d->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_append(&d->in, str_make(bytes, (size_t)n));
	if (d->in == NULL || d->in->len - d->at < IPC_HEAD)
		return false;
	memcpy(&len, d->in->data + d->at, 4);
	memcpy(&s->type, d->in->data + d->at + 4, 4);
	s->body = str_make(d->in->data + d->at + IPC_HEAD, len + 4 - IPC_HEAD);
	d->at += len + 4;
	return true;
}

static void
courier_comes(struct desk *d)
{
	struct msg_hook_start start;
	struct said s;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[0]), 0);
	peer_accept(&d->l->br, fds[0]);
	d->fd = fds[1];
	d->at = 0;
	if (d->in != NULL)
		d->in->len = 0;
	COURIER(d, courier_hello, .version = IPC_VERSION,
	    .build = str_of(proc_build_id()), .pid = 1);
	do
		assert_true(next(d, &s));
	while (s.type == IPC_ENDPOINT);
	assert_int_equal(s.type, IPC_ENDPOINTS_DONE);
	COURIER(d, courier_state, .ready = 1);
	assert_true(next(d, &s));
	assert_int_equal(s.type, IPC_HOOK_START);
	assert_int_equal(msg_hook_start_get(&start, s.body), 0);
	assert_int_equal(start.want_told, !d->l->br.webhooks->told);
}

static void
courier_goes(struct desk *d)
{
	close(d->fd);
	d->fd = -1;
	links_turn(d->l);
}

/* The next hook is this one, or (NULL) there is none. */
static void
expect_hook(struct desk *d, const char *event)
{
	struct msg_hook m;
	struct said s;

	if (event == NULL) {
		if (next(d, &s))
			fail_msg("%s", ipc_name(s.type));
		return;
	}
	if (!next(d, &s))
		fail_msg("no %s", event);
	assert_int_equal(s.type, IPC_HOOK);
	assert_int_equal(msg_hook_get(&m, s.body), 0);
	assert_bytes(m.event, str_of(event));
	d->acked = m.seq;
}

#define OCCUPIED "{\"name\":\"channel_occupied\",\"channel\":\"room\"}"
#define VACATED "{\"name\":\"channel_vacated\",\"channel\":\"room\"}"
#define MEMBER(what, user) \
	"{\"name\":\"member_" what "\",\"channel\":\"presence-x\"," \
	"\"user_id\":\"" user "\"}"
#define PRESENCE(what) \
	"{\"name\":\"channel_" what "\",\"channel\":\"presence-x\"}"

/* For each app from 1 to napps, whether it exists or not. */
static void
add_endpoints(struct desk *d, const char *events, uint32_t napps)
{
	char path[64], *why = NULL;
	struct appdb *db;
	struct webhook h;

	snprintf(path, sizeof(path), "%s/apps.db", d->dir);
	db = appdb_open(path, APPDB_CREATE, &why);
	assert_non_null(db);
	for (uint32_t app = 1; app <= napps; app++) {
		webhook_init(&h);
		h.app = app;
		assert_int_equal(webhook_set(&h, "url", "http://x/", &why), 0);
		assert_int_equal(webhook_set(&h, "events", events, &why), 0);
		assert_int_equal(appdb_hooks_insert(db, &h), 0);
		webhook_clear(&h);
	}
	assert_int_equal(d->l->br.apps->ops->read(&d->l->br, db), 0);
	appdb_close(db);
	unlink(path);
}

static struct desk *
desk_new(const char *events)
{
	struct desk *d = xcalloc(1, sizeof(*d));

	d->fd = -1;
	memcpy(d->dir, "/tmp/hooks-test-XXXXXX", 23);
	assert_non_null(mkdtemp(d->dir));
	d->l = links_new(NULL);
	if (events != NULL)
		add_endpoints(d, events, 1);
	return d;
}

static struct desk *
desk_ready(const char *events)
{
	struct desk *d = desk_new(events);

	courier_comes(d);
	COURIER(d, told_done, .end_ = 0);
	return d;
}

static void
desk_free(struct desk *d)
{
	if (d->fd != -1)
		close(d->fd);
	buf_unref(d->in);
	links_free(d->l);
	rmdir(d->dir);
	free(d);
}

static void
leave(struct desk *d, unsigned slot, uint64_t sid, const char *channel,
    const char *user)
{
	SEND(d->l, slot, unsub, .app = 1, .sid = sid,
	    .channel = str_of(channel), .user_id = str_of(user));
	links_turn(d->l);
}

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
	links_wait(d->l, HOOKS_HOLD);
	expect_hook(d, NULL);
	leave(d, 2, 3, "presence-x", "u");
	links_wait(d->l, HOOKS_HOLD + 0.2);
	expect_hook(d, MEMBER("removed", "u"));
	expect_hook(d, PRESENCE("vacated"));
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhooks->facts.n, 0);
	desk_free(d);
}

static void
without_an_endpoint_there_is_nothing(void **state)
{
	struct desk *d = desk_new(NULL);

	(void)state;
	assert_false(d->l->br.webhooks->active);
	courier_comes(d);
	links_sub(d->l, 0, 1, "room", "");
	leave(d, 0, 1, "room", "");
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhooks->facts.n, 0);
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
	assert_int_equal(d->l->br.webhooks->queue.n, 4);
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
	COURIER(d, told, .app = 1, .channel = S("presence-x"));
	COURIER(d, told, .app = 1, .channel = S("presence-x"),
	    .user_id = S("stays"));
	COURIER(d, told, .app = 1, .channel = S("presence-x"),
	    .user_id = S("gone"));
	COURIER(d, told, .app = 1, .channel = S("old"));
	COURIER(d, told_done, .end_ = 0);
	expect_hook(d, MEMBER("added", "new"));
	expect_hook(d, OCCUPIED);
	expect_hook(d, NULL);
	links_wait(d->l, HOOKS_HOLD + 0.2);
	expect_hook(d, MEMBER("removed", "gone"));
	expect_hook(d, "{\"name\":\"channel_vacated\",\"channel\":\"old\"}");
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
	COURIER(d, told, .app = 1, .channel = S("cache-a"));
	COURIER(d, told, .app = 1, .missed = 1, .channel = S("cache-b"));
	COURIER(d, told, .app = 1, .missed = 1, .channel = S("cache-e"));
	COURIER(d, told_done, .end_ = 0);
	expect_hook(d, ""); /* cache-e: no miss any more */
	expect_hook(d, CACHE("cache_miss", "a"));
	expect_hook(d, CACHE("channel_occupied", "d"));
	expect_hook(d, NULL);
	assert_int_equal(d->l->br.webhooks->nmissed, 2);
	links_sub(d->l, 1, 6, "cache-a", "");
	links_sub(d->l, 1, 7, "cache-b", "");
	expect_hook(d, NULL);
	buf_unref(frame);
	desk_free(d);
}

static void
without_room_facts_wait_and_client_events_go(void **state)
{
	struct desk *d = desk_ready("");
	struct buf *frame = NULL, *data = NULL;
	struct webhook_queue *q = &d->l->br.webhooks->queue;

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
	assert_true(list_is_empty(&d->l->br.webhooks->untold));
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
	struct webhook_queue *q = &d->l->br.webhooks->queue;

	(void)state;
	add_endpoints(d, "", 3);
	courier_comes(d);
	COURIER(d, told_done, .end_ = 0);
	courier_goes(d);
	say(d, 2, "few", 10, 10);
	say(d, 1, "flood", 200, 100000);
	say(d, 3, "flood", 200, 100000);
	say(d, 2, "few", 10, 10);
	assert_true(webhook_queue_line(q, 1)->dropped > 100);
	assert_true(webhook_queue_line(q, 3)->dropped > 100);
	assert_int_equal(webhook_queue_line(q, 2)->dropped, 0);
	assert_true(
	    webhook_queue_make_room(&d->l->br, webhook_queue_line(q, 2)));
	assert_true(q->bytes < HOOK_QUEUE_MAX);
	links_sub(d->l, 0, 1, "room", ""); /* app 1: it has just made room */
	assert_true(list_is_empty(&d->l->br.webhooks->untold));
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
	COURIER(d, told_done, .end_ = 0);
	expect_hook(
	    d, "{\"name\":\"channel_occupied\",\"channel\":\"private-x\"}");
	assert_int_equal(next_app(d), 1);
	expect_hook(d, NULL);
	desk_free(d);
}

static void
t2_what_another_app_was_told_is_forgotten(void **state)
{
	struct desk *d = desk_new("");
	struct msg_hook m;
	struct said s;

	(void)state;
	links_sub(d->l, 0, 1, "room", "");
	courier_comes(d);
	COURIER(d, told, .app = 1, .channel = S("room"), .owner = S("other/1"));
	COURIER(d, told, .app = 1, .channel = S("old"), .owner = S("other/1"));
	COURIER(d, told_done, .end_ = 0);
	for (int i = 0; i < 2; i++) {
		assert_true(next(d, &s));
		assert_int_equal(msg_hook_get(&m, s.body), 0);
		assert_int_equal(m.kind, WEBHOOK_VACATED);
		assert_int_equal(m.endpoints.n, 0);
		assert_bytes(m.owner, S("other/1"));
	}
	expect_hook(d, OCCUPIED);
	links_wait(d->l, HOOKS_HOLD + 0.2);
	expect_hook(d, NULL);
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
		cmocka_unit_test(a_miss_that_nobody_could_tell_is_told_later),
		cmocka_unit_test(without_room_facts_wait_and_client_events_go),
		cmocka_unit_test(client_events_have_string_values),
		cmocka_unit_test(
		    s5_a_flood_of_one_app_neither_drops_nor_delays_those_of_others),
		cmocka_unit_test(t2_what_another_app_was_told_is_forgotten),
		cmocka_unit_test(
		    events_of_a_channel_follow_the_news_that_it_is_occupied),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
