/* SPDX-License-Identifier: MIT */
/*
 * verb_master.c: the verbs that the master runs: reload, config-set, drain,
 * log-level, worker-replace, upgrade.  The broker passes the request to the
 * master, and the reply back to the client if the client is still there.  Must
 * never wait for the master.
 */

#include "broker/control/verb_master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/control/control_job.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"

#define DRAIN_MAX_SECONDS 3600
#define UPGRADE_PATH_MAX 2048u
#define SET_MAX 2048u

static const struct control_job_ops request_ops = { 0 };

static void
ask(struct control_client *cc, struct str verb, struct str arg)
{
	struct control_job *job = xcalloc(1, sizeof(*job));
	struct msg_master_request m = { .verb = verb, .arg = arg };

	control_job_start(cc, job, &request_ops);
	m.id = job->id;
	log_debug("control: asks the master: %.*s pid=%d", (int)verb.n, verb.p,
	    (int)cc->pid);
	if (master_link_ask(cc->br->master_link, &m) == -1)
		control_fail(
		    cc, "cannot reach the master: %s", strerror(errno));
}

void
verb_reload(struct control_client *cc, struct json args)
{
	ask(cc, S("reload"), S(""));
}

void
verb_config_set(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("set"));
	char *tmp = NULL;
	struct str set;

	if (v.kind != JSON_STRING || json_string(v, &set, &tmp) == -1 ||
	    set.n == 0 || set.n > SET_MAX)
		control_fail(
		    cc, "set: NAME=VALUE, of at most %u bytes", SET_MAX);
	else
		ask(cc, S("config-set"), set);
	free(tmp);
}

void
verb_drain(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("seconds"));
	uint64_t seconds;
	char text[32] = "";

	if (v.kind != JSON_NONE) {
		if (json_u64(v, DRAIN_MAX_SECONDS, &seconds) == -1) {
			control_fail(cc, "seconds: a number from 0 to %d",
			    DRAIN_MAX_SECONDS);
			return;
		}
		snprintf(text, sizeof(text), "%llu",
		    (unsigned long long)seconds * 1000);
	}
	ask(cc, S("drain"), str_of(text));
}

void
verb_worker_replace(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("worker"));

	if (v.kind != JSON_NUMBER || v.raw.n > 2)
		control_fail(cc, "worker: the number of a worker");
	else
		ask(cc, S("worker-replace"), v.raw);
}

void
verb_upgrade(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("binary"));
	struct str path = S("");
	char *tmp = NULL;

	if (v.kind != JSON_NONE &&
	    (v.kind != JSON_STRING || json_string(v, &path, &tmp) == -1 ||
		path.n == 0 || path.p[0] != '/' || path.n > UPGRADE_PATH_MAX))
		control_fail(cc, "binary: a full path of at most %u bytes",
		    UPGRADE_PATH_MAX);
	else
		ask(cc, S("upgrade"), path);
	free(tmp);
}

void
verb_upgrade_end(struct control_client *cc, struct json args)
{
	ask(cc, S("upgrade-end"), S(""));
}

void
verb_log_level(struct control_client *cc, struct json args)
{
	struct json v = json_get(args, S("level"));
	char *tmp = NULL;
	struct str level;

	if (v.kind != JSON_STRING || v.raw.n > 64 ||
	    json_string(v, &level, &tmp) == -1)
		control_fail(cc, "level: one of error, warn, info, debug");
	else
		ask(cc, S("log-level"), level);
	free(tmp);
}

void
verb_master_on_reply(void *owner, const struct msg_master_reply *m)
{
	struct control_job *job = control_job_find(owner, &request_ops, m->id);
	struct json_writer w;

	if (job == NULL)
		return;
	if (m->code != 0 && m->code != REPLY_MORE) {
		control_fail(
		    job->cc, "%.*s", (int)MIN(m->text.n, 480), m->text.p);
		return;
	}
	json_writer_init(&w);
	json_put_raw(&w, m->text);
	control_row(job->cc, &w);
	if (m->code != REPLY_MORE)
		control_end(job->cc);
}
