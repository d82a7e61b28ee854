/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_CONSOLE_ANSWER_H
#define WORKER_API_CONSOLE_ANSWER_H

/* A request of the console that the broker answers. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/ipc/ipc_msg.h"

#define CONSOLE_COOKIE "pusherd_console" /* and _PORT */
#define CONSOLE_COOKIE_MAX 24

struct conn;
struct worker;

struct console_request {
	enum console_kind kind;
	uint64_t dropped; /* lines lost since the client was last told */
	bool begun;       /* the head of the stream was sent */
	char cookie[CONSOLE_COOKIE_MAX]; /* its name; login and logout */
};

/* Ends the request: the broker has not answered in time. */
void console_on_drop(struct conn *);
void console_on_late(struct conn *);
/* The broker is gone. */
void console_on_lost(struct conn *);

/* Handlers of CONSOLE_DATA and CONSOLE_END. */
int console_on_data(struct worker *, const struct msg_console_data *);
int console_on_end(struct worker *, const struct msg_console_end *);

#endif
