/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_PROC_H
#define SHARED_PROC_PROC_H

/* Settings of this process: privileges, limits, title, signals. */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/str.h"

struct answer_table;
struct cert_board;
struct conf;
struct minute_log;
struct event_order;
struct snapshot;
struct session_table;
struct tls_store;
struct proc_usage;
struct verb_rule;

/* At most this many workers; a bit of struct channel's mask each. */
#define PROC_MAX_WORKERS 64

/* The inheritance of a child from the master.  Everything else is closed. */
struct inherit {
	struct conf *conf;    /* its contents change with a reload */
	unsigned slot;        /* workers: 0 .. conf->workers - 1 */
	unsigned room;        /* broker: slots that it has room for */
	uint64_t leaving;     /* broker: slots above conf->workers in use */
	bool patient;         /* broker: an upgrade waits for late workers */
	int *listen_fds;      /* workers: this slot's, as conf->listeners */
	uint32_t *listen_ids; /* and the master's numbers of them */
	size_t nlisten;
	struct tls_store *tls;           /* workers: certificates; or NULL */
	const struct cert_board *certs;  /* its public part; or NULL */
	const struct proc_usage *master; /* its CPU and memory; or NULL */
	struct minute_log *minute_log;   /* broker, courier; or NULL */
	struct event_order *event_order; /* broker; else NULL */
	struct snapshot *apps; /* broker: the database when last read */
	struct session_table *sessions; /* broker, workers; or NULL */
	struct answer_table *answers;   /* broker; else NULL */
	const struct verb_rule *rules;  /* broker, workers: of the console */
	int broker_fd;  /* broker: the listening socket of the links, or -1 */
	int control_fd; /* broker: the listening control socket, or -1 */
	int link_fd;  /* orders of the master (shared/ipc/master_link.h), or -1
		       */
	int move_fd;  /* workers: the one to take over from; or 0 */
	int life_fd;  /* EOF here: the master is gone */
	int ready_fd; /* write one byte when serving, then close */
	uint64_t *noted; /* proc_note(); or NULL */
	uint64_t
	    *heartbeat; /* to be raised (shared/ipc/heartbeat.h), or NULL */
};

/*
 * A warning that one process of the group has logged is not repeated: a small
 * table in memory that all share.  True when these bytes are not in it; then
 * they are added.  Two warnings with the same place replace each other.  noted:
 * NULL, then always true; else of proc_map_noted().
 */
uint64_t *proc_map_noted(void);
bool proc_note(uint64_t *noted, struct str bytes);

/* Must run before the first proc_title(). */
void proc_title_init(int argc, char **argv);
/* Shown by ps(1): "pusherd: worker 2". */
void proc_title(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Raises RLIMIT_NOFILE to the hard limit; returns the limit. */
uint64_t proc_raise_nofile(void);
/*
 * Becomes this user for good: groups, gid, uid; checks that it cannot be
 * undone.  0, or -1 with errno (ENOENT: no such user).
 */
int proc_drop_privileges(const char *user);
/* Keeps it for the program that this process executes. */
void proc_pass_capabilities(void);
/* Gives up the capability that proc_drop_privileges() has left. */
void proc_forget_capabilities(void);
/*
 * May other users than root make files, and so links, in its directory?  Then
 * root must not open it by its name.
 */
bool proc_is_exposed(const char *path);
/* In that case, and as root, becomes this user.  0, or -1 with errno. */
int proc_leave_root(const char *user, const char *path);
/* Looks the user up; -1 with errno ENOENT when there is none. */
int proc_find_user(const char *user, uid_t *uid, gid_t *gid);
/* sigaction(2) without SA_RESTART; handler may be SIG_IGN or SIG_DFL. */
void proc_signal(int sig, void (*handler)(int));
/* Handles the blocked signals that are pending; their handlers are set. */
void proc_unblock_signals(void);
/* The same for a signal that a system call of this process has caused. */
void proc_trap(int sig, void (*handler)(int, siginfo_t *, void *));
/*
 * No other process can read this process's memory: no core dump, no ptrace(2)
 * except by root.
 */
void proc_hide_memory(void);
/* Leaves the terminal: fork, setsid, stdio to /dev/null. */
int proc_daemonize(void);
/* Closes every descriptor above stderr that is not in keep[]. */
void proc_close_others(const int *keep, size_t n);
/* Cores that this process may use: 1 to PROC_MAX_WORKERS. */
unsigned proc_cores(void);
/*
 * The number of workers for which a broker makes room when it starts with n:
 * some more, because the number may grow while it runs.
 */
unsigned proc_slot_room(unsigned nworkers);
/* 64 random bits from the system; dies when there are none. */
uint64_t proc_random(void);
/* The same, n <= 32 of them in one call. */
void proc_random_many(uint64_t *v, size_t n);
/* A text that changes with every build; both ends of a link compare it. */
const char *proc_build_id(void);

#endif
