/* SPDX-License-Identifier: MIT */
/*
 * verb_cluster.c: the verbs about the other hosts: the list of them, and that
 * this one leaves.  Must never show what is in cluster_auth.
 */

#include "broker/control/verb_cluster.h"

#include "broker/cluster/cluster.h"
#include "broker/cluster/leave.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/json/json_write.h"

#define LEAVE_SECONDS 15 /* beyond drain_time */

/* Waits until this host has left. */
struct leaving {
	struct control_job job;
	uint64_t clients; /* at the beginning */
	unsigned seconds;
};

/* Members that are not known are missing. */
static void
host_row(struct control_client *cc, size_t i, const struct cluster_host *h)
{
	struct json_writer w;

	verb_row_begin(&w, "host");
	json_member_str(&w, "host", str_of(h->name));
	json_member_u64(&w, "workers", h->workers);
	json_member_u64(&w, "subscriptions", h->subscriptions);
	json_member_bool(&w, "webhooks", h->sends_webhooks);
	if (i == 0)
		json_member_u64(&w, "connections", peers_connections(cc->br));
	if (h->beat > 0)
		json_member_u64(
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
	json_member_str(&w, "state", str_of(s.state));
	if (cl != NULL) {
		json_member_str(&w, "name", str_of(conf->cluster_name));
		json_member_str(&w, "host", str_of(conf->cluster_host));
		json_member_str(&w, "redis", str_of(conf->cluster));
		json_member_str(&w, "error", str_of(s.error));
		json_member_str(&w, "place", str_of(s.place));
		json_member_u64(&w, "entry", s.entry);
		json_member_u64(&w, "behind", s.behind);
		json_member_u64(&w, "waiting", s.waiting);
		json_member_u64(&w, "appended", s.appended);
		json_member_u64(&w, "read", s.applied);
		json_member_u64(&w, "connects", s.connects);
	}
	verb_row_end(cc, &w);
	for (size_t i = 0; cl != NULL && cluster_host(cl, i, &h); i++)
		host_row(cc, i, &h);
	control_end(cc);
}

/* ---- leave ---- */

static bool
has_left(const struct control_job *job)
{
	return leave_is_over(job->cc->br->cluster);
}

static void
end_leave(struct control_job *job)
{
	const struct leaving *l = container_of(job, struct leaving, job);
	const struct conf *conf = job->cc->br->conf;
	struct json_writer w;

	verb_row_begin(&w, NULL);
	json_member_str(&w, "left", str_of(conf->cluster_name));
	json_member_str(&w, "host", str_of(conf->cluster_host));
	json_member_u64(&w, "clients", l->clients);
	verb_row_end(job->cc, &w);
	control_end(job->cc);
}

static void
leave_tick(struct control_job *job)
{
	struct leaving *l = container_of(job, struct leaving, job);
	struct cluster_status s;

	cluster_status(job->cc->br->cluster, &s);
	if (++l->seconds <= job->cc->br->conf->drain_time + LEAVE_SECONDS)
		return;
	control_fail(job->cc,
	    "Redis has not confirmed it: %s; this host takes no clients and no "
	    "events any more, and the others drop it after 6 seconds without "
	    "a beat",
	    *s.error == '\0' ? "no answer" : s.error);
}

static const struct control_job_ops leave_ops = {
	.is_ready = has_left, .step = end_leave, .tick = leave_tick
};

void
verb_cluster_leave(struct control_client *cc, struct json args)
{
	struct cluster *cl = cc->br->cluster;
	uint64_t clients = peers_connections(cc->br);
	struct cluster_status s;
	struct leaving *l;

	cluster_status(cl, &s);
	if (cl == NULL) {
		control_fail(cc,
		    "this host is in no cluster: the option cluster is empty");
	} else if (!leave_for_good(cl)) {
		control_fail(cc,
		    "this host is not in its cluster: state %s%s%s; to stop "
		    "it: pusherctl drain",
		    s.state, *s.error == '\0' ? "" : ": ", s.error);
	} else {
		l = xcalloc(1, sizeof(*l));
		l->clients = clients;
		control_job_start(cc, &l->job, &leave_ops);
	}
}
