/* SPDX-License-Identifier: MIT */
/*
 * app_log.c: the log of each app with the setting `resume`.  Owns the rings
 * and the index: the newest record of each channel; from there the records
 * lead back to those before them.  The index is rebuilt by one scan.
 *
 * Workers send events again that an earlier broker has logged.  These events
 * are found by (origin, seq), so that nothing is logged twice.
 *
 * Must never conclude from an empty search that a channel had no event: the
 * ring may not reach back that far.
 */

#include "broker/log/app_log.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/log/ring_file.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

#define KEEP_US 800000 /* seconds for all copies: bounds the time of a stop */
#define WALK 32
#define LOGGED_MAX 262144 /* events remembered by (origin, seq) */

struct head {
	struct hash_node node; /* the hash of the channel */
	uint64_t off, pos;
};

struct logged {
	uint64_t origin, seq, pos;
};

static struct head *
head_of(const struct app_log *l, uint64_t hash)
{
	struct hash_node *n = hash_find(&l->heads, hash, NULL, NULL);

	return n == NULL ? NULL : container_of(n, struct head, node);
}

/* h: its present head, or NULL. */
static void
set_head(struct app_log *l, struct head *h, const struct ring_record *r)
{
	if (h == NULL) {
		h = xcalloc(1, sizeof(*h));
		hash_insert(&l->heads, &h->node, r->hash);
	}
	h->off = r->off;
	h->pos = r->pos;
}

static void
clear_heads(struct app_log *l)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &l->heads) {
		hash_remove(&l->heads, n);
		free(container_of(n, struct head, node));
	}
	hash_clear(&l->heads);
}

static void
drop_evicted(void *arg, struct hash_node *n)
{
	struct app_log *l = arg;
	struct head *h = container_of(n, struct head, node);

	if (ring_has(l->ring, h->off))
		return;
	hash_remove(&l->heads, n);
	free(h);
}

uint64_t
app_log_hash(const struct app_log *l, struct str channel)
{
	/* The same in each broker, and not predictable for clients. */
	return hash_sip13(ring_epoch(l->ring), 0, 0, channel);
}

/* ---- what was logged before ---- */

static int
compare(const void *a, const void *b)
{
	const struct logged *x = a, *y = b;

	if (x->origin != y->origin)
		return x->origin < y->origin ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void
scan(struct app_log *l)
{
	uint64_t at = 0, n = 0;
	uint64_t cap =
	    MIN(ring_last(l->ring) + 1 - ring_oldest(l->ring), LOGGED_MAX);
	struct ring_record r;

	l->logged = xcalloc(cap + 1, sizeof(*l->logged));
	while (ring_next(l->ring, &at, &r)) {
		struct head *h;

		r.hash = app_log_hash(l, r.channel);
		h = head_of(l, r.hash);
		if (h != NULL)
			ring_chain(l->ring, &r, h->off, h->pos);
		set_head(l, h, &r);
		if (r.origin != 0 && cap > 0) /* the newest ones stay */
			l->logged[n++ % cap] =
			    (struct logged){ r.origin, r.seq, r.pos };
	}
	l->nlogged = (size_t)MIN(n, cap);
	qsort(l->logged, l->nlogged, sizeof(*l->logged), compare);
}

uint64_t
app_log_logged(const struct app_log *l, uint64_t origin, uint64_t seq)
{
	struct logged key = { origin, seq, 0 };
	const struct logged *found;

	if (l->nlogged == 0)
		return 0;
	found =
	    bsearch(&key, l->logged, l->nlogged, sizeof(*l->logged), compare);
	return found == NULL ? 0 : found->pos;
}

static void
forget(struct app_log *l)
{
	free(l->logged);
	l->logged = NULL;
	l->nlogged = 0;
}

void
app_logs_forget(struct app_logs *s)
{
	struct hash_node *n;

	HASH_FOREACH(n, &s->by_app)
		forget(container_of(n, struct app_log, node));
}

/* ---- the table ---- */

void
app_logs_init(struct app_logs *s, const char *dir, const char *copies)
{
	s->dir = dir == NULL ? NULL : xstrdup(dir);
	s->copies = copies == NULL ? NULL : xstrdup(copies);
}

struct app_log *
app_logs_find(const struct app_logs *s, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&s->by_app, app);

	return n == NULL ? NULL : container_of(n, struct app_log, node);
}

static void
close_log(struct app_logs *s, struct app_log *l)
{
	hash_remove(&s->by_app, &l->node);
	clear_heads(l);
	forget(l);
	ring_close(l->ring);
	free(l->path);
	free(l);
}

void
app_logs_clear(struct app_logs *s)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &s->by_app)
		close_log(s, container_of(n, struct app_log, node));
	hash_clear(&s->by_app);
	free(s->dir);
	free(s->copies);
	s->dir = s->copies = NULL;
}

static char *
copy_path(const struct app_logs *s, uint32_t app)
{
	return s->copies == NULL
	    ? NULL
	    : xasprintf("%s-resume-%u.log", s->copies, app);
}

void
app_logs_keep(const struct app_logs *s)
{
	uint64_t end = clock_us(CLOCK_MONOTONIC) + KEEP_US;
	struct hash_node *n;
	size_t lost = 0;

	for (n = hash_first(&s->by_app); n != NULL && s->copies != NULL;
	     n = hash_next(&s->by_app, n)) {
		const struct app_log *l = container_of(n, struct app_log, node);
		char *path = copy_path(s, l->app);

		if (clock_us(CLOCK_MONOTONIC) > end)
			lost++;
		else if (ring_save(l->ring, path) == -1)
			log_warn("resume: cannot write the copy %s", path);
		free(path);
	}
	if (lost > 0)
		log_warnx("resume: no time to copy %zu logs: they last as long "
			  "as runtime_dir",
		    lost);
}

static void
restart(const struct app_logs *s, struct app_log *l)
{
	clear_heads(l);
	forget(l);
	ring_restart(l->ring, s->shared, s->place);
}

struct app_log *
app_logs_open(struct app_logs *s, uint32_t app, struct str id, uint64_t bytes)
{
	struct app_log *l = app_logs_find(s, app);
	struct app_log_counts counts = { 0 };
	char *why, *copy;

	if (l != NULL && ring_bytes(l->ring) == ((bytes + 7) & ~UINT64_C(7)))
		return l;
	if (l != NULL) {
		counts = l->counts;
		close_log(s, l);
	}
	l = xcalloc(1, sizeof(*l));
	l->app = app;
	l->counts = counts;
	l->path = xasprintf("%s/resume-%u.log", s->dir, app);
	copy = copy_path(s, app);
	l->ring = ring_open(l->path, copy, bytes, id, &why);
	if (copy != NULL)
		unlink(copy); /* it is valid only once */
	free(copy);
	if (why != NULL)
		log_warnx("resume log of app %.*s: %s", STR_ARG(id), why);
	free(why);
	if (l->ring == NULL) {
		free(l->path);
		free(l);
		return NULL;
	}
	hash_insert(&s->by_app, &l->node, hash_u64(app));
	if ((s->shared != 0 || s->alone) && ring_shared(l->ring) != s->shared)
		restart(s, l);
	scan(l);
	return l;
}

void
app_logs_remove(struct app_logs *s, uint32_t app)
{
	struct app_log *l = app_logs_find(s, app);

	if (l == NULL)
		return;
	unlink(l->path);
	close_log(s, l);
}

uint64_t
app_logs_newest(const struct app_logs *s)
{
	struct hash_node *n;
	uint64_t newest = 0;

	HASH_FOREACH(n, &s->by_app) {
		const struct app_log *l = container_of(n, struct app_log, node);

		if (ring_shared(l->ring) != 0)
			newest = MAX(newest, ring_last(l->ring));
	}
	return newest >> APP_LOG_PLACE_BITS;
}

void
app_logs_share(struct app_logs *s, uint64_t shared, bool missed)
{
	struct hash_node *n;

	s->shared = shared;
	HASH_FOREACH(n, &s->by_app) {
		struct app_log *l = container_of(n, struct app_log, node);

		if (missed || ring_shared(l->ring) != shared)
			restart(s, l);
	}
}

/* The app of the file with this head; false: it is no log. */
static bool
read_name(struct str name, struct str begin, uint64_t *app)
{
	if (!str_starts(name, begin) ||
	    !str_starts(str_from(name, begin.n), S("resume-")))
		return false;
	name = str_from(name, begin.n + 7);
	return str_to_u64(str_cut(&name, '.'), UINT32_MAX, app) == 0 &&
	    str_starts(name, S("log"));
}

static void
sweep(const struct app_logs *s, const char *path, struct str begin)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	uint64_t app;

	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (read_name(str_of(e->d_name), begin, &app) &&
		    app_logs_find(s, (uint32_t)app) == NULL)
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}

void
app_logs_sweep(const struct app_logs *s)
{
	char *dir = s->copies == NULL ? NULL : xstrdup(s->copies), *name,
	     *begin;

	sweep(s, s->dir, S(""));
	if (dir == NULL)
		return;
	name = strrchr(dir, '/');
	begin = xasprintf("%s-", name == NULL ? dir : name + 1);
	if (name != NULL)
		name[name == dir] = '\0';
	sweep(s, name == NULL ? "." : dir, str_of(begin));
	free(begin);
	free(dir);
}

/* ---- one log ---- */

uint64_t
app_log_append(struct app_log *l, struct ring_record *r)
{
	struct head *h;

	r->hash = app_log_hash(l, r->channel);
	h = head_of(l, r->hash);
	r->prev = h == NULL ? 0 : h->off;
	r->prev_pos = h == NULL ? 0 : h->pos;
	if (ring_append(l->ring, r)) {
		set_head(l, h, r);
		/* Removes heads faster than new ones come. */
		if (++l->appended % WALK == 0)
			hash_walk(
			    &l->heads, &l->walked, 2 * WALK, drop_evicted, l);
		return r->pos;
	}
	clear_heads(l);
	return ring_skip(l->ring, r->pos);
}

uint64_t
app_logs_number(struct app_logs *s, struct app_log *l)
{
	/*
	 * The answer has waited: it gets one of the free places behind the last
	 * message of the entry, up to the one before the next entry's first.
	 */
	if (s->between && (s->place & APP_LOG_PLACE_MAX) != 0)
		s->place++;
	return ring_number(l->ring, s->place);
}

uint64_t
app_log_age(const struct app_log *l)
{
	uint64_t at = 0, now = clock_us(CLOCK_REALTIME);
	struct ring_record r;

	if (!ring_next(l->ring, &at, &r) || r.time_us > now)
		return 0;
	return (now - r.time_us) / 1000000;
}

/* The newest record at off or before it that is of exactly this channel. */
static bool
find_back(const struct app_log *l, struct str channel, uint64_t off,
    struct ring_record *r)
{
	while (ring_read(l->ring, off, r)) {
		if (str_eq(r->channel, channel))
			return true;
		if (r->prev_pos == 0)
			break;
		off = r->prev;
	}
	return false;
}

bool
app_log_newest(
    const struct app_log *l, struct str channel, struct ring_record *r)
{
	const struct head *h = head_of(l, app_log_hash(l, channel));

	return h != NULL && find_back(l, channel, h->off, r);
}

bool
app_log_head(const struct app_log *l, uint64_t hash, struct ring_record *r)
{
	const struct head *h = head_of(l, hash);

	return h != NULL && ring_read(l->ring, h->off, r);
}

bool
app_log_before(
    const struct app_log *l, struct str channel, struct ring_record *r)
{
	return r->prev_pos != 0 && find_back(l, channel, r->prev, r);
}

static void
add(struct app_log_part *part, const struct ring_record *r)
{
	if (part->n == part->cap) {
		part->cap = part->cap == 0 ? 16 : part->cap * 2;
		part->offs =
		    xreallocarray(part->offs, part->cap, sizeof(*part->offs));
	}
	part->offs[part->n++] = r->off;
	part->bytes += r->frame.n;
}

static bool
is_own(const struct ring_record *r, const struct app_log_limits *limits)
{
	for (size_t i = 0; i < limits->nown && r->except != 0; i++)
		if (limits->own[i] == r->except)
			return true;
	return false;
}

enum app_log_result
app_log_since(const struct app_log *l, struct str channel, uint64_t pos,
    const struct app_log_limits *limits, struct app_log_part *part)
{
	const struct head *h = head_of(l, app_log_hash(l, channel));
	uint64_t off, at = h == NULL ? 0 : h->pos;
	struct ring_record r;

	*part = (struct app_log_part){ 0 };
	for (off = h == NULL ? 0 : h->off; at > pos; off = r.prev) {
		if (!ring_read(l->ring, off, &r))
			return APP_LOG_EVICTED;
		at = r.prev_pos;
		if (!str_eq(r.channel, channel) || is_own(&r, limits))
			continue;
		add(part, &r);
		if (part->n > limits->events || part->bytes > limits->bytes)
			return APP_LOG_TOO_MANY;
	}
	/* The previous record is known, and not newer: nothing is missing. */
	if (at != 0 || pos + 1 >= ring_oldest(l->ring))
		return APP_LOG_OK;
	return APP_LOG_EVICTED;
}
