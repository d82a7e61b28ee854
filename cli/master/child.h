/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_CHILD_H
#define CLI_MASTER_CHILD_H

/* One place in the group, and its present process. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/master/watchdog.h"

struct master_start;

/* In the order of their places; all others are workers. */
enum child_role { CHILD_BROKER, CHILD_COURIER, CHILD_WORKER };

struct child {
	enum child_role role;
	unsigned slot; /* workers */
	pid_t pid;     /* 0: none */
	int ready_fd;  /* -1: has said it, or is gone */
	int link_fd;   /* our end (shared/ipc/fdpass.h); -1: none */
	int move_fd;   /* for the process to start: inherit.move_fd; or 0 */
	bool ready;
	unsigned deaths;     /* in a row */
	uint64_t started_ms; /* while pid != 0 */
	uint64_t respawn_ms; /* while pid == 0: when to start another */
	uint64_t *heartbeat; /* the counter of this place */
	struct watchdog watchdog;
	unsigned room;    /* broker: slots that it has room for */
	uint64_t leaving; /* broker: inherit.leaving */
	bool patient;     /* broker: inherit.patient */
	uint64_t owes;    /* the order it has not confirmed, or 0 */
	char *failed;     /* what an order failed to do there, or NULL */
	bool tell_conf;   /* an order that it could not receive yet */
	bool tell_log;    /* likewise */
	bool tell_link;   /* it waits for a link to the broker */
	bool drained;     /* has sent its clients away */
	bool retiring;    /* is not replaced */
	bool old;         /* runs the program before this one */
	bool replaced;    /* was told to exit, to be replaced */
	bool took_over;   /* begins with the clients of the one before */
	char ending[96];  /* of the process before this one */
};

/* Milliseconds of a clock that never jumps. */
uint64_t child_now_ms(void);
/* In a forked process: resets the signals for a role. */
void child_signals(void);
/* "broker" or "worker 2". */
void child_name(const struct child *, char *out, size_t cap);
/*
 * Forks; in the new process it does not return.  life_fd: the reading end of
 * the life line.  If no process can be made now, respawn_ms is the time of the
 * next try.
 */
void child_start(struct child *, const struct master_start *, int life_fd);
/* Its byte has come, or the line is broken.  True when it is ready. */
bool child_read_ready(struct child *);
/* Sends a message; 0, or -1 with errno as fdpass_send(). */
int child_tell(
    struct child *, const void *bytes, size_t n, const int *fds, size_t nfds);
/* Closes its socket. */
void child_cut_link(struct child *);
/* Tells it to exit and to leave its place to another one, if it lives. */
void child_replace(struct child *);
/* An order waits for it, or it does not serve yet. */
bool child_is_late(const struct child *);
/* Closes the ready line. */
void child_forget_ready(struct child *);
/*
 * The process has ended with this status of waitpid(2).  Forgets it, describes
 * the end in `ending` ("was killed by signal 9 (Killed)"), and sets respawn_ms,
 * later each time, until one has lived for ten seconds.  Returns the seconds
 * until it.
 */
unsigned child_gone(struct child *, int status);

#endif
