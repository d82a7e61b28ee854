/* SPDX-License-Identifier: MIT */
/*
 * doctor_links.c: workers without shared memory.  Nothing fails without it, so
 * that only the log and this show it.
 */

#include "broker/control/doctor.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"

static bool
has_no_ring(const struct broker *br, unsigned slot)
{
	const struct peer *p = br->peers[slot];

	return br->links->rings && p != NULL && p->ipc.carrier.fd != -1 &&
	    p->ipc.carrier.ring == NULL;
}

void
doctor_links(struct doctor *d)
{
	struct doctor_finding *f;
	struct buf *workers = NULL;

	for (unsigned i = 0; i < d->br->nslots; i++)
		if (has_no_ring(d->br, i))
			buf_printf(
			    &workers, "%s %u", workers == NULL ? "" : ",", i);
	if (workers == NULL)
		return;
	f = doctor_add(d, "link", 20);
	buf_append(&f->text,
	    S("Messages between the broker and these workers go by a socket, "
	      "not by shared memory, and cost more processor time:"));
	buf_append(&f->text, buf_str(workers));
	buf_putc(&f->text, '.');
	buf_append(&f->seen,
	    S("The log has the reason: \"no memory is shared with a worker\" "
	      "or \"the broker's memory cannot be used\"."));
	buf_append(&f->mend,
	    S("Allow more open files (LimitNOFILE=, ulimit -n), files of any "
	      "size (LimitFSIZE=infinity, ulimit -f unlimited) and, in a "
	      "sandbox, memfd_create(2); then pusherctl upgrade, or a "
	      "restart."));
	buf_unref(workers);
}
