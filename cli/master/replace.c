/* SPDX-License-Identifier: MIT */
/*
 * replace.c: another process for a slot, to which the old one hands its
 * clients over (etc/doc/upgrade.md).  The two talk over a pair of sockets that
 * is made here; the master hears what came of it: MOVED from the old one, and
 * the ready line of the new one, whichever comes first.
 *
 * Until one of them has come the place is the old one's, and nobody else is
 * put there.  Owns the new process until it has the place, and remembers old
 * ones that still speak TLS for clients.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/ipc_msg.h"

#define REPLACE_MS 9500 /* for all of it: pusherctl waits for 10 s */
#define LEAVE_MS 5000   /* for the old process to end */

static void
answer(struct master *m, unsigned code, const char *text)
{
	if (m->replace.request != 0)
		request_reply(m, m->replace.request, code, str_of(text));
	m->replace.request = 0;
}

/* Nothing is being replaced any more. */
static void
end(struct master *m)
{
	bool reload = m->reload.again && !m->reload.active;

	m->replace.active = false;
	m->reload.again = m->reload.again && !reload;
	if (reload && m->phase == PHASE_RUN)
		reload_begin(m, 0);
}

static void
drop(struct child *c)
{
	child_forget_ready(c);
	if (c->link_fd != -1)
		close(c->link_fd);
	c->link_fd = -1;
}

/* A process without a place. */
static void
linger(struct master *m, pid_t pid, uint64_t ms)
{
	if (pid == 0)
		return;
	if (m->nlingering == LINGERING_MAX) {
		kill(pid, SIGKILL);
		return;
	}
	m->lingering[m->nlingering++] =
	    (struct lingering){ pid, child_now_ms() + ms };
}

void
replace_linger(struct master *m, struct child *c, uint64_t ms)
{
	pid_t pid = c->pid;

	drop(c);
	c->pid = 0;
	c->ready = false;
	linger(m, pid, ms);
}

static void
fail(struct master *m, const char *why)
{
	struct child *successor = &m->replace.successor;
	char *text =
	    xasprintf("worker %u is not replaced: %s", successor->slot, why);

	log_warnx("replace: %s", text);
	answer(m, 1, text);
	drop(successor);
	if (successor->pid != 0)
		kill(successor->pid, SIGKILL);
	linger(m, successor->pid, 0);
	end(m);
	renew_on_refusal(m, text);
	free(text);
}

/* The new process has the place. */
static void
take_place(struct master *m, uint64_t old_ms)
{
	struct replace *r = &m->replace;
	struct child *old = &m->children[r->place];
	pid_t was = old->pid;

	drop(old);
	free(old->failed);
	linger(m, was, old_ms);
	r->successor.move_fd = 0;
	*old = r->successor;
	old->took_over = true;
	r->successor = (struct child){ .ready_fd = -1, .link_fd = -1 };
	snprintf(
	    old->ending, sizeof(old->ending), "has handed its clients over");
	watchdog_begin(&old->watchdog, child_now_ms());
	log_info("worker %u: pid %d has taken over from pid %d", old->slot,
	    (int)old->pid, (int)was);
}

void
replace_on_moved(
    struct master *m, struct child *c, const struct msg_moved *moved)
{
	struct replace *r = &m->replace;
	char *text, why[600];

	if (!r->active || c != &m->children[r->place])
		return;
	if (moved->failed.n > 0) {
		snprintf(why, sizeof(why), "%.*s",
		    (int)MIN(moved->failed.n, sizeof(why) - 1),
		    moved->failed.p);
		fail(m, why);
		return;
	}
	renew_on_moved(m, moved);
	text = xasprintf("{\"worker\":%u,\"pid\":%d,\"was\":%d,\"moved\":%u,"
			 "\"tls_lingers\":%u,\"closed\":%u,\"pause_us\":%llu,"
			 "\"ms\":%llu}",
	    c->slot, (int)r->successor.pid, (int)c->pid, moved->moved,
	    moved->lingering, moved->closed,
	    (unsigned long long)moved->pause_us,
	    (unsigned long long)(child_now_ms() - r->began_ms));
	take_place(m,
	    moved->lingering == 0
		? LEAVE_MS
		: m->start->conf->upgrade_linger * 1000 + LEAVE_MS);
	answer(m, 0, text);
	free(text);
	end(m);
}

/* It serves, and the old one has not said so. */
static void
take_now(struct master *m)
{
	struct replace *r = &m->replace;
	char text[120];

	snprintf(text, sizeof(text),
	    "{\"worker\":%u,\"pid\":%d,\"moved\":null}", r->successor.slot,
	    (int)r->successor.pid);
	take_place(m, 0);
	answer(m, 0, text);
	end(m);
}

void
replace_on_ready(struct master *m)
{
	/* A broken line: it is dying, and will be reaped. */
	if (m->replace.active && child_read_ready(&m->replace.successor) &&
	    m->children[m->replace.place].pid == 0)
		take_now(m); /* else MOVED follows */
}

bool
replace_has(const struct master *m, size_t place)
{
	return m->replace.active && m->replace.place == place;
}

void
replace_hear(struct master *m, size_t place)
{
	struct child *c = &m->children[place];
	pid_t pid = c->pid;

	while (replace_has(m, place) && c->pid == pid && c->link_fd != -1)
		request_on_link(m, c);
}

void
replace_on_death(struct master *m, pid_t pid)
{
	struct replace *r = &m->replace;

	for (size_t i = 0; i < m->nlingering; i++)
		if (m->lingering[i].pid == pid) {
			m->lingering[i] = m->lingering[--m->nlingering];
			return;
		}
	if (!r->active)
		return;
	if (r->successor.pid == pid) {
		r->successor.pid = 0;
		fail(m, "its new process has ended: see the log");
	} else if (r->successor.ready && m->children[r->place].pid == 0) {
		take_now(m);
	}
}

bool
replace_delays(struct master *m, uint64_t request)
{
	bool upgrade = m->upgrade.step == UPGRADE_RENEW;

	if (!m->replace.active && !upgrade)
		return false;
	if (request != 0)
		request_reply(m, request, 1,
		    S("processes are being replaced: try again in a moment"));
	else if (!upgrade) /* which reloads at its end */
		m->reload.again = true;
	return true;
}

void
replace_check(struct master *m, uint64_t now)
{
	struct replace *r = &m->replace;

	for (size_t i = 0; i < m->nlingering; i++)
		if (now >= m->lingering[i].until_ms)
			kill(m->lingering[i].pid, SIGKILL);
	if (!r->active || now < r->deadline_ms)
		return;
	if (r->successor.ready)
		take_now(m);
	else
		fail(m, "it took too long");
}

uint64_t
replace_due(const struct master *m)
{
	uint64_t at = m->replace.active ? m->replace.deadline_ms : UINT64_MAX;

	for (size_t i = 0; i < m->nlingering; i++)
		at = MIN(at, m->lingering[i].until_ms);
	return at;
}

void
replace_stop(struct master *m)
{
	if (m->replace.active)
		fail(m, "pusherd is stopping");
}

/* ---- the beginning ---- */

static const char *
check(const struct master *m, uint64_t slot)
{
	const struct child *c = &m->children[slot + FIRST_WORKER];

	if (m->replace.active || m->retire.active)
		return "another one is being replaced: try again in a moment";
	if (m->reload.active || m->phase != PHASE_RUN)
		return "pusherd is starting or reloading: try again in a "
		       "moment";
	if (slot + FIRST_WORKER >= m->nchildren || c->retiring)
		return "there is no such worker: `pusherctl status` lists them";
	if (c->pid == 0 || !c->ready)
		return "it is starting: try again in a moment";
	return NULL;
}

/* Starts the new process and tells the old one. */
static int
begin(struct master *m, struct child *old)
{
	struct child *successor = &m->replace.successor;
	struct msg_move_out out = { .id = ++m->last_order,
		.linger = (uint32_t)m->start->conf->upgrade_linger,
		.receiver = UINT32_MAX };
	char bytes[64];
	int pair[2], r = -1;

	if (fdpass_pair(pair) == -1)
		return -1;
	*successor = (struct child){ .role = CHILD_WORKER,
		.slot = old->slot,
		.ready_fd = -1,
		.link_fd = -1,
		.move_fd = pair[1],
		.heartbeat = old->heartbeat,
		.watchdog = { .counter = old->heartbeat } };
	child_start(successor, m->start, m->life[0]);
	close(pair[1]);
	msg_move_out_put(bytes, &out);
	if (successor->pid != 0)
		r = child_tell(old, bytes, msg_move_out_size(&out), pair, 1);
	close(pair[0]);
	return r;
}

void
replace_begin(struct master *m, const struct msg_master_request *ask)
{
	const char *why = "the number of a worker is needed";
	uint64_t slot;

	if (str_to_u64(ask->arg, PROC_MAX_WORKERS - 1, &slot) == 0)
		why = replace_slot(m, (unsigned)slot, ask->id);
	if (why != NULL)
		request_reply(m, ask->id, 1, str_of(why));
}

const char *
replace_slot(struct master *m, unsigned slot, uint64_t request)
{
	struct replace *r = &m->replace;
	const char *why = check(m, slot);
	struct child *old;

	if (why != NULL)
		return why;
	*r = (struct replace){ .active = true,
		.request = request,
		.place = (size_t)slot + FIRST_WORKER,
		.began_ms = child_now_ms(),
		.deadline_ms = child_now_ms() + REPLACE_MS };
	old = &m->children[r->place];
	log_info("replace: worker %u pid=%d", old->slot, (int)old->pid);
	if (begin(m, old) == -1)
		fail(m, "cannot start a process for it now: see the log");
	return NULL;
}
