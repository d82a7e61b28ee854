/* SPDX-License-Identifier: MIT */
/*
 * resume_channels.c: the channels of one resumable session.  Owns them.  Most
 * sessions have one, which needs no memory of its own; others have a table with
 * linear probing, since a client may come back with thousands of channels and
 * enters them one by one, so each must be found without a search.
 */

#include "broker/log/resume_channels.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define MIN_BITS 2

static uint32_t
cap(const struct resume_channels *s)
{
	return s->bits == 0 ? 0 : UINT32_C(1) << s->bits;
}

/* A session is not changed by looking for a channel that is changed then. */
static struct resume_channel *
slots(const struct resume_channels *s)
{
	return s->bits > 0 ? s->many.table
			   : (struct resume_channel *)(uintptr_t)&s->one;
}

static uint32_t
mask(const struct resume_channels *s)
{
	return MAX(cap(s), 1) - 1;
}

/* Its place, or the free one where it belongs; there is a free one. */
static struct resume_channel *
place(const struct resume_channels *s, uint64_t hash)
{
	struct resume_channel *v = slots(s);
	uint32_t i = (uint32_t)hash & mask(s);

	while (v[i].hash != 0 && v[i].hash != hash && s->bits > 0)
		i = (i + 1) & mask(s);
	return &v[i];
}

/* 0 marks a free place. */
static uint64_t
key(uint64_t hash)
{
	return hash + (hash == 0);
}

struct resume_channel *
resume_channel_find(const struct resume_channels *s, uint64_t hash)
{
	struct resume_channel *c = place(s, key(hash));

	return c->hash == key(hash) ? c : NULL;
}

static void
grow(struct resume_channels *s)
{
	struct resume_channels old = *s;
	const struct resume_channel *v = slots(&old);

	s->bits = MAX(old.bits + 1u, MIN_BITS) & 15;
	s->many.table = xcalloc(cap(s), sizeof(s->many.table[0]));
	s->many.rest = resume_channels_rest(&old);
	for (uint32_t i = 0; i <= mask(&old); i++)
		if (v[i].hash != 0)
			*place(s, v[i].hash) = v[i];
	if (old.bits > 0)
		free(old.many.table);
}

struct resume_channel *
resume_channel_get(struct resume_channels *s, uint64_t hash)
{
	struct resume_channel *c = resume_channel_find(s, hash);

	if (c != NULL)
		return c;
	if (s->bits > 0 ? s->n >= cap(s) / 4 * 3 : s->n == 1 || s->has_rest)
		grow(s);
	c = place(s, key(hash));
	*c = (struct resume_channel){ .hash = key(hash) };
	s->n++;
	return c;
}

void
resume_channel_remove(struct resume_channels *s, struct resume_channel *c)
{
	struct resume_channel *v = slots(s), moved;
	uint32_t i = (uint32_t)(c - v);

	c->hash = 0;
	s->n--;
	/* Those behind it may have stood there only because of it. */
	for (i = (i + 1) & mask(s); s->bits > 0 && v[i].hash != 0;
	     i = (i + 1) & mask(s)) {
		moved = v[i];
		v[i].hash = 0;
		*place(s, moved.hash) = moved;
	}
}

struct resume_channel *
resume_channels_next(const struct resume_channels *s, uint32_t *i)
{
	struct resume_channel *v = slots(s);

	while (*i <= mask(s))
		if (v[(*i)++].hash != 0)
			return &v[*i - 1];
	return NULL;
}

void
resume_channels_lose(struct resume_channels *s)
{
	struct resume_channel *c;
	uint32_t i = 0;

	if (s->has_rest)
		s->many.rest = 0;
	while ((c = resume_channels_next(s, &i)) != NULL)
		resume_channel_set(c, 0, 0);
}

void
resume_channels_add_rest(struct resume_channels *s, uint64_t pos)
{
	if (s->bits == 0 && s->n > 0)
		grow(s);
	s->has_rest = true;
	s->many.rest = pos;
}

uint64_t
resume_channels_rest(const struct resume_channels *s)
{
	return s->has_rest ? s->many.rest : 0;
}

void
resume_channel_set(struct resume_channel *c, uint64_t from, uint64_t at)
{
	c->at = at & RESUME_POS_MAX;
	c->back = from == 0 || at - from > RESUME_NOTHING
	    ? RESUME_NOTHING
	    : (uint32_t)(at - from);
}

uint64_t
resume_channel_from(const struct resume_channel *c)
{
	return c->back == RESUME_NOTHING ? 0 : c->at - c->back;
}

uint64_t
resume_channel_has(const struct resume_channel *c, uint64_t acked)
{
	return c->now && acked >= c->at ? acked : resume_channel_from(c);
}

bool
resume_channels_settle(struct resume_channels *s, uint64_t acked)
{
	struct resume_channel *c;
	bool any = false;
	uint32_t i = 0;

	while ((c = resume_channels_next(s, &i)) != NULL) {
		if (c->now) {
			uint64_t has = resume_channel_has(c, acked);

			resume_channel_set(c, has, has);
			c->now = false;
		}
		any = any || resume_channel_from(c) != 0;
	}
	return any;
}

void
resume_channels_drop_unused(struct resume_channels *s)
{
	struct resume_channels left = { 0 };
	struct resume_channel *c;
	uint32_t i = 0;

	while ((c = resume_channels_next(s, &i)) != NULL)
		if (c->now)
			*resume_channel_get(&left, c->hash) = *c;
	resume_channels_clear(s);
	*s = left;
}

void
resume_channels_clear(struct resume_channels *s)
{
	if (s->bits > 0)
		free(s->many.table);
	*s = (struct resume_channels){ 0 };
}
