/* SPDX-License-Identifier: MIT */
/*
 * park.c: keeps messages of a worker that has more answers to read than is
 * good.  Owns references to the bytes as they came in.  Without it a burst of
 * short questions becomes gigabytes of answers in one turn.
 *
 * Must never change the order of a link.
 */

#include "broker/park.h"

#include <stdlib.h>

#include "broker/broker.h"
#include "broker/dispatch.h"
#include "broker/peer.h"
#include "shared/base.h"
#include "shared/xmalloc.h"

struct parked {
	struct list link;
	struct buf *b;
	uint32_t off, len, type;
};

void
park_init(struct peer *p)
{
	list_init(&p->park.waiting);
}

bool
park_has_room(const struct peer *p)
{
	return outq_bytes(&p->ipc.out) <= PARK_ABOVE;
}

int
park_message(struct peer *p, const struct ipc_in *in, bool costly)
{
	struct park *k = &p->park;
	struct parked *m;

	if (k->resuming ||
	    (list_is_empty(&k->waiting) && !(costly && !park_has_room(p))))
		return 0;
	if (k->bytes + in->len > PARK_MAX)
		return -1;
	m = xcalloc(1, sizeof(*m));
	m->b = buf_ref(in->b);
	m->off = in->off;
	m->len = in->len;
	m->type = in->type;
	list_init(&m->link);
	list_append(&k->waiting, &m->link);
	k->bytes += in->len;
	return 1;
}

/* Takes the first one out; *in holds its reference to the bytes. */
static void
take(struct park *k, struct ipc_in *in)
{
	struct parked *m = LIST_ITEM(k->waiting.next, struct parked, link);

	*in = (struct ipc_in){ .type = m->type,
		.body =
		    str_make(m->b->data + m->off + IPC_HEAD, m->len - IPC_HEAD),
		.b = m->b,
		.off = m->off,
		.len = m->len };
	k->bytes -= m->len;
	list_remove(&m->link);
	free(m);
}

void
park_clear(struct peer *p)
{
	struct ipc_in in;

	while (!list_is_empty(&p->park.waiting)) {
		take(&p->park, &in);
		buf_unref(in.b);
	}
}

static void
resume(struct peer *p)
{
	struct park *k = &p->park;
	struct ipc_in in;

	k->resuming = true;
	while (!list_is_empty(&k->waiting) && park_has_room(p)) {
		int r;

		take(k, &in);
		r = broker_handlers[in.type](p, &in);
		buf_unref(in.b);
		if (r == -1)
			peer_drop(p, ipc_name(in.type));
		if (p->ipc.fd == -1)
			break;
	}
	k->resuming = false;
}

bool
park_resume(struct broker *br)
{
	bool more = false;

	for (unsigned i = 0; i < br->nslots; i++) {
		struct peer *p = br->peers[i];

		if (p == NULL || list_is_empty(&p->park.waiting))
			continue;
		if (outq_bytes(&p->ipc.out) < PARK_BELOW)
			resume(p);
		more = more ||
		    (p->ipc.fd != -1 && !list_is_empty(&p->park.waiting) &&
			!p->ipc.blocked);
	}
	return more;
}
