/* SPDX-License-Identifier: MIT */
/*
 * roster.c: the members of one presence channel, as the subscribers here know
 * them.  Owns struct roster, which belongs to a topic.  It makes notification
 * idempotent: a member_added of a present member and a member_removed of an
 * absent one are dropped.  It also preserves the state when the broker and
 * another worker die together: the next broker reads from it which members the
 * clients here still believe present.  It costs a copy of id and info of each
 * member in each worker with subscribers.  Must never decide who is a member.
 */

#include "worker/channel/roster.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "worker/link/link.h"

struct entry {
	struct hash_node node;
	uint64_t stamp;
	uint32_t id_len, info_len;
	char bytes[]; /* id, info */
};

struct roster {
	struct hash entries;
	size_t bytes; /* of ids and infos */
};

static bool
entry_eq(const struct hash_node *n, const void *key)
{
	const struct entry *e = container_of(n, const struct entry, node);

	return str_eq(str_make(e->bytes, e->id_len), *(const struct str *)key);
}

static struct hash_node *
find(const struct roster *r, struct str id)
{
	return hash_find(&r->entries, hash_str(id, 0), entry_eq, &id);
}

struct roster *
roster_new(void)
{
	return xcalloc(1, sizeof(struct roster));
}

void
roster_clear(struct roster *r)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &r->entries)
		free(container_of(n, struct entry, node));
	hash_clear(&r->entries);
	r->bytes = 0;
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	roster_clear(r);
	free(r);
}

/* False: it is present already. */
static bool
add(struct roster *r, const struct msg_member *m)
{
	struct entry *e;

	if (find(r, m->user_id) != NULL)
		return false;
	e = xmalloc(sizeof(*e) + m->user_id.n + m->user_info.n);
	e->stamp = m->stamp;
	e->id_len = (uint32_t)m->user_id.n;
	e->info_len = (uint32_t)m->user_info.n;
	memcpy(e->bytes, m->user_id.p, m->user_id.n);
	memcpy(e->bytes + m->user_id.n, m->user_info.p, m->user_info.n);
	hash_insert(&r->entries, &e->node, hash_str(m->user_id, 0));
	r->bytes += m->user_id.n + m->user_info.n;
	return true;
}

/* False: it is absent. */
static bool
take_out(struct roster *r, struct str id)
{
	struct hash_node *n = find(r, id);
	struct entry *e;

	if (n == NULL)
		return false;
	e = container_of(n, struct entry, node);
	hash_remove(&r->entries, n);
	r->bytes -= e->id_len + e->info_len;
	free(e);
	return true;
}

size_t
roster_members(const struct roster *r)
{
	return r == NULL ? 0 : r->entries.n;
}

size_t
roster_bytes(const struct roster *r)
{
	return r == NULL ? 0 : r->bytes;
}

bool
roster_has(const struct roster *r, struct str id)
{
	return r != NULL && find(r, id) != NULL;
}

bool
roster_change(struct roster *r, const struct msg_member *m)
{
	if (m->change == MEMBER_REMOVED)
		return take_out(r, m->user_id);
	return add(r, m);
}

void
roster_replay(struct worker *w, const struct roster *roster, uint32_t app,
    struct str name)
{
	struct msg_roster r = { .app = app, .channel = name };
	struct msg_member m = {
		.app = app, .change = MEMBER_IS, .channel = name
	};
	const struct hash *all = &roster->entries;
	struct hash_node *n;

	link_replay_room(w);
	link_send_roster(w, &r);
	HASH_FOREACH(n, all) {
		const struct entry *e =
		    container_of(n, const struct entry, node);

		m.stamp = e->stamp;
		m.user_id = str_make(e->bytes, e->id_len);
		m.user_info = str_make(e->bytes + e->id_len, e->info_len);
		link_send_member(w, &m);
	}
}
