/* SPDX-License-Identifier: MIT */
/*
 * past.c: the body of GET /apps/{id}/channels/{name}/events.  The records are
 * found from the newest back, and written from the oldest on.
 */

#include "broker/log/past.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/net/ws_frame.h"

#define ID_SEARCH_MAX 1000 /* events published meanwhile */
#define EVENT_BYTES 256    /* of an event's id and time, and of the end */

int
past_read(struct past *p, struct str text)
{
	uint64_t v[4];

	for (size_t i = 0; i < 4; i++)
		if (text.p == NULL ||
		    str_to_u64(str_cut(&text, ' '), UINT64_MAX, &v[i]) == -1)
			return -1;
	if (text.p == NULL || text.n == 0 || v[0] > UINT32_MAX)
		return -1;
	*p = (struct past){ .limit = (uint32_t)v[0],
		.since_ms = v[1],
		.epoch = v[2],
		.after = v[3],
		.channel = text };
	return 0;
}

/*
 * Names the log in the ids of its events.  The epoch itself is the key of the
 * channels' hashes: an app that knew it could choose channels that all have the
 * same place in a table, and are found slowly.
 */
static uint64_t
log_name(const struct app_log *l)
{
	return hash_sip13(ring_epoch(l->ring), 1, 0, S("")) | 1;
}

static void
put_id(struct json_writer *w, const char *key, uint64_t epoch, uint64_t pos)
{
	char id[48];

	snprintf(id, sizeof(id), "%016llx-%llu", (unsigned long long)epoch,
	    (unsigned long long)pos);
	json_member_str(w, key, str_of(id));
}

uint64_t
past_pos(
    const struct app_log *l, struct str channel, uint64_t origin, uint64_t seq)
{
	struct ring_record r;
	unsigned left = ID_SEARCH_MAX;

	for (bool found = app_log_newest(l, channel, &r); found && left > 0;
	     found = app_log_before(l, channel, &r), left--)
		if (r.origin == origin && r.seq == seq)
			return r.pos;
	return 0;
}

void
past_put_id(const struct app_log *l, uint64_t pos, struct json_writer *w)
{
	if (pos != 0)
		put_id(w, "event_id", log_name(l), pos);
}

/* Name, data and user id are taken from the frame of the event. */
static void
put_event(struct json_writer *w, uint64_t epoch, const struct ring_record *r)
{
	static const struct str keys[] = { { "event", 5 }, { "data", 4 },
		{ "user_id", 7 } };
	static const char *const names[] = { "name", "data", "user_id" };
	struct ws_head head;
	ssize_t n = ws_head_read(&head, r->frame);
	struct json root, v[3];
	const char *err;

	json_object_open(w);
	put_id(w, "id", epoch, r->pos);
	if (n > 0 &&
	    json_parse(str_from(r->frame, (size_t)n), &root, &err) == 0) {
		json_get_many(root, keys, v, 3);
		for (size_t i = 0; i < 3; i++) {
			if (v[i].kind == JSON_NONE)
				continue;
			json_member_raw(w, names[i], v[i].raw);
		}
	}
	json_member_u64(w, "time_ms", r->time_us / 1000);
	json_object_close(w);
}

void
past_begin(struct past *p, const struct app_log *l)
{
	p->offs = xreallocarray(NULL, p->limit, sizeof(*p->offs));
	p->log_epoch = log_name(l);
	p->log_bytes = ring_bytes(l->ring);
	p->last = ring_last(l->ring);
	p->more = app_log_newest(l, p->channel, &p->at);
}

/* Offsets mean something in the same log only. */
static bool
is_of(const struct past *p, const struct app_log *l)
{
	return l != NULL && log_name(l) == p->log_epoch &&
	    ring_bytes(l->ring) == p->log_bytes;
}

bool
past_go_on(struct past *p, const struct app_log *l, unsigned n)
{
	const struct ring_record *r = &p->at;

	if (!is_of(p, l))
		return true;

	for (; p->more && n > 0; n--) {
		/* Of another log: everything that is there. */
		p->bounded = (p->epoch == p->log_epoch && r->pos <= p->after) ||
		    r->time_us / 1000 < p->since_ms;
		if (p->bounded)
			return true;
		p->offs[p->seen++ % p->limit] = r->off;
		p->before = r->prev_pos;
		p->more = app_log_before(l, p->channel, &p->at);
	}
	return !p->more;
}

/* Have all requested events been found? */
static bool
reaches_back(const struct past *p, const struct app_log *l)
{
	uint64_t at = 0, oldest = ring_oldest(l->ring);
	struct ring_record r;

	if (p->epoch != 0 && p->epoch != p->log_epoch)
		return false;
	if (p->bounded || oldest == ring_first())
		return true;
	if (p->epoch != 0) /* the one before is known, or would be there */
		return p->after + 1 >= oldest ||
		    (p->before != 0 && p->before <= p->after);
	return p->since_ms != 0 && ring_next(l->ring, &at, &r) &&
	    r.time_us / 1000 <= p->since_ms;
}

void
past_write(
    struct past *p, const struct app_log *l, size_t max, struct json_writer *w)
{
	bool there = is_of(p, l), complete = there && reaches_back(p, l);
	size_t n = !there ? 0 : p->seen < p->limit ? p->seen : p->limit;
	bool more = n < p->seen; /* events follow that are not in it */
	uint64_t last = 0;
	struct ring_record r;

	json_object_open(w);
	json_key(w, "events");
	json_array_open(w);
	for (size_t i = 0; i < n; i++) {
		if (!ring_read(
			l->ring, p->offs[(p->seen - 1 - i) % p->limit], &r)) {
			complete = false; /* it has left the log meanwhile */
			continue;
		}
		if (last != 0 && w->b->len + r.frame.n + EVENT_BYTES > max) {
			more = true;
			break;
		}
		put_event(w, p->log_epoch, &r);
		last = r.pos;
	}
	if (more && last != 0)
		p->last = last;
	json_array_close(w);
	json_member_bool(w, "complete", complete);
	if (p->log_epoch != 0)
		put_id(w, "last", p->log_epoch, p->last);
	json_object_close(w);
}

void
past_end(struct past *p)
{
	free(p->offs);
	p->offs = NULL;
}
