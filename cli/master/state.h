/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_STATE_H
#define CLI_MASTER_STATE_H

/* The master's view of the group, for master.c and reload.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/master/child.h"
#include "shared/ipc/master_link.h"
#include "shared/proc/memory.h"
#include "shared/proc/proc.h"

struct master_start;
struct msg_master_request;
struct str;

#define FIRST_WORKER 2  /* among the children */
#define CONFIRM_MS 8000 /* for children to confirm an order, and to serve */

/* The phase of the master; it only goes forward. */
enum phase {
	PHASE_START,  /* not all have been ready yet */
	PHASE_RUN,    /* the long one */
	PHASE_DRAIN,  /* workers have been told to close their clients */
	PHASE_BROKER, /* workers are gone, the others have SIGTERM */
	PHASE_QUICK,  /* workers have SIGQUIT, and then the broker */
	PHASE_KILL    /* everybody has SIGKILL */
};

/* A change of the configuration that is under way. */
#define RELOAD_ASKERS 256

struct reload {
	bool active;
	bool again;           /* SIGHUP came meanwhile */
	uint64_t order;       /* what the children confirm */
	uint64_t began_ms;    /* child_now_ms() */
	uint64_t deadline_ms; /* then it is over, confirmed or not */
	uint64_t replace_ms;  /* when the broker is replaced; 0: it is not */
	/* The broker's numbers of the questions that it answers. */
	uint64_t asked[RELOAD_ASKERS];
	size_t nasked;
	/* And of those that came meanwhile: the next one is theirs. */
	uint64_t waiting[RELOAD_ASKERS];
	size_t nwaiting;
	char *notes; /* options that need a restart, or NULL */
};

struct master {
	struct master_start *start;
	enum phase phase;
	uint64_t deadline_ms; /* of the phase; 0: none */
	int exit_code;
	unsigned start_deaths;
	uint64_t
	    heartbeat_ms;   /* when the children's heartbeats were looked at */
	uint64_t notify_ms; /* between two signs of life; 0: none wanted */
	uint64_t notified_ms; /* the last one */
	uint64_t unwell_ms;   /* since when something is missing; 0: nothing */
	int signal_fd;
	int life[2];
	bool steered;        /* the kernel chooses among living slots only */
	bool told_end;       /* drained workers have been told to leave */
	uint64_t last_order; /* number of the last message to children */
	struct reload reload;
	uint64_t *heartbeats;
	struct memory memory; /* of this process */
	/* The broker, the courier, the workers. */
	struct child children[PROC_MAX_WORKERS + FIRST_WORKER];
	size_t nchildren;
};

bool master_is_stopping(const struct master *);
/* Closes all clients over so many milliseconds, and then leaves. */
void master_drain(
    struct master *, const char *because, enum drain_how, uint64_t ms);
/* Goes on to the next phase, for so many milliseconds; 0: no limit. */
void master_enter(struct master *, enum phase, uint64_t limit_ms);
/* Children with a process, from this one on. */
size_t master_alive(const struct master *, size_t from);
/* Ends everything without a word to the clients. */
void stop_quick(struct master *, const char *because);
/* The start has failed. */
void stop_start(struct master *, const char *because);
/* Moves on when the time of a phase, or its processes, have run out. */
void stop_check(struct master *, uint64_t now_ms);
/* Something has come over the child's cord. */
void request_on_link(struct master *, struct child *);
/* Hands links to the broker to workers that could not take them before. */
void asked_resend(struct master *);
/* Makes the place of child i, without a process. */
void master_add_child(struct master *, size_t i);
/* Answers the broker's question with this number; code 0: text is JSON. */
void request_reply(
    struct master *, uint64_t id, unsigned code, struct str text);

/*
 * What children could not do, or have not confirmed, as one sentence
 * (free(3) it); NULL: all is well.
 */
char *request_failures(struct master *);
/* SIGHUP, or (asked != 0) a question of pusherctl's. */
void reload_begin(struct master *, uint64_t asked);
/* Looks whether it is over; milliseconds of child_now_ms(). */
void reload_check(struct master *, uint64_t now_ms);
/* When reload_check() has to look again; UINT64_MAX: not by itself. */
uint64_t reload_due(const struct master *);
/* A child has confirmed an order. */
void reload_on_done(
    struct master *, struct child *, uint64_t order, struct str failed);
/* SIGUSR1: a log file is opened anew, everywhere. */
void reload_log(struct master *);
/* Sends what a child could not take before. */
void reload_resend(struct master *);
/* A question of pusherctl's that is not a reload. */
void reload_set_level(struct master *, const struct msg_master_request *);

#endif
