/* SPDX-License-Identifier: MIT */
/*
 * renew.c: the second half of an upgrade, in the new program: one process after
 * the other gives its place to a new one.  First the workers, then the courier,
 * and last the broker, which pusherctl's question came through.
 *
 * If one of them does not start, or a worker cannot hand its clients over, the
 * program before this one gets its place back in the same way.
 *
 * Owns nothing.  A process that does not exit in time is killed.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/master/handover.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "cli/master/takeover.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc_msg.h"

#define LEAVE_EXTRA_MS 30000 /* for a process to exit, beyond drain_time */
#define ANSWER_MS 300        /* for an answer to leave through the old broker */
#define STALL_MS 15000       /* for a new process to serve */
#define DEATHS 3             /* of it, before it does */
#define REFUSALS 3           /* of a worker to hand its clients over */
#define RETRY_MS 500         /* after one of them */
#define LATE_MS 100          /* between two looks at a worker that is late */

void
renew_adopt(struct master *m, const struct handover *h)
{
	const struct handover_body *b = h->body;

	m->phase = PHASE_RUN;
	m->life[0] = b->life[0];
	m->life[1] = b->life[1];
	m->steered = b->steered;
	m->last_order = b->last_order;
	m->nchildren = b->nchildren;
	for (size_t i = 0; i < m->nchildren; i++) {
		const struct handover_child *from = &h->children[i];
		struct child *c = &m->children[i];

		master_add_child(m, i);
#define COPY(type, name) c->name = from->name;
		HANDOVER_CHILD(COPY)
#undef COPY
		c->old = !(b->is_back && from->old); /* is it another's? */
		watchdog_begin(&c->watchdog, child_now_ms());
	}
	for (; m->nlingering < b->nlingering; m->nlingering++)
		m->lingering[m->nlingering] =
		    (struct lingering){ (pid_t)h->lingering[m->nlingering].pid,
			    h->lingering[m->nlingering].until_ms };
	m->upgrade = (struct upgrade){ .step = UPGRADE_RENEW,
		.request = b->request,
		.began_ms = b->began_ms,
		.deadline_ms = child_now_ms() + STALL_MS,
		.program_fd = -1,
		.said_fd = -1,
		.back_fd = b->back_fd,
		.back = takeover_text(h, TEXT_WRITER),
		.is_back = b->is_back,
		.reason = takeover_text(h, TEXT_REASON),
		.from = xstrndup(h->version.p, h->version.n) };
	log_info("upgrade: version %s, state version %s, has taken over from "
		 "version %s pid=%d",
	    PUSHERD_VERSION, ipc_state_version(), m->upgrade.from,
	    (int)getpid());
}

/* ---- the end ---- */

static void
answer_waiting(struct master *m)
{
	struct upgrade *u = &m->upgrade;

	for (size_t i = 0; i < u->nwaiting; i++)
		request_reply(
		    m, u->waiting[i], u->failed ? 1 : 0, str_of(u->report));
	u->nwaiting = 0;
}

/* report: free(3) */
static void
end(struct master *m, bool failed, char *report)
{
	struct upgrade *u = &m->upgrade;

	u->step = UPGRADE_NONE;
	u->failed = failed;
	free(u->report);
	u->report = report;
	if (failed)
		upgrade_say(m, 1, report);
	answer_waiting(m);
	upgrade_forget(u);
	/* The files as they are now, also for a SIGHUP meanwhile. */
	reload_begin(m, 0);
}

static void
finish(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	unsigned long long ms = child_now_ms() - u->began_ms;

	if (u->is_back) {
		end(m, true,
		    xasprintf(
			"%s: version %s goes on", u->reason, PUSHERD_VERSION));
		return;
	}
	log_info("upgrade: done in %llu ms, from version %s to %s", ms, u->from,
	    PUSHERD_VERSION);
	end(m, false,
	    xasprintf("{\"from\":\"%s\",\"to\":\"%s\",\"workers\":%zu,"
		      "\"moved\":%llu,\"tls_lingers\":%llu,\"closed\":%llu,"
		      "\"linger_seconds\":%llu,\"ms\":%llu}",
		u->from, PUSHERD_VERSION, m->nchildren - FIRST_WORKER,
		(unsigned long long)u->moved, (unsigned long long)u->lingering,
		(unsigned long long)u->closed,
		u->lingering == 0
		    ? 0
		    : (unsigned long long)m->start->conf->upgrade_linger,
		ms));
}

static void
give_up(struct master *m, const char *reason)
{
	char *text;

	if (!m->upgrade.is_back)
		upgrade_go_back(m, reason);
	text = xasprintf("%s; the processes of version %s that are left go on: "
			 "go back with `pusherctl upgrade --binary` and that "
			 "version, or restart",
	    reason, m->upgrade.from);
	log_warnx("upgrade: %s", text);
	end(m, true, text);
}

static void
give_up_waiting(struct master *m, const struct child *c)
{
	char name[32], *reason;

	child_name(c, name, sizeof(name));
	reason = xasprintf("the %s of version %s does not start, see the log",
	    name, PUSHERD_VERSION);
	give_up(m, reason);
	free(reason);
}

/* ---- one after the other ---- */

/* The workers, then the courier, then the broker. */
static struct child *
next_old(struct master *m)
{
	for (size_t i = FIRST_WORKER; i < m->nchildren; i++)
		if (m->children[i].old && m->children[i].pid != 0)
			return &m->children[i];
	for (size_t i = FIRST_WORKER; i-- > 0;)
		if (m->children[i].old && m->children[i].pid != 0)
			return &m->children[i];
	return NULL;
}

/* A process of this program that does not serve yet. */
static const struct child *
find_unready(const struct master *m)
{
	for (size_t i = 0; i < m->nchildren; i++) {
		const struct child *c = &m->children[i];

		if (!c->ready && !c->retiring && (!c->old || c->pid == 0))
			return c;
	}
	return NULL;
}

/* One of the other program that does not serve has nothing to hand over. */
static void
kill_useless(struct master *m, uint64_t now)
{
	for (size_t i = 0; i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (!c->old || c->pid == 0 || c->ready || c->replaced)
			continue;
		c->replaced = true;
		m->upgrade.deadline_ms = now + STALL_MS;
		kill(c->pid, SIGKILL);
	}
}

void
renew_on_moved(struct master *m, const struct msg_moved *moved)
{
	struct upgrade *u = &m->upgrade;
	const struct child *c = &m->children[m->replace.place];
	char *text;

	if (u->step != UPGRADE_RENEW)
		return;
	u->refusals = 0;
	u->moved += moved->moved;
	u->lingering += moved->lingering;
	u->closed += moved->closed;
	text = xasprintf(
	    "worker %u: %u moved, %u stay in pid %d (TLS), %u closed", c->slot,
	    moved->moved, moved->lingering, (int)c->pid, moved->closed);
	upgrade_progress(m, text);
	free(text);
}

void
renew_on_refusal(struct master *m, const char *why)
{
	struct upgrade *u = &m->upgrade;

	u->wait_ms = child_now_ms() + RETRY_MS;
	if (u->step == UPGRADE_RENEW && ++u->refusals == REFUSALS &&
	    !u->is_back && !master_is_stopping(m))
		give_up(m, why);
}

/* The broker that serves waits for it better than a new one. */
static bool
has_late_worker(const struct master *m, uint64_t now)
{
	for (size_t i = FIRST_WORKER; i < m->nchildren; i++)
		if (m->children[i].pid != 0 &&
		    watchdog_is_late(&m->children[i].watchdog, now))
			return true;
	return false;
}

static void
tell_to_go(struct master *m, struct child *c, uint64_t now)
{
	struct upgrade *u = &m->upgrade;
	bool is_worker = c->role == CHILD_WORKER;
	char name[32], *text;

	/* The last remedy, when there is no program to go back to. */
	if (is_worker && u->refusals < REFUSALS &&
	    replace_slot(m, c->slot, 0) == NULL) {
		u->deadline_ms = now + STALL_MS;
		return;
	}
	child_name(c, name, sizeof(name));
	text = xasprintf("%s pid %d: %s", name, (int)c->pid,
	    is_worker ? "its clients are told to connect again" : "replaced");
	upgrade_progress(m, text);
	free(text);
	u->refusals = 0;
	c->replaced = true;
	u->deadline_ms = now + LEAVE_EXTRA_MS +
	    (is_worker ? m->start->conf->drain_time * 1000 : 0);
	kill(c->pid, SIGTERM);
}

void
renew_check(struct master *m, uint64_t now)
{
	struct upgrade *u = &m->upgrade;
	const struct child *unready = find_unready(m);
	struct child *c;

	if (m->replace.active || now < u->wait_ms)
		return; /* the one ends in time, too */
	u->wait_ms = 0;
	kill_useless(m, now);
	c = next_old(m);
	if (c != NULL && c->replaced) {
		if (now < u->deadline_ms)
			return;
		kill(c->pid, SIGKILL);
		u->deadline_ms = now + LEAVE_EXTRA_MS;
	} else if (unready != NULL) {
		if (now >= u->deadline_ms || unready->deaths >= DEATHS ||
		    (unready->pid != 0 &&
			now >= unready->started_ms + STALL_MS))
			give_up_waiting(m, unready);
	} else if (c == NULL) {
		finish(m);
	} else if (c->role == CHILD_BROKER && has_late_worker(m, now)) {
		u->wait_ms = now + LATE_MS;
	} else if (c->role == CHILD_BROKER && !u->answered) {
		upgrade_say(m, 0, "{}");
		u->answered = true;
		u->wait_ms = now + ANSWER_MS;
	} else {
		tell_to_go(m, c, now);
	}
}
