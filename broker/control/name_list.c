/* SPDX-License-Identifier: MIT */
/*
 * name_list.c: a copy of names, so that a long list can be written over many
 * turns while its entries come and go.  An entry is looked up when its row is
 * written.  Owns struct name_list.
 */

#include "broker/control/name_list.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/control_job.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

#define PORTION 1000 /* rows in one turn */

struct name_list_name {
	const char *app_id; /* while sorting */
	struct str name;
	uint32_t app;
};

struct name_list {
	struct control_job job;
	name_list_row row;
	struct buf *about; /* for the rows */
	struct name_list_name *v;
	size_t n, cap, next;
	struct buf *bytes; /* the names */
};

struct name_list *
name_list_new(name_list_row row, struct str about)
{
	struct name_list *s = xcalloc(1, sizeof(*s));

	s->row = row;
	s->about = buf_from(about);
	return s;
}

/* name.p is set when all names are there: the bytes may move until then. */
void
name_list_add(struct name_list *s, const struct broker_app *a, struct str name)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] =
	    (struct name_list_name){ a->app.id, { NULL, name.n }, a->app.num };
	buf_append(&s->bytes, name);
}

static int
by_app_and_name(const void *a, const void *b)
{
	const struct name_list_name *x = a, *y = b;
	int r = str_cmp(str_of(x->app_id), str_of(y->app_id));

	return r != 0 ? r : str_cmp(x->name, y->name);
}

/* Writes the next portion of rows; the end after the last one. */
static void
step(struct control_job *job)
{
	struct name_list *s = container_of(job, struct name_list, job);

	for (int i = 0; i < PORTION && s->next < s->n; i++) {
		const struct name_list_name *e = &s->v[s->next++];
		const struct broker_app *a = apps_find(job->cc->br, e->app);

		if (a != NULL)
			s->row(job->cc, a, e->name, buf_str(s->about));
	}
	if (s->next == s->n)
		control_end(job->cc);
}

static void
name_list_free(struct control_job *job)
{
	struct name_list *s = container_of(job, struct name_list, job);

	buf_unref(s->about);
	buf_unref(s->bytes);
	free(s->v);
	free(s);
}

void
name_list_start(struct control_client *cc, struct name_list *s, bool sort)
{
	static const struct control_job_ops ops = {
		.step = step,
		.free = name_list_free,
	};
	const char *p = buf_str(s->bytes).p;

	for (size_t i = 0; i < s->n; i++) {
		s->v[i].name.p = p;
		p += s->v[i].name.n;
	}
	if (sort && s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_app_and_name);
	control_job_start(cc, &s->job, &ops);
}
