/* SPDX-License-Identifier: MIT */
/*
 * verb_master.c: the verbs of the control socket that are the master's to do:
 * reload, drain, log-level.  The broker hands the question on over its link
 * and the answer back; a client that has left meanwhile is not missed.
 *
 * Must never wait for the master.
 */

#include "broker/control/verb_master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/control/control.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/list.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"

#define DRAIN_MAX_SECONDS 3600

static void
ask(struct control_client *cc, struct str verb, struct str arg)
{
	struct msg_master_request m = {
		.id = ++cc->br->control->ask_id, .verb = verb, .arg = arg
	};

	if (master_link_ask(cc->br->master_link, &m) == -1)
		control_fail(
		    cc, "the master cannot be asked: %s", strerror(errno));
	else
		cc->asked_master = m.id;
}

void
verb_reload(struct control_client *cc, struct json args)
{
	ask(cc, S("reload"), S(""));
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
	struct broker *br = owner;
	struct json_writer w;
	struct list *e;

	LIST_FOREACH(e, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->asked_master != m->id)
			continue;
		cc->asked_master = 0;
		if (m->code != 0) {
			control_fail(
			    cc, "%.*s", (int)MIN(m->text.n, 480), m->text.p);
			return;
		}
		json_writer_init(&w);
		json_put_raw(&w, m->text);
		control_row(cc, &w);
		control_end(cc);
		return;
	}
}
