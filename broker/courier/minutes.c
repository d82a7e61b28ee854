/* SPDX-License-Identifier: MIT */
/*
 * minutes.c: writes statistics into stats.db.  The file is open only while
 * minutes come, so that one that was moved away, replaced or repaired needs no
 * further care.  When it cannot be written, minutes are dropped for TRY_MS and
 * acknowledged all the same: webhooks must never wait for statistics.  Must
 * never log the same trouble twice in a row.  Of the questions that wait it
 * answers one in each turn of the loop, so that webhooks wait for one at most.
 */

#include "broker/courier/minutes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/courier/core.h"
#include "shared/app/stats_show.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define TRY_MS 30000 /* until a bad file is tried again */

/* Takes why. */
static void
set_trouble(struct courier *c, char *why)
{
	if (c->stats_trouble == NULL || strcmp(why, c->stats_trouble) != 0)
		log_warnx("statistics over time are dropped: %s", why);
	free(c->stats_trouble);
	c->stats_trouble = why;
	c->stats_try_at = courier_now_ms() + TRY_MS;
}

static void
fail(struct courier *c)
{
	char *path = stats_db_path(c->conf->outbox);

	set_trouble(c, xasprintf("%s: %s", path, stats_db_error(c->stats)));
	free(path);
	stats_db_close(c->stats);
	c->stats = NULL;
}

/* The file belongs to the courier that has the lock of the outbox. */
static void
open_file(struct courier *c)
{
	char *path, *why = NULL;

	if (courier_now_ms() < c->stats_try_at)
		return;
	if (outbox_lock_take(
		&c->lock, c->conf->outbox, c->conf->runtime_dir, &why) == -1) {
		set_trouble(c, why);
		return;
	}
	path = stats_db_path(c->conf->outbox);
	c->stats = stats_db_open(path, STATS_DB_WRITE, &why);
	if (c->stats == NULL)
		set_trouble(c, why);
	free(path);
}

int
minutes_take(struct courier *c, const struct msg_minute *m)
{
	struct stats_db_minute to = { .origin = m->origin,
		.seq = m->seq,
		.time = m->time,
		.app = m->app };

	if (m->row.n != sizeof(to.row) || m->seq == 0)
		return -1;
	memcpy(&to.row, m->row.p, sizeof(to.row));
	c->stats_seq = m->seq;
	if (c->stats == NULL)
		open_file(c);
	if (c->stats != NULL && stats_db_add(c->stats, &to) == -1)
		fail(c);
	return 0;
}

void
minutes_commit(struct courier *c)
{
	struct msg_minute_ack ack = { .seq = c->stats_seq };

	if (c->stats_seq == 0)
		return;
	c->stats_seq = 0;
	if (c->stats != NULL &&
	    stats_db_commit(c->stats, (uint64_t)time(NULL)) == -1)
		fail(c);
	if (c->stats != NULL && c->stats_trouble != NULL) {
		log_info("statistics over time are kept again");
		free(c->stats_trouble);
		c->stats_trouble = NULL;
	}
	if (ipc_is_open(&c->ipc))
		ipc_send_minute_ack(&c->ipc, &ack);
}

/* ---- questions of applications ---- */

struct minutes_question {
	struct list link;
	uint64_t id;
	char *app;
	struct stats_db_query q;
	bool csv;
};

static void
forget(struct minutes_question *m)
{
	list_remove(&m->link);
	free(m->app);
	free(m);
}

int
minutes_on_ask(struct courier *c, const struct msg_minutes_ask *in)
{
	struct minutes_question *m = xcalloc(1, sizeof(*m));
	struct str rest = in->period;
	uint64_t csv;

	m->id = in->id;
	m->app = str_dup(in->app);
	m->q.app = str_of(m->app);
	list_init(&m->link);
	if (str_to_u64(str_cut(&rest, ' '), INT64_MAX, &m->q.from) == -1 ||
	    str_to_u64(str_cut(&rest, ' '), INT64_MAX, &m->q.to) == -1 ||
	    str_to_u64(str_cut(&rest, ' '), 86400, &m->q.step) == -1 ||
	    str_to_u64(rest, 1, &csv) == -1 || m->q.step == 0) {
		forget(m);
		return -1;
	}
	m->csv = csv == 1;
	list_append(&c->stats_asked, &m->link);
	return 0;
}

static void
put_row(
    void *arg, uint64_t time, uint64_t counted, const struct stats_db_row *r)
{
	struct buf **b = arg;

	if ((*b)->data[(*b)->len - 1] == '}')
		buf_append(b, S(","));
	stats_show_json(b, time, counted, r);
}

static void
put_csv(
    void *arg, uint64_t time, uint64_t counted, const struct stats_db_row *r)
{
	stats_show_csv(arg, time, counted, r);
}

/* -1: the file cannot be read. */
static int
put_rows(struct courier *c, const struct minutes_question *m, struct buf **b)
{
	if (m->csv)
		stats_show_csv_head(b);
	else
		buf_append(b, S("{\"rows\":["));
	if (c->stats_read != NULL &&
	    stats_db_each(
		c->stats_read, &m->q, m->csv ? put_csv : put_row, b) == -1)
		return -1;
	buf_append(b, m->csv ? S("\n") : S("]}"));
	return 0;
}

static void
answer(struct courier *c, const struct minutes_question *m)
{
	struct msg_minutes out = { .id = m->id, .status = 200 };
	char *path = stats_db_path(c->conf->outbox), *why = NULL;
	struct buf *b = NULL;

	if (c->stats_read == NULL &&
	    (access(path, F_OK) == 0 || errno != ENOENT)) {
		c->stats_read = stats_db_open(path, STATS_DB_TRY, &why);
	}
	if (why == NULL && put_rows(c, m, &b) == -1)
		why = xstrdup(stats_db_error(c->stats_read));
	out.body = buf_str(b);
	if (why != NULL) {
		log_warnx("statistics cannot be read: %s", why);
		out.status = 503;
		out.body = S("{\"error\":\"the statistics cannot be read now: "
			     "the log of the server says why\",\"code\":503}");
		stats_db_close(c->stats_read);
		c->stats_read = NULL;
	}
	if (ipc_is_open(&c->ipc))
		ipc_send_minutes(&c->ipc, &out);
	buf_unref(b);
	free(why);
	free(path);
}

static void
on_more(struct ev_loop *loop, ev_idle *w, int revents)
{
	/* Keeps the loop from sleeping. */
}

void
minutes_start(struct courier *c)
{
	list_init(&c->stats_asked);
	ev_idle_init(&c->stats_more, on_more);
}

void
minutes_answer(struct courier *c)
{
	struct minutes_question *m;

	if (!list_is_empty(&c->stats_asked)) {
		m = LIST_ITEM(
		    c->stats_asked.next, struct minutes_question, link);
		answer(c, m);
		forget(m);
	}
	if (list_is_empty(&c->stats_asked))
		ev_idle_stop(c->loop, &c->stats_more);
	else
		ev_idle_start(c->loop, &c->stats_more);
}

void
minutes_forget(struct courier *c)
{
	while (!list_is_empty(&c->stats_asked))
		forget(LIST_ITEM(
		    c->stats_asked.next, struct minutes_question, link));
	ev_idle_stop(c->loop, &c->stats_more);
}

void
minutes_rest(struct courier *c)
{
	stats_db_close(c->stats);
	stats_db_close(c->stats_read);
	c->stats = c->stats_read = NULL;
}
