/* SPDX-License-Identifier: MIT */
/*
 * doctor_names.c: events for an empty channel while clients wait in one with
 * nearly the same name; and events that came before their subscriber.  Must
 * never examine more than WALK_MAX channels, and NAMES names.
 */

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/control/doctor.h"
#include "broker/core/core.h"
#include "broker/stats/failures.h"
#include "shared/base/base.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"
#include "shared/pusher/channel_name.h"

#define NAMES 16
#define WALK_MAX 5000
#define AT_ONCE 100 /* in one turn: a comparison takes up to 3 us */
#define FAR 3

/* ---- how near two names are ---- */

struct plain {
	char p[CHANNEL_NAME_MAX + 1];
	size_t n;
	size_t redis; /* bytes of p that redis_prefix() and others take; or 0 */
};

/*
 * Laravel's REDIS_PREFIX at the beginning, which has the name of the
 * application: laravel_database_, in newer versions laravel-database-.
 */
static struct str
redis_prefix(struct str s)
{
	static const struct str ends[] = { { "_database_", 10 },
		{ "-database-", 10 } };
	const char *at;

	for (size_t i = 0; i < nitems(ends); i++) {
		at = memmem(s.p, s.n, ends[i].p, ends[i].n);
		if (at != NULL && at + ends[i].n < s.p + s.n)
			return str_make(s.p, (size_t)(at - s.p) + ends[i].n);
	}
	return str_make(NULL, 0);
}

/* Without the prefixes that say of which kind a channel is. */
static struct str
without_kind(struct str s)
{
	static const struct str kinds[] = { { "private-", 8 },
		{ "presence-", 9 }, { "encrypted-", 10 }, { "cache-", 6 } };
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < nitems(kinds); i++)
			if (s.n > kinds[i].n &&
			    str_eq_nocase(
				str_make(s.p, kinds[i].n), kinds[i])) {
				s = str_from(s, kinds[i].n);
				again = true;
			}
	}
	return s;
}

/* Removes prefixes and case, and unifies separators. */
static void
make_plain(struct plain *out, struct str s)
{
	struct str redis;

	s = without_kind(s);
	s.n = MIN(s.n, CHANNEL_NAME_MAX);
	redis = redis_prefix(s);
	out->redis =
	    redis.n == 0 ? 0 : s.n - without_kind(str_from(s, redis.n)).n;
	out->n = s.n;
	for (size_t i = 0; i < out->n; i++) {
		char c = s.p[i];

		out->p[i] = c >= 'A' && c <= 'Z'  ? (char)(c - 'A' + 'a')
		    : strchr("._;,=@", c) != NULL ? '-'
						  : c;
	}
}

/* Insertions, deletions, changes and swaps. */
unsigned
doctor_edit(struct str a, struct str b, unsigned left)
{
	unsigned best, d;

	while (a.n > 0 && b.n > 0 && a.p[0] == b.p[0]) {
		a = str_from(a, 1);
		b = str_from(b, 1);
	}
	if (a.n == 0 || b.n == 0)
		return (unsigned)MIN(MAX(a.n, b.n), left + 1);
	if (left == 0)
		return 1;
	best = 1 + doctor_edit(str_from(a, 1), str_from(b, 1), left - 1);
	d = 1 + doctor_edit(str_from(a, 1), b, left - 1);
	best = MIN(best, d);
	d = 1 + doctor_edit(a, str_from(b, 1), left - 1);
	best = MIN(best, d);
	if (a.n > 1 && b.n > 1 && a.p[0] == b.p[1] && a.p[1] == b.p[0]) {
		d = 1 + doctor_edit(str_from(a, 2), str_from(b, 2), left - 1);
		best = MIN(best, d);
	}
	return best;
}

static size_t
skip_digits(struct str s, size_t i)
{
	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	return i;
}

/* orders.7 and orders.12 are two channels; neither is a mistake. */
static bool
differ_in_numbers(struct str a, struct str b)
{
	size_t i = 0, j = 0;

	while (i < a.n && j < b.n) {
		size_t i2 = skip_digits(a, i), j2 = skip_digits(b, j);

		if ((i2 > i) != (j2 > j))
			return false;
		if (i2 == i && a.p[i2++] != b.p[j2++])
			return false;
		i = i2;
		j = j2;
	}
	return i == a.n && j == b.n;
}

static unsigned
distance(const struct plain *x, const struct plain *y)
{
	struct str s = str_make(x->p, x->n), t = str_make(y->p, y->n);
	unsigned d;

	/* Two names with such a prefix are of two applications. */
	if (str_eq(s, t) ||
	    (y->redis == 0 && str_eq(str_from(s, x->redis), t)) ||
	    (x->redis == 0 && str_eq(s, str_from(t, y->redis))))
		return 0;
	if (differ_in_numbers(s, t) || s.n < 4 || t.n < 4)
		return FAR;
	d = doctor_edit(s, t, s.n < 8 ? 1 : 2);
	return s.n < 8 && d > 1 ? FAR : MIN(d, FAR);
}

unsigned
doctor_distance(struct str a, struct str b)
{
	struct plain x, y;

	make_plain(&x, a);
	make_plain(&y, b);
	return distance(&x, &y);
}

/* ---- published past the subscribers ---- */

/* A name where nobody is, and the occupied channel with the nearest one. */
struct search {
	char name[CHANNEL_NAME_MAX + 1];
	struct failure e; /* the events; count 0: none were seen */
	struct plain plain;
	unsigned distance; /* of the nearest; FAR: none is near */
	char near[CHANNEL_NAME_MAX];
	size_t near_len; /* 0: none was found */
};

/* One walk for all names. */
struct doctor_search {
	struct registry *r;
	struct registry_cursor at;
	int looked;
	bool asked; /* the name is the one that was asked for */
	int n;
	struct search v[NAMES];
};

/* e: may be NULL. */
static void
search_begin(struct search *s, struct str name, const struct failure *e)
{
	name.n = MIN(name.n, CHANNEL_NAME_MAX);
	memcpy(s->name, name.p, name.n);
	s->distance = FAR;
	if (e != NULL)
		s->e = *e;
	make_plain(&s->plain, name);
}

static void
compare(struct search *s, struct str other, const struct plain *plain)
{
	unsigned n;

	if (s->distance == 0 || str_eq(other, str_of(s->name)))
		return;
	n = distance(&s->plain, plain);
	if (n >= s->distance)
		return;
	s->distance = n;
	s->near_len = MIN(other.n, CHANNEL_NAME_MAX);
	memcpy(s->near, other.p, s->near_len);
}

bool
doctor_names_go_on(struct doctor_search *s)
{
	struct channel *c;
	struct plain plain;

	for (int i = 0; i < AT_ONCE; i++) {
		if (s->looked++ == WALK_MAX ||
		    (c = registry_cursor_next(&s->at)) == NULL)
			return false;
		make_plain(&plain, registry_name(s->r, c));
		for (int k = 0; k < s->n; k++)
			compare(&s->v[k], registry_name(s->r, c), &plain);
	}
	return true;
}

/* One of the names has the prefix. */
static void
put_redis(struct buf **b, struct str from, struct str to)
{
	bool client = redis_prefix(from).n == 0;
	struct str prefix = redis_prefix(without_kind(client ? to : from));

	if (client)
		buf_printf(b, "Subscribe to %.*s", STR_ARG(from));
	else
		buf_printf(b,
		    "Publish to %.*s, with BROADCAST_CONNECTION=pusher or "
		    "reverb",
		    STR_ARG(to));
	buf_printf(b,
	    ": %.*s is the prefix of Laravel's Redis connection "
	    "(REDIS_PREFIX), which the drivers pusher and reverb do not use.",
	    STR_ARG(prefix));
}

static void
put_mend(struct buf **b, struct str from, struct str to)
{
	unsigned a = channel_flags(from), c = channel_flags(to);
	const char *cls = c & CHANNEL_PRESENCE ? "PresenceChannel"
	    : c & CHANNEL_ENCRYPTED            ? "EncryptedPrivateChannel"
	    : c & CHANNEL_PRIVATE              ? "PrivateChannel"
					       : "Channel";

	if ((redis_prefix(from).n == 0) != (redis_prefix(to).n == 0)) {
		put_redis(b, from, to);
		return;
	}
	buf_printf(b, "Publish to %.*s, or subscribe to %.*s.", STR_ARG(to),
	    STR_ARG(from));
	if (((a ^ c) &
		(CHANNEL_PRIVATE | CHANNEL_PRESENCE | CHANNEL_ENCRYPTED)) != 0)
		buf_printf(b,
		    "  In Laravel broadcastOn() decides: new %s(...); in Echo "
		    "it is private(), join() or channel().",
		    cls);
}

static void
put_published(struct doctor *d, struct buf **b, const struct failure *e)
{
	if (e->count == 0) {
		buf_append(
		    b, S("No event is known that came while it was empty."));
	} else {
		buf_append(b, S("Published "));
		doctor_put_often(d, b, e->count, e->time_ms);
		buf_putc(b, '.');
	}
}

/* Somebody asks for a channel that is empty, and no name is near. */
static void
empty_finding(struct doctor *d, const struct search *s)
{
	const char *app = d->a->app.id;
	struct doctor_finding *f = doctor_add(d, "empty", 40);

	put_published(d, &f->seen, &s->e);
	if (channel_flags(str_of(s->name)) & CHANNEL_USER) {
		buf_printf(&f->text, "No client is signed in as user %.*s.",
		    STR_ARG(channel_user_id(str_of(s->name))));
		buf_printf(&f->mend,
		    "Clients have to call pusher.signin(), and the user "
		    "endpoint has to give exactly this id.  The users who are "
		    "signed in: pusherctl users list %s",
		    app);
		return;
	}
	buf_printf(&f->text, "Nobody is subscribed to %s.", s->name);
	buf_printf(&f->mend,
	    "Clients have to subscribe to exactly this name.  The occupied "
	    "channels: pusherctl channels %s; the clients that left, and why: "
	    "pusherctl closes %s",
	    app, app);
}

static void
near_finding(
    struct doctor *d, const struct search *s, struct str near, unsigned clients)
{
	bool asked = s->e.count == 0;
	struct doctor_finding *f = doctor_add(d, "channel_name",
	    (d->channel.n > 0 ? 190u : 160u) - 10 * s->distance -
		(asked ? 20u : 0u));

	buf_printf(&f->text,
	    "%s %s, where nobody is subscribed, but %u client%s on %.*s.",
	    asked ? "You ask for" : "Events are published to", s->name, clients,
	    clients == 1 ? " is" : "s are", STR_ARG(near));
	put_published(d, &f->seen, &s->e);
	put_mend(&f->mend, str_of(s->name), near);
}

static const struct failure *
find_entry(const struct doctor *d, unsigned kind, struct str name)
{
	name = utf8_cut(name, FAILURE_NAME);
	for (uint32_t i = 0; d->f != NULL && i < d->f->n; i++)
		if (d->f->v[i].kind == kind &&
		    str_eq(failure_name(&d->f->v[i]), name))
			return &d->f->v[i];
	return NULL;
}

static unsigned
count_clients(const struct doctor *d, struct str name)
{
	const struct channel *c =
	    registry_find(d->br->registry, d->a->app.num, name);

	return c == NULL ? 0 : c->total;
}

/* The one before `than` in time. */
static const struct failure *
next_newest(const struct doctor *d, const struct failure *than)
{
	const struct failure *found = NULL;

	for (uint32_t i = 0; i < d->f->n; i++) {
		const struct failure *e = &d->f->v[i];

		if (e->kind != FAILURE_UNHEARD ||
		    (than != NULL &&
			(e->time_ms > than->time_ms ||
			    (e->time_ms == than->time_ms && e >= than))))
			continue;
		if (found == NULL || e->time_ms >= found->time_ms)
			found = e;
	}
	return found;
}

struct doctor_search *
doctor_names_begin(const struct doctor *d)
{
	struct doctor_search *s = xcalloc(1, sizeof(*s));
	const struct failure *e = NULL;
	struct str name = d->channel;

	s->asked = name.n > 0 && count_clients(d, name) == 0;
	if (s->asked)
		search_begin(
		    &s->v[s->n++], name, find_entry(d, FAILURE_UNHEARD, name));
	while (!s->asked && d->f != NULL && s->n < NAMES &&
	    (e = next_newest(d, e)) != NULL) {
		struct str to = failure_name(e);

		if (to.n >= FAILURE_NAME || count_clients(d, to) > 0)
			continue;
		/* Are the events meant for this channel? */
		if (name.n > 0 && doctor_distance(name, to) >= FAR)
			continue;
		search_begin(&s->v[s->n++], to, e);
	}
	s->r = d->br->registry;
	registry_cursor_open(
	    &s->at, s->n == 0 ? NULL : registry_app_find(s->r, d->a->app.num));
	return s;
}

/* Channels may have come and gone since. */
void
doctor_names_end(struct doctor *d, const struct doctor_search *s)
{
	for (int i = 0; i < s->n; i++) {
		struct str near = str_make(s->v[i].near, s->v[i].near_len);
		unsigned clients = near.n == 0 ? 0 : count_clients(d, near);

		if (count_clients(d, str_of(s->v[i].name)) > 0)
			continue;
		if (clients > 0)
			near_finding(d, &s->v[i], near, clients);
		else if (s->asked)
			empty_finding(d, &s->v[i]);
	}
}

void
doctor_names_free(struct doctor_search *s)
{
	if (s != NULL)
		registry_cursor_close(s->r, &s->at);
	free(s);
}

/* ---- too late ---- */

void
doctor_late(struct doctor *d)
{
	for (uint32_t i = 0; d->a != NULL && i < d->f->n; i++) {
		const struct failure *e = &d->f->v[i];
		struct str name = failure_name(e);
		struct doctor_finding *f;

		if (e->kind != FAILURE_LATE ||
		    (d->channel.n > 0 && !str_eq(name, d->channel)))
			continue;
		f = doctor_add(d, "late", d->channel.n > 0 ? 150 : 60);
		buf_printf(&f->text,
		    "The first client subscribed to %.*s %.1f s after an event "
		    "was published there.",
		    STR_ARG(name), e->after_ms / 1000.);
		buf_append(&f->seen, S("Seen "));
		doctor_put_often(d, &f->seen, e->count, e->time_ms);
		buf_putc(&f->seen, '.');
		buf_printf(&f->mend,
		    "Publish after subscription_succeeded; or use a cache "
		    "channel (private-cache-...); or keep events: pusherctl "
		    "app set %s resume=on",
		    d->a->app.id);
	}
}
