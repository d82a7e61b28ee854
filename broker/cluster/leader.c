/* SPDX-License-Identifier: MIT */
/*
 * leader.c: all hosts follow the same channels, but one, the leader, sends the
 * webhooks: the host that joined before all others that are there.  It notifies
 * the others of each event that its courier has on disk.  The others keep the
 * events until then; when the leader is gone, the next one sends them.  An
 * event comes twice only if the leader dies after its courier has it and before
 * the others know.
 *
 * Must never let two hosts send at once, nor send what the others cannot be
 * notified of: a host is silent when Redis does not answer.
 */

#include "broker/cluster/leader.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/core/core.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/base/log.h"
#include "shared/base/str.h"

#define PLACE_SHIFT 20    /* events in one entry */
#define LEASE_SECONDS 2.5 /* after a beat, which is sent every two */

static bool
is_oldest(const struct cluster *cl, uint64_t joined)
{
	const struct list *e;

	LIST_FOREACH(e, &cl->hosts.all)
		if (LIST_ITEM(e, struct host, link)->joined < joined)
			return false;
	return cl->joined.n >= joined;
}

bool
leader_is_here(const struct cluster *cl)
{
	return cl->state == CLUSTER_LIVE && is_oldest(cl, cl->joined.n);
}

bool
leader_is(const struct cluster *cl, const struct host *host)
{
	return cl->state == CLUSTER_LIVE && is_oldest(cl, host->joined);
}

void
leader_elect(struct cluster *cl)
{
	bool here = leader_is_here(cl);

	if (here && cl->br->webhook_states->silent)
		log_info("cluster: this host sends the webhooks");
	webhook_states_set_silent(cl->br, !here);
}

void
leader_set_lease(struct cluster *cl)
{
	if (!cl->closed)
		cl->br->webhook_states->lease = cl->sent_at + LEASE_SECONDS;
}

void
leader_drop_lease(struct cluster *cl)
{
	cl->br->webhook_states->lease = 0;
}

void
leader_end(struct cluster *cl)
{
	cl->br->webhook_states->lease = 0;
	webhook_queue_set_silent(cl->br->webhook_queue, true);
}

/* The mark is another one when Redis has lost its data and counts anew. */
void
leader_step(struct cluster *cl)
{
	struct webhook_queue *q = cl->br->webhook_queue;

	q->place = cl->at.n << PLACE_SHIFT;
	q->mark = strtoull(cl->at.id, NULL, 10) << PLACE_SHIFT ^ cl->at.n;
}

/* ---- what was reported ---- */

static void
write_notified(
    struct broker *br, struct entry *e, const struct msg_host_notified *m)
{
	const struct broker_app *a = apps_find(br, m->app);

	if (a == NULL)
		return;
	entry_app(e, m->app, str_of(a->app.id));
	entry_put_host_notified(e, m);
}

static bool
is_reported(uint32_t kind)
{
	return kind != WEBHOOK_FILLED && kind < WEBHOOK_KINDS;
}

/* The courier of this host has the event on disk. */
static void
on_stored(void *arg, const struct msg_hook *hook, uint64_t place)
{
	struct cluster *cl = arg;
	struct msg_host_notified m = { .app = hook->app,
		.kind = hook->kind,
		.place = place,
		.channel = hook->channel,
		.user_id = hook->user_id };
	size_t before = outgoing_entry_size(cl);

	if (cl->br->webhook_states->silent || !is_reported(hook->kind))
		return;
	write_notified(cl->br, &cl->entry, &m);
	cl->queued += outgoing_entry_size(cl) - before;
}

/* The outbox of this host learns it, too. */
static void
note_state(struct cluster *cl, const struct msg_host_notified *m)
{
	struct broker *br = cl->br;
	struct webhook_state_key k = { m->app, m->channel, m->user_id };
	struct msg_hook hook = { .app = m->app,
		.kind = m->kind,
		.channel = m->channel,
		.user_id = m->user_id };

	if (m->kind == WEBHOOK_VACATED || m->kind == WEBHOOK_MEMBER_REMOVED)
		webhook_state_ended(br, &k);
	else
		webhook_state_notified(br, &k, m->kind == WEBHOOK_CACHE_MISS);
	webhook_queue_put(br, &hook);
}

void
leader_on_notified(struct cluster *cl, const struct msg_host_notified *m)
{
	if (!is_reported(m->kind) || m->channel.n == 0 ||
	    m->channel.n > REGISTRY_NAME_MAX ||
	    m->user_id.n > WEBHOOK_STATE_USER_MAX)
		return;
	if (m->kind == WEBHOOK_CLIENT_EVENT || m->kind == WEBHOOK_COUNT)
		webhook_queue_notified(cl->br->webhook_queue, m->app, m->kind,
		    m->place, m->channel);
	else
		note_state(cl, m);
}

static void
put_state(void *arg, const struct webhook_state_key *k, bool missed)
{
	struct cluster *cl = arg;
	struct msg_host_notified m = { .app = k->app,
		.kind = k->user.n > 0 ? WEBHOOK_MEMBER_ADDED : WEBHOOK_OCCUPIED,
		.channel = k->channel,
		.user_id = k->user };

	if (missed)
		m.kind = WEBHOOK_CACHE_MISS;
	write_notified(cl->br, &cl->entry, &m);
}

void
leader_write_state(struct cluster *cl)
{
	if (!cl->br->webhook_states->silent)
		webhook_states_each(cl->br, put_state, cl);
}

/* ---- life ---- */

void
leader_init(struct cluster *cl)
{
	cl->br->webhook_queue->stored = on_stored;
	cl->br->webhook_queue->stored_arg = cl;
	webhook_states_set_silent(cl->br, true);
	cl->br->webhook_states->lease = 0;
}

void
leader_join(struct cluster *cl)
{
	if (!list_is_empty(&cl->hosts.all))
		webhook_states_distrust(cl->br);
}
