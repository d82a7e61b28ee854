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

static inline void
desk_ask(struct desk *d, const char *verb, const char *args)
{
	desk_connect(d);
	SAY(d->fd, ctl_hello, .build = S(PUSHERD_VERSION));
	SAY(d->fd, ctl_ask, .verb = str_of(verb), .args = str_of(args));
}

static inline bool
desk_next(struct desk *d, struct said *s)
{
	links_turn(d->l);
	said_read(d->fd, &d->in);
	return said_next(d->in, &d->at, s);
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
