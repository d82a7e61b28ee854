/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONSOLE_JOB_H
#define BROKER_CONTROL_CONSOLE_JOB_H

/* Running commands of the console, each in a process of its own. */

#include "broker/control/console_session.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/ipc/ipc_msg.h"

struct broker;
struct buf;
struct control_client;
struct json;
struct peer;

struct console {
	struct console_sessions sessions;
	struct list jobs; /* struct console_job */
};

void console_init(struct broker *);
void console_clear(struct broker *);

/* Sends CONSOLE_END. */
void console_answer(struct broker *, unsigned slot, uint64_t id,
    unsigned status, unsigned code, struct str body);
#define CONSOLE_JOBS 16           /* that run at the same time */
#define CONSOLE_JOBS_OF_APPS 12   /* of all sessions for one app */
#define CONSOLE_JOBS_OF_SESSION 8 /* of one session */
/*
 * May this session start a command?  One app may use as many as are left free
 * for apps, so that there is room for the next app and the operator.
 */
bool console_job_has_room(const struct broker *, const struct console_secret *);
/* Ends the commands of a session. */
void console_job_end_all(struct broker *, const struct console_secret *);
/* Starts a command that has been checked; takes its row. */
void console_job_begin(struct peer *, const struct msg_console_ask *,
    struct console_secret *, struct buf *row);

/*
 * Once a second: ends commands whose session or app has ended, and gives up
 * those that no process has fetched.
 */
void console_tick(struct broker *);
/* The worker is gone: its clients' commands end. */
void console_drop(struct broker *, unsigned slot);
/* The handler of CONSOLE_CANCEL. */
int console_on_cancel(struct peer *, const struct msg_console_cancel *);
/* A verb: gives the next command to the process that runs it. */
void verb_console_job(struct control_client *, struct json args);

#endif
