/* SPDX-License-Identifier: MIT */
/*
 * verb_cluster_apps.c: the verbs by which apps go from pusherctl to the other
 * hosts of a cluster, and from there into the database of this one.  Must never
 * log a record: it has secrets.
 */

#include "broker/control/verb_cluster_apps.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/cluster/records.h"
#include "broker/cluster/shared_apps.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

#define WAIT_SECONDS 8 /* for the other hosts */

/* Waits until all hosts have the change. */
struct spreading {
	struct control_job job;
	uint64_t ticket;
	unsigned seconds;
};

static void
step(struct control_job *job)
{
	struct spreading *s = container_of(job, struct spreading, job);
	const char *missing;

	switch (shared_apps_ask(job->cc->br->cluster, s->ticket, &missing)) {
	case SHARED_APPS_WAIT:
		break;
	case SHARED_APPS_DONE:
		control_end(job->cc);
		break;
	case SHARED_APPS_LOST:
		control_fail(job->cc,
		    "changed on this host, but Redis went away before the "
		    "other hosts had it: look at the app when it is back");
		break;
	}
}

static bool
is_ready(const struct control_job *job)
{
	const struct spreading *s = container_of(job, struct spreading, job);
	const char *missing;

	return shared_apps_ask(job->cc->br->cluster, s->ticket, &missing) !=
	    SHARED_APPS_WAIT;
}

static void
tick(struct control_job *job)
{
	struct spreading *s = container_of(job, struct spreading, job);
	const char *missing;

	if (++s->seconds <= WAIT_SECONDS)
		return;
	shared_apps_ask(job->cc->br->cluster, s->ticket, &missing);
	control_fail(job->cc,
	    "changed, but %s has not confirmed it within %d seconds: see its "
	    "log",
	    missing == NULL ? "this host" : missing, WAIT_SECONDS);
}

static const struct control_job_ops ops = {
	.is_ready = is_ready, .step = step, .tick = tick
};

static void
spread(struct control_client *cc, struct json args, struct str id,
    struct str record)
{
	bool absent = json_get(args, S("absent")).kind == JSON_TRUE;
	uint64_t ticket = shared_apps_set(cc->br->cluster, id, record, absent);
	struct spreading *s;

	if (ticket == 0) {
		control_fail(
		    cc, "changed on this host only: it is not in its cluster");
	} else if (json_get(args, S("wait")).kind != JSON_TRUE) {
		control_end(cc);
	} else {
		s = xcalloc(1, sizeof(*s));
		s->ticket = ticket;
		control_job_start(cc, &s->job, &ops);
	}
}

/* The group may open the socket, but neither read nor write the database. */
static bool
may(struct control_client *cc)
{
	if (cc->br->cluster == NULL)
		control_fail(cc, "this host is alone");
	else if (cc->uid != 0 && cc->uid != geteuid())
		control_fail(cc, "only for the user of pusherd, and root");
	else
		return true;
	return false;
}

void
verb_cluster_app(struct control_client *cc, struct json args)
{
	struct str id = { NULL, 0 }, record = { NULL, 0 };
	char *tmp[2] = { NULL, NULL };

	if (!may(cc))
		return;
	if (verb_text(args, S("id"), &id, &tmp[0]) == -1 ||
	    verb_text(args, S("record"), &record, &tmp[1]) == -1 || id.n == 0)
		control_fail(cc, "id and record have to be texts");
	else if (cc->scope != NULL && !str_eq(id, str_of(cc->scope)))
		control_fail(cc, "the session is for another app");
	else
		spread(cc, args, id, record.p == NULL ? S("") : record);
	if (tmp[1] != NULL)
		explicit_bzero(tmp[1], record.n);
	free(tmp[0]);
	free(tmp[1]);
}

void
verb_cluster_apps(struct control_client *cc, struct json args)
{
	const struct app_records *s = shared_apps_records(cc->br->cluster);
	struct json_writer w;
	const struct list *e;

	if (!may(cc))
		return;
	verb_row_begin(&w, NULL);
	json_member_u64(&w, "version", s->version);
	json_member_bool(&w, "whole", s->whole);
	verb_row_end(cc, &w);
	LIST_FOREACH(e, &s->pending) {
		const struct app_record *a =
		    LIST_ITEM(e, const struct app_record, link);

		verb_row_begin(&w, NULL);
		json_member_str(&w, "id", str_of(a->id));
		json_member_str(&w, "record", buf_str(a->text));
		verb_row_end(cc, &w);
	}
	control_end(cc);
}

void
verb_cluster_apps_done(struct control_client *cc, struct json args)
{
	uint64_t version;

	if (!may(cc))
		return;
	if (json_u64(json_get(args, S("version")), UINT64_MAX, &version) ==
	    -1) {
		control_fail(cc, "version: a number");
		return;
	}
	shared_apps_written(cc->br->cluster, version);
	control_end(cc);
}
