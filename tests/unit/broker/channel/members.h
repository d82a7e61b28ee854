/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_CHANNEL_MEMBERS_H
#define TESTS_UNIT_BROKER_CHANNEL_MEMBERS_H

/* Connections that join and leave, and the list that comes of it. */

#include <cmocka.h>

#include <stdlib.h>

#include "broker/channel/presence.h"
#include "shared/json/json_slice.h"

static uint64_t stamp;

/* The stamp serves as the socket id. */
static inline enum presence_joined
join(struct presence *p, unsigned slot, const char *id, const char *info)
{
	struct presence_join j = { .slot = slot,
		.id = str_of(id),
		.info = str_of(info),
		.sid = ++stamp,
		.stamp = stamp,
		.max = 100 };

	return presence_join(p, &j);
}

/* The last but so many that has joined. */
static inline enum presence_left
leave(struct presence *p, unsigned slot, const char *id, unsigned before)
{
	return presence_leave(p, slot, stamp - before, str_of(id));
}

/* The text in the frame, with one level of escapes taken off. */
static inline void
assert_list(struct presence *p, const char *want)
{
	struct buf *b = NULL;
	struct json text, inner;
	const char *err;
	struct str got;
	char *tmp = NULL;

	buf_putc(&b, '"');
	presence_write(p, &b);
	buf_putc(&b, '"');
	assert_int_equal(json_parse(buf_str(b), &text, &err), 0);
	assert_int_equal(json_string(text, &got, &tmp), 0);
	assert_int_equal(json_parse(got, &inner, &err), 0);
	if (!str_eq(got, str_of(want)))
		fail_msg("%.*s\nis not %s", STR_ARG(got), want);
	free(tmp);
	buf_unref(b);
}

#endif
