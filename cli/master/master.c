/* SPDX-License-Identifier: MIT */
/*
 * master.c: starts the broker and the workers, watches them, replaces processes
 * that have died, and stops all of them gracefully.  Owns the children and the
 * life line, whose end tells them that the master is gone.  All signals stay
 * blocked and are read from a descriptor, so that no handler interrupts other
 * code.  The master never parses a client's byte, never opens a database, and
 * holds no state of the service.
 */

#include "cli/master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/master/certs.h"
#include "cli/master/child.h"
#include "cli/master/listen.h"
#include "cli/master/notify.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/base.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/heartbeat.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/proc.h"
#include "shared/proc/proc_usage.h"

#define START_MS 30000  /* for all to be ready the first time */
#define START_DEATHS 3  /* deaths before that until it gives up */
#define UNWELL_MS 30000 /* without broker or workers: not alive */

bool
master_is_stopping(const struct master *m)
{
	return m->phase > PHASE_RUN;
}

size_t
master_alive(const struct master *m, size_t from)
{
	size_t n = 0, i;

	for (i = from; i < m->nchildren; i++)
		if (m->children[i].pid != 0)
			n++;
	return from == 0 ? n + m->nlingering : n;
}

void
master_enter(struct master *m, enum phase phase, uint64_t limit_ms)
{
	if (phase <= m->phase) /* signals come when they like */
		return;
	m->phase = phase;
	if (phase > PHASE_RUN)
		replace_stop(m);
	m->deadline_ms = limit_ms == 0 ? 0 : child_now_ms() + limit_ms;
}

/* ---- what happens ---- */

static void
on_signal(struct master *m, int sig)
{
	switch (sig) {
	case SIGTERM:
	case SIGINT:
		if (master_is_stopping(m))
			stop_quick(m, "told a second time");
		else
			stop_drain(m,
			    sig == SIGINT ? "interrupted" : "terminated",
			    DRAIN_STOP, m->start->conf->drain_time * 1000);
		break;
	case SIGQUIT:
		stop_quick(m, "told to quit");
		break;
	case SIGHUP:
		if (!replace_delays(m, 0))
			reload_begin(m, 0);
		break;
	case SIGUSR1:
		relog_open(m);
		break;
	case SIGUSR2:
		upgrade_begin(m, 0, S(""));
		break;
	default: /* SIGCHLD: reap() checks each time */
		break;
	}
}

static void
read_signals(struct master *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		on_signal(m, (int)si.ssi_signo);
}

static void
on_death(struct master *m, struct child *c, int status)
{
	unsigned delay;
	bool owed = m->reload.active && c->owes != 0 && !c->replaced;
	pid_t pid = c->pid;
	char name[32];

	child_name(c, name, sizeof(name));
	delay = child_gone(c, status);
	if (c->role == CHILD_BROKER)
		request_forget_all(m);
	if (owed && !c->retiring)
		c->failed = xasprintf(
		    "pid %d did not receive it and %s; the next one has it",
		    (int)pid, c->ending);
	if (c->retiring || c->replaced) {
		log_info("%s %s pid=%d", name, c->ending, (int)pid);
		if (c->replaced)
			c->deaths = 0;
	} else if (!master_is_stopping(m)) {
		log_warnx("%s %s pid=%d; another one in %u s", name, c->ending,
		    (int)pid, delay);
		if (m->phase == PHASE_START)
			m->start_deaths++;
	} else if (status == 0 || m->phase >= PHASE_QUICK) {
		log_debug("%s %s pid=%d", name, c->ending, (int)pid);
	} else {
		log_warnx("%s %s pid=%d", name, c->ending, (int)pid);
	}
}

static void
reap(struct master *m)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < m->nchildren; i++) {
			if (m->children[i].pid == pid)
				replace_hear(m, i);
			if (m->children[i].pid == pid)
				retire_on_death(m, &m->children[i]);
			if (m->children[i].pid == pid)
				on_death(m, &m->children[i], status);
		}
		replace_on_death(m, pid);
		upgrade_on_exit(m, pid, status);
	}
}

static void
on_ready(struct master *m, struct child *c)
{
	char name[32];

	if (c == &m->replace.successor) {
		replace_on_ready(m);
		return;
	}
	/* A broken line: the process is dying and will be reaped. */
	if (!child_read_ready(c) || m->phase != PHASE_RUN)
		return;
	child_name(c, name, sizeof(name));
	if (c->ending[0] == '\0') { /* a reload wanted one more */
		log_info("%s: ready pid=%d", name, (int)c->pid);
		return;
	}
	/* Logs it once more: of several warnings in a row one is printed. */
	log_info("%s: ready again pid=%d; the one before %s", name, (int)c->pid,
	    c->ending);
}

static void
say_ready(struct master *m)
{
	char *where, state[64];

	master_enter(m, PHASE_RUN, 0);
	where = listen_text(m->start->listen);
	log_info("ready: listening on %s workers=%u pid=%d", where,
	    m->start->conf->nworkers, (int)getpid());
	free(where);
	snprintf(state, sizeof(state), "READY=1\nMAINPID=%d", (int)getpid());
	notify(state);
	if (m->start->waiter_fd != -1) {
		if (write(m->start->waiter_fd, "", 1) == -1)
			log_debug("nobody waits for the start");
		close(m->start->waiter_fd);
	}
	if (m->reload.again) {
		m->reload.again = false;
		reload_begin(m, 0);
	}
}

/* ---- what is due ---- */

/* One that starts may read much first; one that is told to go may not. */
static unsigned
stale_ms(const struct child *c)
{
	return c->ready || c->replaced ? WATCHDOG_STALE_MS : WATCHDOG_START_MS;
}

/* Ends children whose loop no longer turns, or never begins to. */
static void
check_heartbeats(struct master *m, uint64_t now)
{
	uint64_t gap = now - m->heartbeat_ms;
	struct child *c;
	char name[32];
	int sig;

	if (gap < WATCHDOG_LOOK_MS)
		return;
	if (m->heartbeat_ms != 0 && gap > 2 * WATCHDOG_LOOK_MS)
		upgrade_stood_still(m, gap);
	m->heartbeat_ms = now;
	proc_usage_put(m->start->usage, &m->memory);
	for (size_t i = 0; i < m->nchildren; i++) {
		c = &m->children[i];
		if (c->pid == 0 ||
		    (sig = watchdog_look(&c->watchdog, now, stale_ms(c))) == 0)
			continue;
		child_name(c, name, sizeof(name));
		log_warnx("%s: stuck, no sign of life for %u ms: sending "
			  "signal %d pid=%d",
		    name, stale_ms(c), sig, (int)c->pid);
		kill(c->pid, sig);
	}
}

/*
 * A broker that waits for its database beats before it is ready.  Then the
 * database decides how long the start takes, as it does for the master.
 */
static bool
may_wait(struct master *m)
{
	const struct child *broker = &m->children[0];
	uint64_t seen = m->start_beats;

	m->start_beats = heartbeat_read(broker->heartbeat);
	if (broker->ready || m->start_beats == seen)
		return false;
	notify("EXTEND_TIMEOUT_USEC=60000000"); /* 2 * START_MS */
	return true;
}

static void
check_running(struct master *m, uint64_t now)
{
	bool all_ready = true;
	struct child *c;
	char name[32];
	size_t i;

	for (i = 0; i < m->nchildren; i++) {
		c = &m->children[i];
		if (c->pid == 0 && c->respawn_ms <= now && !c->retiring &&
		    !replace_has(m, i)) {
			/* Includes exiting workers: they have to report. */
			c->room = proc_slot_room(
			    (unsigned)m->nchildren - FIRST_WORKER);
			c->leaving = retire_slots(m);
			c->patient = m->upgrade.step == UPGRADE_RENEW;
			child_start(c, m->start, m->life[0]);
			child_name(c, name, sizeof(name));
			if (c->pid != 0)
				log_debug(
				    "%s: started pid=%d", name, (int)c->pid);
		}
		all_ready = all_ready && c->ready;
	}
	if (m->phase != PHASE_START) {
		check_heartbeats(m, now);
		reload_check(m, now);
		replace_check(m, now);
		retire_check(m, now);
		upgrade_check(m, now);
		remake_check(m, now);
		reload_resend(m);
		request_resend_links(m);
		log_tick();
		certs_tick(m->start->certs, m->start->conf, now);
		return;
	}
	if (all_ready)
		say_ready(m);
	else if (m->start_deaths >= START_DEATHS)
		stop_start(m, "processes die before they are ready");
	else if (now >= m->deadline_ms && may_wait(m))
		m->deadline_ms = now + START_MS;
	else if (now >= m->deadline_ms)
		stop_start(m, "not all processes became ready in time");
}

/* The broker and some worker serve. */
static bool
is_well(const struct master *m)
{
	for (size_t i = FIRST_WORKER; i < m->nchildren; i++)
		if (m->children[i].ready)
			return m->children[0].ready;
	return false;
}

/*
 * Tells the service manager that the group serves, also while a dead process is
 * replaced.  The watchdog ends a silent child.
 */
static void
check_health(struct master *m, uint64_t now)
{
	if (is_well(m) || m->phase != PHASE_RUN)
		m->unwell_ms = 0;
	else if (m->unwell_ms == 0)
		m->unwell_ms = now;
	if (m->notify_ms == 0 || now < m->notified_ms + m->notify_ms ||
	    (m->unwell_ms != 0 && now > m->unwell_ms + UNWELL_MS))
		return;
	m->notified_ms = now;
	notify("WATCHDOG=1");
}

/* Milliseconds until something is due; -1: nothing is. */
static int
next_timeout(struct master *m, uint64_t now)
{
	uint64_t at = m->deadline_ms == 0 ? UINT64_MAX : m->deadline_ms;
	size_t i;

	for (i = 0; !master_is_stopping(m) && i < m->nchildren; i++)
		if (m->children[i].pid == 0 && !m->children[i].retiring)
			at = MIN(at, m->children[i].respawn_ms);
	if (m->phase == PHASE_RUN)
		at = MIN(at, m->heartbeat_ms + WATCHDOG_LOOK_MS);
	if (!master_is_stopping(m))
		at = MIN(MIN(at, retire_due(m)),
		    MIN(reload_due(m), MIN(replace_due(m), upgrade_due(m))));
	if (m->notify_ms != 0)
		at = MIN(at, MAX(m->notified_ms, now) + m->notify_ms);
	if (at == UINT64_MAX)
		return -1;
	return at <= now ? 0 : (int)MIN(at - now, 60000);
}

/* The two lines of a child; poll(2) ignores those that are -1. */
static nfds_t
add_lines(struct pollfd *p, struct child **of, nfds_t n, struct child *c)
{
	of[n] = of[n + 1] = c;
	p[n++] = (struct pollfd){ c->ready_fd, POLLIN, 0 };
	p[n++] = (struct pollfd){ c->link_fd, POLLIN, 0 };
	return n;
}

static void
wait_for_something(struct master *m)
{
	struct pollfd p[2 * (nitems(m->children) + 1) + 1];
	struct child *of[nitems(p)];
	nfds_t n = 0;

	if (m->replace.active)
		n = add_lines(p, of, n, &m->replace.successor);
	for (size_t i = 0; i < m->nchildren; i++)
		n = add_lines(p, of, n, &m->children[i]);
	p[n] = (struct pollfd){ m->signal_fd, POLLIN, 0 };
	if (poll(p, n + 1, next_timeout(m, child_now_ms())) == -1) {
		if (errno != EINTR)
			fatal("poll");
		return;
	}
	/* Reads the messages of a child before the signal about its end. */
	for (nfds_t i = 0; i < n; i++) {
		if (p[i].revents == 0)
			continue;
		if (p[i].fd == of[i]->ready_fd)
			on_ready(m, of[i]);
		else if (p[i].fd == of[i]->link_fd)
			request_on_link(m, of[i]);
	}
	if (p[n].revents != 0)
		read_signals(m);
}

static void
take_signals(struct master *m)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1,
		SIGUSR2, SIGCHLD };
	static const int ignored[] = { SIGPIPE, SIGXFSZ };
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < nitems(taken); i++) {
		/* The parent process may have set them to be ignored. */
		proc_signal(taken[i], SIG_DFL);
		sigaddset(&set, taken[i]);
	}
	for (i = 0; i < nitems(ignored); i++)
		proc_signal(ignored[i], SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &set, NULL) == -1)
		fatal("sigprocmask");
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signal_fd == -1)
		fatal("signalfd");
}

void
master_add_child(struct master *m, size_t i)
{
	m->children[i] = (struct child){ .role = MIN(i, (size_t)CHILD_WORKER),
		.slot = i < FIRST_WORKER ? 0 : (unsigned)i - FIRST_WORKER,
		.ready_fd = -1,
		.link_fd = -1,
		.heartbeat = &m->heartbeats[i],
		.watchdog = { .counter = &m->heartbeats[i] } };
}

static void
make_group(struct master *m)
{
	const struct master_start *start = m->start;

	if (pipe2(m->life, O_CLOEXEC) == -1)
		fatal("pipe");
	m->nchildren = start->conf->nworkers + FIRST_WORKER;
	for (size_t i = 0; i < m->nchildren; i++)
		master_add_child(m, i);
	m->steered = listen_steer(start->listen, start->conf->nworkers);
	m->deadline_ms = child_now_ms() + START_MS;
}

int
master_run(struct master_start *start)
{
	struct master m = { .start = start };

	m.notify_ms = notify_period();
	take_signals(&m);
	memory_init(&m.memory);
	if (!memory_is_known(&m.memory))
		log_warnx("memory: there is no /proc: allocated bytes count "
			  "instead of resident ones");
	start->usage = proc_usage_map();
	start->noted = proc_map_noted();
	m.heartbeats = heartbeat_map(nitems(m.children));
	if (m.heartbeats == NULL || start->usage == NULL ||
	    start->noted == NULL)
		fatal("mmap");
	if (start->taken != NULL)
		renew_adopt(&m, start->taken);
	else
		make_group(&m);
	do {
		if (!master_is_stopping(&m))
			check_running(&m, child_now_ms());
		if (master_is_stopping(&m))
			stop_check(&m, child_now_ms());
		check_health(&m, child_now_ms());
		if (master_alive(&m, 0) > 0 || !master_is_stopping(&m))
			wait_for_something(&m);
		reap(&m);
	} while (!master_is_stopping(&m) || master_alive(&m, 0) > 0);
	close(m.signal_fd);
	close(m.life[0]);
	close(m.life[1]);
	reload_forget_requests(&m.reload.requests);
	reload_forget_requests(&m.retire.requests);
	free(m.upgrade.report);
	if (m.upgrade.step != UPGRADE_NONE)
		upgrade_forget(&m.upgrade);
	memory_free(&m.memory);
	log_info("stopped");
	return m.exit_code;
}
