/* SPDX-License-Identifier: MIT */
/*
 * idempotency.c: idempotency keys.  Owns each key with its state: claimed by a
 * worker (others wait for its answer), or answered.  A claim may end without an
 * answer: the request was refused, or its worker died.  It then passes to the
 * request that has waited longest, or the key is forgotten; if the worker had
 * reported that the work is done, its provisional answer counts.  Bounded by
 * number and bytes: the oldest keys of the app that holds most go first, and a
 * repetition of such a request would be sent again.  The keys are lost with the
 * broker, with the same result.
 */

#include "broker/app/idempotency.h"

#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define KEY_SECONDS 120.
#define KEYS_MAX 65536
#define KEYS_BYTES (16u << 20)

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

/* Its bytes in the app's share, with a fixed cost for each entry. */
static uint64_t
cost(const struct idem_entry *entry)
{
	return KEYS_BYTES / KEYS_MAX + entry->key_len + buf_str(entry->body).n;
}

static void
forget(struct broker *br, struct idem_entry *entry)
{
	/* 0: the waiting request may proceed. */
	entry->status = entry->provisional;
	tell_waiters(br, entry);
	hash_remove(&br->idempotency->keys, &entry->node);
	list_remove(&entry->order);
	list_remove(&entry->in_app);
	shares_sub(&br->idempotency->shares, entry->share, cost(entry));
	budget_sub(br->budget, entry->app, cost(entry));
	br->idempotency->n--;
	br->idempotency->bytes -= entry->key_len + buf_str(entry->body).n;
	buf_unref(entry->body);
	free(entry);
}

static void
set_body(struct broker *br, struct idem_entry *entry, struct str body)
{
	br->idempotency->bytes -= buf_str(entry->body).n;
	shares_sub(
	    &br->idempotency->shares, entry->share, buf_str(entry->body).n);
	budget_sub(br->budget, entry->app, buf_str(entry->body).n);
	buf_unref(entry->body);
	entry->body = buf_from(body);
	br->idempotency->bytes += body.n;
	shares_add(&br->idempotency->shares, entry->share, body.n);
	budget_add(br->budget, entry->app, body.n);
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

/* All keys together use at most an eighth of the broker's memory bound. */
static uint64_t
max_bytes(const struct broker *br)
{
	uint64_t max = budget_max(br->budget);

	return max == 0 ? KEYS_BYTES : MIN(KEYS_BYTES, max / 8);
}

static void
make_room(struct broker *br)
{
	struct idempotency *cs = br->idempotency;
	struct share *s;

	while ((cs->n >= KEYS_MAX || cs->bytes > max_bytes(br)) &&
	    (s = shares_largest(&cs->shares)) != NULL)
		forget(
		    br, LIST_ITEM(s->entries.next, struct idem_entry, in_app));
}

static struct idem_entry *
add(struct broker *br, uint32_t app, struct str key)
{
	struct idem_entry *entry = xcalloc(1, sizeof(*entry) + key.n);

	make_room(br);
	list_init(&entry->waiters);
	entry->app = app;
	entry->at = broker_now();
	entry->key_len = key.n;
	memcpy(entry->key, key.p, key.n);
	hash_insert(&br->idempotency->keys, &entry->node, hash_str(key, app));
	list_init(&entry->order);
	list_append(&br->idempotency->order, &entry->order);
	entry->share = shares_get(&br->idempotency->shares, app);
	list_init(&entry->in_app);
	list_append(&entry->share->entries, &entry->in_app);
	shares_add(&br->idempotency->shares, entry->share, cost(entry));
	budget_add(br->budget, app, cost(entry));
	br->idempotency->n++;
	br->idempotency->bytes += key.n;
	return entry;
}

static void
begin(struct peer *p, const struct msg_sub *m, uint64_t unused)
{
	struct broker *br = p->br;
	struct idem_entry *entry = find(br->idempotency, m->app, m->channel);
	struct waiter *w;

	if (entry == NULL) {
		entry = add(br, m->app, m->channel);
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

int
idempotency_on_store(struct peer *p, const struct msg_idem_store *m)
{
	struct idem_entry *entry = find(p->br->idempotency, m->app, m->key);

	if (entry == NULL || entry->status != 0 ||
	    entry->slot != (unsigned)p->slot)
		return 0; /* the entry was evicted meanwhile */
	if (m->status == 0) {
		pass_on(p->br, entry);
		return 0;
	}
	set_body(p->br, entry, m->body);
	if (m->provisional != 0) {
		entry->provisional = m->status;
		return 0;
	}
	entry->status = m->status;
	tell_waiters(p->br, entry);
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
