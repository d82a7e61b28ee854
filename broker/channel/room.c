/* SPDX-License-Identifier: MIT */
/*
 * room.c: may the broker store more for a client?  One question for channels,
 * members, sign-ins and watchlists.  Must never refuse a replay: those clients
 * were admitted before.
 */

#include "broker/channel/room.h"

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"

bool
room_for(struct broker *br, uint32_t app, struct buf **why)
{
	struct broker_app *a;

	if (budget_has_room(br->budget, app))
		return true;
	cache_shrink(br); /* its cached events go first */
	if (budget_has_room(br->budget, app) ||
	    (a = apps_find(br, app)) == NULL)
		return true;
	budget_refuse(br->budget, &a->refusals, app, a->app.id, why);
	return false;
}
