/* SPDX-License-Identifier: MIT */
/*
 * outgoing.c: what this host appends to the stream.  A turn's messages become
 * one entry; one entry is on its way at a time, until it is read back.
 */

#include "broker/cluster/outgoing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define WAIT_MS "1000"           /* for replicas to answer in */
#define ENTRY_BYTES (256u << 10) /* then another entry begins */

void
outgoing_end_entry(struct cluster *cl)
{
	struct part *part;

	if (cl->entry.b == NULL)
		return;
	part = xcalloc(1, sizeof(*part));
	part->b = cl->entry.b;
	cl->entry = (struct entry){ 0 };
	list_init(&part->link);
	list_append(&cl->parts, &part->link);
}

struct part *
outgoing_first(struct cluster *cl)
{
	return LIST_ITEM(cl->parts.next, struct part, link);
}

size_t
outgoing_entry_size(const struct cluster *cl)
{
	return cl->entry.b == NULL ? 0 : cl->entry.b->len;
}

void
outgoing_added(struct cluster *cl, size_t before)
{
	cl->queued += outgoing_entry_size(cl) - before;
	if (outgoing_entry_size(cl) > ENTRY_BYTES)
		outgoing_end_entry(cl);
}

/* A replay before this host has joined? */
static bool
is_early(const struct cluster *cl, uint64_t seq)
{
	return seq == 0 && cl->state <= CLUSTER_OUT;
}

bool
outgoing_must_wait(struct peer *p, uint64_t seq)
{
	struct cluster *cl = p->br->cluster;

	if (cl == NULL || is_early(cl, seq) || cl->queued <= QUEUE_BYTES)
		return false;
	workers_pause(p);
	return true;
}

/* The next message is of this worker and app. */
static size_t
begin(struct peer *p, uint32_t app)
{
	struct cluster *cl = p->br->cluster;
	const struct broker_app *a = apps_lookup(p->br, app);
	size_t before = outgoing_entry_size(cl);

	entry_from(&cl->entry, (unsigned)p->slot, p->origin);
	if (a != NULL)
		entry_app(&cl->entry, app, str_of(a->app.id));
	return before;
}

/* It is written. */
static void
end(struct peer *p, size_t before, uint64_t seq)
{
	if (seq != 0)
		p->handed = seq;
	p->relayed++;
	outgoing_added(p->br->cluster, before);
}

bool
outgoing_take(
    struct peer *p, const struct ipc_in *in, uint32_t app, uint64_t seq)
{
	struct cluster *cl = p->br->cluster;
	size_t before;

	if (cl == NULL || is_early(cl, seq))
		return false;
	if (outgoing_must_wait(p, seq))
		return true;
	before = begin(p, app);
	entry_add(&cl->entry, str_make(in->b->data + in->off, in->len));
	end(p, before, seq);
	return true;
}

void
outgoing_void(struct peer *p, uint32_t app, uint64_t seq)
{
	struct msg_sub m = {
		.seq = seq, .app = app, .stamp = SUB_VOID, .channel = S("-")
	};
	size_t before = begin(p, app);

	entry_put_sub(&p->br->cluster->entry, &m);
	end(p, before, seq);
}

bool
outgoing_session(struct peer *p, const struct msg_session *m)
{
	size_t before;

	if (p->br->cluster == NULL || m->replay)
		return false;
	before = begin(p, m->app);
	entry_put_session(&p->br->cluster->entry, m);
	end(p, before, 0);
	return true;
}

bool
outgoing_session_end(struct peer *p, const struct msg_session_end *m)
{
	size_t before;

	if (p->relayed == 0)
		return false;
	before = begin(p, 0);
	entry_put_session_end(&p->br->cluster->entry, m);
	end(p, before, 0);
	return true;
}

bool
outgoing_publish(struct broker *br, const struct msg_event *m)
{
	struct cluster *cl = br->cluster;
	const struct broker_app *a = apps_lookup(br, m->app);
	size_t before;

	if (cl == NULL || a == NULL)
		return false;
	outgoing_end_entry(cl); /* the event is of no worker */
	before = outgoing_entry_size(cl);
	entry_app(&cl->entry, m->app, str_of(a->app.id));
	entry_put_event(&cl->entry, m);
	cl->queued += outgoing_entry_size(cl) - before;
	outgoing_end_entry(cl);
	return true;
}

void
outgoing_worker_gone(struct cluster *cl, unsigned slot, uint64_t origin)
{
	struct msg_host_worker_gone m = { .slot = slot };
	size_t before = outgoing_entry_size(cl);

	if (cl->state < CLUSTER_OUT) { /* no entry is sent or read */
		workers_gone(cl, slot);
		return;
	}
	cl->ends[slot]++;
	cl->br->leaving |= UINT64_C(1) << slot;
	cl->br->registry->remote |= UINT64_C(1) << slot;
	entry_from(&cl->entry, slot, origin);
	entry_put_host_worker_gone(&cl->entry, &m);
	cl->queued += outgoing_entry_size(cl) - before;
}

void
outgoing_script(struct cluster *cl, enum engine_call call, const char *script,
    const char **argv, const size_t *lens, int n)
{
	const char *all[16] = { "EVAL", script, "0", cl->prefix,
		cl->br->conf->cluster_host, cl->epoch_text };
	size_t sizes[16];

	for (int i = 0; i < 6; i++)
		sizes[i] = strlen(all[i]);
	for (int i = 0; i < n; i++) {
		all[6 + i] = argv[i];
		sizes[6 + i] = lens == NULL ? strlen(argv[i]) : lens[i];
	}
	engine_ask(&cl->engine, call, 6 + n, all, sizes);
}

/* The events in an entry: ORIGIN FIRST LAST of each worker, for script_send. */
static struct buf *
list_events(struct buf *b)
{
	struct {
		uint64_t origin, first, last;
	} v[PROC_MAX_WORKERS];
	struct buf *text = buf_new(64);
	struct msg_event m;
	struct ipc_in in;
	uint32_t at = 0;
	unsigned n = 0, i;

	while (entry_next(b, &at, &in) == 1) {
		if (in.type != IPC_EVENT || msg_event_get(&m, in.body) == -1 ||
		    m.seq == 0)
			continue;
		for (i = 0; i < n && v[i].origin != m.origin; i++)
			;
		if (i == PROC_MAX_WORKERS)
			break; /* there are not so many */
		if (i == n) {
			v[n].origin = m.origin;
			v[n++].first = m.seq;
		}
		v[i].last = m.seq;
	}
	for (i = 0; i < n; i++)
		buf_printf(&text, "%" PRIx64 " %" PRIu64 " %" PRIu64 " ",
		    v[i].origin, v[i].first, v[i].last);
	return text;
}

void
outgoing_send_first(struct cluster *cl)
{
	const struct part *part = outgoing_first(cl);
	struct buf *events = list_events(part->b);
	char n[24];
	const char *argv[] = { n, stream_length_text(&cl->length),
		part->b->data, events->data };
	size_t lens[4];

	snprintf(n, sizeof(n), "%" PRIu64, cl->sent);
	lens[0] = strlen(n);
	lens[1] = strlen(argv[1]);
	lens[2] = part->b->len;
	lens[3] = events->len;
	if (cl->br->conf->cluster_wait > 0)
		cl->br->links->acks_wait = true;
	outgoing_script(cl, ENGINE_SEND, script_send, argv, lens, 4);
	buf_unref(events);
}

void
outgoing_wait(struct cluster *cl)
{
	char n[24];
	const char *argv[] = { "WAIT", n, WAIT_MS };

	snprintf(n, sizeof(n), "%" PRIu64, cl->br->conf->cluster_wait);
	engine_ask(&cl->engine, ENGINE_WAIT, 3, argv, NULL);
}
