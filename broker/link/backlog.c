/* SPDX-License-Identifier: MIT */
/*
 * backlog.c: keeps messages of a worker that has more answers to read than is
 * good.  Owns references to the bytes as they came in.  Without it a burst of
 * short questions becomes gigabytes of answers in one turn.  When much waits,
 * or when some worker has too much to read, the links are not read: then the
 * workers feel it, and in the end their clients.
 *
 * Must never change the order of a link, nor end one for being busy.
 */

#include "broker/link/backlog.h"

#include <stdlib.h>

#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/link/resync.h"
#include "shared/base/xmalloc.h"

struct deferred {
	struct list link;
	struct buf *b;
	uint32_t off, len, type, app;
};

/* Its bytes in the app's account. */
static size_t
booked(const struct deferred *m)
{
	return sizeof(*m) + m->len + BUDGET_BLOCK;
}

/* Answers are put off in a resync, so there is always room. */
static bool
may_go(const struct peer *p, bool costly)
{
	const struct backlog *k = &p->backlog;

	if (k->resuming || resync_is_on(p->br))
		return true;
	return list_is_empty(&k->waiting) && !p->br->links->congested &&
	    !(costly && !peer_has_room(p));
}

bool
backlog_message(struct peer *p, const struct ipc_in *in, bool costly)
{
	struct backlog *k = &p->backlog;
	struct deferred *m;

	if (may_go(p, costly))
		return false;
	if (p->br->links->congested || k->bytes + in->len > PARK_MAX) {
		ipc_defer(&p->ipc);
		k->stopped = true;
		return true;
	}
	m = xcalloc(1, sizeof(*m));
	m->b = buf_ref(in->b);
	m->off = in->off;
	m->len = in->len;
	m->type = in->type;
	m->app = ipc_app(in->type, in->body);
	list_init(&m->link);
	list_append(&k->waiting, &m->link);
	k->bytes += in->len;
	budget_add(p->br->budget, m->app, booked(m));
	return true;
}

/* Takes the first one out; *in holds its reference to the bytes. */
static void
take(struct peer *p, struct ipc_in *in)
{
	struct backlog *k = &p->backlog;
	struct deferred *m = LIST_ITEM(k->waiting.next, struct deferred, link);

	*in = (struct ipc_in){ .type = m->type,
		.body =
		    str_make(m->b->data + m->off + IPC_HEAD, m->len - IPC_HEAD),
		.b = m->b,
		.off = m->off,
		.len = m->len };
	k->bytes -= m->len;
	budget_sub(p->br->budget, m->app, booked(m));
	list_remove(&m->link);
	free(m);
}

void
backlog_clear(struct peer *p)
{
	struct ipc_in in;

	while (!list_is_empty(&p->backlog.waiting)) {
		take(p, &in);
		buf_unref(in.b);
	}
}

static void
resume(struct peer *p)
{
	struct backlog *k = &p->backlog;
	struct ipc_in in;

	k->resuming = true;
	while (!list_is_empty(&k->waiting) && peer_has_room(p)) {
		int r;

		take(p, &in);
		r = p->ipc.ops->handlers[in.type](p, &in);
		buf_unref(in.b);
		if (r == -1)
			peer_drop(p, ipc_name(in.type));
		if (p->ipc.fd == -1)
			break;
	}
	k->resuming = false;
}

/* Reads on, once most of what waited is done. */
static void
read_on(struct peer *p)
{
	struct backlog *k = &p->backlog;

	if (!k->stopped || k->bytes > PARK_MAX / 2)
		return;
	k->stopped = false;
	ipc_resume(&p->ipc);
}

bool
backlog_resume(struct broker *br)
{
	bool more = false;

	if (br->links->congested)
		return false;
	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL)
			continue;
		if (!list_is_empty(&p->backlog.waiting) &&
		    outq_bytes(&p->ipc.out) < PARK_BELOW)
			resume(p);
		read_on(p);
		more = more ||
		    (p->ipc.fd != -1 && !list_is_empty(&p->backlog.waiting) &&
			!p->ipc.blocked);
	}
	return more;
}
