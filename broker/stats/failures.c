/* SPDX-License-Identifier: MIT */
/*
 * failures.c: the latest failures.  A name that fails again in the same way
 * only raises a count.  A full ring drops the oldest entry of the kind that has
 * most, so that a flood of one kind pushes out only itself.  Owns struct
 * failures.  Must never cost more than two comparisons for an event beyond
 * UNHEARD_PER_SECOND, and never trust a text of a worker.
 */

#include "broker/stats/failures.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"
#include "shared/net/ws_frame.h"

#define UNHEARD_PER_SECOND 8
#define REFUSED_PER_SECOND 8
#define LATE_MS 60000 /* seconds; later, nobody was waiting for the event */

void
failures_init(struct broker *br)
{
	br->failures->since_ms = clock_ms(CLOCK_REALTIME);
}

static void
sample_free(struct failure_sample *s)
{
	if (s == NULL)
		return;
	free(s->name);
	free(s->proof);
	free(s->data);
	free(s);
}

void
failures_free(struct failures *f)
{
	if (f == NULL)
		return;
	for (unsigned kind = 0; kind < FAILURE_KINDS; kind++)
		for (unsigned i = 0; i < FAILURE_REASONS; i++)
			sample_free(f->reasons[kind][i].sample);
	free(f->v);
	free(f);
}

void
failures_clear(struct broker *br)
{
	failures_free(br->failures->none);
}

void
failures_tick(struct broker *br)
{
	memset(br->failures->unheard, 0, sizeof(br->failures->unheard));
	memset(br->failures->refused, 0, sizeof(br->failures->refused));
}

/* ---- reasons ---- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Skips a number, "a name" (its end may be cut off), or one character. */
static struct str
skip_part(struct str s)
{
	size_t n = 1;

	if (is_digit(*s.p))
		while (n < s.n && is_digit(s.p[n]))
			n++;
	else if (*s.p == '"')
		while (n < s.n && s.p[n++] != '"')
			;
	return str_from(s, n);
}

/* The same sentence, perhaps with other numbers and names. */
static bool
is_same(const char *text, struct str b)
{
	struct str a = str_of(text);

	while (a.n > 0 && b.n > 0) {
		if (*a.p != *b.p && !(is_digit(*a.p) && is_digit(*b.p)))
			return false;
		a = skip_part(a);
		b = skip_part(b);
	}
	return a.n == b.n;
}

/* Entries with this reason lose it. */
static void
drop_entries(struct failures *f, unsigned kind, unsigned reason)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].kind != kind || f->v[i].reason != reason)
			f->v[n++] = f->v[i];
	f->n = n;
}

/* Finds the reason, or replaces the oldest one. */
static uint8_t
put_reason(struct failures *f, unsigned kind, struct str text, uint64_t now)
{
	struct failure_reason *v = f->reasons[kind];
	uint8_t at = 0;

	text = utf8_cut(text, FAILURE_REASON - 1);
	for (uint8_t i = 0; i < FAILURE_REASONS; i++) {
		if (v[i].count > 0 && is_same(v[i].text, text)) {
			at = i;
			break;
		}
		if (v[i].time_ms < v[at].time_ms)
			at = i;
	}
	if (v[at].count == 0 || !is_same(v[at].text, text)) {
		drop_entries(f, kind, at);
		sample_free(v[at].sample);
		v[at] = (struct failure_reason){ 0 };
	}
	memcpy(v[at].text, text.p, text.n); /* with the numbers of now */
	v[at].text[text.n] = '\0';
	v[at].time_ms = now;
	v[at].count++;
	return at;
}

/* ---- entries ---- */

/* The oldest of the kind that has most. */
static struct failure *
find_victim(struct failures *f)
{
	uint32_t n[FAILURE_KINDS] = { 0 };
	struct failure *found = &f->v[0];
	unsigned most = 0;

	for (uint32_t i = 0; i < f->n; i++)
		n[f->v[i].kind]++;
	for (unsigned kind = 1; kind < FAILURE_KINDS; kind++)
		if (n[kind] > n[most])
			most = kind;
	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].kind == most &&
		    (found->kind != most || f->v[i].time_ms < found->time_ms))
			found = &f->v[i];
	return found;
}

static struct failure *
find(struct failures *f, unsigned kind, unsigned reason, struct str name)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->v[i].kind == kind && f->v[i].reason == reason &&
		    str_eq(failure_name(&f->v[i]), name))
			return &f->v[i];
	return NULL;
}

static struct failure *
put(struct failures *f, unsigned kind, unsigned reason, struct str name)
{
	struct failure *e;

	name = utf8_cut(name, FAILURE_NAME);
	e = find(f, kind, reason, name);
	if (e == NULL) {
		if (f->n == FAILURES_MAX) {
			e = find_victim(f);
		} else {
			if (f->n == f->cap) {
				f->cap = f->cap == 0 ? 8 : f->cap * 2;
				f->v =
				    xreallocarray(f->v, f->cap, sizeof(*f->v));
			}
			e = &f->v[f->n++];
		}
		*e = (struct failure){ .kind = (uint8_t)kind,
			.reason = (uint8_t)reason,
			.len = (uint8_t)name.n };
		memcpy(e->name, name.p, name.n);
	}
	e->time_ms = clock_ms(CLOCK_REALTIME);
	e->count += e->count < UINT32_MAX;
	return e;
}

static struct failures *
get(struct failures **f)
{
	if (*f == NULL)
		*f = xcalloc(1, sizeof(**f));
	return *f;
}

/* ---- what workers report ---- */

static void
put_sample(const struct broker_app *a, struct failure_reason *r,
    const struct msg_failure *m)
{
	struct failure_sample *s = xcalloc(1, sizeof(*s));

	sample_free(r->sample);
	r->sample = s;
	s->sid = m->sid;
	s->name = str_dup(m->name);
	s->proof = str_dup(m->proof);
	s->data = str_dup(m->data);
	s->ndata = m->data.n;
	if (a->sids != NULL)
		memcpy(s->sids, a->sids, sizeof(s->sids));
}

int
failures_on_failure(struct peer *p, const struct msg_failure *m)
{
	struct broker *br = p->br;
	struct broker_app *a = apps_find(br, m->app);
	struct failures *f;
	uint8_t reason;

	if (m->kind >= FAILURE_UNHEARD)
		return -1;
	if (!utf8_is_valid(m->name) || !utf8_is_valid(m->why))
		return 0;
	if (m->app != 0 && a == NULL)
		return 0; /* it is gone by now */
	if (m->kind == FAILURE_KEY)
		a = apps_find_ended(br, m->name);
	f = get(a == NULL ? &br->failures->none : &a->failures);
	reason = put_reason(f, m->kind, m->why, clock_ms(CLOCK_REALTIME));
	put(f, m->kind, reason, m->name);
	if (m->kind == FAILURE_API)
		f->reasons[m->kind][reason].status = (uint32_t)m->sid;
	if (a != NULL && m->proof.n > 0)
		put_sample(a, &f->reasons[m->kind][reason], m);
	return 0;
}

/* ---- what the broker sees ---- */

static uint64_t
bit_of(struct str name)
{
	return UINT64_C(1) << (hash_str(utf8_cut(name, FAILURE_NAME), 0) & 63);
}

void
failures_unheard(struct broker *br, uint32_t app, struct str channel)
{
	uint8_t *used = &br->failures->unheard[app & 255];
	struct broker_app *a;

	if (*used >= UNHEARD_PER_SECOND)
		return;
	(*used)++;
	a = apps_find(br, app);
	if (a == NULL)
		return;
	put(get(&a->failures), FAILURE_UNHEARD, 0, channel);
	a->failures->unheard |= bit_of(channel);
}

void
failures_refused(
    struct broker *br, uint32_t app, struct str channel, struct str why)
{
	uint8_t *used = &br->failures->refused[app & 255];
	struct broker_app *a;
	struct failures *f;

	if (*used >= REFUSED_PER_SECOND || (a = apps_find(br, app)) == NULL)
		return;
	(*used)++;
	f = get(&a->failures);
	put(f, FAILURE_CHANNEL,
	    put_reason(f, FAILURE_CHANNEL, why, clock_ms(CLOCK_REALTIME)),
	    channel);
}

void
failures_occupied(struct broker *br, const struct channel *c)
{
	struct str name = registry_name(br->registry, c);
	struct broker_app *a = apps_find(br, c->app->num);
	struct failure *e;
	uint64_t now;

	if (a == NULL || a->failures == NULL ||
	    !(a->failures->unheard & bit_of(name)))
		return;
	name = utf8_cut(name, FAILURE_NAME);
	e = find(a->failures, FAILURE_UNHEARD, 0, name);
	now = clock_ms(CLOCK_REALTIME);
	if (e == NULL || e->time_ms > now || now - e->time_ms > LATE_MS)
		return;
	now -= e->time_ms;
	put(a->failures, FAILURE_LATE, 0, name)->after_ms = (uint32_t)now;
}
