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

#define CLAIM_SECONDS 120.
#define CLAIMS_MAX 65536
#define CLAIMS_BYTES (16u << 20)

struct idem_entry {
	struct hash_node node;
	struct list order;  /* in claims.order */
	struct list in_app; /* in its app's share, oldest first */
	struct share *share;
	struct list waiters; /* struct waiter, first come first */
	uint32_t app;
	unsigned slot;        /* the holder, until it has answered */
	uint32_t status;      /* of the answer; 0: there is none yet */
	uint32_t provisional; /* ... and the provisional one, or 0 */
	struct buf *body;     /* of the answer, or the provisional one */
	double at;            /* broker_now() of the claim */
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
key_of(const struct idem_entry *cl)
{
	return str_make(cl->key, cl->key_len);
}

static bool
entry_eq(const struct hash_node *n, const void *key)
{
	const struct idem_key *k = key;
	const struct idem_entry *cl =
	    container_of(n, const struct idem_entry, node);

	return cl->app == k->app && str_eq(key_of(cl), k->key);
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
tell(struct broker *br, unsigned slot, uint64_t id, const struct idem_entry *cl)
{
	struct msg_idem_result m = { .id = id,
		.app = cl->app,
		.status = cl->status,
		.key = key_of(cl) };

	if (cl->status != 0)
		m.body = buf_str(cl->body);

	if (br->peers[slot] != NULL)
		ipc_send_idem_result(&br->peers[slot]->ipc, &m);
}

/* Sends the same answer to all that wait. */
static void
tell_waiters(struct broker *br, struct idem_entry *cl)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &cl->waiters) {
		struct waiter *w = LIST_ITEM(e, struct waiter, link);

		tell(br, w->slot, w->id, cl);
		list_remove(&w->link);
		free(w);
	}
}

/* Its bytes in the app's share, with a fixed cost for each entry. */
static uint64_t
cost(const struct idem_entry *cl)
{
	return CLAIMS_BYTES / CLAIMS_MAX + cl->key_len + buf_str(cl->body).n;
}

static void
forget(struct broker *br, struct idem_entry *cl)
{
	cl->status = cl->provisional; /* 0: the waiting request may proceed */
	tell_waiters(br, cl);
	hash_remove(&br->idempotency->keys, &cl->node);
	list_remove(&cl->order);
	list_remove(&cl->in_app);
	shares_sub(&br->idempotency->shares, cl->share, cost(cl));
	budget_sub(br->budget, cl->app, cost(cl));
	br->idempotency->n--;
	br->idempotency->bytes -= cl->key_len + buf_str(cl->body).n;
	buf_unref(cl->body);
	free(cl);
}

static void
set_body(struct broker *br, struct idem_entry *cl, struct str body)
{
	br->idempotency->bytes -= buf_str(cl->body).n;
	shares_sub(&br->idempotency->shares, cl->share, buf_str(cl->body).n);
	budget_sub(br->budget, cl->app, buf_str(cl->body).n);
	buf_unref(cl->body);
	cl->body = buf_from(body);
	br->idempotency->bytes += body.n;
	shares_add(&br->idempotency->shares, cl->share, body.n);
	budget_add(br->budget, cl->app, body.n);
}

/*
 * The claim ended without an answer.  A provisional answer counts; otherwise
 * the next request may try, or the key is forgotten.
 */
static void
pass_on(struct broker *br, struct idem_entry *cl)
{
	struct waiter *w;

	if (cl->provisional != 0) {
		cl->status = cl->provisional;
		tell_waiters(br, cl);
		return;
	}

	while (!list_is_empty(&cl->waiters)) {
		w = LIST_ITEM(cl->waiters.next, struct waiter, link);
		list_remove(&w->link);
		if (br->peers[w->slot] != NULL) {
			cl->slot = w->slot;
			tell(br, w->slot, w->id, cl);
			free(w);
			return;
		}
		free(w);
	}
	forget(br, cl);
}

/* All keys together use at most an eighth of the broker's memory bound. */
static uint64_t
max_bytes(const struct broker *br)
{
	uint64_t max = budget_max(br->budget);

	return max == 0 ? CLAIMS_BYTES : MIN(CLAIMS_BYTES, max / 8);
}

static void
make_room(struct broker *br)
{
	struct idempotency *cs = br->idempotency;
	struct share *s;

	while ((cs->n >= CLAIMS_MAX || cs->bytes > max_bytes(br)) &&
	    (s = shares_largest(&cs->shares)) != NULL)
		forget(
		    br, LIST_ITEM(s->entries.next, struct idem_entry, in_app));
}

static struct idem_entry *
add(struct broker *br, uint32_t app, struct str key)
{
	struct idem_entry *cl = xcalloc(1, sizeof(*cl) + key.n);

	make_room(br);
	list_init(&cl->waiters);
	cl->app = app;
	cl->at = broker_now();
	cl->key_len = key.n;
	memcpy(cl->key, key.p, key.n);
	hash_insert(&br->idempotency->keys, &cl->node, hash_str(key, app));
	list_init(&cl->order);
	list_append(&br->idempotency->order, &cl->order);
	cl->share = shares_get(&br->idempotency->shares, app);
	list_init(&cl->in_app);
	list_append(&cl->share->entries, &cl->in_app);
	shares_add(&br->idempotency->shares, cl->share, cost(cl));
	budget_add(br->budget, app, cost(cl));
	br->idempotency->n++;
	br->idempotency->bytes += key.n;
	return cl;
}

static void
begin(struct peer *p, const struct msg_sub *m, uint64_t unused)
{
	struct broker *br = p->br;
	struct idem_entry *cl = find(br->idempotency, m->app, m->channel);
	struct waiter *w;

	if (cl == NULL) {
		cl = add(br, m->app, m->channel);
		cl->slot = (unsigned)p->slot;
		tell(br, cl->slot, m->sid, cl);
	} else if (cl->status != 0) {
		tell(br, (unsigned)p->slot, m->sid, cl);
	} else {
		w = xcalloc(1, sizeof(*w));
		w->slot = (unsigned)p->slot;
		w->id = m->sid;
		list_append(&cl->waiters, &w->link);
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
	struct idem_entry *cl = find(p->br->idempotency, m->app, m->key);

	if (cl == NULL || cl->status != 0 || cl->slot != (unsigned)p->slot)
		return 0; /* the entry was evicted meanwhile */
	if (m->status == 0) {
		pass_on(p->br, cl);
		return 0;
	}
	set_body(p->br, cl, m->body);
	if (m->provisional != 0) {
		cl->provisional = m->status;
		return 0;
	}
	cl->status = m->status;
	tell_waiters(p->br, cl);
	return 0;
}

void
idempotency_drop(struct broker *br, unsigned slot)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->idempotency->order) {
		struct idem_entry *cl = LIST_ITEM(e, struct idem_entry, order);

		if (cl->status == 0 && cl->slot == slot)
			pass_on(br, cl);
	}
}

void
idempotency_expire(struct broker *br)
{
	double limit = broker_now() - CLAIM_SECONDS;
	struct idem_entry *cl;

	while (!list_is_empty(&br->idempotency->order)) {
		cl = LIST_ITEM(
		    br->idempotency->order.next, struct idem_entry, order);
		if (cl->at > limit)
			break;
		forget(br, cl);
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
		struct idem_entry *cl = LIST_ITEM(e, struct idem_entry, order);

		LIST_FOREACH_SAFE(f, tmp2, &cl->waiters)
			free(LIST_ITEM(f, struct waiter, link));
		buf_unref(cl->body);
		free(cl);
	}
	hash_clear(&cs->keys);
	shares_clear(&cs->shares);
}
