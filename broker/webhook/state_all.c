/* SPDX-License-Identifier: MIT */
/*
 * state_all.c: walks over all states: to free them, and, in a cluster, to pass
 * on and to correct what the application knows.
 */

#include "broker/core/core.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "broker/webhook/state_inside.h"
#include "shared/base/base.h"

void
webhook_states_clear(struct broker *br)
{
	struct hash *all = &br->webhook_states->all;
	struct hash_node *n, *next;

	ev_timer_stop(br->loop, &br->webhook_states->timer);
	HASH_FOREACH_SAFE(n, next, all)
		webhook_state_free(
		    br, container_of(n, struct webhook_state, node));
	hash_clear(all);
}

void
webhook_states_forget(struct broker *br, uint32_t app)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &br->webhook_states->all) {
		struct webhook_state *f =
		    container_of(n, struct webhook_state, node);

		if (f->app == app)
			webhook_state_free(br, f);
	}
}

/* ---- several hosts ---- */

void
webhook_state_unknown(
    struct broker *br, const struct webhook_state_key *k, struct str owner)
{
	struct msg_hook m = { .app = k->app,
		.kind =
		    k->user.n > 0 ? WEBHOOK_MEMBER_REMOVED : WEBHOOK_VACATED,
		.channel = k->channel,
		.user_id = k->user,
		.owner = owner };

	webhook_queue_put(br, &m);
}

bool
webhook_state_is_notified(struct broker *br, const struct webhook_state_key *k)
{
	const struct webhook_state *f = webhook_state_find(br, k);

	return f != NULL && f->notified;
}

void
webhook_state_ended(struct broker *br, const struct webhook_state_key *k)
{
	struct webhook_state *f = webhook_state_find(br, k);

	if (f == NULL)
		return;
	f->notified = false;
	if (!f->present)
		webhook_state_free(br, f);
}

static struct webhook_state_key
key_of(const struct webhook_state *f)
{
	return (struct webhook_state_key){ f->app, webhook_state_channel(f),
		webhook_state_user(f) };
}

void
webhook_states_each(struct broker *br,
    void (*fn)(void *, const struct webhook_state_key *, bool missed),
    void *arg)
{
	const struct hash *all = &br->webhook_states->all;
	struct hash_node *n;

	HASH_FOREACH(n, all) {
		const struct webhook_state *f =
		    container_of(n, const struct webhook_state, node);
		struct webhook_state_key k = key_of(f);

		if (f->notified)
			fn(arg, &k, f->missed);
	}
}

void
webhook_states_distrust(struct broker *br)
{
	struct hash *all = &br->webhook_states->all;
	struct hash_node *n, *next;

	br->webhook_states->stale = true;
	HASH_FOREACH_SAFE(n, next, all) {
		struct webhook_state *f =
		    container_of(n, struct webhook_state, node);
		struct webhook_state_key k = key_of(f);

		if (!f->notified)
			continue;
		webhook_state_unknown(br, &k, S(""));
		webhook_state_ended(br, &k);
	}
}
