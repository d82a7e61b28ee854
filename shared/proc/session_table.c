/* SPDX-License-Identifier: MIT */
/*
 * session_table.c: the rows of resumable sessions in shared memory, and after
 * them the tombstones of ended sessions.  Only touched pages use memory.  Owns
 * nothing: the mapping lives as long as the processes.
 */

#include "shared/proc/session_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/shm.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define BUCKET 4            /* tombstones that are searched for a key */
#define ROWS_BURIED 100000u /* have tombstones, however few rows there are */
#define LOST_SECONDS 120u   /* clients of lost sessions come back */
#define GRAVE_MS (24u * 3600 * 1000)

static uint64_t
up_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

uint32_t
session_now(void)
{
	return (uint32_t)(up_ms() / 1000);
}

static size_t
ngraves(uint32_t cap)
{
	return (size_t)MAX(cap, ROWS_BURIED) * SESSION_GRAVES;
}

/* After the rows stands what some of them have more, then the graves. */
static struct session_more *
more_of(const struct session_table *t, const struct session_row *row)
{
	struct session_more *more = (void *)(uintptr_t)&t->rows[t->cap];

	return &more[row - t->rows];
}

static struct session_grave *
graves_of(const struct session_table *t)
{
	return (void *)more_of(t, &t->rows[t->cap]);
}

struct session_table *
session_table_map(uint32_t cap)
{
	struct session_table *t;

	t = shm_map("sessions",
	    sizeof(*t) +
		(size_t)cap *
		    (sizeof(t->rows[0]) + sizeof(struct session_more)) +
		ngraves(cap) * sizeof(struct session_grave));
	if (t != NULL && t->cap == 0) {
		t->cap = cap;
		t->salt = proc_random();
	}
	return t;
}

/* ---- ids ---- */

static struct session_id
id_of(const struct session_row *row, const struct session_more *more)
{
	struct session_id id = { .len = (uint8_t)row->id_len };

	memcpy(id.bits, row->id, sizeof(row->id));
	if (row->more)
		memcpy(&id.bits[sizeof(row->id)], more->id, sizeof(more->id));
	return id;
}

struct session_id
session_row_id(const struct session_table *t, const struct session_row *row)
{
	struct session_id id = id_of(row, more_of(t, row));

	if (!session_id_len_is_valid(id.len)) /* it changes meanwhile */
		id.len = 0;
	return id;
}

void
session_row_set_id(struct session_table *t, struct session_row *row,
    const struct session_id *id)
{
	struct session_more *more;

	row->id_len = id->len;
	memcpy(row->id, id->bits, sizeof(row->id));
	if (id->len > SESSION_ID_MAX || id->len * 6 <= sizeof(row->id) * 8)
		return;
	more = session_row_more(t, row);
	memcpy(more->id, &id->bits[sizeof(row->id)], sizeof(more->id));
}

struct session_more *
session_row_more(struct session_table *t, struct session_row *row)
{
	struct session_more *more = more_of(t, row);

	if (!row->more)
		*more = (struct session_more){ 0 };
	row->more = true;
	return more;
}

uint64_t
session_row_left(const struct session_table *t, const struct session_row *row)
{
	return row->more ? more_of(t, row)->left : 0;
}

void
session_row_keep_sid(
    struct session_table *t, struct session_row *row, bool used)
{
	uint64_t *sids = session_row_more(t, row)->sids;

	if (!row->idle)
		memmove(
		    &sids[1], &sids[0], (SESSION_SIDS - 2) * sizeof(sids[0]));
	sids[0] = row->sid;
	row->idle = !used;
}

void
session_row_sids(const struct session_table *t, const struct session_row *row,
    uint64_t sids[SESSION_SIDS])
{
	sids[0] = row->sid;
	for (int i = 1; i < SESSION_SIDS; i++)
		sids[i] = row->more ? more_of(t, row)->sids[i - 1] : 0;
}

/* ---- graves ---- */

static struct session_grave *
bucket_of(const struct session_table *t, uint64_t key)
{
	size_t n = ngraves(t->cap) / BUCKET;

	return &graves_of(t)[key % n * BUCKET];
}

static uint64_t
key_of(const struct session_table *t, uint32_t app, struct str id)
{
	return hash_sip13(t->salt, ~t->salt, app, id) | 1;
}

uint32_t
session_table_peer(const struct session_table *t, struct str owner)
{
	return (uint32_t)hash_sip13(t->salt, ~t->salt, 0, owner);
}

static void
bury(struct session_table *t, struct session_grave new)
{
	struct session_grave *b = bucket_of(t, new.key), *oldest = b;

	for (size_t i = 0; i < BUCKET; i++) {
		if (b[i].key == new.key) {
			oldest = &b[i];
			break;
		}
		if (b[i].at < oldest->at)
			oldest = &b[i];
	}
	*oldest = new;
	t->buried = true;
}

static void
bury_id(struct session_table *t, uint32_t app, struct session_id id,
    enum session_end why)
{
	char text[SESSION_ID_MAX];

	bury(t,
	    (struct session_grave){ key_of(t, app, session_id_text(&id, text)),
		up_ms() * 4 + why });
}

void
session_table_bury(struct session_table *t, const struct session_row *row,
    enum session_end why)
{
	bury_id(t, row->app, session_row_id(t, row), why);
}

enum session_end
session_table_buried(const struct session_table *t, uint32_t app, struct str id)
{
	uint64_t key = key_of(t, app, id);
	const struct session_grave *b = bucket_of(t, key);

	if (!t->buried)
		return SESSION_UNKNOWN;
	for (size_t i = 0; i < BUCKET; i++)
		if (b[i].key == key && b[i].at / 4 + GRAVE_MS > up_ms())
			return (enum session_end)(b[i].at % 4);
	return SESSION_UNKNOWN;
}

/* ---- the file ---- */

struct file_head {
	uint64_t magic;
	uint32_t row_bytes, used;
	uint64_t salt;
	uint64_t lost;           /* lost_left() */
	uint64_t up_ms, wall_ms; /* when it was written */
};

#define ROW_BYTES (sizeof(struct session_row) + sizeof(struct session_more))
#define MAGIC UINT64_C(0x3553534553504f53)
#define MARK UINT64_C(0x4d53534553504f53) /* only the head; see mark() */

static uint64_t
wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

/* A time of the file, in ms, on the clock of now. */
static uint64_t
time_now(const struct file_head *h, uint64_t at)
{
	uint64_t now = up_ms(), wall = wall_ms();
	uint64_t age = h->up_ms - MIN(h->up_ms, at);
	uint64_t passed = wall - MIN(wall, h->wall_ms);

	if (now >= h->up_ms)
		passed = MIN(passed, now - h->up_ms);
	return now - MIN(now, age + passed);
}

/* For so many seconds clients of lost sessions may come back. */
static void
lose(struct session_table *t, uint32_t seconds)
{
	t->lost_until = session_now() + seconds;
}

static uint32_t
lost_left(const struct session_table *t)
{
	return t->lost_until - MIN(t->lost_until, session_now());
}

/* A row has the rest behind it, if it has one. */
static bool
save_rows(const struct session_table *t, FILE *f)
{
	for (uint32_t i = 0; i < t->used; i++)
		if (fwrite(&t->rows[i], sizeof(t->rows[0]), 1, f) != 1 ||
		    (t->rows[i].more &&
			fwrite(more_of(t, &t->rows[i]),
			    sizeof(struct session_more), 1, f) != 1))
			return false;
	return true;
}

/* Tombstones stand after the rows, up to the end of the file. */
static bool
save_graves(const struct session_table *t, FILE *f)
{
	const struct session_grave *g = graves_of(t);

	for (size_t n = ngraves(t->cap); t->buried && n-- > 0; g++)
		if (g->key != 0 && fwrite(g, sizeof(*g), 1, f) != 1)
			return false;
	return true;
}

static int
save(const struct session_table *t, const char *path)
{
	struct file_head h = { MAGIC, ROW_BYTES, t->used, t->salt, lost_left(t),
		up_ms(), wall_ms() };
	FILE *f;
	int r = -1;

	unlink(path);
	if (t->used == 0 && h.lost == 0)
		return 0;
	if ((f = fopen(path, "wxe")) == NULL)
		return -1;
	if (fwrite(&h, sizeof(h), 1, f) == 1 && save_rows(t, f) &&
	    save_graves(t, f))
		r = 0;
	if (fclose(f) == EOF)
		r = -1;
	if (r == -1)
		unlink(path);
	return r;
}

/* The rows that do not fit make room: each client is told so. */
static bool
read_row(struct session_table *t, FILE *f, const struct file_head *h,
    uint32_t *forgotten)
{
	struct session_more more = { 0 };
	struct session_row row;

	if (fread(&row, sizeof(row), 1, f) != 1 ||
	    !session_id_len_is_valid(row.id_len) ||
	    (row.more && fread(&more, sizeof(more), 1, f) != 1))
		return false;
	if (row.state == SESSION_FREE)
		return true;
	row.since = (uint32_t)(time_now(h, row.since * UINT64_C(1000)) / 1000);
	if (t->used < t->cap) {
		if (row.more)
			*more_of(t, &t->rows[t->used]) = more;
		t->rows[t->used++] = row;
		return true;
	}
	bury_id(t, row.app, id_of(&row, &more), SESSION_EVICTED);
	++*forgotten;
	return true;
}

static bool
read_all(struct session_table *t, FILE *f)
{
	struct session_grave g;
	struct file_head h;
	uint32_t forgotten = 0;

	if (fread(&h, sizeof(h), 1, f) != 1 || h.magic != MAGIC ||
	    h.row_bytes != ROW_BYTES)
		return false;
	t->salt = h.salt;
	for (uint32_t i = 0; i < h.used; i++)
		if (!read_row(t, f, &h, &forgotten)) {
			t->used = 0;
			return false;
		}
	while (fread(&g, sizeof(g), 1, f) == 1) {
		g.at = time_now(&h, g.at / 4) * 4 + g.at % 4;
		bury(t, g);
	}
	lose(t, (uint32_t)MIN(h.lost, LOST_SECONDS));
	if (forgotten > 0)
		log_warnx("%u of %u sessions are forgotten, and their clients "
			  "get a gap: resume_sessions is now %u, raise it",
		    forgotten, t->used + forgotten, t->cap);
	return true;
}

static bool
is_mark(FILE *f)
{
	uint64_t magic;
	bool is = fread(&magic, sizeof(magic), 1, f) == 1 && magic == MARK;

	rewind(f);
	return is;
}

/* False: there are no sessions in this file.  Sets *lost: but there were. */
static bool
load(struct session_table *t, const char *path, bool *lost)
{
	FILE *f = fopen(path, "re");
	bool marked, good;

	if (f == NULL)
		return false;
	marked = is_mark(f);
	good = !marked && read_all(t, f);
	if (!marked && !good)
		log_warnx("sessions are not continued: %s is damaged or of "
			  "another version",
		    path);
	*lost = *lost || !good;
	fclose(f);
	return good;
}

/* The second file is for the case that runtime_dir is gone after a reboot. */
static void
file_paths(char *paths[2], const char *dir, const char *database)
{
	paths[0] = xasprintf("%s/resume-sessions", dir);
	paths[1] = xasprintf("%s-resume-sessions", database);
}

/*
 * Marks that a run has begun.  A later start that finds the mark knows that the
 * sessions of that run were lost.
 */
static void
mark(const struct session_table *t, const char *path)
{
	struct file_head h = { .magic = MARK, .salt = t->salt };
	FILE *f = fopen(path, "wxe");

	if (f == NULL || fwrite(&h, sizeof(h), 1, f) != 1)
		log_warn(
		    "a loss of the sessions would not be noticed: %s", path);
	if (f != NULL && fclose(f) == EOF)
		log_warn("%s", path);
}

void
session_table_load(
    struct session_table *t, const char *dir, const char *database)
{
	bool found = false, lost = false;
	char *paths[2];

	file_paths(paths, dir, database);
	for (size_t i = 0; i < nitems(paths); i++) {
		if (!found)
			found = load(t, paths[i], &lost);
		unlink(paths[i]); /* it is valid only once */
		mark(t, paths[i]);
		free(paths[i]);
	}
	if (!found && lost)
		lose(t, LOST_SECONDS);
}

bool
session_table_lost_lately(const struct session_table *t)
{
	return lost_left(t) > 0;
}

void
session_table_save(
    const struct session_table *t, const char *dir, const char *database)
{
	char *paths[2];

	file_paths(paths, dir, database);
	for (size_t i = 0; i < nitems(paths); i++) {
		if (save(t, paths[i]) == -1)
			log_warn("sessions are not kept: %s", paths[i]);
		free(paths[i]);
	}
}
