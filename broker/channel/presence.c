/* SPDX-License-Identifier: MIT */
/*
 * presence.c: the members of one presence channel.  Owns struct member and
 * the finished bytes of the list.
 *
 * Every member keeps its id and info escaped as they stand in a frame, so
 * that a list is put together by copying: somebody who joins extends the
 * bytes that are there, somebody who leaves makes them stale until they are
 * needed again.  Must never send, log, or look at a clock.
 */

#include "broker/channel/presence.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

/* Around one member in the list: quotes and commas, generously. */
#define MEMBER_OVERHEAD 4

static bool
member_eq(const struct hash_node *n, const void *key)
{
	return str_eq(member_id(container_of(n, const struct member, node)),
	    *(const struct str *)key);
}

static const char *
texts(const struct member *m)
{
	return (const char *)&m->count[m->presence->nslots];
}

struct str
member_id(const struct member *m)
{
	return str_make(texts(m), m->id_len);
}

static struct str
member_key(const struct member *m)
{
	return str_make(texts(m) + m->id_len, m->key_len);
}

struct str
member_info(const struct member *m)
{
	return str_make(texts(m) + m->id_len + m->key_len, m->info_len);
}

static size_t
member_bytes(const struct member *m)
{
	return (size_t)m->key_len * 2 + m->info_len + MEMBER_OVERHEAD;
}

struct presence *
presence_new(struct channel *c, unsigned nslots)
{
	struct presence *p = xcalloc(1, sizeof(*p));

	p->channel = c;
	p->nslots = nslots;
	p->stale = true;
	list_init(&p->order);
	return p;
}

/* Takes the member out of everything and frees it. */
static void
discard(struct member *m)
{
	struct presence *p = m->presence;

	hash_remove(&p->members, &m->node);
	list_remove(&m->order);
	list_remove(&m->suspect);
	p->bytes -= member_bytes(m);
	p->stale = true;
	free(m);
}

void
presence_free(struct presence *p)
{
	if (p == NULL)
		return;
	while (!list_is_empty(&p->order))
		discard(LIST_ITEM(p->order.next, struct member, order));
	hash_clear(&p->members);
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

/* info as it stands in frames */
static struct member *
member_make(struct presence *p, struct str id, struct str info)
{
	struct buf *quoted = NULL, *b = NULL;
	size_t counts = p->nslots * sizeof(uint32_t);
	struct member *m;
	uint32_t key_len;

	json_quote(&quoted, id);
	json_nest(&b, buf_str(quoted));
	key_len = b->len;
	buf_append(&b, info);
	buf_unref(quoted);

	m = xcalloc(1, sizeof(*m) + counts + id.n + b->len);
	m->presence = p;
	m->id_len = (uint32_t)id.n;
	m->key_len = key_len;
	m->info_len = b->len - key_len;
	memcpy(&m->count[p->nslots], id.p, id.n);
	memcpy((char *)&m->count[p->nslots] + id.n, b->data, b->len);
	buf_unref(b);
	list_init(&m->order);
	list_init(&m->suspect);
	return m;
}

static struct member *
member_new(struct presence *p, struct str id, struct str info)
{
	struct buf *b = NULL;
	struct member *m;

	json_nest(&b, info.n == 0 ? S("null") : info);
	m = member_make(p, id, buf_str(b));
	buf_unref(b);
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
	p->bytes += member_bytes(m);
	if (!p->stale)
		extend_list(p, m);
}

/* A replay knows an older subscription of the same user. */
static struct member *
take_older(struct presence *p, struct member *m, const struct presence_join *j)
{
	struct member *old = m;

	m = member_new(p, j->id, j->info);
	m->total = old->total;
	memcpy(m->count, old->count, p->nslots * sizeof(m->count[0]));
	discard(old);
	insert(p, m, j->stamp);
	return m;
}

bool
presence_is_oldest(const struct presence *p, struct str id, uint64_t stamp)
{
	const struct member *m = find(p, id);

	return m != NULL && m->stamp == stamp;
}

bool
presence_has(const struct presence *p, struct str id)
{
	return p != NULL && find(p, id) != NULL;
}

bool
presence_recall(struct presence *p, struct str id, struct str info,
    uint64_t stamp, struct list *suspects)
{
	struct member *m;

	if (find(p, id) != NULL)
		return false;
	m = member_make(p, id, info);
	if (p->bytes + member_bytes(m) > PRESENCE_MAX_BYTES) {
		free(m);
		return false;
	}
	insert(p, m, stamp);
	list_append(suspects, &m->suspect);
	return true;
}

enum presence_joined
presence_join(struct presence *p, const struct presence_join *j)
{
	struct member *m = find(p, j->id);
	enum presence_joined r = PRESENCE_MORE;

	if (m == NULL) {
		if (p->members.n >= j->max)
			return PRESENCE_FULL;
		m = member_new(p, j->id, j->info);
		if (p->bytes + member_bytes(m) > PRESENCE_MAX_BYTES) {
			free(m);
			return PRESENCE_TOO_LARGE;
		}
		insert(p, m, j->stamp);
		r = PRESENCE_FIRST;
	} else if (j->stamp < m->stamp) {
		m = take_older(p, m, j);
	}
	m->count[j->slot]++;
	m->total++;
	list_remove(&m->suspect);
	return r;
}

enum presence_left
presence_leave(struct presence *p, unsigned slot, struct str id)
{
	struct member *m = find(p, id);

	if (m == NULL || m->count[slot] == 0)
		return PRESENCE_UNKNOWN;
	m->count[slot]--;
	if (--m->total > 0)
		return PRESENCE_STAYS;
	discard(m);
	return PRESENCE_GONE;
}

size_t
presence_drop(
    struct presence *p, unsigned slot, double due, struct list *suspects)
{
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, &p->order) {
		struct member *m = LIST_ITEM(e, struct member, order);

		if (m->count[slot] == 0)
			continue;
		m->total -= m->count[slot];
		m->count[slot] = 0;
		if (m->total == 0) {
			m->due = due;
			list_append(suspects, &m->suspect);
			n++;
		}
	}
	return n;
}

void
presence_expire(struct member *m)
{
	discard(m);
}

static int
by_stamp(const void *a, const void *b)
{
	const struct member *const *x = a, *const *y = b;

	return ((*x)->stamp > (*y)->stamp) - ((*x)->stamp < (*y)->stamp);
}

/* Members of several workers were replayed, each in its own order. */
static void
sort(struct presence *p)
{
	struct member **v = xcalloc(p->members.n, sizeof(struct member *));
	struct list *e;
	size_t n = 0;

	LIST_FOREACH(e, &p->order)
		v[n++] = LIST_ITEM(e, struct member, order);
	qsort(v, n, sizeof(*v), by_stamp);
	list_init(&p->order);
	for (size_t i = 0; i < n; i++)
		list_append(&p->order, &v[i]->order);
	free(v);
	p->unsorted = false;
}

static void
refresh(struct presence *p)
{
	struct list *e;

	if (!p->stale)
		return;
	if (p->unsorted)
		sort(p);
	if (p->ids != NULL)
		p->ids->len = p->hash->len = 0;
	LIST_FOREACH(e, &p->order)
		extend_list(p, LIST_ITEM(e, struct member, order));
	p->stale = false;
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

const struct member *
presence_find(const struct presence *p, struct str id)
{
	struct hash_node *n =
	    hash_find(&p->members, hash_str(id, 0), member_eq, &id);

	return n == NULL ? NULL : container_of(n, const struct member, node);
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
