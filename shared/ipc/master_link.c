/* SPDX-License-Identifier: MIT */
/*
 * master_link.c: receives the orders of the master.  The contents of the
 * process's one struct conf are exchanged here, before the role reacts to the
 * changes.  Answers when that has happened.  An invalid order is logged and
 * changes nothing: the connections that the process holds are worth more.  Must
 * never wait.
 */

#include "shared/ipc/master_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/conf/conf_change.h"
#include "shared/ipc/fdpass.h"

#define FAILED_MAX 1024 /* bytes of a sentence */

/*
 * A living master takes the broken link for the end of this process and makes
 * it exit; its successor gets the order, so that no process keeps an old
 * configuration.
 */
static void
break_link(struct master_link *o)
{
	if (errno != EAGAIN && errno != EMSGSIZE && errno != EMFILE)
		shutdown(o->io.fd, SHUT_RDWR);
}

static void
answer(struct master_link *o, uint64_t id, const char *failed)
{
	struct str text = failed == NULL ? S("") : str_of(failed);
	struct msg_done m = { .id = id,
		.failed = str_make(text.p, MIN(text.n, FAILED_MAX)) };
	char bytes[FAILED_MAX + 64];

	msg_done_put(bytes, &m);
	if (fdpass_send(o->io.fd, bytes, msg_done_size(&m), NULL, 0) == -1) {
		log_warn("cannot answer the master");
		break_link(o);
	}
}

static void
close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static int
on_reconf(struct master_link *o, struct str body, const int *fds, size_t nfds)
{
	struct msg_reconf m;
	struct conf fresh;
	char *why = NULL, *failed = NULL;

	if (msg_reconf_get(&m, body) == -1 ||
	    m.listeners.n != nfds * sizeof(uint32_t))
		return -1;
	if (conf_load_dump(&fresh, m.conf, &why) == -1) {
		log_warnx("cannot use the master's configuration: %s", why);
		free(why);
		return -1;
	}
	conf_replace(o->conf, &fresh);
	if (o->ops->on_reconf != NULL)
		failed = o->ops->on_reconf(o->owner, &m, fds, nfds);
	else
		close_all(fds, nfds);
	log_debug("the configuration has changed");
	answer(o, m.id, failed);
	free(failed);
	return 0;
}

static int
on_logging(struct master_link *o, struct str body, const int *fds, size_t nfds)
{
	struct msg_logging m;

	if (msg_logging_get(&m, body) == -1 || m.level > LOG_LEVEL_DEBUG ||
	    m.format > LOG_FORMAT_JSON || nfds > 1)
		return -1;
	log_set_level((enum log_level)m.level);
	log_set_format((enum log_format)m.format);
	if (nfds == 1) {
		if (dup2(fds[0], STDERR_FILENO) == -1)
			log_warn("dup2");
		close(fds[0]);
	}
	if (m.to_syslog)
		log_to_syslog();
	else
		log_to_stderr();
	answer(o, m.id, NULL);
	return 0;
}

static int
on_drain(struct master_link *o, struct str body)
{
	struct msg_drain m;

	if (o->ops->on_drain == NULL || msg_drain_get(&m, body) == -1)
		return -1;
	o->ops->on_drain(o->owner, &m);
	return 0;
}

static int
on_reply(struct master_link *o, struct str body)
{
	struct msg_master_reply m;

	if (o->ops->on_reply == NULL || msg_master_reply_get(&m, body) == -1)
		return -1;
	o->ops->on_reply(o->owner, &m);
	return 0;
}

static int
on_link(struct master_link *o, struct str body, const int *fds, size_t nfds)
{
	struct msg_link m;

	if (o->ops->on_link == NULL || msg_link_get(&m, body) == -1 || nfds > 1)
		return -1;
	o->ops->on_link(o->owner, nfds == 1 ? fds[0] : -1);
	return 0;
}

static int
on_move(struct master_link *o, struct str body, const int *fds, size_t nfds)
{
	struct msg_move_out m;

	if (o->ops->on_move == NULL || nfds != 1 ||
	    msg_move_out_get(&m, body) == -1)
		return -1;
	o->ops->on_move(o->owner, &m, fds[0]);
	return 0;
}

static int
on_move_in(struct master_link *o, struct str body, const int *fds, size_t nfds)
{
	struct msg_move_in m;

	if (o->ops->on_move_in == NULL || nfds != 1 ||
	    msg_move_in_get(&m, body) == -1)
		return -1;
	o->ops->on_move_in(o->owner, &m, fds[0]);
	return 0;
}

/*
 * 0, or -1 when it is no order for this process; then the descriptors are left
 * over.
 */
static int
obey(struct master_link *o, struct str in, const int *fds, size_t nfds)
{
	struct str body = str_from(in, IPC_HEAD);
	uint32_t head[2];

	if (in.n < IPC_HEAD)
		return -1;
	memcpy(head, in.p, sizeof(head));
	if (head[0] != in.n - 4 || !ipc_may_send(head[1], FROM_MASTER))
		return -1;
	switch (head[1]) {
	case IPC_RECONF:
		return on_reconf(o, body, fds, nfds);
	case IPC_LOGGING:
		return on_logging(o, body, fds, nfds);
	case IPC_DRAIN:
		return nfds > 0 ? -1 : on_drain(o, body);
	case IPC_MASTER_REPLY:
		return nfds > 0 ? -1 : on_reply(o, body);
	case IPC_LINK:
		return on_link(o, body, fds, nfds);
	case IPC_MOVE_OUT:
		return on_move(o, body, fds, nfds);
	case IPC_MOVE_IN:
		return on_move_in(o, body, fds, nfds);
	default:
		return -1;
	}
}

/* Reads the next order: 1; 0: the link has ended; -1: there is none now. */
static int
take(struct master_link *o)
{
	char *bytes = xmalloc(FDPASS_BYTES);
	int fds[FDPASS_FDS];
	size_t nfds;
	ssize_t n;

	n = fdpass_recv(o->io.fd, bytes, FDPASS_BYTES, fds, &nfds);
	if (n == 0) {
		close_all(fds, nfds); /* of an empty message */
	} else if (n > 0 &&
	    obey(o, str_make(bytes, (size_t)n), fds, nfds) == -1) {
		log_warnx("a message of the master is invalid");
		close_all(fds, nfds);
	} else if (n == -1 && errno != EAGAIN) {
		log_warn("cannot read from the master");
		break_link(o);
		if (errno == EMFILE && o->ops->on_link != NULL)
			o->ops->on_link(o->owner, -1); /* perhaps a link */
	}
	free(bytes);
	return n > 0 ? 1 : (int)n;
}

static void
on_order(struct ev_loop *loop, ev_io *io, int revents)
{
	struct master_link *o = container_of(io, struct master_link, io);

	if (take(o) == 0) /* the life line says what to do */
		ev_io_stop(loop, io);
}

void
master_link_take_all(struct master_link *o)
{
	while (ev_is_active(&o->io) && take(o) == 1)
		;
}

void
master_link_start(struct master_link *o, struct ev_loop *loop, int fd,
    struct conf *conf, const struct master_link_ops *ops, void *owner)
{
	o->conf = conf;
	o->ops = ops;
	o->owner = owner;
	ev_io_init(&o->io, on_order, fd, EV_READ);
	if (fd != -1)
		ev_io_start(loop, &o->io);
}

void
master_link_stop(struct master_link *o, struct ev_loop *loop)
{
	ev_io_stop(loop, &o->io);
}

int
master_link_ask(struct master_link *o, const struct msg_master_request *m)
{
	size_t n = msg_master_request_size(m);
	char *bytes = xmalloc(n);
	int r;

	msg_master_request_put(bytes, m);
	r = fdpass_send(o->io.fd, bytes, n, NULL, 0);
	free(bytes);
	return r;
}

int
master_link_ask_link(struct master_link *o)
{
	struct msg_link_ask m = { 0 };
	char bytes[32];

	msg_link_ask_put(bytes, &m);
	return fdpass_send(o->io.fd, bytes, msg_link_ask_size(&m), NULL, 0);
}

int
master_link_moved(struct master_link *o, const struct msg_moved *m)
{
	char bytes[FAILED_MAX + 64];
	struct msg_moved cut = *m;

	cut.failed.n = MIN(m->failed.n, FAILED_MAX);
	msg_moved_put(bytes, &cut);
	return fdpass_send(o->io.fd, bytes, msg_moved_size(&cut), NULL, 0);
}

int
master_link_drained(struct master_link *o)
{
	struct msg_drained m = { 0 };
	char bytes[32];

	msg_drained_put(bytes, &m);
	return fdpass_send(o->io.fd, bytes, msg_drained_size(&m), NULL, 0);
}
