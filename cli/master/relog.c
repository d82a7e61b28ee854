/* SPDX-License-Identifier: MIT */
/*
 * relog.c: the log while the server runs: SIGUSR1 opens the file again, and
 * pusherctl changes the level.  The children are told over their links.
 */

#include <stdlib.h>
#include <string.h>

#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc_msg.h"

void
relog_open(struct master *m)
{
	struct master_start *s = m->start;
	char *why;
	int fd;

	if (log_target_open(&s->log, s->conf, &fd, &why) == -1) {
		log_warnx("log: cannot reopen it: %s", why);
		free(why);
		return;
	}
	log_target_use(&s->log, s->conf, fd);
	reload_tell_log(m);
	log_info("log: reopened");
}

void
relog_set_level(struct master *m, const struct msg_master_request *ask)
{
	struct master_start *s = m->start;
	char *why, *text, *old;

	old = xstrdup(s->conf->log_level);
	if (conf_set(s->conf, S("log_level"), ask->arg, "pusherctl", 0, &why) ==
	    -1) {
		/* pusherctl begins every sentence with its own name. */
		request_reply(m, ask->id, 1,
		    str_from(str_of(why), strlen("pusherctl: ")));
		free(why);
		free(old);
		return;
	}
	log_target_use(&s->log, s->conf, -1);
	reload_tell_log(m);
	log_info("log: level %s, was %s", s->conf->log_level, old);
	text = xasprintf(
	    "{\"level\":\"%s\",\"was\":\"%s\"}", s->conf->log_level, old);
	request_reply(m, ask->id, 0, str_of(text));
	free(text);
	free(old);
}
