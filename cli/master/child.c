/* SPDX-License-Identifier: MIT */
/*
 * child.c: starts a process of the group and reports how it ended.  Between
 * fork and the role's main function a child gets its name, closes every
 * descriptor that it does not need, and sets up its signals.  Owns the ready
 * line and the link of each child; master.c manages the whole group.
 */

#include "cli/master/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/courier/courier.h"
#include "cli/master/certs.h"
#include "cli/master/listen.h"
#include "cli/master/start.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/tls_store.h"
#include "shared/ipc/fdpass.h"
#include "shared/proc/proc.h"
#include "shared/proc/snapshot.h"
#include "worker/worker.h"

#define LONG_LIFE_MS 10000 /* after it a death is no longer "again" */

static const unsigned backoff_s[] = { 0, 0, 0, 1, 2, 4, 8, 16, 30 };

uint64_t
child_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void
child_name(const struct child *c, char *out, size_t cap)
{
	if (c->role == CHILD_WORKER)
		snprintf(out, cap, "worker %u", c->slot);
	else
		snprintf(
		    out, cap, c->role == CHILD_BROKER ? "broker" : "courier");
}

/*
 * The master has them blocked, and so they stay until the role has its
 * handlers: a child that is told to exit while it starts exits gracefully.
 */
void
child_signals(void)
{
	static const int to_default[] = { SIGTERM, SIGQUIT, SIGCHLD, SIGALRM };
	static const int to_ignore[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE,
		SIGXFSZ };
	size_t i;

	for (i = 0; i < nitems(to_default); i++)
		proc_signal(to_default[i], SIG_DFL);
	for (i = 0; i < nitems(to_ignore); i++)
		proc_signal(to_ignore[i], SIG_IGN);
	/* Ctrl-C reaches the whole group; only the master reacts. */
	proc_signal(SIGINT, SIG_IGN);
}

static void
close_others(const struct master_start *start, const struct inherit *in)
{
	size_t n = 0, i;
	int *keep = xcalloc(in->nlisten + 7, sizeof(*keep));

	for (i = 0; i < in->nlisten; i++)
		keep[n++] = in->listen_fds[i];
	if (in->broker_fd != -1)
		keep[n++] = in->broker_fd;
	if (in->control_fd != -1)
		keep[n++] = in->control_fd;
	if (in->move_fd != 0)
		keep[n++] = in->move_fd;
	keep[n++] = in->life_fd;
	keep[n++] = in->ready_fd;
	keep[n++] = in->link_fd;
	/* While any process of the group lives, no new group may start. */
	keep[n++] = start->lock_fd;
	if (start->log.to_syslog)
		log_to_stderr(); /* until the others are closed */
	proc_close_others(keep, n);
	free(keep);
}

_Noreturn static void
run(const struct child *c, const struct master_start *start, int life_fd,
    const int fds[2])
{
	struct inherit in = { .conf = start->conf,
		.slot = c->slot,
		.room = c->room,
		.leaving = c->leaving,
		.patient = c->patient,
		.broker_fd = -1,
		.control_fd = -1,
		.move_fd = c->move_fd,
		.life_fd = life_fd,
		.ready_fd = fds[0],
		.link_fd = fds[1],
		.certs = start->certs->board,
		.master = start->usage,
		.noted = start->noted,
		.minute_log = start->minute_log,
		.rules = start->rules,
		.heartbeat = c->heartbeat };
	char name[32];

	if (c->role == CHILD_BROKER) {
		in.broker_fd = start->broker_fd;
		in.control_fd = start->control_fd;
		in.event_order = start->event_order;
		in.apps = start->apps;
		in.sessions = start->sessions;
		in.answers = start->answers;
	} else if (c->role == CHILD_WORKER) {
		in.sessions = start->sessions;
		in.nlisten = start->listen->n;
		in.listen_fds = xcalloc(in.nlisten, sizeof(*in.listen_fds));
		in.listen_ids = xcalloc(in.nlisten, sizeof(*in.listen_ids));
		listen_slot(
		    start->listen, c->slot, in.listen_fds, in.listen_ids);
		in.tls = start->certs->store;
	}
	if (in.tls == NULL) /* only workers need the keys */
		tls_store_unmap(start->certs->store);
	if (in.apps == NULL) /* there are secrets in it */
		snapshot_unmap(start->apps);
	child_name(c, name, sizeof(name));
	log_init(name, start->log.level, start->log.format);
	proc_title("pusherd: %s", name);
	close_others(start, &in);
	if (start->log.to_syslog)
		log_to_syslog();
	proc_forget_capabilities();
	child_signals();
	switch (c->role) {
	case CHILD_BROKER:
		exit(broker_main(&in));
	case CHILD_COURIER:
		exit(courier_main(&in));
	case CHILD_WORKER:
		exit(worker_main(&in));
	}
	abort();
}

static unsigned
start_later(struct child *c)
{
	unsigned delay = backoff_s[MIN(c->deaths, nitems(backoff_s) - 1)];

	c->deaths++;
	c->respawn_ms = child_now_ms() + delay * 1000u;
	return delay;
}

/* The ready line and the link: our ends first.  0, or -1 with errno. */
static int
open_lines(int ours[2], int theirs[2])
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) == -1)
		return -1;
	ours[0] = pair[0];
	theirs[0] = pair[1];
	if (fdpass_pair(pair) == 0) {
		ours[1] = pair[0];
		theirs[1] = pair[1];
		return 0;
	}
	close(ours[0]);
	close(theirs[0]);
	return -1;
}

void
child_start(struct child *c, const struct master_start *start, int life_fd)
{
	int ours[2], theirs[2];
	char name[32];
	pid_t pid;

	child_name(c, name, sizeof(name));
	if (open_lines(ours, theirs) == -1) {
		log_warn("%s: cannot make a socket to it", name);
		start_later(c);
		return;
	}
	pid = fork();
	if (pid == 0)
		run(c, start, life_fd, theirs);
	close(theirs[0]);
	close(theirs[1]);
	if (pid == -1) {
		log_warn("%s: cannot fork", name);
		close(ours[0]);
		close(ours[1]);
		start_later(c);
		return;
	}
	c->pid = pid;
	c->ready_fd = ours[0];
	c->link_fd = ours[1];
	c->ready = false;
	c->owes = 0;
	c->tell_conf = c->tell_log = c->tell_link = c->replaced = c->old =
	    c->took_over = false;
	c->started_ms = child_now_ms();
	watchdog_begin(&c->watchdog, c->started_ms);
}

int
child_tell(
    struct child *c, const void *bytes, size_t n, const int *fds, size_t nfds)
{
	if (c->pid == 0 || c->link_fd == -1) {
		errno = ENOTCONN;
		return -1;
	}
	if (fdpass_send(c->link_fd, bytes, n, fds, nfds) == 0)
		return 0;
	if (errno == EPIPE || errno == ECONNRESET) {
		child_cut_link(c);
		errno = EPIPE;
	}
	return -1;
}

void
child_cut_link(struct child *c)
{
	if (c->link_fd != -1)
		close(c->link_fd);
	c->link_fd = -1;
	if (c->pid != 0)
		kill(c->pid, SIGTERM);
}

void
child_replace(struct child *c)
{
	if (c->pid == 0)
		return; /* the next one is on its way */
	c->replaced = true;
	c->ready = false;
	c->owes = 0;
	kill(c->pid, SIGTERM);
}

void
child_forget_ready(struct child *c)
{
	if (c->ready_fd != -1)
		close(c->ready_fd);
	c->ready_fd = -1;
}

bool
child_read_ready(struct child *c)
{
	char byte;

	if (read(c->ready_fd, &byte, 1) == 1)
		c->ready = true;
	else if (c->pid != 0)
		kill(c->pid, SIGTERM); /* nobody would know that it serves */
	child_forget_ready(c);
	return c->ready;
}

bool
child_is_late(const struct child *c)
{
	return c->owes != 0 || (!c->ready && !c->retiring);
}

/* Describes how it ended, for the log. */
static void
describe(struct child *c, int status)
{
	int sig;

	if (WIFSIGNALED(status)) {
		sig = WTERMSIG(status);
		snprintf(c->ending, sizeof(c->ending),
		    "was killed by signal %d (%s)%s", sig, strsignal(sig),
		    WCOREDUMP(status) ? ", core dumped" : "");
	} else {
		snprintf(c->ending, sizeof(c->ending), "exited with code %d",
		    WEXITSTATUS(status));
	}
}

unsigned
child_gone(struct child *c, int status)
{
	if (child_now_ms() - c->started_ms >= LONG_LIFE_MS)
		c->deaths = 0;
	c->pid = 0;
	c->owes = 0;
	free(c->failed);
	c->failed = NULL;
	c->ready = false;
	child_forget_ready(c);
	child_cut_link(c);
	describe(c, status);
	return start_later(c);
}
