/* SPDX-License-Identifier: MIT */
/*
 * retire.c: fewer workers.  The processes of the highest slots leave, one after
 * the other: each hands its clients over to a worker that stays
 * (worker/admin/move.c), and the staying ones take turns.  One that cannot
 * closes its clients over drain_time and exits, so that they come back to the
 * others.
 *
 * The answer to the reload comes when the last one has left, or after
 * ANSWER_MS.
 */

#include <signal.h>
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
#include "shared/ipc/master_link.h"

#define ARRIVE_MS 1500 /* for connections on their way to a slot */
#define RETRY_MS 300   /* after a refusal */
#define REFUSALS 3     /* then its clients are closed */
#define MERGE_MS 30000 /* for a hand-over: longer than its own limits */
#define LEAVE_MS 5000  /* for the old process to end */
#define ANSWER_MS 8000 /* pusherctl waits for 10 s */

static bool
is_leaving(const struct child *c)
{
	return c->retiring && c->pid != 0;
}

void
retire_begin(struct master *m)
{
	struct retire *r = &m->retire;
	uint64_t now = child_now_ms();

	if (retire_slots(m) == 0)
		r->moved = r->lingering = r->closed = 0;
	for (size_t i = m->start->conf->nworkers + FIRST_WORKER;
	     i < m->nchildren; i++) {
		struct child *c = &m->children[i];

		if (c->retiring)
			continue;
		c->retiring = true;
		r->next_ms = now + ARRIVE_MS;
	}
}

uint64_t
retire_slots(const struct master *m)
{
	uint64_t slots = 0;

	for (size_t i = FIRST_WORKER; i < m->nchildren; i++)
		if (is_leaving(&m->children[i]))
			slots |= UINT64_C(1) << m->children[i].slot;
	return slots;
}

/* ---- one of them ---- */

/* Its clients are told to connect again. */
static void
drain(struct master *m, struct child *c)
{
	struct msg_drain d = { .ms = m->start->conf->drain_time * 1000,
		.how = DRAIN_RETIRE };
	char bytes[64];

	c->replaced = true; /* is told once */
	msg_drain_put(bytes, &d);
	if (child_tell(c, bytes, msg_drain_size(&d), NULL, 0) == -1)
		kill(c->pid, SIGTERM);
}

static void
end(struct master *m)
{
	m->retire.active = false;
	m->retire.refusals = 0;
	m->retire.next_ms = 0;
}

static void
refuse(struct master *m, struct child *c, const char *why)
{
	bool last = ++m->retire.refusals >= REFUSALS;

	log_warnx("worker %u: its clients stay with it: %s%s", c->slot, why,
	    last ? "; they are told to connect again" : "");
	m->retire.active = false;
	m->retire.next_ms = child_now_ms() + RETRY_MS;
	if (last) {
		drain(m, c);
		end(m);
	}
}

void
retire_on_moved(struct master *m, struct child *c, const struct msg_moved *v)
{
	struct retire *r = &m->retire;
	char *why;

	if (!r->active || c != &m->children[r->place])
		return;
	if (v->failed.n > 0) {
		r->closed += v->closed;
		why = xstrndup(v->failed.p, v->failed.n);
		refuse(m, c, why);
		free(why);
		return;
	}
	r->moved += v->moved;
	r->lingering += v->lingering;
	r->closed += v->closed;
	log_info("worker %u: pid %d has handed %u clients over to worker %u; "
		 "%u stay with TLS, %u closed, pause=%llu us",
	    c->slot, (int)c->pid, v->moved, r->receiver, v->lingering,
	    v->closed, (unsigned long long)v->pause_us);
	replace_linger(m, c,
	    v->lingering == 0
		? LEAVE_MS
		: m->start->conf->upgrade_linger * 1000 + LEAVE_MS);
	end(m);
}

void
retire_on_death(struct master *m, struct child *c)
{
	struct retire *r = &m->retire;

	if (!r->active || c != &m->children[r->place])
		return;
	while (r->active && c->link_fd != -1)
		request_on_link(m, c); /* its last word */
	if (r->active)
		end(m);
}

/* Tells both; the receiver first, so that it knows when the other one calls. */
static int
tell(struct master *m, struct child *c, struct child *receiver)
{
	struct msg_move_in in = { .slot = c->slot };
	struct msg_move_out out = { .id = ++m->last_order,
		.linger = (uint32_t)m->start->conf->upgrade_linger,
		.receiver = receiver->slot };
	char bytes[64];
	int pair[2], done;

	if (fdpass_pair(pair) == -1)
		return -1;
	msg_move_in_put(bytes, &in);
	done = child_tell(receiver, bytes, msg_move_in_size(&in), &pair[1], 1);
	msg_move_out_put(bytes, &out);
	if (done == 0)
		done =
		    child_tell(c, bytes, msg_move_out_size(&out), &pair[0], 1);
	close(pair[0]);
	close(pair[1]);
	return done;
}

/* The next worker that stays and serves; NULL: none does now. */
static struct child *
next_receiver(struct master *m)
{
	unsigned n = m->start->conf->nworkers;

	for (unsigned i = 0; i < n; i++) {
		struct child *c =
		    &m->children[m->retire.turn++ % n + FIRST_WORKER];

		if (c->ready && c->pid != 0)
			return c;
	}
	return NULL;
}

static void
merge(struct master *m, struct child *c)
{
	struct retire *r = &m->retire;
	struct child *receiver = next_receiver(m);

	if (receiver == NULL) {
		r->next_ms = child_now_ms() + RETRY_MS;
		return;
	}
	if (!c->ready) {
		drain(m, c); /* it has none */
		return;
	}
	r->active = true;
	r->place = (size_t)(c - m->children);
	r->receiver = receiver->slot;
	r->deadline_ms = child_now_ms() + MERGE_MS;
	if (tell(m, c, receiver) == -1)
		refuse(m, c, "a worker does not receive the order");
}

/* ---- all of them ---- */

static void
answer(struct master *m)
{
	struct retire *r = &m->retire;

	reload_say_done(m, &r->requests, r);
	reload_forget_requests(&r->requests);
}

bool
retire_answers(struct master *m, struct reload_requests *requests)
{
	if (requests->n == 0 || m->retire.requests.n != 0 ||
	    retire_slots(m) == 0)
		return false;
	m->retire.requests = *requests;
	*requests = (struct reload_requests){ 0 };
	return true;
}

/* The next one that has not been told; NULL: there is none. */
static struct child *
next_leaving(struct master *m)
{
	for (size_t i = m->nchildren; i-- > FIRST_WORKER;)
		if (is_leaving(&m->children[i]) && !m->children[i].replaced)
			return &m->children[i];
	return NULL;
}

void
retire_check(struct master *m, uint64_t now)
{
	struct retire *r = &m->retire;
	struct child *c;

	if (r->requests.n > 0 &&
	    (retire_slots(m) == 0 || now >= r->requests.began_ms + ANSWER_MS))
		answer(m);
	if (r->active && now >= r->deadline_ms)
		refuse(m, &m->children[r->place], "it took too long");
	c = next_leaving(m);
	if (c != NULL && !r->active && !m->replace.active && now >= r->next_ms)
		merge(m, c);
}

uint64_t
retire_due(struct master *m)
{
	const struct retire *r = &m->retire;
	uint64_t at = UINT64_MAX;

	if (r->active)
		at = r->deadline_ms;
	else if (!m->replace.active && next_leaving(m) != NULL)
		at = MAX(r->next_ms, child_now_ms() + 1);
	if (r->requests.n > 0)
		at = MIN(at, r->requests.began_ms + ANSWER_MS);
	return at;
}
