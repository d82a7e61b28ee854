/* SPDX-License-Identifier: MIT */
/*
 * session_sids.c: the earlier socket ids of the sessions of this worker.  Owns
 * struct earlier_sids.  An event that excludes one of them, because it was on
 * its way when the client came back, is for others than this session.  Only
 * sessions that have come back have any.
 */

#include "worker/session/session.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/session_table.h"

struct earlier_sids {
	struct hash_node in_present; /* in sessions.present, by sid */
	struct earlier_sid {
		struct hash_node node; /* in sessions.earlier */
		uint64_t present;
	} v[SESSION_SIDS - 1];
	unsigned n;
};

void
session_sids_forget(struct sessions *ss, uint64_t sid)
{
	struct hash_node *n = hash_find_u64(&ss->present, sid);
	struct earlier_sids *e;

	if (n == NULL)
		return;
	e = container_of(n, struct earlier_sids, in_present);
	while (e->n > 0)
		hash_remove(&ss->earlier, &e->v[--e->n].node);
	hash_remove(&ss->present, n);
	free(e);
}

void
session_sids_note(struct sessions *ss, uint64_t sid, uint32_t row)
{
	uint64_t sids[SESSION_SIDS];
	struct earlier_sids *e;

	session_sids_forget(ss, sid);
	session_row_sids(ss->table, &ss->table->rows[row], sids);
	if (sids[0] != sid || sids[1] == 0)
		return; /* another connection has it now, or the first one */
	e = xcalloc(1, sizeof(*e));
	hash_insert(&ss->present, &e->in_present, hash_u64(sid));
	for (size_t i = 1; i < nitems(sids) && sids[i] != 0; i++) {
		e->v[e->n].present = sid;
		hash_insert(
		    &ss->earlier, &e->v[e->n++].node, hash_u64(sids[i]));
	}
}

uint64_t
session_sids_heir(const struct sessions *ss, uint64_t sid)
{
	const struct hash_node *n =
	    ss->earlier.n == 0 ? NULL : hash_find_u64(&ss->earlier, sid);

	return n == NULL
	    ? 0
	    : container_of(n, const struct earlier_sid, node)->present;
}
