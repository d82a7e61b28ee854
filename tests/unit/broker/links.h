/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_LINKS_H
#define TESTS_UNIT_BROKER_LINKS_H

/*
 * A broker without its process: the test is every worker, at the other ends
 * of socket pairs, and turns the loop itself.  Include it behind cmocka.h.
 */

#include <ev.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/app/apps.h"
#include "broker/broker.h"
#include "broker/channel/cache.h"
#include "broker/channel/registry.h"
#include "broker/control/control.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "broker/user/users.h"
#include "broker/webhook/events.h"
#include "shared/app/app.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"
#include "shared/pusher/frames.h"

#define LINKS 4

struct links {
	struct broker br;
	struct conf conf;
	int fd[LINKS];
	struct buf *in[LINKS];
	uint32_t at[LINKS];
	uint64_t seq[LINKS];
	uint64_t origin[LINKS];
};

/* The message that the broker sent; body is valid until the next call. */
struct said {
	uint32_t type;
	struct str body;
};

/* Sends a message into a socket, whole: SAY(fd, sub, .app = 1, …). */
#define SAY(fd, name, ...) \
	do { \
		struct msg_##name m_ = { __VA_ARGS__ }; \
		size_t n_ = msg_##name##_size(&m_); \
		char *p_ = xmalloc(n_); \
\
		msg_##name##_put(p_, &m_); \
		assert_int_equal(send(fd, p_, n_, MSG_NOSIGNAL), n_); \
		free(p_); \
	} while (0)

/* SEND(l, slot, sub, .app = 1, …) */
#define SEND(l, slot, name, ...) SAY((l)->fd[slot], name, __VA_ARGS__)

/* Takes what has arrived in a socket. */
static inline void
said_read(int fd, struct buf **in)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_append(in, str_make(bytes, (size_t)n));
}

/* The next message in it, from *at on; false: there is none. */
static inline bool
said_next(const struct buf *in, uint32_t *at, struct said *s)
{
	uint32_t len;

	if (in == NULL || in->len - *at < IPC_HEAD)
		return false;
	memcpy(&len, in->data + *at, 4);
	memcpy(&s->type, in->data + *at + 4, 4);
	assert_true(len + 4 <= in->len - *at);
	s->body = str_make(in->data + *at + IPC_HEAD, len + 4 - IPC_HEAD);
	*at += len + 4;
	return true;
}

/* Lets the broker read, and ends its turn. */
static inline void
links_turn(struct links *l)
{
	for (int i = 0; i < 3; i++) {
		ev_run(l->br.loop, EVRUN_NOWAIT);
		broker_turn(&l->br);
	}
}

/* Turns for some time. */
static inline void
links_wait(struct links *l, double seconds)
{
	double end = broker_now() + seconds;

	while (broker_now() < end) {
		links_turn(l);
		usleep(1000);
	}
}

static inline void
links_read(struct links *l, unsigned slot)
{
	said_read(l->fd[slot], &l->in[slot]);
}

/* The next message of any kind; false: there is none. */
static inline bool
links_next_any(struct links *l, unsigned slot, struct said *s)
{
	links_turn(l);
	links_read(l, slot);
	return said_next(l->in[slot], &l->at[slot], s);
}

/* Part of a roster that is given as a whole. */
static inline bool
links_is_given(const struct said *s)
{
	struct msg_member m;

	return s->type == IPC_ROSTER ||
	    (s->type == IPC_MEMBER && msg_member_get(&m, s->body) == 0 &&
		m.change == MEMBER_IS);
}

/*
 * The next one that is no ACK, CACHED, MISSED or PING, and no roster; pings are
 * answered.
 */
static inline bool
links_next(struct links *l, unsigned slot, struct said *s)
{
	struct msg_ping ping;

	while (links_next_any(l, slot, s)) {
		if (s->type == IPC_ACK || s->type == IPC_CACHED ||
		    s->type == IPC_MISSED || s->type == IPC_CACHE_MARK ||
		    links_is_given(s))
			continue;
		if (s->type != IPC_PING)
			return true;
		assert_int_equal(msg_ping_get(&ping, s->body), 0);
		SEND(l, slot, pong, .id = ping.id);
	}
	return false;
}

#define EXPECT(l, slot, name, NAME, m) \
	do { \
		struct said s_; \
\
		if (!links_next(l, slot, &s_)) \
			fail_msg("nothing for %u", (unsigned)(slot)); \
		if (s_.type != IPC_##NAME) \
			fail_msg("%s is no " #NAME, ipc_name(s_.type)); \
		assert_int_equal(msg_##name##_get(m, s_.body), 0); \
	} while (0)

static inline void
expect_nothing(struct links *l, unsigned slot)
{
	struct said s;

	if (links_next(l, slot, &s))
		fail_msg("%s for %u", ipc_name(s.type), slot);
}

/* Is the link over? */
static inline bool
links_is_over(struct links *l, unsigned slot)
{
	char byte;

	links_turn(l);
	links_read(l, slot);
	return recv(l->fd[slot], &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/* The worker goes. */
static inline void
links_kill(struct links *l, unsigned slot)
{
	close(l->fd[slot]);
	l->fd[slot] = -1;
	links_turn(l);
}

/* A worker says HELLO, which is not read before the next turn. */
static inline void
links_come(struct links *l, unsigned slot, uint64_t origin)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[0]), 0);
	peer_accept(&l->br, fds[0]);
	l->fd[slot] = fds[1];
	if (l->in[slot] != NULL)
		l->in[slot]->len = 0;
	l->at[slot] = 0;
	l->origin[slot] = origin;
	SEND(l, slot, hello, .version = IPC_VERSION,
	    .build = str_of(proc_build_id()), .slot = slot, .pid = 1,
	    .origin = origin);
}

/* A worker comes: HELLO, its apps, APPS_DONE. */
static inline void
links_hello(struct links *l, unsigned slot, uint64_t origin)
{
	struct said s = { 0 };

	links_come(l, slot, origin);
	do
		assert_true(links_next(l, slot, &s));
	while (s.type == IPC_APP_SET);
	assert_int_equal(s.type, IPC_APPS_DONE);
}

/* App 1, with these settings ("name", "value", …, NULL). */
static inline void
links_app(struct links *l, uint32_t num, const char *const *settings)
{
	struct app a;
	char *why, id[16];

	app_init(&a);
	snprintf(id, sizeof(id), "app%u", num);
	a.num = num;
	a.id = xstrdup(id);
	a.key = xstrdup("key");
	a.secret = xstrdup("secret");
	a.name = xstrdup("name");
	a.enabled = 1;
	for (; settings != NULL && *settings != NULL; settings += 2)
		assert_int_equal(
		    app_set(&a, settings[0], settings[1], &why), 0);
	apps_put(&l->br, &a);
	app_clear(&a);
}

/* Nothing is left of the deleted apps. */
static inline void
links_release_apps(struct links *l)
{
	struct hash *apps = &l->br.apps->by_num;
	struct hash_node *n;

	HASH_FOREACH(n, apps) {
		struct broker_app *a = container_of(n, struct broker_app, node);

		a->keep_until = 0;
		a->ping = 0;
	}
	apps_expire(&l->br);
}

/* A broker begins: with app 1, and all workers say HELLO. */
static inline void
links_start(struct links *l, const char *const *settings)
{
	links_app(l, 1, settings);
	for (unsigned i = 0; i < LINKS; i++)
		links_hello(l, i, i + 1);
}

static inline struct links *
links_new(const char *const *settings)
{
	struct links *l = xcalloc(1, sizeof(*l));

	conf_init(&l->conf);
	l->conf.nworkers = LINKS;
	l->conf.crash_grace = 0;
	broker_init(&l->br, &l->conf);
	links_start(l, settings);
	return l;
}

/* The next broker, with what the one before it left. */
static inline void
links_next_broker(struct links *l, const char *const *settings,
    struct event_order *event_order)
{
	broker_init(&l->br, &l->conf);
	l->br.event_order = event_order;
	resync_begin(&l->br);
	links_start(l, settings);
}

static inline struct links *
links_resync(struct event_order *event_order)
{
	struct links *l = xcalloc(1, sizeof(*l));

	conf_init(&l->conf);
	l->conf.nworkers = LINKS;
	links_next_broker(l, NULL, event_order);
	return l;
}

/* This worker has said what it has; so much of its backlog follows. */
static inline void
links_done(struct links *l, unsigned slot, uint64_t upto)
{
	SEND(l, slot, resync_done, .seq = upto);
}

static inline void
links_free(struct links *l)
{
	broker_clear(&l->br);
	conf_clear(&l->conf);
	for (unsigned i = 0; i < LINKS; i++) {
		if (l->fd[i] != -1)
			close(l->fd[i]);
		buf_unref(l->in[i]);
	}
	free(l);
}

/* Frames, one after the other, as "json json"; the caller frees it. */
static inline char *
links_text(struct str frames)
{
	struct buf *b = NULL;
	struct ws_head h;
	char *text;
	ssize_t n;

	while (frames.n > 0) {
		n = ws_head_read(&h, frames);
		assert_true(n > 0 && h.len <= frames.n - (size_t)n);
		if (b != NULL)
			buf_putc(&b, ' ');
		buf_append(&b, str_make(frames.p + n, h.len));
		frames = str_from(frames, (size_t)n + h.len);
	}
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

static inline void
assert_frames(struct str frames, const char *want)
{
	char *got = links_text(frames);

	assert_string_equal(got, want);
	free(got);
}

static inline void
assert_bytes(struct str got, struct str want)
{
	if (!str_eq(got, want))
		fail_msg("%.*s\nis not %.*s", STR_ARG(got), STR_ARG(want));
}

/* The next message for slot 3 is an event with this frame. */
static inline void
expect_event(struct links *l, struct str frame)
{
	struct msg_event m;

	EXPECT(l, 3, event, EVENT, &m);
	assert_bytes(m.frame, frame);
}

/* Slot 3 gets these frames, of one letter each, and nothing else. */
static inline void
expect_events(struct links *l, const char *frames)
{
	for (; *frames != '\0'; frames++)
		expect_event(l, str_make(frames, 1));
	expect_nothing(l, 3);
}

/* The next message says this of a member. */
static inline void
links_expect_member(struct links *l, unsigned slot, enum member_change change,
    const char *user, const char *info)
{
	struct msg_member m;

	EXPECT(l, slot, member, MEMBER, &m);
	assert_int_equal(m.change, change);
	assert_bytes(m.user_id, str_of(user));
	assert_bytes(m.user_info, str_of(info));
}

/* Subscribes, and throws the answer away. */
static inline void
links_sub(struct links *l, unsigned slot, uint64_t sid, const char *channel,
    const char *user)
{
	struct msg_sub_done done;

	SEND(l, slot, sub, .app = 1, .sid = sid, .ref = (uint32_t)sid,
	    .channel = str_of(channel), .user_id = str_of(user));
	EXPECT(l, slot, sub_done, SUB_DONE, &done);
	assert_int_equal(done.status, 0);
	assert_true(done.sid == sid && done.ref == (uint32_t)sid);
}

/* An event of worker `slot` with this frame. */
static inline void
links_event(struct links *l, unsigned slot, const char *channel,
    struct str frame, uint32_t flags)
{
	SEND(l, slot, event, .origin = l->origin[slot], .seq = ++l->seq[slot],
	    .app = 1, .flags = flags, .channel = str_of(channel),
	    .frame = frame);
}

#endif
