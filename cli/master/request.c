/* SPDX-License-Identifier: MIT */
/*
 * request.c: the messages of children to the master: that an order has been
 * carried out, and requests of pusherctl, which the broker passes on.  All
 * other messages are refused.  A child with a broken link is dying or must
 * exit: it would never carry out an order that it has not received.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/master/console.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"
#include "shared/net/sock.h"

#define DRAIN_MAX_MS 3600000

void
request_reply(struct master *m, uint64_t id, unsigned code, struct str text)
{
	struct msg_master_reply said = { .id = id, .code = code, .text = text };
	size_t n = msg_master_reply_size(&said);
	char *bytes = xmalloc(n);

	msg_master_reply_put(bytes, &said);
	if (child_tell(&m->children[0], bytes, n, NULL, 0) == -1)
		log_warn("pusherctl cannot be answered");
	free(bytes);
}

void
request_forget_all(struct master *m)
{
	struct reload *r = &m->reload;

	m->upgrade.request = m->replace.request = 0;
	m->upgrade.nwaiting = 0;
	r->requests.n = 0;
	r->again = r->again || r->nwaiting > 0;
	r->nwaiting = 0;
	reload_forget_requests(&m->retire.requests);
}

static void
on_ask_drain(struct master *m, const struct msg_master_request *ask)
{
	uint64_t ms = m->start->conf->drain_time * 1000;
	char text[80];

	if (master_is_stopping(m)) {
		request_reply(m, ask->id, 1, S("pusherd is stopping already"));
		return;
	}
	if (ask->arg.n > 0 && str_to_u64(ask->arg, DRAIN_MAX_MS, &ms) == -1) {
		request_reply(m, ask->id, 1, S("the time is not a number"));
		return;
	}
	snprintf(
	    text, sizeof(text), "{\"drain_ms\":%llu}", (unsigned long long)ms);
	request_reply(m, ask->id, 0, str_of(text));
	stop_drain(m, "told by pusherctl",
	    ask->arg.n > 0 ? DRAIN_SPREAD : DRAIN_STOP, ms);
}

static void
on_ask(struct master *m, struct str body)
{
	struct msg_master_request ask;

	if (msg_master_request_get(&ask, body) == -1)
		log_warnx("the request is malformed");
	else if (str_eq(ask.verb, S("drain")))
		on_ask_drain(m, &ask);
	else if (master_is_stopping(m))
		request_reply(m, ask.id, 1, S("pusherd is stopping"));
	else if (str_eq(ask.verb, S("console")))
		console_fork(m->start, "console", m->start->run_console);
	else if (str_eq(ask.verb, S("cluster-apps")))
		console_fork(m->start, "apps", m->start->run_apps);
	else if (str_eq(ask.verb, S("reload"))) {
		if (!replace_delays(m, ask.id))
			reload_begin(m, ask.id);
	} else if (str_eq(ask.verb, S("config-set"))) {
		if (!replace_delays(m, ask.id))
			reload_set(m, &ask);
	} else if (str_eq(ask.verb, S("worker-replace")))
		replace_begin(m, &ask);
	else if (str_eq(ask.verb, S("upgrade")))
		upgrade_begin(m, ask.id, ask.arg);
	else if (str_eq(ask.verb, S("upgrade-end")))
		upgrade_wait(m, ask.id);
	else if (str_eq(ask.verb, S("log-level")))
		relog_set_level(m, &ask);
	else
		request_reply(
		    m, ask.id, 1, S("pusherd does not know this request"));
}

/* The socket belongs to the master while there is no broker, too. */
static void
give_link(struct master *m, struct child *c)
{
	int fd = sock_connect_unix(m->start->conf->broker_path);
	struct msg_link link = { 0 };
	char bytes[32];

	msg_link_put(bytes, &link);
	c->tell_link = child_tell(c, bytes, msg_link_size(&link), &fd,
			   fd == -1 ? 0 : 1) == -1;
	if (fd != -1)
		close(fd);
}

void
request_resend_links(struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++)
		if (m->children[i].tell_link && m->children[i].pid != 0)
			give_link(m, &m->children[i]);
}

/* Handles a message of a child; all other kinds are refused. */
void
request_on_link(struct master *m, struct child *c)
{
	char bytes[4096];
	int fds[FDPASS_FDS];
	struct msg_done done;
	struct msg_moved moved;
	struct str body;
	uint32_t head[2];
	size_t nfds;
	ssize_t n;

	n = fdpass_recv(c->link_fd, bytes, sizeof(bytes), fds, &nfds);
	while (nfds > 0)
		close(fds[--nfds]);
	if (n < IPC_HEAD) {
		if (n >= 0 || errno != EAGAIN)
			child_cut_link(c);
		return;
	}
	memcpy(head, bytes, sizeof(head));
	body = str_make(bytes + IPC_HEAD, (size_t)n - IPC_HEAD);
	if (head[1] == IPC_DONE && msg_done_get(&done, body) == 0)
		reload_on_done(m, c, done.id, done.failed);
	else if (head[1] == IPC_DRAINED)
		c->drained = true;
	else if (head[1] == IPC_MOVED && msg_moved_get(&moved, body) == 0)
		(c->retiring ? retire_on_moved : replace_on_moved)(
		    m, c, &moved);
	else if (head[1] == IPC_LINK_ASK && c->role == CHILD_WORKER)
		give_link(m, c);
	else if (head[1] == IPC_MASTER_REQUEST && c->role == CHILD_BROKER)
		on_ask(m, body);
}

char *
request_failures(struct master *m)
{
	char *all = NULL, *more, name[32];

	for (size_t i = 0; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (!child_is_late(c) && c->failed == NULL)
			continue;
		child_name(c, name, sizeof(name));
		if (c->failed != NULL)
			more = xasprintf("%s%s%s: %s", all == NULL ? "" : all,
			    all == NULL ? "" : "; ", name, c->failed);
		else
			more = xasprintf(
			    "%s%s%s (pid %d) has not confirmed "
			    "the configuration in %d s: it does so when it "
			    "continues, or its replacement does",
			    all == NULL ? "" : all, all == NULL ? "" : "; ",
			    name, (int)c->pid, CONFIRM_MS / 1000);
		free(all);
		all = more;
		free(c->failed);
		c->failed = NULL;
	}
	return all;
}
