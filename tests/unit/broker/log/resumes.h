/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_LOG_RESUMES_H
#define TESTS_UNIT_BROKER_LOG_RESUMES_H

/* A small table of sessions and their clients.  Include it behind cmocka.h. */

#include <stdio.h>
#include <sys/mman.h>

#include "broker/log/resume.h"
#include "broker/log/resume_enter.h"

#define ROWS 4
#define NEWS 77 /* the hash of a channel */
#define ID "0123456789abcdef"

struct desk {
	struct resumes s;
	struct session_table *table;
	uint64_t sid; /* of the last connection */
};

static inline int
set_up(void **state)
{
	static struct desk d;

	d = (struct desk){ .table = session_table_map(ROWS) };
	resumes_init(&d.s);
	resumes_recall(&d.s, d.table);
	*state = &d;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct desk *d = *state;

	resumes_clear(&d->s);
	munmap(d->table, sizeof(*d->table) + ROWS * sizeof(d->table->rows[0]));
	return 0;
}

static inline struct resume_session *
come_as(struct desk *d, uint32_t app, const char *id)
{
	struct resume_hello h = { .app = app,
		.id = str_of(id),
		.sid = ++d->sid,
		.epoch = 5,
		.now = 1 };

	return resumes_attach(&d->s, &h);
}

static inline struct resume_session *
come(struct desk *d)
{
	return come_as(d, 1, ID);
}

static inline void
confirm(struct desk *d, struct resume_session *r, uint64_t pos)
{
	assert_true(session_row_ack(
	    resumes_row(&d->s, r), resumes_row(&d->s, r)->sid, pos));
}

static inline void
next_broker(struct desk *d)
{
	resumes_clear(&d->s);
	d->s = (struct resumes){ 0 };
	resumes_init(&d->s);
	resumes_recall(&d->s, d->table);
}

/* Enters the channel; what was it owed? */
static inline void
expect(const struct desk *d, const struct resume_session *r, uint64_t channel,
    enum resume_status status, enum resume_reason reason, uint64_t from)
{
	struct resume_answer a = resume_enter(&d->s, r, channel, 1);

	assert_int_equal(a.status, status);
	assert_int_equal(a.reason, reason);
	assert_int_equal(a.from, from);
}

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
