/* SPDX-License-Identifier: MIT */
/*
 * name_list.c: a copy of names, so that a long list can be written over many
 * turns while its entries come and go.  An entry is looked up when its row is
 * written.  The names of a table are collected over many turns, too: those of
 * one turn are sorted, and make a run; the rows are written from all runs, by a
 * heap of them.  Owns struct name_list.
 */

#include "broker/control/name_list.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/control_job.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

#define PORTION 1000 /* rows in one turn */

/* The id of the app and the name, with a zero byte between them. */
struct key {
	struct str text;
	size_t name; /* where it begins */
	uint32_t app;
};

/* The names of one turn. */
struct run {
	struct key *v;
	size_t n, cap, next;
	struct buf *bytes;
};

struct name_list {
	struct control_job job;
	name_list_row row;
	struct buf *about;         /* for the rows */
	name_list_portion portion; /* NULL: all names are there */
	struct name_cursor at;     /* of it */
	uint32_t only;             /* the app; 0: all */
	struct run **all, **heap;  /* in the heap: those with names left */
	size_t nall, nheap;
	const struct key *last; /* the one whose row was written */
};

struct name_list *
name_list_new(name_list_row row, struct str about)
{
	struct name_list *s = xcalloc(1, sizeof(*s));

	s->row = row;
	s->about = buf_from(about);
	return s;
}

/* ---- collecting ---- */

static struct run *
begin_run(struct name_list *s)
{
	s->all = xreallocarray(s->all, s->nall + 1, sizeof(s->all[0]));
	s->all[s->nall] = xcalloc(1, sizeof(struct run));
	return s->all[s->nall++];
}

/* text.p is set when the run ends: the bytes may move until then. */
void
name_list_add(struct name_list *s, const struct broker_app *a, struct str name)
{
	struct run *r = s->nall > 0 ? s->all[s->nall - 1] : begin_run(s);
	struct str id = str_of(a->app.id);

	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 64 : r->cap * 2;
		r->v = xreallocarray(r->v, r->cap, sizeof(r->v[0]));
	}
	r->v[r->n++] =
	    (struct key){ { NULL, id.n + 1 + name.n }, id.n + 1, a->app.num };
	buf_append(&r->bytes, id);
	buf_putc(&r->bytes, '\0');
	buf_append(&r->bytes, name);
}

void
name_list_offer(
    struct name_list *s, const struct broker *br, uint32_t app, struct str name)
{
	const struct broker_app *a;

	if ((s->only == 0 || s->only == app) &&
	    (a = apps_find(br, app)) != NULL)
		name_list_add(s, a, name);
}

static void
end_run(struct run *r)
{
	const char *p = buf_str(r->bytes).p;

	for (size_t i = 0; i < r->n; i++) {
		r->v[i].text.p = p;
		p += r->v[i].text.n;
	}
}

static int
by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	return str_cmp(x->text, y->text);
}

static void
collect(struct name_list *s)
{
	struct run *r = begin_run(s);

	if (!s->portion(s, s->job.cc->br, &s->at, buf_str(s->about)))
		s->portion = NULL;
	end_run(r);
	if (r->n > 0)
		qsort(r->v, r->n, sizeof(r->v[0]), by_text);
}

/* ---- the rows ---- */

static const struct key *
head(const struct run *r)
{
	return &r->v[r->next];
}

/* heap[i] may be greater than those below it. */
static void
sift(struct name_list *s, size_t i)
{
	for (;;) {
		size_t least = i, k = 2 * i + 1;
		struct run *r = s->heap[i];

		for (; k < s->nheap && k <= 2 * i + 2; k++)
			if (by_text(head(s->heap[k]), head(s->heap[least])) < 0)
				least = k;
		if (least == i)
			return;
		s->heap[i] = s->heap[least];
		s->heap[least] = r;
		i = least;
	}
}

static void
make_heap(struct name_list *s)
{
	s->heap = xcalloc(s->nall + 1, sizeof(s->heap[0]));
	for (size_t i = 0; i < s->nall; i++)
		if (s->all[i]->n > 0)
			s->heap[s->nheap++] = s->all[i];
	for (size_t i = s->nheap / 2; i-- > 0;)
		sift(s, i);
}

/* The next name; NULL: there are no more. */
static const struct key *
next(struct name_list *s)
{
	struct run *r = s->nheap == 0 ? NULL : s->heap[0];
	const struct key *k;

	if (r == NULL)
		return NULL;
	k = &r->v[r->next++];
	if (r->next == r->n)
		s->heap[0] = s->heap[--s->nheap];
	sift(s, 0);
	return k;
}

static void
write_row(struct name_list *s, const struct key *k)
{
	const struct broker_app *a = apps_find(s->job.cc->br, k->app);

	/* A table that has grown is looked through once more. */
	if (a != NULL && (s->last == NULL || by_text(s->last, k) != 0))
		s->row(s->job.cc, a, str_from(k->text, k->name),
		    buf_str(s->about));
	s->last = k;
}

/* Collects or writes the next portion; the end after the last one. */
static void
step(struct control_job *job)
{
	struct name_list *s = container_of(job, struct name_list, job);
	const struct key *k;

	if (s->portion != NULL) {
		collect(s);
		return;
	}
	if (s->heap == NULL)
		make_heap(s);
	for (int i = 0; i < PORTION; i++) {
		if ((k = next(s)) == NULL) {
			control_end(job->cc);
			return;
		}
		write_row(s, k);
	}
}

static void
name_list_free(struct control_job *job)
{
	struct name_list *s = container_of(job, struct name_list, job);

	for (size_t i = 0; i < s->nall; i++) {
		buf_unref(s->all[i]->bytes);
		free(s->all[i]->v);
		free(s->all[i]);
	}
	free(s->all);
	free(s->heap);
	buf_unref(s->about);
	free(s);
}

static void
start(struct control_client *cc, struct name_list *s)
{
	static const struct control_job_ops ops = {
		.step = step,
		.free = name_list_free,
	};

	control_job_start(cc, &s->job, &ops);
}

void
name_list_start(struct control_client *cc, struct name_list *s)
{
	if (s->nall > 0)
		end_run(s->all[0]);
	start(cc, s);
}

void
name_list_begin(struct control_client *cc, struct name_list *s,
    name_list_portion portion, const struct broker_app *only)
{
	s->portion = portion;
	s->only = only == NULL ? 0 : only->app.num;
	start(cc, s);
}
