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

#define MIN_CAP 4

/* A session is not changed by looking for a channel that is changed then. */
static struct resume_channel *
slots(const struct resume_channels *s)
{
	return s->cap > 0 ? s->table
			  : (struct resume_channel *)(uintptr_t)&s->one;
}

static uint32_t
mask(const struct resume_channels *s)
{
	return MAX(s->cap, 1) - 1;
}

/* Its place, or the free one where it belongs; there is a free one. */
static struct resume_channel *
place(const struct resume_channels *s, uint64_t hash)
{
	struct resume_channel *v = slots(s);
	uint32_t i = (uint32_t)hash & mask(s);

	while (v[i].hash != 0 && v[i].hash != hash && s->cap > 0)
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

	s->cap = MAX(old.cap * 2, MIN_CAP);
	s->table = xcalloc(s->cap, sizeof(s->table[0]));
	for (uint32_t i = 0; i <= mask(&old); i++)
		if (v[i].hash != 0)
			*place(s, v[i].hash) = v[i];
	if (old.cap > 0)
		free(old.table);
}

struct resume_channel *
resume_channel_get(struct resume_channels *s, uint64_t hash)
{
	struct resume_channel *c = resume_channel_find(s, hash);

	if (c != NULL)
		return c;
	if (s->cap > 0 ? s->n >= s->cap / 4 * 3 : s->n == 1)
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
	for (i = (i + 1) & mask(s); s->cap > 0 && v[i].hash != 0;
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

	while ((c = resume_channels_next(s, &i)) != NULL)
		c->from = c->at = 0;
}

uint64_t
resume_channel_has(const struct resume_channel *c, uint64_t acked)
{
	return c->now && acked >= c->at ? acked : c->from;
}

bool
resume_channels_settle(struct resume_channels *s, uint64_t acked)
{
	struct resume_channel *c;
	bool any = false;
	uint32_t i = 0;

	while ((c = resume_channels_next(s, &i)) != NULL) {
		if (c->now) {
			c->from = resume_channel_has(c, acked);
			c->at = c->from & RESUME_POS_MAX;
			c->now = false;
		}
		any = any || c->from != 0;
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
	if (s->cap > 0)
		free(s->table);
	*s = (struct resume_channels){ 0 };
}
