/* SPDX-License-Identifier: MIT */
/*
 * idempotency.c: idempotency keys.  Owns each key with its state: claimed by a
 * worker (others wait for its answer), or answered.  A claim may end without an
 * answer: the request was refused, or its worker died.  It then passes to the
 * request that has waited longest, or the key is forgotten; if the worker had
 * reported that the work is done, its provisional answer counts.  Bounded by
 * number and bytes: the oldest keys of the app that holds most go first, and a
 * repetition of such a request would be sent again.
 *
 * Answers are also in memory that outlives this process (answer_table.h), where
 * the next broker finds them.  A worker sends those that this broker has not
 * read to the next one, behind their events.  Claims end with the broker: the
 * requests ask again.
 */

#include "broker/app/idempotency.h"

#include <limits.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/answer_table.h"

#define KEY_SECONDS 120.
#define ENTRY_BYTES 384   /* of an entry and its row, without what varies */
#define ANY_SLOT UINT_MAX /* an earlier broker knew it */

struct idem_entry {
	struct hash_node node;
	struct list order;  /* in idempotency.order */
	struct list in_app; /* in its app's share, oldest first */
	struct share *share;
	struct list waiters; /* struct waiter, first come first */
	uint32_t app;
	unsigned slot;        /* the holder, until it has answered */
	uint32_t status;      /* of the answer; 0: there is none yet */
	uint32_t provisional; /* ... and the provisional one, or 0 */
	struct buf *body;     /* of the answer, or the provisional one */
	uint32_t row;         /* its copy in the table, or ANSWER_NONE */
	double at;            /* broker_now() when it was first used */
	size_t key_len;
	char key[];
};

struct waiter {
	struct list link;
	unsigned slot;
	uint64_t id; /* of its IDEM_BEGIN */
};

struct idem_key {
	uint32_t app;
	struct str key;
};

static struct str
key_of(const struct idem_entry *entry)
{
	return str_make(entry->key, entry->key_len);
}

static bool
entry_eq(const struct hash_node *n, const void *key)
{
	const struct idem_key *k = key;
	const struct idem_entry *entry =
	    container_of(n, const struct idem_entry, node);

	return entry->app == k->app && str_eq(key_of(entry), k->key);
}

static struct idem_entry *
find(struct idempotency *cs, uint32_t app, struct str key)
{
	struct idem_key k = { app, key };
	struct hash_node *n =
	    hash_find(&cs->keys, hash_str(key, app), entry_eq, &k);

	return n == NULL ? NULL : container_of(n, struct idem_entry, node);
}

/* If the worker is gone, the answer is dropped. */
static void
tell(struct broker *br, unsigned slot, uint64_t id,
    const struct idem_entry *entry)
{
	struct msg_idem_result m = { .id = id,
		.app = entry->app,
		.status = entry->status,
		.key = key_of(entry) };

	if (entry->status != 0)
		m.body = buf_str(entry->body);

	if (br->peers[slot] != NULL)
		ipc_send_idem_result(&br->peers[slot]->ipc, &m);
}

/* Sends the same answer to all that wait. */
static void
tell_waiters(struct broker *br, struct idem_entry *entry)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &entry->waiters) {
		struct waiter *w = LIST_ITEM(e, struct waiter, link);

		tell(br, w->slot, w->id, entry);
		list_remove(&w->link);
		free(w);
	}
}

/* Counts n bytes of its key or answer, here and in the table. */
static void
count(struct broker *br, struct idem_entry *entry, size_t n)
{
	br->idempotency->bytes += n;
	shares_add(&br->idempotency->shares, entry->share, 2 * n);
	budget_add(br->budget, entry->app, 2 * n);
}

static void
uncount(struct broker *br, struct idem_entry *entry, size_t n)
{
	br->idempotency->bytes -= n;
	shares_sub(&br->idempotency->shares, entry->share, 2 * n);
	budget_sub(br->budget, entry->app, 2 * n);
}

static void
forget(struct broker *br, struct idem_entry *entry)
{
	/* 0: the waiting request may proceed. */
	entry->status = entry->provisional;
	tell_waiters(br, entry);
	answer_table_drop(br->idempotency->table, entry->row);
	hash_remove(&br->idempotency->keys, &entry->node);
	list_remove(&entry->order);
	list_remove(&entry->in_app);
	uncount(br, entry, entry->key_len + buf_str(entry->body).n);
	budget_sub(br->budget, entry->app, ENTRY_BYTES);
	shares_sub(&br->idempotency->shares, entry->share, ENTRY_BYTES);
	br->idempotency->n--;
	buf_unref(entry->body);
	free(entry);
}

/*
 * The claim ended without an answer.  A provisional answer counts; otherwise
 * the next request may try, or the key is forgotten.
 */
static void
pass_on(struct broker *br, struct idem_entry *entry)
{
	struct waiter *w;

	if (entry->provisional != 0) {
		entry->status = entry->provisional;
		tell_waiters(br, entry);
		return;
	}

	while (!list_is_empty(&entry->waiters)) {
		w = LIST_ITEM(entry->waiters.next, struct waiter, link);
		list_remove(&w->link);
		if (br->peers[w->slot] != NULL) {
			entry->slot = w->slot;
			tell(br, w->slot, w->id, entry);
			free(w);
			return;
		}
		free(w);
	}
	forget(br, entry);
}

/*
 * Are n keys, with so many bytes of keys and answers, too many?  With their
 * rows they use at most an eighth of the broker's memory bound.
 */
static bool
is_over(const struct broker *br, size_t n, uint64_t bytes)
{
	uint64_t max = budget_max(br->budget);

	return n > ANSWERS_MAX || bytes > ANSWERS_BYTES ||
	    (max != 0 && n * ENTRY_BYTES + 2 * bytes > max / 8);
}

/*
 * The next one to be forgotten, which is not this one.  NULL: the app that
 * holds most has no other.
 */
static struct idem_entry *
oldest(struct idempotency *cs, const struct idem_entry *but)
{
	struct share *s = shares_largest(&cs->shares);
	struct list *e = s == NULL ? NULL : s->entries.next;

	if (s != NULL && but != NULL && e == &but->in_app)
		e = e->next;
	return s == NULL || e == &s->entries
	    ? NULL
	    : LIST_ITEM(e, struct idem_entry, in_app);
}

/* Makes room for n bytes of this entry; NULL: of a new one. */
static void
make_room(struct broker *br, const struct idem_entry *entry, size_t n)
{
	struct idempotency *cs = br->idempotency;
	struct idem_entry *victim;

	while (is_over(br, cs->n + (entry == NULL), cs->bytes + n) &&
	    (victim = oldest(cs, entry)) != NULL)
		forget(br, victim);
}

static struct idem_entry *
add(struct broker *br, uint32_t app, struct str key, double at)
{
	struct idem_entry *entry = xcalloc(1, sizeof(*entry) + key.n);

	make_room(br, NULL, key.n);
	list_init(&entry->waiters);
	entry->app = app;
	entry->at = at;
	entry->row = ANSWER_NONE;
	entry->key_len = key.n;
	memcpy(entry->key, key.p, key.n);
	hash_insert(&br->idempotency->keys, &entry->node, hash_str(key, app));
	list_init(&entry->order);
	list_append(&br->idempotency->order, &entry->order);
	entry->share = shares_get(&br->idempotency->shares, app);
	list_init(&entry->in_app);
	list_append(&entry->share->entries, &entry->in_app);
	shares_add(&br->idempotency->shares, entry->share, ENTRY_BYTES);
	budget_add(br->budget, app, ENTRY_BYTES);
	count(br, entry, key.n);
	br->idempotency->n++;
	return entry;
}

static void
set_body(struct broker *br, struct idem_entry *entry, struct str body)
{
	uncount(br, entry, buf_str(entry->body).n);
	buf_unref(entry->body);
	entry->body = NULL;
	make_room(br, entry, body.n);
	entry->body = buf_from(body);
	count(br, entry, body.n);
}

/* Apps are named by their ids in the table: numbers may be reused. */
static uint64_t
owner(const struct broker *br, uint32_t app)
{
	const struct broker_app *a = apps_lookup(br, app);

	return a == NULL ? 0 : hash_sip13(0, 0, 0, str_of(a->app.id));
}

/* Writes its answer, which replaces an earlier one, to the table. */
static void
save(struct broker *br, struct idem_entry *entry)
{
	struct answer a = { .owner = owner(br, entry->app),
		.at = entry->at,
		.app = entry->app,
		.status =
		    entry->status != 0 ? entry->status : entry->provisional,
		.provisional = entry->provisional != 0,
		.key = key_of(entry),
		.body = buf_str(entry->body) };
	uint32_t old = entry->row;

	entry->row = answer_table_put(br->idempotency->table, &a);
	answer_table_drop(br->idempotency->table, old);
}

static void
begin(struct peer *p, const struct msg_sub *m, uint64_t unused)
{
	struct broker *br = p->br;
	struct idem_entry *entry = find(br->idempotency, m->app, m->channel);
	struct waiter *w;

	if (entry == NULL) {
		entry = add(br, m->app, m->channel, broker_now());
		entry->slot = (unsigned)p->slot;
		tell(br, entry->slot, m->sid, entry);
	} else if (entry->status != 0) {
		tell(br, (unsigned)p->slot, m->sid, entry);
	} else {
		w = xcalloc(1, sizeof(*w));
		w->slot = (unsigned)p->slot;
		w->id = m->sid;
		list_append(&entry->waiters, &w->link);
	}
}

int
idempotency_on_begin(struct peer *p, const struct msg_idem_begin *m)
{
	struct msg_sub q = { .app = m->app, .sid = m->id, .channel = m->key };

	if (m->key.n == 0)
		return -1;
	if (answers_must_wait(p))
		answers_put_off(p, begin, &q, 0, 0);
	else
		begin(p, &q, 0);
	return 0;
}

/*
 * The entry that this answer is for; NULL: none, the answer has come before or
 * another worker has the key.  The broker that gave the key may have died, or
 * the entry was forgotten.
 */
static struct idem_entry *
awaited(struct peer *p, const struct msg_idem_store *m)
{
	struct broker *br = p->br;
	struct idem_entry *entry = find(br->idempotency, m->app, m->key);

	if (entry == NULL && m->status != 0 && apps_find(br, m->app) != NULL) {
		entry = add(br, m->app, m->key, broker_now());
		entry->slot = (unsigned)p->slot;
	}
	if (entry == NULL || (entry->status != 0 && entry->provisional == 0) ||
	    (entry->slot != (unsigned)p->slot && entry->slot != ANY_SLOT))
		return NULL;
	return entry;
}

int
idempotency_on_store(struct peer *p, const struct msg_idem_store *m)
{
	struct broker *br = p->br;
	struct idem_entry *entry;

	if (m->key.n == 0)
		return -1;
	entry = awaited(p, m);
	if (entry == NULL)
		return 0;
	if (m->status == 0) {
		pass_on(br, entry);
		return 0;
	}
	set_body(br, entry, m->body);
	entry->provisional = m->provisional != 0 ? m->status : 0;
	if (m->provisional == 0)
		entry->status = m->status;
	save(br, entry);
	if (m->provisional == 0)
		tell_waiters(br, entry);
	return 0;
}

void
idempotency_drop(struct broker *br, unsigned slot)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->idempotency->order) {
		struct idem_entry *entry =
		    LIST_ITEM(e, struct idem_entry, order);

		if (entry->status == 0 && entry->slot == slot)
			pass_on(br, entry);
	}
}

void
idempotency_forget_app(struct broker *br, uint32_t app)
{
	struct share *s;

	while ((s = shares_find(&br->idempotency->shares, app)) != NULL)
		forget(
		    br, LIST_ITEM(s->entries.next, struct idem_entry, in_app));
}

void
idempotency_expire(struct broker *br)
{
	double limit = broker_now() - KEY_SECONDS;
	struct idem_entry *entry;

	while (!list_is_empty(&br->idempotency->order)) {
		entry = LIST_ITEM(
		    br->idempotency->order.next, struct idem_entry, order);
		if (entry->at > limit)
			break;
		forget(br, entry);
	}
}

/* Takes over an answer; false: nobody may repeat it. */
static bool
recall(struct broker *br, uint32_t row, const struct answer *a)
{
	struct idem_entry *entry;

	if (a->status == 0 || a->key.n == 0 || owner(br, a->app) != a->owner ||
	    a->owner == 0)
		return false;
	entry = find(br->idempotency, a->app, a->key);
	if (entry != NULL && entry->provisional == 0)
		return false; /* the broker died while it replaced this one */
	if (entry != NULL)
		forget(br, entry);
	entry = add(br, a->app, a->key, MIN(a->at, broker_now()));
	entry->slot = ANY_SLOT;
	set_body(br, entry, a->body);
	entry->status = a->status;
	entry->provisional = a->provisional ? a->status : 0;
	entry->row = row;
	return true;
}

void
idempotency_recall(struct broker *br, struct answer_table *table)
{
	struct buf *bytes = NULL;
	struct answer_row *rows;
	size_t n;

	rows = answer_table_rows(table, &n);
	br->idempotency->table = table;
	for (size_t i = 0; i < n; i++) {
		struct answer a = answer_table_get(table, rows[i].row, &bytes);

		if (!recall(br, rows[i].row, &a))
			answer_table_drop(table, rows[i].row);
	}
	buf_unref(bytes);
	free(rows);
}

void
idempotency_init(struct idempotency *cs)
{
	*cs = (struct idempotency){ 0 };
	list_init(&cs->order);
}

void
idempotency_clear(struct idempotency *cs)
{
	struct list *e, *tmp, *f, *tmp2;

	LIST_FOREACH_SAFE(e, tmp, &cs->order) {
		struct idem_entry *entry =
		    LIST_ITEM(e, struct idem_entry, order);

		LIST_FOREACH_SAFE(f, tmp2, &entry->waiters)
			free(LIST_ITEM(f, struct waiter, link));
		buf_unref(entry->body);
		free(entry);
	}
	hash_clear(&cs->keys);
	shares_clear(&cs->shares);
}
