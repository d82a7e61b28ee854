/* SPDX-License-Identifier: MIT */
/*
 * stream_entry.c: the fields of an entry of the stream.  Anyone who reaches
 * Redis may have written it.
 */

#include "broker/cluster/stream_entry.h"

#include <stdlib.h>

#include "broker/cluster/join.h"

#define STAMP_SHIFT 20 /* stamps in one millisecond */

uint64_t
stream_stamp(const struct stream_entry *s)
{
	return strtoull(s->place.id, NULL, 10) << STAMP_SHIFT;
}

void
stream_entry_again(const char *text, struct newest *seen)
{
	uint64_t origin, seq;
	char *end;

	for (;; text = end) {
		origin = strtoull(text, &end, 16);
		seq = strtoull(end, &end, 10);
		if (origin == 0 || seq == 0)
			return;
		newest_raise(seen, origin, seq);
	}
}

/* An entry in the answer to XREAD: [id, [field, value, ...]]. */
bool
stream_entry_get(struct stream_entry *s, const redisReply *r)
{
	const redisReply *f;

	*s = (struct stream_entry){ .place = place_make(reply_text(r, 0), "0"),
		.host = S(""),
		.data = S(""),
		.again = "" };
	if (r->element[1]->type != REDIS_REPLY_ARRAY)
		return false;
	f = r->element[1];
	for (size_t i = 0; i + 1 < f->elements; i += 2) {
		const redisReply *v = f->element[i + 1];
		struct str value;

		if (v->type != REDIS_REPLY_STRING)
			return false;
		value = str_make(v->str, v->len);
		switch (*reply_text(f, i)) {
		case 'n':
			s->place.n = strtoull(v->str, NULL, 10);
			break;
		case 'h':
			s->host = value;
			break;
		case 'e':
			s->epoch = strtoull(v->str, NULL, 16);
			break;
		case 'd':
			s->data = value;
			break;
		case 'a':
			s->again = v->str;
			break;
		}
	}
	return s->place.n != 0 && s->host.n != 0;
}
