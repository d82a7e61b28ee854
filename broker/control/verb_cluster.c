/* SPDX-License-Identifier: MIT */
/*
 * verb_cluster.c: the verb about the other hosts.  Must never show what is in
 * cluster_auth.
 */

#include "broker/control/verb_cluster.h"

#include "broker/cluster/cluster.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/conf/conf.h"
#include "shared/json/json_write.h"

static void
put_own_connections(struct json_writer *w, const struct broker *br)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			n += br->peers[i]->nconns;
	verb_put_number(w, "connections", n);
}

/* Members that are not known are missing. */
static void
host_row(struct control_client *cc, size_t i, const struct cluster_host *h)
{
	struct json_writer w;

	verb_row_begin(&w, "host");
	verb_put_text(&w, "host", str_of(h->name));
	verb_put_number(&w, "workers", h->workers);
	verb_put_number(&w, "subscriptions", h->subscriptions);
	json_key(&w, "webhooks");
	json_put_bool(&w, h->tells);
	if (i == 0)
		put_own_connections(&w, cc->br);
	if (h->beat > 0)
		verb_put_number(
		    &w, "beat_ms", (uint64_t)((broker_now() - h->beat) * 1e3));
	verb_row_end(cc, &w);
}

void
verb_cluster(struct control_client *cc, struct json args)
{
	const struct cluster *cl = cc->br->cluster;
	const struct conf *conf = cc->br->conf;
	struct cluster_status s;
	struct cluster_host h;
	struct json_writer w;

	cluster_status(cl, &s);
	verb_row_begin(&w, "cluster");
	verb_put_text(&w, "state", str_of(s.state));
	if (cl != NULL) {
		verb_put_text(&w, "name", str_of(conf->cluster_name));
		verb_put_text(&w, "host", str_of(conf->cluster_host));
		verb_put_text(&w, "redis", str_of(conf->cluster));
		verb_put_text(&w, "error", str_of(s.error));
		verb_put_text(&w, "place", str_of(s.place));
		verb_put_number(&w, "entry", s.entry);
		verb_put_number(&w, "behind", s.behind);
		verb_put_number(&w, "waiting", s.waiting);
		verb_put_number(&w, "appended", s.appended);
		verb_put_number(&w, "read", s.applied);
		verb_put_number(&w, "connects", s.connects);
	}
	verb_row_end(cc, &w);
	for (size_t i = 0; cl != NULL && cluster_host(cl, i, &h); i++)
		host_row(cc, i, &h);
	control_end(cc);
}
