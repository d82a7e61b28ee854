/* SPDX-License-Identifier: MIT */
/*
 * order.c: calls the modules in the right order when a worker's link comes or
 * goes, a resync ends, or the apps change.  The modules below do not know each
 * other; this is the only place that names them together.
 *
 * Must never do any work itself.
 */

#include "broker/order.h"

#include <stdint.h>

#include "broker/app/idempotency.h"
#include "broker/channel/cache.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/departures.h"
#include "broker/channel/query.h"
#include "broker/channel/receipt.h"
#include "broker/channel/registry.h"
#include "broker/channel/subscription_count.h"
#include "broker/channel/suspects.h"
#include "broker/cluster/cluster.h"
#include "broker/cluster/conn_share.h"
#include "broker/cluster/workers.h"
#include "broker/control/console.h"
#include "broker/control/control.h"
#include "broker/core/core.h"
#include "broker/dispatch.h"
#include "broker/link/alone.h"
#include "broker/link/answers.h"
#include "broker/link/arrivals.h"
#include "broker/link/resync.h"
#include "broker/slot.h"
#include "broker/stats/failures.h"
#include "broker/stats/history.h"
#include "broker/stats/metrics.h"
#include "broker/stats/minutes_ask.h"
#include "broker/stats/totals.h"
#include "broker/user/users.h"
#include "broker/webhook/courier_link.h"
#include "broker/webhook/endpoints.h"
#include "broker/webhook/events.h"
#include "broker/webhook/queue.h"
#include "broker/webhook/state.h"
#include "shared/base/log.h"
#include "shared/conf/conf.h"

/* ---- links ---- */

static void
on_up(struct peer *p, bool is_new)
{
	resync_on_up(p);
	totals_on_hello(p, is_new);
	apps_send_all(p->br, p);
	cache_hand_all(p);
	if (p->br->cluster != NULL)
		workers_link_up(p);
}

static void
on_down(struct peer *p)
{
	struct broker *br = p->br;

	if (p->courier) {
		webhook_queue_lost(br->webhook_queue);
		totals_courier_lost(br);
		minutes_queries_lost(br);
	}
	if (p->slot == -1)
		return;
	answers_clear(p);
	query_drop(br, p);
	metrics_drop(br, p);
	slot_down(p);
	alone_on_down(p);
	resync_check(br);
}

static void
on_pong(struct peer *p, uint64_t id)
{
	alone_on_pong(p, id);
	control_jobs_pong(p->br, (unsigned)p->slot, id);
	departures_on_pong(p->br, (unsigned)p->slot, id);
	totals_on_pong(p->br, (unsigned)p->slot, id);
}

static bool
has_clients(const struct peer *p)
{
	const struct broker *br = p->br;

	return p->nconns > 0 ||
	    ((br->leaving >> p->slot & 1) == 0 &&
		br->registry->nsubs[p->slot] > 0); /* else of the one before */
}

static void
on_known(struct broker *br)
{
	suspects_on_live(br);
	users_on_live(br);
	if (br->resync->fresh)
		subscription_count_all(br);
}

/* In a cluster the members and users of other hosts are not known yet. */
static void
on_live(struct broker *br)
{
	cache_on_live(br);
	if (br->cluster == NULL)
		on_known(br);
}

static void
on_open(struct broker *br, unsigned nworkers)
{
	if (br->inherit != NULL)
		control_start(br, br->inherit->control_fd);
	log_info("resync: complete workers=%u/%u channels=%zu ms=%.0f",
	    nworkers, br->conf->nworkers, br->registry->channels.n,
	    (broker_now() - br->resync->began) * 1000);
	webhook_states_sync(br);
	cluster_start(br->cluster);
	alone_give(br);
}

const struct link_ops order_of_links = {
	.handlers = broker_handlers,
	.input = arrivals_on_input,
	.up = on_up,
	.down = on_down,
	.pong = on_pong,
	.flush = cache_flush,
	.has_clients = has_clients,
	.live = on_live,
	.known = on_known,
	.open = on_open,
};

/* ---- channels ---- */

static void
on_entered(struct broker *br, const struct channel *c, struct str user_id)
{
	webhook_observer.entered(br, c, user_id);
	if (c->total == 1)
		failures_occupied(br, c);
}

struct channel_events
order_of_channels(void)
{
	struct channel_events e = webhook_observer;

	e.entered = on_entered;
	e.unheard = failures_unheard;
	e.refused = failures_refused;
	return e;
}

/* ---- apps ---- */

/* The courier gets the endpoints with their present owners. */
static int
on_apps_read(struct broker *br, struct appdb *db)
{
	if (webhook_endpoints_read(br, db) == -1)
		return -1;
	webhook_events_changed(br);
	courier_link_send_endpoints(br);
	return 0;
}

static void
on_app_deleted(struct broker *br, const struct broker_app *a)
{
	cache_purge_app(br, a->app.num);
	suspects_forget_app(br, a->app.num);
	console_forget_app(br, a->app.num);
}

/* Other hosts of a cluster name the app by its id. */
static bool
is_used(const struct broker *br, const struct broker_app *a)
{
	const struct registry_app *channels =
	    registry_app_find(br->registry, a->app.num);

	return br->cluster == NULL && channels != NULL && channels->refs > 0;
}

static void
on_app_forget(struct broker *br, struct broker_app *a)
{
	history_forget_app(br, a);
	idempotency_forget_app(br, a->app.num);
	failures_free(a->failures);
	a->failures = NULL;
}

static bool
has_place(struct peer *p, struct broker_app *a, uint64_t sid)
{
	return p->br->cluster == NULL || conn_share_take(p, a, sid);
}

const struct broker_apps_ops order_of_apps = {
	.has_place = has_place,
	.read = on_apps_read,
	.deleted = on_app_deleted,
	.is_used = is_used,
	.forget = on_app_forget,
	.expired = courier_link_send_endpoints,
};
