/* SPDX-License-Identifier: MIT */
/*
 * stop.c: the ways in which the group ends: gracefully, at once, or because its
 * start has failed.  First the workers, all at one time, then the listeners,
 * then the broker, then the courier; a process that does not exit in time is
 * killed.  Owns nothing.  Must never wait: the master's loop continues.
 */

#include <signal.h>
#include <stdio.h>

#include "cli/master/listen.h"
#include "cli/master/notify.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/log.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"

#define DRAIN_EXTRA_MS 5000 /* beyond drain_time */
#define BROKER_STOP_MS 2000 /* from SIGTERM to SIGKILL */
#define QUICK_STOP_MS 1000  /* from SIGQUIT to SIGKILL */

static void
signal_all(const struct master *m, size_t from, int sig)
{
	size_t i;

	for (i = from; i < m->nchildren; i++)
		if (m->children[i].pid != 0)
			kill(m->children[i].pid, sig);
	/* These end when their clients are closed. */
	for (i = 0; sig != SIGTERM && i < m->nlingering; i++)
		kill(m->lingering[i].pid, sig);
}

/* A child that cannot receive the time uses the option drain_time. */
static void
tell_drain(struct master *m, enum drain_how how, uint64_t ms)
{
	struct msg_drain drain = { .ms = ms, .how = (uint8_t)how };
	char bytes[64];

	msg_drain_put(bytes, &drain);
	for (size_t i = FIRST_WORKER; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (c->pid != 0 &&
		    child_tell(c, bytes, msg_drain_size(&drain), NULL, 0) == -1)
			kill(c->pid, how == DRAIN_END ? SIGQUIT : SIGTERM);
	}
}

/*
 * Workers exit together: a newcomer may be given to any of them, and must find
 * one that answers.
 */
static void
end_drain(struct master *m)
{
	size_t i;

	for (i = FIRST_WORKER; i < m->nchildren; i++)
		if (m->children[i].pid != 0 && !m->children[i].drained &&
		    !m->children[i].retiring && m->children[i].ready)
			return;
	m->end_sent = true;
	tell_drain(m, DRAIN_END, 0);
}

void
stop_drain(
    struct master *m, const char *because, enum drain_how how, uint64_t ms)
{
	char text[80];

	snprintf(text, sizeof(text), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu",
	    (unsigned long long)(ms + 2 * DRAIN_EXTRA_MS) * 1000);
	notify(text);
	log_info("stop: %s, closing clients over %.1f s", because,
	    (double)ms / 1000);
	master_enter(m, PHASE_DRAIN, ms + DRAIN_EXTRA_MS);
	tell_drain(m, how, ms);
}

void
stop_quick(struct master *m, const char *because)
{
	if (m->phase >= PHASE_QUICK)
		return;
	notify("STOPPING=1");
	log_info("stop: %s, at once", because);
	master_enter(m, PHASE_QUICK, QUICK_STOP_MS);
	signal_all(m, FIRST_WORKER, SIGQUIT);
}

static void
begin_kill(struct master *m)
{
	log_warnx("stop: %zu processes do not exit: killing them",
	    master_alive(m, 0));
	master_enter(m, PHASE_KILL, 0);
	signal_all(m, 0, SIGKILL);
}

void
stop_start(struct master *m, const char *because)
{
	log_warnx("giving up the start: %s", because);
	m->exit_code = 1;
	stop_quick(m, "the start has failed");
}

void
stop_check(struct master *m, uint64_t now)
{
	if (m->phase == PHASE_DRAIN && master_alive(m, FIRST_WORKER) == 0) {
		/*
		 * From now on a new connection is refused, and does not wait.
		 */
		listen_close(m->start->listen);
		master_enter(m, PHASE_BROKER, BROKER_STOP_MS);
		if (m->children[0].pid != 0)
			kill(m->children[0].pid, SIGTERM);
	} else if (m->phase == PHASE_BROKER && m->children[0].pid == 0) {
		/* It has received the broker's last words. */
		master_enter(m, PHASE_COURIER, BROKER_STOP_MS);
		signal_all(m, 1, SIGTERM);
	} else if (m->phase == PHASE_DRAIN && now >= m->deadline_ms) {
		log_warnx("stop: %zu workers do not exit: killing them",
		    master_alive(m, FIRST_WORKER));
		signal_all(m, FIRST_WORKER, SIGKILL);
		m->deadline_ms = now + DRAIN_EXTRA_MS;
	} else if (m->phase == PHASE_QUICK &&
	    master_alive(m, FIRST_WORKER) == 0) {
		/* Only now, so that no worker misses the broker. */
		signal_all(m, 0, SIGQUIT);
	}
	if (m->phase == PHASE_DRAIN && !m->end_sent)
		end_drain(m);
	if (m->phase != PHASE_DRAIN && m->phase < PHASE_KILL &&
	    now >= m->deadline_ms)
		begin_kill(m);
}
