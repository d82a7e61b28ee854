/* SPDX-License-Identifier: MIT */
/*
 * report.c: what the courier says of itself to the broker: the state of the
 * outbox with what is wrong with it, and what it has counted; and what it
 * writes down of the broker's counting.  Owns the sentence.  While there is no
 * broker nothing is said and nothing lost.  Must never say that it is ready
 * when it could not take a hook.
 */

#include "broker/courier/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "broker/courier/courier.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/proc.h"
#include "shared/proc/usage.h"
#include "shared/stats/ledger.h"

#define SAVE_MS 60000

static bool
is_ready(const struct courier *c)
{
	return c->outbox != NULL && !c->full && c->known;
}

void
report_state(struct courier *c)
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
	c->said_ready = is_ready(c);
	c->said = now;
	if (!c->said_ready)
		c->started = false;
	if (ipc_is_open(&c->ipc))
		ipc_send_courier_state(&c->ipc, &m);
}

void
report_trouble(struct courier *c, char *why)
{
	if (why != NULL &&
	    (c->trouble == NULL || !str_eq(str_of(why), str_of(c->trouble))))
		log_warnx("webhooks wait: %s", why);
	if (why == NULL && c->trouble != NULL)
		log_info("webhooks go on");
	free(c->trouble);
	c->trouble = why;
}

void
report_stats(struct courier *c)
{
	struct msg_courier_stats m = { .memory = memory_used(&c->memory),
		.ages = str_make((const char *)&c->ages, sizeof(c->ages)) };
	uint64_t cpu = usage_cpu_us();

	if (!ipc_is_open(&c->ipc))
		return;
	m.cpu_us = cpu - c->cpu;
	ipc_send_courier_stats(&c->ipc, &m);
	c->cpu = cpu;
	c->ages = (struct stats_hist){ .sum = 0 };
}

void
report_save(struct courier *c)
{
	char *path;
	int r;

	c->save_at = courier_now_ms() + SAVE_MS;
	if (c->inherit->ledger == NULL || !courier_has_claim(c))
		return;
	path = ledger_path(c->conf->outbox);
	r = ledger_save(
	    c->inherit->ledger, path, (uint64_t)time(NULL), &c->saved);
	r = r == -1 ? errno : 0;
	if (r != 0 && r != c->save_errno)
		log_warnx("statistics are not kept on disk: %s: %s", path,
		    strerror(r));
	c->save_errno = r;
	free(path);
}
