/* SPDX-License-Identifier: MIT */
/*
 * courier_link.c: the messages between the broker and the courier.  Owns
 * nothing: the queue, the endpoints and the states have modules of their own.
 * Must never wait for the courier.
 */

#include "broker/webhook/courier_link.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define TROUBLE_MAX 500 /* bytes of a sentence */

/* ---- endpoints ---- */

static void
send_app(struct broker *br, struct peer *p, const struct webhook_app *a)
{
	const struct broker_app *app = apps_find(br, a->num);
	bool old =
	    app != NULL && app_has_old_key(&app->app, (uint64_t)time(NULL));

	for (size_t i = 0; app != NULL && i < a->n; i++) {
		const struct webhook *h = &a->v[i];
		struct msg_endpoint m = {
			.num = h->num,
			.app = h->app,
			.enabled = h->enabled,
			.batch = h->batch,
			.allow_private = br->conf->webhook_allow_private ||
			    app->app.webhook_allow_private,
			.url = str_of(h->url),
			.headers = str_of(h->headers),
			.key = str_of(app->app.key),
			.secret = str_of(app->app.secret),
			.old_key = old ? str_of(app->app.old_key) : S(""),
			.old_secret = old ? str_of(app->app.old_secret) : S(""),
			.old_until = old ? app->app.old_until : 0,
			.owner = str_of(webhook_queue_line(br, h->app)->owner),
		};

		ipc_send_endpoint(&p->ipc, &m);
	}
}

void
courier_link_send_endpoints(struct broker *br)
{
	struct hash *apps = &br->endpoints->apps;
	struct peer *p = br->webhook_queue->courier;
	struct msg_endpoints_done done = { .database = str_of(
					       br->endpoints->database) };
	struct hash_node *n;

	if (p == NULL)
		return;
	HASH_FOREACH(n, apps)
		send_app(br, p, container_of(n, struct webhook_app, node));
	ipc_send_endpoints_done(&p->ipc, &done);
}

/* ---- the courier ---- */

int
courier_link_on_hello(struct peer *p, const struct msg_courier_hello *m)
{
	struct webhook_queue *q = p->br->webhook_queue;

	if (!peer_may_say_hello(p, m->version, m->build, m->pid))
		return -1;
	if (q->courier != NULL)
		peer_drop(q->courier, "replaced by a new link");
	p->courier = true;
	p->pid = m->pid;
	q->courier = p;
	log_debug("courier: link up pid=%u", m->pid);
	courier_link_send_endpoints(p->br);
	return 0;
}

int
courier_link_on_state(struct peer *p, const struct msg_courier_state *m)
{
	struct webhook_queue *q = p->br->webhook_queue;
	struct msg_hook_start start = { .origin = q->origin,
		.want_states = !p->br->webhook_states->known };

	q->waiting = m->waiting;
	q->dead = m->dead;
	q->outbox_dropped = m->dropped;
	free(q->trouble);
	q->trouble = xstrndup(m->trouble.p, MIN(m->trouble.n, TROUBLE_MAX));
	if (m->ready && !q->ready) {
		ipc_send_hook_start(&q->courier->ipc, &start);
		webhook_queue_start(q);
	} else if (!m->ready) {
		q->ready = false;
	}
	return 0;
}

int
courier_link_on_ack(struct peer *p, const struct msg_hook_ack *m)
{
	if (webhook_queue_acked(p->br->webhook_queue, m->seq) == -1)
		return -1;
	if (!list_is_empty(&p->br->webhook_states->pending))
		webhook_states_notify(p->br);
	return 0;
}

/* ---- the states of an earlier broker ---- */

/* Another app was notified. */
static bool
is_of_other(struct broker *br, const struct msg_hook_state *m)
{
	return m->owner.n > 0 && apps_find(br, m->app) != NULL &&
	    !str_eq(m->owner, str_of(webhook_queue_line(br, m->app)->owner));
}

int
courier_link_on_hook_state(struct peer *p, const struct msg_hook_state *m)
{
	struct broker *br = p->br;
	struct webhook_state_key k = { m->app, m->channel, m->user_id };
	bool stale = br->webhook_states->stale;

	if (br->webhook_states->known || m->channel.n == 0 ||
	    m->channel.n > REGISTRY_NAME_MAX ||
	    m->user_id.n > WEBHOOK_STATE_USER_MAX)
		return -1;
	/* When another host has told it already, the outbox has that, too. */
	if (is_of_other(br, m) || (stale && !webhook_state_is_notified(br, &k)))
		webhook_state_unknown(br, &k, m->owner);
	else if (!stale)
		webhook_state_notified(br, &k, m->missed != 0);
	return 0;
}

int
courier_link_on_hook_states_done(
    struct peer *p, const struct msg_hook_states_done *m)
{
	if (p->br->webhook_states->known)
		return -1;
	p->br->webhook_states->known = true;
	webhook_states_sync(p->br);
	return 0;
}
