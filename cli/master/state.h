/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_STATE_H
#define CLI_MASTER_STATE_H

/*
 * The master's view of the group, and what the files that change it call of
 * each other: a death, a reload, a replacement and an upgrade interrupt one
 * another, so none of them stands above the others.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/master/child.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/memory.h"
#include "shared/proc/proc.h"

struct handover;
struct master_start;
struct msg_master_request;
struct msg_moved;
struct str;

#define FIRST_WORKER 2  /* among the children */
#define CONFIRM_MS 8000 /* for children to confirm an order, and to serve */

/* The phase of the master; it only goes forward. */
enum phase {
	PHASE_START,   /* not all have been ready yet */
	PHASE_RUN,     /* the long one */
	PHASE_DRAIN,   /* workers have been told to close their clients */
	PHASE_BROKER,  /* workers are gone, the broker has SIGTERM */
	PHASE_COURIER, /* the broker is gone, the courier has SIGTERM */
	PHASE_QUICK,   /* workers have SIGQUIT, and then the others */
	PHASE_KILL     /* all have SIGKILL */
};

#define RELOAD_REQUESTS 256

/* Requests that are answered at the end of a reload. */
struct reload_requests {
	uint64_t v[RELOAD_REQUESTS]; /* their numbers at the broker */
	size_t n;
	uint64_t began_ms; /* child_now_ms() */
	char *notes;       /* options that need a restart, or NULL */
};

/* A change of the configuration in progress. */
struct reload {
	bool active;
	bool again;           /* SIGHUP came meanwhile */
	uint64_t order;       /* the order that the children confirm */
	uint64_t deadline_ms; /* then it ends, confirmed or not */
	uint64_t replace_ms;  /* when the broker is replaced; 0: it is not */
	struct reload_requests requests;
	/* Requests that came meanwhile, for the next reload. */
	uint64_t waiting[RELOAD_REQUESTS];
	size_t nwaiting;
};

/* Workers that leave, because there shall be fewer (retire.c). */
struct retire {
	bool active;       /* one of them hands its clients over now: */
	size_t place;      /* among the children */
	unsigned receiver; /* the slot of the worker that takes them */
	uint64_t deadline_ms;
	uint64_t next_ms;                  /* nothing is done before */
	unsigned refusals;                 /* of this one */
	unsigned turn;                     /* counts receivers */
	uint64_t moved, lingering, closed; /* connections */
	struct reload_requests requests;
};

/* A worker process that is being replaced by another one (replace.c). */
struct replace {
	bool active;
	uint64_t request; /* the broker's number of the question */
	size_t place;     /* among the children */
	uint64_t began_ms;
	uint64_t deadline_ms;
	struct child successor; /* until it has the place */
};

/* A process without a place, which ends by itself. */
struct lingering {
	pid_t pid;
	uint64_t until_ms; /* then it is killed */
};

#define LINGERING_MAX 256

/* Another program in the place of this one (upgrade.c, renew.c). */
enum upgrade_step {
	UPGRADE_NONE,
	UPGRADE_TRIAL, /* a child tries whether it can */
	UPGRADE_RENEW  /* this is the new program: its processes follow */
};

#define UPGRADE_ASKERS 16

struct upgrade {
	enum upgrade_step step;
	uint64_t request; /* the broker's number of the question, or 0 */
	uint64_t began_ms;
	uint64_t deadline_ms; /* of the trial, or of what has to happen next */
	char *path;           /* the new program */
	int program_fd, said_fd; /* it, and what its trial says */
	pid_t trial;
	char *from;       /* the version before this one */
	uint64_t wait_ms; /* nothing is done before; 0: no wait */
	bool answered;    /* through the old broker */
	/*
	 * The program before this one, which gets its place back if a process
	 * does not start; -1: unknown.  Then is_back is set, and the reason.
	 */
	int back_fd;
	char *back; /* its path */
	bool is_back;
	char *reason;
	unsigned refusals; /* of the worker that is to hand its clients over */
	uint64_t moved, lingering, closed; /* connections */
	bool failed;                       /* of the last one */
	char *report; /* of the last one: a sentence, or JSON */
	/* Questions for the end of it. */
	uint64_t waiting[UPGRADE_ASKERS];
	size_t nwaiting;
};

struct master {
	struct master_start *start;
	enum phase phase;
	uint64_t deadline_ms; /* of the phase; 0: none */
	int exit_code;
	unsigned start_deaths;
	uint64_t
	    start_beats; /* of the broker, when the deadline was looked at */
	uint64_t
	    heartbeat_ms;   /* when the children's heartbeats were looked at */
	uint64_t files_ms;  /* when the files of runtime_dir were looked at */
	uint64_t notify_ms; /* between two signs of life; 0: none wanted */
	uint64_t notified_ms; /* the last one */
	uint64_t unwell_ms;   /* since then something is missing; 0: nothing */
	int signal_fd;
	int life[2];
	bool steered;        /* the kernel chooses among living slots only */
	bool end_sent;       /* drained workers were told to exit */
	uint64_t last_order; /* number of the last message to children */
	struct reload reload;
	struct replace replace;
	struct retire retire;
	struct lingering lingering[LINGERING_MAX];
	size_t nlingering;
	struct upgrade upgrade;
	uint64_t *heartbeats;
	struct memory memory; /* of this process */
	/* The broker, the courier, the workers. */
	struct child children[PROC_MAX_WORKERS + FIRST_WORKER];
	size_t nchildren;
};

/* ---- master.c ---- */

bool master_is_stopping(const struct master *);
/* Enters the next phase, for this number of milliseconds; 0: no limit. */
void master_enter(struct master *, enum phase, uint64_t limit_ms);
/* Children with a process, from this one on. */
size_t master_alive(const struct master *, size_t from);
/* Makes the place of child i, without a process. */
void master_add_child(struct master *, size_t i);

/* ---- stop.c ---- */

/* Closes all clients over this number of milliseconds, and then exits. */
void stop_drain(
    struct master *, const char *because, enum drain_how, uint64_t ms);
/* Ends everything without notice to the clients. */
void stop_quick(struct master *, const char *because);
/* The start has failed. */
void stop_start(struct master *, const char *because);
/* Continues when the time of a phase is over, or its processes are gone. */
void stop_check(struct master *, uint64_t now_ms);

/* ---- remake.c ---- */

/*
 * Makes files of runtime_dir again that were removed; milliseconds of
 * child_now_ms().
 */
void remake_check(struct master *, uint64_t now_ms);

/* ---- request.c: the messages of children ---- */

/* The child has sent something. */
void request_on_link(struct master *, struct child *);
/* Hands links to the broker to workers that could not take them before. */
void request_resend_links(struct master *);
/* Answers the broker's question with this number; code 0: text is JSON. */
void request_reply(
    struct master *, uint64_t id, unsigned code, struct str text);
/*
 * The broker is gone, and its requests with it: pusherctl repeats them, and the
 * next broker gives them the same numbers.
 */
void request_forget_all(struct master *);
/*
 * The failures of children, or those that have not confirmed, as one sentence
 * (free(3) it); NULL: none.
 */
char *request_failures(struct master *);

/* ---- replace.c ---- */

/* Another process for this slot; its clients stay. */
void replace_begin(struct master *, const struct msg_master_request *);
/*
 * The same, asked by this number of the broker's, or (0) by an upgrade.  NULL:
 * it has begun, and perhaps failed; else why it cannot.
 */
const char *replace_slot(struct master *, unsigned slot, uint64_t request);
/* The old process has said what came of it. */
void replace_on_moved(
    struct master *, struct child *, const struct msg_moved *);
/* The new one serves, or its line is broken. */
void replace_on_ready(struct master *);
/* The process in this place has ended: reads its last messages. */
void replace_hear(struct master *, size_t place);
/* Is this place not to be filled otherwise? */
bool replace_has(const struct master *, size_t place);
/* A process has ended, perhaps one of these. */
void replace_on_death(struct master *, pid_t);
/* A reload that is asked for (0: SIGHUP) waits, or its asker tries again. */
bool replace_delays(struct master *, uint64_t request);
void replace_check(struct master *, uint64_t now_ms);
uint64_t replace_due(const struct master *);
/* The process of the child has no place any more; it is killed after `ms`. */
void replace_linger(struct master *, struct child *, uint64_t ms);
/* The group stops: nothing is replaced any more. */
void replace_stop(struct master *);

/* ---- retire.c ---- */

/* There shall be fewer workers: the others leave. */
void retire_begin(struct master *);
/* The slots of workers that have not left yet, a bit for each. */
uint64_t retire_slots(const struct master *);
/* If workers leave, answers these requests when they have left. */
bool retire_answers(struct master *, struct reload_requests *);
/* A worker has said what came of its clients. */
void retire_on_moved(struct master *, struct child *, const struct msg_moved *);
/* The process has ended, and will be forgotten. */
void retire_on_death(struct master *, struct child *);
void retire_check(struct master *, uint64_t now_ms);
uint64_t retire_due(struct master *);

/* ---- upgrade.c ---- */

/*
 * SIGUSR2, or (request != 0) a question of pusherctl's; path: of the program,
 * empty: of the one that runs.
 */
void upgrade_begin(struct master *, uint64_t request, struct str path);
/* A process has ended; perhaps the trial. */
void upgrade_on_exit(struct master *, pid_t, int status);
/* Looks whether something is due; milliseconds of child_now_ms(). */
void upgrade_check(struct master *, uint64_t now_ms);
/* The group did not run for so long: its processes are not late for it. */
void upgrade_stood_still(struct master *, uint64_t ms);
uint64_t upgrade_due(const struct master *);
/* A question that is answered at the end of the upgrade. */
void upgrade_wait(struct master *, uint64_t request);
/* Answers the request for the upgrade, if there is one; as MASTER_REPLY. */
void upgrade_say(struct master *, unsigned code, const char *text);
/* One line for the log and for the request. */
void upgrade_progress(struct master *, const char *text);
/*
 * The program before this one gets its place back.  Returns only if that
 * fails.
 */
void upgrade_go_back(struct master *, const char *reason);
/* Frees all that an upgrade that is over has held. */
void upgrade_forget(struct upgrade *);

/* ---- renew.c: an upgrade, from the new program on ---- */

/* This is the new program: takes the children of the one before it. */
void renew_adopt(struct master *, const struct handover *);
/* The clients of a slot have moved. */
void renew_on_moved(struct master *, const struct msg_moved *);
/* They stay with the old process. */
void renew_on_refusal(struct master *, const char *why);
/* Gives the next place to a process of this program, if one is due. */
void renew_check(struct master *, uint64_t now_ms);

/* ---- reload.c ---- */

/* SIGHUP, or (request != 0) a request of pusherctl. */
void reload_begin(struct master *, uint64_t request);
/* A request of pusherctl: one option, NAME=VALUE. */
void reload_set(struct master *, const struct msg_master_request *);
/*
 * Tells all children the configuration; one that cannot take it now gets it
 * later (reload_resend()).
 */
void reload_tell_conf(struct master *);
/* The same of the log. */
void reload_tell_log(struct master *);
/* Sends orders that a child could not receive before. */
void reload_resend(struct master *);
/* A child has confirmed an order. */
void reload_on_done(
    struct master *, struct child *, uint64_t order, struct str failed);
/* Answers them; retired: and tells of the workers that left; or NULL. */
void reload_say_done(struct master *, const struct reload_requests *,
    const struct retire *retired);
void reload_forget_requests(struct reload_requests *);
/* Checks whether it is over; milliseconds of child_now_ms(). */
void reload_check(struct master *, uint64_t now_ms);
/* When reload_check() must be called again; UINT64_MAX: not by time. */
uint64_t reload_due(const struct master *);

/* ---- relog.c ---- */

/* SIGUSR1: all processes open the log file again. */
void relog_open(struct master *);
/* A request of pusherctl: the level of the log. */
void relog_set_level(struct master *, const struct msg_master_request *);

#endif
