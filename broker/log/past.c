/* SPDX-License-Identifier: MIT */
/*
 * past.c: the body of GET /apps/{id}/channels/{name}/events.  The records are
 * found from the newest back, and written from the oldest on.
 */

#include "broker/log/past.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"
#include "shared/net/ws_frame.h"

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

static void
put_id(struct json_writer *w, const char *key, uint64_t epoch, uint64_t pos)
{
	char id[48];

	snprintf(id, sizeof(id), "%016llx-%llu", (unsigned long long)epoch,
	    (unsigned long long)pos);
	json_key(w, key);
	json_put_str(w, str_of(id));
}

/* Name, data and user id come from the frame of the event. */
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
			json_key(w, names[i]);
			json_put_raw(w, v[i].raw);
		}
	}
	json_key(w, "time_ms");
	json_put_u64(w, r->time_us / 1000);
	json_object_close(w);
}

/* Is everything after this there? */
static bool
reaches_back(const struct past *p, const struct app_log *l,
    const struct ring_record *oldest)
{
	uint64_t epoch = ring_epoch(l->ring);

	if (oldest != NULL && oldest->prev_pos != 0 &&
	    (p->epoch == epoch ? oldest->prev_pos <= p->after
			       : p->epoch == 0 && p->since_ms != 0))
		return true; /* the one before is known, and not asked for */
	if (p->epoch != 0)
		return p->epoch == epoch &&
		    p->after + 1 >= ring_oldest(l->ring);
	return ring_oldest(l->ring) == ring_first();
}

void
past_write(const struct past *p, const struct app_log *l, struct json_writer *w)
{
	uint64_t epoch = ring_epoch(l->ring), last = ring_last(l->ring);
	uint64_t *offs = xreallocarray(NULL, p->limit, sizeof(*offs));
	struct ring_record r, oldest;
	size_t n = 0, seen = 0;
	bool complete;

	for (bool found = app_log_newest(l, p->channel, &r); found;
	     found = app_log_before(l, p->channel, &r)) {
		if ((p->epoch == epoch && r.pos <= p->after) ||
		    r.time_us / 1000 < p->since_ms)
			break;
		offs[seen++ % p->limit] = r.off;
		oldest = r;
	}
	complete = reaches_back(p, l, seen == 0 ? NULL : &oldest);
	n = seen < p->limit ? seen : p->limit;
	json_object_open(w);
	json_key(w, "events");
	json_array_open(w);
	for (size_t i = 0; i < n; i++) {
		if (!ring_read(l->ring, offs[(seen - 1 - i) % p->limit], &r))
			continue;
		put_event(w, epoch, &r);
		if (n < seen)
			last = r.pos; /* there are more */
	}
	json_array_close(w);
	json_key(w, "complete");
	json_put_bool(w, complete);
	put_id(w, "last", epoch, last);
	json_object_close(w);
	free(offs);
}
