/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_WEBHOOK_DESK_H
#define TESTS_UNIT_BROKER_WEBHOOK_DESK_H

/* A broker with a database, endpoints and a courier that the test plays. */

#include "broker/webhook/endpoints.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/app/appdb_hooks.h"
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
		SAY((d)->fd, name, __VA_ARGS__); \
		links_turn((d)->l); \
	} while (0)

/* The next message for the courier. */
static bool
next(struct desk *d, struct said *s)
{
	links_turn(d->l);
	said_read(d->fd, &d->in);
	return said_next(d->in, &d->at, s);
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
	assert_int_equal(start.want_states, !d->l->br.webhook_states->known);
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
	COURIER(d, hook_states_done, .end_ = 0);
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

#endif
