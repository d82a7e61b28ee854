/* SPDX-License-Identifier: MIT */
/*
 * health.c: the answers for load balancers and supervisors: /up, /live,
 * /ready and /accept-traffic.
 */

#include "worker/api/health.h"

#include "worker/conn/http_request.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

void
health_get(struct conn *c)
{
	api_reply(c, 200, S("{\"health\":\"OK\"}"));
}

void
health_get_ready(struct conn *c)
{
	const struct worker *w = c->w;
	struct str why;

	if (w->draining)
		why = S("{\"ready\":false,\"reason\":\"stopping\"}");
	else if (!w->serving)
		why = S("{\"ready\":false,\"reason\":\"starting\"}");
	else if (w->link->state != LINK_UP)
		why = S("{\"ready\":false,\"reason\":\"no broker\"}");
	else if (w->link->leaves)
		why = S("{\"ready\":false,\"reason\":\"left the cluster\"}");
	else if (w->link->away)
		why =
		    S("{\"ready\":false,\"reason\":\"degraded: no cluster\"}");
	else if (w->link->lacks_apps)
		why = S("{\"ready\":false,\"reason\":\"starting: the apps of "
			"the cluster\"}");
	else {
		api_reply(c, 200, S("{\"ready\":true}"));
		return;
	}
	api_reply_extra(c, 503, "Retry-After: 1\r\n", why);
}

/* As soketi has it: may a load balancer send more clients here? */
void
health_get_accept_traffic(struct conn *c)
{
	const struct worker *w = c->w;

	if (w->memory_full || w->nconns >= w->max_conns)
		api_reply_extra(c, 503, "Retry-After: 1\r\n",
		    w->memory_full
			? S("{\"ready\":false,\"reason\":\"memory\"}")
			: S("{\"ready\":false,\"reason\":\"connections\"}"));
	else
		health_get_ready(c);
}
