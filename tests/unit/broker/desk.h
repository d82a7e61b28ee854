/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_DESK_H
#define TESTS_UNIT_BROKER_DESK_H

/*
 * A broker with a control socket, and the client that asks there.  Include it
 * behind cmocka.h.
 */

#include <stdio.h>

#include "shared/app/appdb.h"
#include "tests/unit/broker/links.h"

struct desk {
	struct links *l;
	char dir[32];
	char path[64], db[64];
	int listener;
	int fd; /* of the client */
	struct buf *in;
	uint32_t at;
};

static inline struct desk *
desk_new(void)
{
	static const char *const settings[] = { "max_event_bytes", "8", NULL };
	struct desk *d = xcalloc(1, sizeof(*d));
	struct appdb *db;
	struct app a;
	char *why;

	snprintf(d->dir, sizeof(d->dir), "/tmp/pusherd-test-XXXXXX");
	assert_non_null(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%s/ctl.sock", d->dir);
	snprintf(d->db, sizeof(d->db), "%s/apps.db", d->dir);
	db = appdb_open(d->db, APPDB_CREATE, &why);
	assert_non_null(db);
	app_init(&a);
	a.id = xstrdup("db1");
	a.key = xstrdup("dbkey");
	a.secret = xstrdup("dbsecret");
	a.name = xstrdup("one");
	a.enabled = 1;
	assert_int_equal(appdb_insert(db, &a), 0);
	app_clear(&a);
	appdb_close(db);
	d->l = links_new(settings);
	free(d->l->conf.database);
	d->l->conf.database = xstrdup(d->db);
	d->listener = sock_listen_unix(d->path, 0600);
	assert_int_not_equal(d->listener, -1);
	control_start(&d->l->br, d->listener);
	d->fd = -1;
	return d;
}

static inline void
desk_free(struct desk *d)
{
	control_clear(&d->l->br);
	links_free(d->l);
	close(d->listener);
	if (d->fd != -1)
		close(d->fd);
	unlink(d->path);
	unlink(d->db);
	assert_int_equal(rmdir(d->dir), 0);
	buf_unref(d->in);
	free(d);
}

static inline void
desk_connect(struct desk *d)
{
	if (d->fd != -1)
		close(d->fd);
	d->fd = sock_connect_unix(d->path);
	assert_int_not_equal(d->fd, -1);
	if (d->in != NULL)
		d->in->len = 0;
	d->at = 0;
}

#define TELL(d, name, ...) \
	do { \
		struct msg_##name m_ = { __VA_ARGS__ }; \
		size_t n_ = msg_##name##_size(&m_); \
		char *p_ = xmalloc(n_); \
\
		msg_##name##_put(p_, &m_); \
		assert_int_equal(send((d)->fd, p_, n_, MSG_NOSIGNAL), n_); \
		free(p_); \
	} while (0)

static inline void
desk_ask(struct desk *d, const char *verb, const char *args)
{
	desk_connect(d);
	TELL(d, ctl_hello, .build = S(PUSHERD_VERSION));
	TELL(d, ctl_ask, .verb = str_of(verb), .args = str_of(args));
}

static inline bool
desk_next(struct desk *d, struct said *s)
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
	assert_true(len + 4 <= d->in->len - d->at);
	s->body = str_make(d->in->data + d->at + IPC_HEAD, len + 4 - IPC_HEAD);
	d->at += len + 4;
	return true;
}

static inline void
assert_row(struct desk *d, const char *want)
{
	struct msg_ctl_row m;
	struct said s;

	assert_true(desk_next(d, &s));
	assert_int_equal(s.type, IPC_CTL_ROW);
	assert_int_equal(msg_ctl_row_get(&m, s.body), 0);
	assert_bytes(m.json, str_of(want));
}

/* The end: code, and how its text begins. */
static inline void
assert_end(struct desk *d, uint32_t code, const char *text)
{
	struct msg_ctl_end m;
	struct said s;

	assert_true(desk_next(d, &s));
	assert_int_equal(s.type, IPC_CTL_END);
	assert_int_equal(msg_ctl_end_get(&m, s.body), 0);
	if (m.code != code || !str_starts(m.text, str_of(text)))
		fail_msg("%u %.*s", m.code, STR_ARG(m.text));
	assert_false(desk_next(d, &s));
}

#endif
