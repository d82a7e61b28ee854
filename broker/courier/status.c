/* SPDX-License-Identifier: MIT */
/*
 * status.c: reports the state of the outbox, its trouble, and the counters of
 * the courier to the broker.  Owns the sentence about the trouble.  Counts are
 * kept while there is no broker.  Must never report that the courier is ready
 * when it cannot take a hook.
 */

#include "broker/courier/status.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "broker/courier/core.h"
#include "broker/courier/endpoint.h"
#include "shared/app/outbox.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc_usage.h"

static bool
is_ready(const struct courier *c)
{
	return courier_has_outbox(c) && !c->full && c->known;
}

void
status_tell(struct courier *c)
{
	struct msg_courier_state m = { .ready = is_ready(c),
		.dropped = c->dropped };
	struct outbox_counts now = { 0 };

	if (c->outbox != NULL)
		outbox_count(c->outbox, &now);
	m.waiting = now.waiting;
	m.dead = now.dead;
	if (c->trouble != NULL)
		m.trouble = str_of(c->trouble);
	c->reported_ready = is_ready(c);
	c->reported_waiting = now.waiting;
	c->reported_dead = now.dead;
	if (!c->reported_ready)
		c->started = false;
	if (ipc_is_open(&c->ipc))
		ipc_send_courier_state(&c->ipc, &m);
}

void
status_trouble(struct courier *c, char *why)
{
	if (why != NULL &&
	    (c->trouble == NULL || !str_eq(str_of(why), str_of(c->trouble))))
		log_warnx("webhooks wait: %s", why);
	if (why == NULL && c->trouble != NULL)
		log_info("webhooks are sent again");
	free(c->trouble);
	c->trouble = why;
}

void
status_starved(struct courier *c)
{
	struct rlimit rl = { 0 };

	if (c->starved_at != 0)
		return;
	c->starved_at = courier_now_ms();
	getrlimit(RLIMIT_NOFILE, &rl);
	status_trouble(c,
	    xasprintf("the courier has no free descriptor (limit %llu): raise "
		      "the limit of open files (LimitNOFILE, ulimit -n)",
		(unsigned long long)rl.rlim_cur));
	status_tell(c);
}

static void
take_attempts(struct endpoint *e)
{
	struct stats_row row = { .app = e->app,
		.counts = {
		    .webhooks_ok = e->ok, .webhooks_failed = e->failed } };

	if (e->ok + e->failed > 0)
		buf_append(
		    &e->c->attempts, str_make((const char *)&row, sizeof(row)));
	e->ok = e->failed = 0;
}

void
status_count(struct courier *c)
{
	struct msg_courier_stats m = { .memory = memory_used(&c->memory),
		.ages = str_make((const char *)&c->ages, sizeof(c->ages)) };
	uint64_t cpu = proc_usage_cpu_us();

	if (!ipc_is_open(&c->ipc))
		return;
	m.cpu_us = cpu - c->reported_cpu;
	endpoint_each(c, take_attempts);
	m.apps = buf_str(c->attempts);
	ipc_send_courier_stats(&c->ipc, &m);
	buf_unref(c->attempts);
	c->attempts = NULL;
	c->reported_cpu = cpu;
	c->ages = (struct stats_hist){ .sum = 0 };
}
