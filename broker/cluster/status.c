/* SPDX-License-Identifier: MIT */
/*
 * status.c: the cluster as this host sees it, for pusherctl and the metrics.
 * Must never change anything.
 */

#include <stdlib.h>

#include "broker/channel/registry.h"
#include "broker/cluster/cluster.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/leader.h"
#include "broker/core/core.h"
#include "shared/conf/conf.h"

bool
cluster_takes_events(const struct cluster *cl)
{
	return cl == NULL || cl->up;
}

void
cluster_status(const struct cluster *cl, struct cluster_status *s)
{
	*s =
	    (struct cluster_status){ .state = "off", .error = "", .place = "" };
	if (cl == NULL)
		return;
	*s = (struct cluster_status){ .state = "away",
		.error = *cl->engine.error != '\0' ? cl->engine.error
						   : cl->complaints[0],
		.place = cl->at.id,
		.connected = cl->engine.up,
		.sends_webhooks = leader_is_here(cl),
		.hosts = cl->state == CLUSTER_LEFT ? 0 : cl->hosts.n + 1,
		.waiting = cl->queued,
		.entry = cl->at.n,
		.behind = cl->newest > cl->at.n ? cl->newest - cl->at.n : 0,
		.appended = cl->sent,
		.applied = cl->napplied,
		.connects = cl->nconnects,
		.up = cl->up,
		.downs = cl->ndowns,
		.errors = cl->nerrors,
		.append = cl->append,
		.hosts_gone = cl->ngone,
		.clock_error = (uint64_t)llabs(cl->clock_error) / 1000 };
	for (int i = 0; i < ORDER_REJOINS; i++)
		s->rejoins[i] = event_order_rejoins(
		    cl->br->event_order, (enum order_rejoin)i);
	if (cl->leave_by != 0)
		s->state = cl->state == CLUSTER_LEFT ? "left" : "leaving";
	else if (cl->up)
		s->state = "up";
	else if (cl->engine.up)
		s->state = cl->starved ? "refused" : "joining";
}

static void
own_host(const struct cluster *cl, struct cluster_host *out)
{
	const struct broker *br = cl->br;

	out->name = br->conf->cluster_host;
	out->sends_webhooks = leader_is_here(cl);
	out->beat = cl->beaten;
	out->workers = br->conf->nworkers;
	for (unsigned i = 0; i < cl->hosts.room; i++)
		out->subscriptions += br->registry->nsubs[i];
}

static void
other_host(
    const struct cluster *cl, const struct host *host, struct cluster_host *out)
{
	out->name = host->name;
	out->sends_webhooks = leader_is(cl, host);
	out->beat = host->beat;
	out->workers = host->workers;
	for (unsigned i = 0; i < PROC_MAX_WORKERS; i++)
		if (host->slots[i] != 0)
			out->subscriptions +=
			    cl->br->registry->nsubs[host->slots[i]];
}

bool
cluster_host(const struct cluster *cl, size_t i, struct cluster_host *out)
{
	const struct list *e;

	*out = (struct cluster_host){ 0 };
	if (cl->state == CLUSTER_LEFT)
		return false;
	if (i == 0) {
		own_host(cl, out);
		return true;
	}
	LIST_FOREACH(e, &cl->hosts.all)
		if (--i == 0) {
			other_host(cl, LIST_ITEM(e, struct host, link), out);
			return true;
		}
	return false;
}
