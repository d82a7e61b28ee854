/* SPDX-License-Identifier: MIT */
/*
 * answers.c: long answers that wait for room.  Owns them.  A question is
 * entered when it is read, so that the order of a link stays; only its answer
 * waits, and reports the state at the time when it is written.  Until then
 * neither the question nor the later messages of its worker are acknowledged.
 * When very much waits, or when some worker has too much to read, the links are
 * not read: the workers notice, and in the end their clients.  Must never end a
 * link for being busy, and must never give one connection or app two turns
 * while another one waits.
 */

#include "broker/link/answers.h"

#include <stdlib.h>

#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "shared/base/xmalloc.h"

#define WAITING_MAX (16u << 20) /* bytes; above it the link is not read */
#define AT_ONCE 1000            /* answers in one turn of the loop */

/* An app with its connections, or a connection with its answers. */
struct turn {
	struct hash_node node;
	struct list link; /* in the answers of the peer, or of the app */
	struct list entries;
	struct turn *app; /* of a connection */
};

struct answer {
	struct list link;      /* in its connection's turn */
	struct list in_number; /* in p->answers.numbered, if it has one */
	struct turn *turn;
	answer_fn fn;
	uint64_t seq, sid, stamp;
	uint32_t app, ref;
	size_t name_len;
	char name[];
};

/* ---- turns ---- */

static struct turn *
turn_find(const struct hash *h, uint64_t id)
{
	struct hash_node *n = hash_find_u64(h, id);

	return n == NULL ? NULL : container_of(n, struct turn, node);
}

/* Its turn comes after those that wait in `ring` already. */
static struct turn *
turn_get(struct hash *h, uint64_t id, struct list *ring)
{
	struct turn *t = turn_find(h, id);

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	list_init(&t->link);
	list_init(&t->entries);
	list_append(ring, &t->link);
	hash_insert(h, &t->node, hash_u64(id));
	return t;
}

static void
turn_end(struct hash *h, struct turn *t)
{
	hash_remove(h, &t->node);
	list_remove(&t->link);
	free(t);
}

static struct turn *
turn_first(struct list *ring)
{
	return LIST_ITEM(ring->next, struct turn, link);
}

/* It has had its turn: the others come first. */
static void
turn_next(struct list *ring, struct turn *t)
{
	list_remove(&t->link);
	list_append(ring, &t->link);
}

/* ---- what waits ---- */

/* Its bytes in the app's account. */
static size_t
booked(const struct answer *a)
{
	return sizeof(*a) + a->name_len + BUDGET_BLOCK;
}

void
answers_put_off(struct peer *p, answer_fn fn, const struct msg_sub *m,
    uint64_t seq, uint64_t stamp)
{
	struct answers *all = &p->answers;
	struct answer *a = xcalloc(1, sizeof(*a) + m->channel.n);
	struct turn *app;

	a->turn = turn_find(&all->conns, m->sid);
	if (a->turn == NULL) {
		app = turn_get(&all->apps, m->app, &all->ring);
		a->turn = turn_get(&all->conns, m->sid, &app->entries);
		a->turn->app = app;
	}
	a->fn = fn;
	a->seq = seq;
	a->app = m->app;
	a->sid = m->sid;
	a->ref = m->ref;
	a->stamp = stamp;
	a->name_len = m->channel.n;
	if (m->channel.n > 0)
		memcpy(a->name, m->channel.p, m->channel.n);
	list_init(&a->link);
	list_init(&a->in_number);
	list_append(&a->turn->entries, &a->link);
	if (seq != 0)
		list_append(&all->numbered, &a->in_number);
	if (all->owed == 0)
		all->owed = seq;
	all->bytes += booked(a);
	budget_add(p->br->budget, a->app, booked(a));
}

static void
forget(struct peer *p, struct answer *a)
{
	struct answers *all = &p->answers;
	struct turn *conn = a->turn, *app = conn->app;

	list_remove(&a->link);
	list_remove(&a->in_number);
	all->owed = list_is_empty(&all->numbered)
	    ? 0
	    : LIST_ITEM(all->numbered.next, struct answer, in_number)->seq;
	all->bytes -= booked(a);
	budget_sub(p->br->budget, a->app, booked(a));
	free(a);
	if (list_is_empty(&conn->entries))
		turn_end(&all->conns, conn);
	else
		turn_next(&app->entries, conn);
	if (list_is_empty(&app->entries))
		turn_end(&all->apps, app);
	else
		turn_next(&all->ring, app);
}

/* The answer of the next app and connection. */
static struct answer *
next_answer(struct peer *p)
{
	struct turn *app = turn_first(&p->answers.ring);

	return LIST_ITEM(
	    turn_first(&app->entries)->entries.next, struct answer, link);
}

void
answers_clear(struct peer *p)
{
	while (!list_is_empty(&p->answers.ring))
		forget(p, next_answer(p));
	hash_clear(&p->answers.apps);
	hash_clear(&p->answers.conns);
}

void
answers_replace(struct peer *p, uint64_t sid, struct str channel, answer_fn fn)
{
	const struct turn *t;
	struct list *e;

	if (p->answers.conns.n == 0 ||
	    (t = turn_find(&p->answers.conns, sid)) == NULL)
		return;
	LIST_FOREACH(e, &t->entries) {
		struct answer *a = LIST_ITEM(e, struct answer, link);

		if (str_eq(str_make(a->name, a->name_len), channel))
			a->fn = fn;
	}
}

/* ---- room ---- */

bool
answers_must_wait(struct peer *p)
{
	return !p->answers.giving &&
	    (resync_is_on(p->br) || p->answers.conns.n > 0 ||
		!peer_has_room(p));
}

static void
give(struct peer *p, struct answer *a)
{
	struct msg_sub m = { .app = a->app,
		.sid = a->sid,
		.ref = a->ref,
		.channel = str_make(a->name, a->name_len) };

	p->answers.giving = true;
	a->fn(p, &m, a->stamp);
	p->answers.giving = false;
	forget(p, a);
}

void
answers_charge(struct peer *p, size_t n)
{
	p->answers.charged += n;
}

bool
answers_stop(struct peer *p)
{
	if (p->br->peers[p->slot] != p)
		return false; /* the last words of a worker that leaves */
	if ((!p->br->links->congested && p->answers.bytes <= WAITING_MAX) ||
	    resync_is_on(p->br))
		return false;
	ipc_defer(&p->ipc);
	p->answers.stopped = true;
	return true;
}

bool
answers_hold(struct peer *p)
{
	if (p->slot == -1 || p->br->peers[p->slot] != p)
		return false;
	ipc_pause(&p->ipc);
	p->answers.stopped = true;
	return true;
}

/* Reads the link again when most waiting answers are written. */
static void
read_on(struct peer *p)
{
	if (!p->answers.stopped || p->answers.bytes > WAITING_MAX / 2)
		return;
	p->answers.stopped = false;
	ipc_resume(&p->ipc);
	peer_hello_again(p->br); /* in the same slot */
}

bool
answers_go_on(struct broker *br)
{
	bool more = false;

	if (br->links->congested || resync_is_on(br))
		return false;
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL)
			continue;
		p->answers.charged = 0;
		for (; p->answers.charged < AT_ONCE &&
		     !list_is_empty(&p->answers.ring) && peer_has_room(p);
		     p->answers.charged++)
			give(p, next_answer(p));
		read_on(p);
		more = more ||
		    (!list_is_empty(&p->answers.ring) && !p->ipc.blocked);
	}
	return more;
}
