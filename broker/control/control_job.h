/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONTROL_JOB_H
#define BROKER_CONTROL_CONTROL_JOB_H

/*
 * The answer to a client of the control socket: rows, then one end.  A verb
 * that cannot answer at once starts a job, which lasts until the end of the
 * answer or of the connection.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/list.h"
#include "shared/ipc/ipc.h"
#include "shared/json/json_write.h"

struct broker;
struct control_job;

struct control_client {
	struct ipc ipc;
	struct list link; /* in control->clients or gone */
	struct broker *br;
	uid_t uid;
	pid_t pid;
	bool hello, asked, ended;
	char *version;           /* of pusherctl, when it is another one */
	char *scope;             /* the only app it may ask about, or NULL */
	double moved;            /* broker_now() of the last progress */
	uint64_t sent;           /* bytes sent up to then */
	struct control_job *job; /* NULL: no job */
};

/* Each function may be NULL. */
struct control_job_ops {
	/* Has step() work to do?  NULL: always. */
	bool (*is_ready)(const struct control_job *);
	/* Writes one portion of the answer. */
	void (*step)(struct control_job *);
	/* Once a second. */
	void (*tick)(struct control_job *);
	/*
	 * The worker has answered this ping and all earlier ones; UINT64_MAX:
	 * the worker is gone.
	 */
	void (*pong)(struct control_job *, unsigned slot, uint64_t id);
	/* NULL: free(3) is enough. */
	void (*free)(struct control_job *);
	/*
	 * The client has sent more after its question; -1: the message is
	 * invalid.
	 */
	int (*out)(struct control_job *, struct str bytes);
	int (*exit_code)(struct control_job *, const struct msg_ctl_exit *);
	bool endless; /* a client that has nothing to read stays */
};

/* The first member of each job. */
struct control_job {
	const struct control_job_ops *ops;
	struct control_client *cc;
	struct list link; /* in br->control_jobs->all */
	uint64_t id;
};

struct control_jobs {
	struct list all;
	uint64_t last_id;
};

/* Gives the client this job, which is freed with ops->free(). */
void control_job_start(struct control_client *, struct control_job *,
    const struct control_job_ops *);
/* The job with these ops and this id, or NULL. */
struct control_job *control_job_find(
    const struct broker *, const struct control_job_ops *, uint64_t id);
/* Frees the client's job, if there is one. */
void control_job_drop(struct control_client *);

/* Writes one portion of each answer whose client has room. */
void control_jobs_step(struct broker *);
void control_jobs_tick(struct broker *);
void control_jobs_pong(struct broker *, unsigned slot, uint64_t id);
/* True when a job has more to write in the next turn. */
bool control_jobs_wait(const struct broker *);

/* May another row be queued?  Above the bound, rows wait or are dropped. */
bool control_has_room(const struct control_client *);
/* Queues a finished row; takes what json_write has made. */
void control_row(struct control_client *, struct json_writer *);
/* Ends the answer.  Both free the job, and do nothing after the end. */
void control_end(struct control_client *);
void control_fail(struct control_client *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * As control_end(), when every worker has read what was sent to it; replaces
 * the client's job.
 */
void control_end_when_read(struct control_client *);
/*
 * As control_end(), for an event: the client events that are sent after the end
 * come after it, also if a lone worker delivers them itself (ALONE).
 */
void control_end_published(struct control_client *);

#endif
