/* SPDX-License-Identifier: MIT */
/*
 * control.c: the broker's end of pusherctl.  Owns struct control_client: one
 * connection, one question and its answer.  The mode of the socket file decides
 * who may connect.  A client that sends an invalid message is dropped.  Must
 * never wait for a client.
 */

#include "broker/control/control.h"

#include <stdlib.h>
#include <unistd.h>

#include "broker/control/verb.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/net/sock.h"

#define CLIENTS_MAX 64
#define IDLE_SECONDS 30. /* without progress */

static void
drop(struct control_client *cc)
{
	struct control *control = cc->br->control;

	if (cc->ipc.carrier.fd == -1)
		return;
	ipc_close(&cc->ipc);
	control_job_drop(cc);
	list_remove(&cc->link);
	list_append(&control->gone, &cc->link);
	acceptor_refill(&control->acceptor);
	if (control->n-- == CLIENTS_MAX)
		acceptor_resume(&control->acceptor);
}

static void
on_dead(void *owner, const char *why)
{
	struct control_client *cc = owner;

	if (!cc->ended)
		log_debug("control: client gone: %s pid=%d", why, (int)cc->pid);
	drop(cc);
}

static int
on_hello(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_hello m;

	if (cc->hello || msg_ctl_hello_get(&m, in->body) == -1)
		return -1;
	cc->hello = true;
	if (m.scope.n > 0)
		cc->scope = str_dup(m.scope);
	if (!str_eq(m.build, S(PUSHERD_VERSION)))
		cc->version = xstrndup(m.build.p, MIN(m.build.n, 64));
	return 0;
}

static int
on_ask(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_ask m;

	if (!cc->hello || cc->asked || msg_ctl_ask_get(&m, in->body) == -1)
		return -1;
	cc->asked = true;
	if (cc->version != NULL && !str_starts(m.verb, S("upgrade")))
		control_fail(cc,
		    "pusherctl is version %s, but the running pusherd is "
		    "version %s: `pusherctl upgrade`, or use its pusherctl",
		    cc->version, PUSHERD_VERSION);
	else if (!cc->ended)
		verb_run(cc, m.verb, m.args);
	return 0;
}

static int
on_out(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_out m;

	if (msg_ctl_out_get(&m, in->body) == -1)
		return -1;
	if (cc->job != NULL && cc->job->ops->out != NULL)
		return cc->job->ops->out(cc->job, m.bytes);
	return cc->ended ? 0 : -1;
}

static int
on_exit_code(void *owner, const struct ipc_in *in)
{
	struct control_client *cc = owner;
	struct msg_ctl_exit m;

	if (msg_ctl_exit_get(&m, in->body) == -1)
		return -1;
	if (cc->job != NULL && cc->job->ops->exit_code != NULL)
		return cc->job->ops->exit_code(cc->job, &m);
	return cc->ended ? 0 : -1;
}

static const ipc_handler handlers[IPC_NTYPES] = {
	[IPC_CTL_HELLO] = on_hello,
	[IPC_CTL_ASK] = on_ask,
	[IPC_CTL_OUT] = on_out,
	[IPC_CTL_EXIT] = on_exit_code,
};

static const struct ipc_ops ops = {
	.peer = FROM_CTL,
	.handlers = handlers,
	.on_dead = on_dead,
};

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct broker *br = w->data;
	struct control_client *cc;
	gid_t gid;
	int fd;

	fd = acceptor_accept(&br->control->acceptor);
	if (fd == -1)
		return;
	cc = xcalloc(1, sizeof(*cc));
	if (sock_peer(fd, &cc->pid, &cc->uid, &gid) == -1) {
		log_warn("control: cannot read the user id of the client");
		close(fd);
		free(cc);
		return;
	}
	cc->br = br;
	cc->moved = broker_now();
	list_init(&cc->link);
	list_append(&br->control->clients, &cc->link);
	ipc_init(&cc->ipc, loop, fd, &ops, cc);
	if (++br->control->n == CLIENTS_MAX)
		acceptor_pause(&br->control->acceptor);
}

void
control_init(struct broker *br)
{
	br->control_jobs = &br->control->jobs;
	list_init(&br->control->jobs.all);
	list_init(&br->control->clients);
	list_init(&br->control->gone);
	acceptor_init(&br->control->acceptor, br->loop, "control", on_accept);
	br->control->acceptor.io.data = br;
}

void
control_start(struct broker *br, int fd)
{
	if (fd == -1)
		return;
	acceptor_open(&br->control->acceptor, fd, true);
}

static void
reap(struct broker *br)
{
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &br->control->gone) {
		list_remove(e);
		free(LIST_ITEM(e, struct control_client, link)->scope);
		free(LIST_ITEM(e, struct control_client, link)->version);
		free(LIST_ITEM(e, struct control_client, link));
	}
}

void
control_clear(struct broker *br)
{
	struct list *clients = &br->control->clients;

	while (!list_is_empty(clients))
		drop(LIST_ITEM(clients->next, struct control_client, link));
	acceptor_close(&br->control->acceptor);
	reap(br);
}

bool
control_flush(struct broker *br)
{
	struct list *e, *tmp;
	bool any = false;

	LIST_FOREACH_SAFE(e, tmp, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (cc->ipc.blocked || outq_is_empty(&cc->ipc.out))
			continue;
		any = true;
		ipc_flush(&cc->ipc);
	}
	return any;
}

bool
control_reap(struct broker *br)
{
	reap(br);
	return control_jobs_wait(br);
}

void
control_tick(struct broker *br)
{
	double now = broker_now();
	struct list *e, *tmp;

	acceptor_refill(&br->control->acceptor);
	control_jobs_tick(br);
	LIST_FOREACH_SAFE(e, tmp, &br->control->clients) {
		struct control_client *cc =
		    LIST_ITEM(e, struct control_client, link);

		if (ipc_sent(&cc->ipc) != cc->sent ||
		    (cc->job != NULL && cc->job->ops->endless &&
			outq_is_empty(&cc->ipc.out))) {
			cc->sent = ipc_sent(&cc->ipc);
			cc->moved = now;
		}
		if (now - cc->moved > IDLE_SECONDS)
			drop(cc);
	}
}
