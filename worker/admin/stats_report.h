/* SPDX-License-Identifier: MIT */
#ifndef WORKER_ADMIN_STATS_REPORT_H
#define WORKER_ADMIN_STATS_REPORT_H

/* Reports the counters and gauges of this worker to the broker. */

struct msg_stats_ask;
struct worker;

/* Reports to the broker, if there is one, and resets all counters. */
void stats_report(struct worker *);
/* Handler of STATS_ASK. */
int stats_on_ask(struct worker *, const struct msg_stats_ask *);

#endif
