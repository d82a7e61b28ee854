/* SPDX-License-Identifier: MIT */
/*
 * session_turns.c: which app's clients are asked next.  Owns struct
 * session_line.  A session may leave its line at any time, so that a line
 * without any is freed when its turn comes.
 */

#include "worker/session/session_turns.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

void
session_turns_init(struct session_turns *t)
{
	list_init(&t->apps);
}

static void
end(struct session_turns *t, struct session_line *line)
{
	hash_remove(&t->by_app, &line->node);
	list_remove(&line->turn);
	free(line);
}

void
session_turns_clear(struct session_turns *t)
{
	while (!list_is_empty(&t->apps))
		end(t, LIST_ITEM(t->apps.next, struct session_line, turn));
	hash_clear(&t->by_app);
}

static struct session_line *
find(const struct session_turns *t, uint32_t app)
{
	struct hash_node *n = hash_find_u64(&t->by_app, app);

	return n == NULL ? NULL : container_of(n, struct session_line, node);
}

void
session_turns_add(struct session_turns *t, uint32_t app, struct list *asking)
{
	struct session_line *line = find(t, app);

	if (line == NULL) {
		line = xcalloc(1, sizeof(*line));
		list_init(&line->turn);
		list_init(&line->waiting);
		hash_insert(&t->by_app, &line->node, hash_u64(app));
		list_append(&t->apps, &line->turn);
	}
	list_append(&line->waiting, asking);
}

bool
session_turns_has(const struct session_turns *t, uint32_t app)
{
	const struct session_line *line = find(t, app);

	return line != NULL && !list_is_empty(&line->waiting);
}

struct session_line *
session_turns_next(struct session_turns *t)
{
	struct session_line *line;

	while (!list_is_empty(&t->apps)) {
		line = LIST_ITEM(t->apps.next, struct session_line, turn);
		if (!list_is_empty(&line->waiting)) {
			list_remove(&line->turn);
			list_append(&t->apps, &line->turn);
			return line;
		}
		end(t, line);
	}
	return NULL;
}
