/* SPDX-License-Identifier: MIT */
/*
 * records.c: the records of apps that wait for the database.  They have
 * secrets, and are wiped.
 */

#include "broker/cluster/records.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

void
app_records_init(struct app_records *s)
{
	list_init(&s->pending);
}

static void
forget(struct app_record *a)
{
	list_remove(&a->link);
	if (a->text != NULL)
		explicit_bzero(a->text->data, a->text->cap);
	buf_unref(a->text);
	free(a->id);
	free(a);
}

void
app_records_forget(struct app_records *s)
{
	while (!list_is_empty(&s->pending))
		forget(LIST_ITEM(s->pending.next, struct app_record, link));
}

void
app_records_put(struct app_records *s, struct str id, struct str text)
{
	struct app_record *a = xcalloc(1, sizeof(*a));
	struct list *e, *next;

	LIST_FOREACH_SAFE(e, next, &s->pending) {
		struct app_record *old = LIST_ITEM(e, struct app_record, link);

		if (str_eq(str_of(old->id), id))
			forget(old);
	}
	a->id = str_dup(id);
	if (text.n > 0)
		a->text = buf_from(text);
	list_init(&a->link);
	list_append(&s->pending, &a->link);
}
