/* SPDX-License-Identifier: MIT */
/*
 * session_record.c: a resumable session as a message.  Numbers of the log mean
 * the same on all hosts; so do the hashes of channels.  Must never trust what
 * another host has written.
 */

#include "broker/cluster/session_record.h"

#include <string.h>

#include "broker/log/replay.h"

/* The channels, and up to where the client has each of them. */
static struct buf *
list_channels(const struct resume_session *s, uint64_t acked)
{
	struct buf *b = buf_new(s->channels.n * 2 * sizeof(uint64_t) + 1);
	const struct resume_channel *c;
	uint32_t i = 0;

	while ((c = resume_channels_next(&s->channels, &i)) != NULL) {
		uint64_t row[2] = { c->hash, resume_channel_has(c, acked) };

		buf_append(&b, str_make((const char *)row, sizeof(row)));
	}
	return b;
}

void
session_record_get(struct session_record *rec, const struct resumes *all,
    const struct resume_session *s)
{
	const struct session_row *row = resumes_row(all, s);
	struct session_id id = session_row_id(all->table, row);
	uint64_t acked = __atomic_load_n(&row->acked, __ATOMIC_ACQUIRE);
	uint64_t rest = resume_channels_rest(&s->channels);

	session_row_sids(all->table, row, rec->sids);
	rec->channels = list_channels(s, acked);
	rec->m = (struct msg_host_session){ .app = row->app,
		.epoch = row->epoch,
		.acked = acked,
		.left = session_row_left(all->table, row),
		.lost = s->over ? RESUME_TOO_MANY : s->lost,
		.has_rest = s->channels.has_rest || s->over,
		.rest = s->over                ? 0
		    : s->recalled && rest != 0 ? acked
					       : rest,
		.id = session_id_text(&id, rec->id),
		.sids = str_make((const char *)rec->sids, sizeof(rec->sids)),
		.channels = buf_str(rec->channels) };
}

void
session_record_shorten(struct session_record *rec)
{
	rec->m.channels = S("");
	rec->m.lost = RESUME_TOO_MANY;
	rec->m.has_rest = true;
	rec->m.rest = 0;
}

static bool
is_sound(const struct msg_host_session *m)
{
	return session_id_is_valid(m->id) && m->lost <= RESUME_UNCONFIRMED &&
	    m->sids.n == SESSION_SIDS * sizeof(uint64_t) &&
	    m->channels.n % (2 * sizeof(uint64_t)) == 0 &&
	    m->channels.n / (2 * sizeof(uint64_t)) <= RESUME_CHANNELS_MAX;
}

static void
take_channels(struct resume_session *s, const struct msg_host_session *m)
{
	uint64_t row[2];

	for (size_t at = 0; at < m->channels.n; at += sizeof(row)) {
		memcpy(row, m->channels.p + at, sizeof(row));
		resume_channel_set(
		    resume_channel_get(&s->channels, row[0]), row[1], row[1]);
	}
	if (m->has_rest)
		resume_channels_add_rest(&s->channels, m->rest);
}

bool
session_record_take(struct replay *x, const struct msg_host_session *m,
    uint32_t app, uint32_t peer)
{
	struct resumes *all = &x->sessions;
	struct resume_hello h = { .app = app, .peer = peer, .id = m->id };
	struct resume_session *s;
	struct session_row *row;
	uint64_t sids[SESSION_SIDS];

	if (!is_sound(m) || app_logs_find(&x->logs, app) == NULL ||
	    all->table == NULL || resumes_find(all, app, m->id) != NULL ||
	    (s = resumes_bring(all, &h)) == NULL)
		return false;
	row = resumes_row(all, s);
	memcpy(sids, m->sids.p, sizeof(sids));
	row->sid = sids[0];
	if (sids[1] != 0)
		memcpy(session_row_more(all->table, row)->sids, &sids[1],
		    sizeof(sids) - sizeof(sids[0]));
	if (m->left != 0)
		session_row_more(all->table, row)->left = m->left;
	take_channels(s, m);
	resumes_book(all, s);
	row->epoch = m->epoch;
	row->acked = m->acked;
	row->channels = s->channels.n;
	row->uncounted = s->channels.has_rest;
	s->lost = (uint8_t)m->lost;
	return true;
}
