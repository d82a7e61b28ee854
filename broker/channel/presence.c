/* SPDX-License-Identifier: MIT */
/*
 * presence.c: the members of one presence channel.  Owns struct member and the
 * finished bytes of the list; member_conns.c has the connections of a member.
 * Every member keeps its id and info escaped as in a frame, so that a list is
 * made by copying: a join appends to the bytes, and the first departure since
 * they were needed cuts a piece out of them.  Each further one would cost as
 * much as a new list, so it only makes them stale until they are needed again.
 * Must never send, log, or look at a clock.
 */

#include "broker/channel/presence.h"

#include <stdlib.h>

#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

/* Bytes around one member in the list: quotes and commas, rounded up. */
#define MEMBER_OVERHEAD 4

static bool
member_eq(const struct hash_node *n, const void *key)
{
	return str_eq(member_id(container_of(n, const struct member, node)),
	    *(const struct str *)key);
}

struct str
member_id(const struct member *m)
{
	return str_make(m->text, m->id_len);
}

static struct str
member_key(const struct member *m)
{
	return str_make(m->text + m->id_len, m->key_len);
}

struct str
member_info(const struct member *m)
{
	return buf_str(m->conns.first.info);
}

static size_t
key_bytes(const struct member *m)
{
	return (size_t)m->key_len * 2 + MEMBER_OVERHEAD;
}

struct presence *
presence_new(struct channel *c)
{
	struct presence *p = xcalloc(1, sizeof(*p));

	p->channel = c;
	p->stale = true;
	list_init(&p->order);
	return p;
}

/* Its cost now; connections after a member's first one cost more. */
static size_t
cost(const struct presence *p)
{
	return sizeof(*p) + 5 * BUDGET_BLOCK +
	    p->members.n * (sizeof(struct member) + 2 * BUDGET_BLOCK) +
	    2 * (p->keys + p->conns.bytes) +
	    p->conns.more.n * (2 * sizeof(struct member_conn) + BUDGET_BLOCK);
}

static void
book(struct presence *p)
{
	size_t now = cost(p), was = p->booked;

	if (p->budget == NULL)
		return;
	if (now > was)
		budget_add(p->budget, p->channel->app->num, now - was);
	else
		budget_sub(p->budget, p->channel->app->num, was - now);
	p->booked = now;
}

/* Removes one element, and the comma beside it. */
static void
cut(struct buf *b, size_t at, size_t n)
{
	if (at + n < b->len)
		n++;
	else if (at > 0) {
		at--;
		n++;
	}
	b->len -= (uint32_t)n;
	memmove(b->data + at, b->data + at + n, b->len - at);
}

/* The member is about to leave. */
static void
shorten_list(struct presence *p, const struct member *m)
{
	size_t ids = 0, hash = 0;
	struct list *e;

	if (p->stale || p->conns.changed || !p->needed) {
		p->stale = true;
		return;
	}
	p->needed = false;
	for (e = p->order.next; e != &m->order; e = e->next) {
		const struct member *o = LIST_ITEM(e, struct member, order);

		ids += o->key_len + 1;
		hash += o->key_len + member_info(o).n + 2;
	}
	cut(p->ids, ids, m->key_len);
	cut(p->hash, hash, m->key_len + 1 + member_info(m).n);
}

/* Removes the member from all lists and frees it. */
static void
discard(struct member *m)
{
	struct presence *p = m->presence;

	shorten_list(p, m);
	member_conns_clear(&p->conns, &m->conns);
	hash_remove(&p->members, &m->node);
	list_remove(&m->order);
	list_remove(&m->suspect);
	p->keys -= key_bytes(m);
	free(m);
	book(p);
}

void
presence_free(struct presence *p)
{
	if (p == NULL)
		return;
	while (!list_is_empty(&p->order))
		discard(LIST_ITEM(p->order.next, struct member, order));
	if (p->budget != NULL)
		budget_sub(p->budget, p->channel->app->num, p->booked);
	hash_clear(&p->members);
	hash_clear(&p->conns.more);
	buf_unref(p->ids);
	buf_unref(p->hash);
	free(p);
}

static struct member *
find(const struct presence *p, struct str id)
{
	struct hash_node *n =
	    hash_find(&p->members, hash_str(id, 0), member_eq, &id);

	return n == NULL ? NULL : container_of(n, struct member, node);
}

static struct member *
member_new(struct presence *p, struct str id)
{
	struct buf *quoted = NULL, *key = NULL;
	struct member *m;

	json_quote(&quoted, id);
	json_nest(&key, buf_str(quoted));
	buf_unref(quoted);

	m = xcalloc(1, sizeof(*m) + id.n + key->len);
	m->presence = p;
	m->id_len = (uint32_t)id.n;
	m->key_len = key->len;
	memcpy(m->text, id.p, id.n);
	memcpy(m->text + id.n, key->data, key->len);
	buf_unref(key);
	list_init(&m->order);
	list_init(&m->suspect);
	member_conns_init(&m->conns);
	return m;
}

static void
extend(struct buf **b, struct str key, struct str value)
{
	if (*b != NULL && (*b)->len > 0)
		buf_putc(b, ',');
	buf_append(b, key);
	if (value.p != NULL) {
		buf_putc(b, ':');
		buf_append(b, value);
	}
}

static void
extend_list(struct presence *p, const struct member *m)
{
	extend(&p->ids, member_key(m), (struct str){ NULL, 0 });
	extend(&p->hash, member_key(m), member_info(m));
}

static void
insert(struct presence *p, struct member *m, uint64_t stamp)
{
	m->stamp = stamp;
	if (!list_is_empty(&p->order) &&
	    LIST_ITEM(p->order.prev, struct member, order)->stamp > stamp)
		p->stale = p->unsorted = true;
	list_append(&p->order, &m->order);
	hash_insert(&p->members, &m->node, hash_str(member_id(m), 0));
	p->keys += key_bytes(m);
	if (!p->stale)
		extend_list(p, m);
}

/* The member joined at this stamp or before it. */
static void
move_up(struct member *m, uint64_t stamp)
{
	if (stamp >= m->stamp)
		return;
	m->stamp = stamp;
	m->presence->stale = m->presence->unsorted = true;
}

bool
presence_is_oldest(const struct presence *p, struct str id, uint64_t stamp)
{
	const struct member *m = find(p, id);

	return m != NULL && m->conns.first.stamp == stamp;
}

bool
presence_has(const struct presence *p, struct str id)
{
	return p != NULL && find(p, id) != NULL;
}

/* Is there room for so many bytes more?  Infos are counted already. */
static bool
fits(const struct presence *p, size_t more)
{
	return p->keys + p->conns.bytes + more <= PRESENCE_MAX_BYTES;
}

bool
presence_recall(struct presence *p, struct str id, struct str info,
    uint64_t stamp, struct list *suspects)
{
	struct member *m = find(p, id);

	if (m != NULL) {
		move_up(m, stamp);
		return false;
	}
	m = member_new(p, id);
	m->conns.first.info =
	    member_conns_keep_info(&p->conns, &m->conns, info);
	if (!fits(p, key_bytes(m))) {
		member_conns_clear(&p->conns, &m->conns);
		free(m);
		return false;
	}
	insert(p, m, stamp);
	list_append(suspects, &m->suspect);
	book(p);
	return true;
}

enum presence_joined
presence_join(struct presence *p, const struct presence_join *j)
{
	struct member_conn conn = { j->sid, j->stamp, NULL, j->slot };
	struct member *m = find(p, j->id);
	bool is_new = m == NULL;
	struct buf *info = NULL;

	if (is_new && p->members.n >= j->max && !j->replay)
		return PRESENCE_FULL;
	if (is_new)
		m = member_new(p, j->id);
	json_nest(&info, j->info.n == 0 ? S("null") : j->info);
	conn.info = member_conns_keep_info(&p->conns, &m->conns, buf_str(info));
	buf_unref(info);
	if ((is_new || conn.info->refs == 1) && !j->replay &&
	    !fits(p, is_new ? key_bytes(m) : 0)) {
		member_conns_forget_info(&p->conns, conn.info);
		if (is_new)
			free(m);
		return PRESENCE_TOO_LARGE;
	}
	member_conns_add(&p->conns, &m->conns, conn);
	if (is_new) {
		insert(p, m, j->stamp);
		book(p);
		return PRESENCE_FIRST;
	}
	move_up(m, j->stamp);
	book(p);
	m->due = 0;
	list_remove(&m->suspect);
	return PRESENCE_MORE;
}

enum presence_left
presence_leave(struct presence *p, unsigned slot, uint64_t sid, struct str id)
{
	struct member *m = find(p, id);

	if (m == NULL || !member_conns_remove(&p->conns, &m->conns, slot, sid))
		return PRESENCE_UNKNOWN;
	book(p);
	if (m->conns.n > 0)
		return PRESENCE_STAYS;
	discard(m);
	return PRESENCE_GONE;
}

struct member *
presence_keep(struct presence *p, struct str id, double now, double until)
{
	struct member *m = find(p, id);

	if (m == NULL)
		return NULL;
	if (until > m->due)
		m->due = until;
	return m->due > now ? m : NULL;
}

bool
presence_lose_conn(struct member *m, unsigned slot, uint64_t sid)
{
	if (!member_conns_remove(&m->presence->conns, &m->conns, slot, sid))
		return false;
	book(m->presence);
	return true;
}

void
presence_move(struct presence *p, unsigned from, unsigned to)
{
	struct list *e;

	LIST_FOREACH(e, &p->order)
		member_conns_move(
		    &LIST_ITEM(e, struct member, order)->conns, from, to);
	if (p->rosters >> from & 1)
		p->rosters |= UINT64_C(1) << to;
	p->rosters &= ~(UINT64_C(1) << from);
}

size_t
presence_drop(
    struct presence *p, unsigned slot, double due, struct list *suspects)
{
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, &p->order) {
		struct member *m = LIST_ITEM(e, struct member, order);

		if (m->conns.n == 0)
			continue;
		member_conns_drop(&p->conns, &m->conns, slot);
		if (m->conns.n > 0)
			continue;
		m->due = due;
		list_append(suspects, &m->suspect);
		n++;
	}
	book(p);
	return n;
}

bool
presence_release(struct registry *r, struct channel *c)
{
	if (presence_count(c->presence) == 0) {
		presence_free(c->presence);
		c->presence = NULL;
	}
	return registry_release(r, c);
}

void
presence_expire(struct member *m)
{
	discard(m);
}

/* ---- the list ---- */

static uint64_t
stamp_of(const void *p)
{
	return LIST_ITEM(*(struct list *const *)p, struct member, order)->stamp;
}

static int
by_stamp(const void *a, const void *b)
{
	uint64_t x = stamp_of(a), y = stamp_of(b);

	return (x > y) - (x < y);
}

static void
refresh(struct presence *p)
{
	struct list *e;

	p->needed = true;
	if (!p->stale && !p->conns.changed)
		return;
	if (p->unsorted) /* workers replay in their own order */
		member_conns_sort_list(&p->order, p->members.n, by_stamp);
	p->unsorted = false;
	if (p->ids != NULL)
		p->ids->len = p->hash->len = 0;
	LIST_FOREACH(e, &p->order)
		extend_list(p, LIST_ITEM(e, struct member, order));
	p->stale = p->conns.changed = false;
}

void
presence_write(struct presence *p, struct buf **b)
{
	refresh(p);
	json_raw(b, S("{\\\"presence\\\":{\\\"ids\\\":["));
	json_raw(b, buf_str(p->ids));
	json_raw(b, S("],\\\"hash\\\":{"));
	json_raw(b, buf_str(p->hash));
	buf_printf(b, "},\\\"count\\\":%u}}", presence_count(p));
}

struct member *
presence_find(const struct presence *p, struct str id)
{
	return find(p, id);
}

void
member_put_info(struct json_writer *w, const struct member *m)
{
	struct buf *b = buf_from(S("\""));

	buf_append(&b, member_info(m));
	buf_putc(&b, '"');
	json_put_raw(w, buf_str(b));
	buf_unref(b);
}

void
presence_each(
    struct presence *p, void (*fn)(void *, const struct member *), void *arg)
{
	struct list *e;

	refresh(p);
	LIST_FOREACH(e, &p->order)
		fn(arg, LIST_ITEM(e, struct member, order));
}
