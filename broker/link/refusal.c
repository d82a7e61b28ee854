/* SPDX-License-Identifier: MIT */
/*
 * refusal.c: the subscriptions of a worker that were refused, until it is known
 * to have read that.
 */

#include <stdlib.h>

#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define REFUSALS 256 /* after so many, a ping asks to forget them */

struct refusal {
	struct hash_node node;
	uint64_t sid;
	uint64_t ping; /* forgotten once this one is answered */
	size_t name_len;
	char name[];
};

struct refusal_key {
	uint64_t sid;
	struct str name;
};

static bool
refusal_eq(const struct hash_node *n, const void *key)
{
	const struct refusal_key *k = key;
	const struct refusal *r = container_of(n, const struct refusal, node);

	return r->sid == k->sid &&
	    str_eq(str_make(r->name, r->name_len), k->name);
}

void
peer_refuse(struct peer *p, uint64_t sid, struct str channel)
{
	struct refusal *r;

	if (p->ipc.sink)
		return; /* of another host: its UNSUB is ignored there */
	r = xcalloc(1, sizeof(*r) + channel.n);
	r->sid = sid;
	r->ping =
	    p->br->links->ping_id + 1; /* none of these has been sent yet */
	r->name_len = channel.n;
	memcpy(r->name, channel.p, channel.n);
	hash_insert(&p->refused, &r->node, hash_str(channel, sid));
	if (++p->nrefused % REFUSALS == 0)
		peer_ping_one(p);
}

bool
peer_was_refused(struct peer *p, uint64_t sid, struct str channel)
{
	struct refusal_key k = { sid, channel };
	struct hash_node *n;

	if (p->refused.n == 0)
		return false;
	n = hash_find(&p->refused, hash_str(channel, sid), refusal_eq, &k);
	if (n == NULL)
		return false;
	hash_remove(&p->refused, n);
	free(container_of(n, struct refusal, node));
	return true;
}

void
peer_forget_refusals(struct peer *p, uint64_t id)
{
	struct hash_node *n, *next;

	if (p->refused.n == 0)
		return;
	HASH_FOREACH_SAFE(n, next, &p->refused) {
		struct refusal *r = container_of(n, struct refusal, node);

		if (r->ping > id)
			continue;
		hash_remove(&p->refused, n);
		free(r);
	}
}
