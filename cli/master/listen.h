/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_LISTEN_H
#define CLI_MASTER_LISTEN_H

/*
 * The sockets that clients connect to: for each address in the configuration
 * one per worker slot, so that the kernel spreads connections and a slot's
 * queue outlives its worker.  A Unix socket, and one that systemd has made, is
 * one for all slots.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/net/listen_spec.h"
#include "shared/proc/proc.h"

struct conf;

#define LISTEN_GIVEN 64

/* One address. */
struct listener_place {
	uint32_t id;             /* never given again */
	const char *option;      /* that it comes from */
	struct sock_addr wanted; /* as the configuration has it */
	struct sock_addr addr;   /* with the port filled in */
	mode_t mode;             /* of a Unix socket */
	enum listen_role role;
	bool shared;               /* all slots have fds[0] */
	bool foreign;              /* systemd has made it */
	unsigned nfds;             /* slots that have a socket */
	int fds[PROC_MAX_WORKERS]; /* by slot */
	int from;                  /* nfds before a change, or -1 */
};

struct listen_set {
	size_t n;
	unsigned nslots; /* worker slots */
	struct listener_place **v;
	uint32_t last_id;
	int given[LISTEN_GIVEN]; /* by the service manager, not used yet */
	size_t ngiven;
	/* Not listened on any more, but workers may still hold them. */
	struct listener_place **gone;
	size_t ngone;
};

/*
 * All functions: 0, or -1 and *why (free(3) it): a sentence with the address,
 * the fault and the remedy.
 */

/* Opens everything or nothing; the set is all zero before. */
int listen_open(struct listen_set *, const struct conf *, char **why);
/*
 * Gives the sockets to the user that the master becomes: SO_REUSEPORT lets
 * only TCP sockets of one user share a port, and a reload makes more of them;
 * the file of a Unix socket lets its group connect.  0, or -1 with errno.
 */
int listen_give(const struct listen_set *, uid_t, gid_t);
/* Closes everything; harmless when nothing is open. */
void listen_close(struct listen_set *);
/*
 * The set for another configuration: takes over open listeners and opens new
 * ones.  listen_take() follows, unless an error restored the state before.
 */
int listen_prepare(struct listen_set *next, const struct listen_set *now,
    const struct conf *, char **why);
/* next replaces *now; listeners that are not in next wait in `gone`. */
void listen_take(struct listen_set *now, struct listen_set *next);
/* No worker accepts there any more: closes it. */
void listen_forget_gone(struct listen_set *);
/*
 * New connections go to the first n slots only.  False when the kernel cannot
 * do that; then every slot gets its share.
 */
bool listen_steer(struct listen_set *, unsigned n);
/* The sockets of one slot and their ids, one for each address. */
void listen_slot(
    const struct listen_set *, unsigned slot, int *fds, uint32_t *ids);
/* Every address, with ", " between; free(3) it. */
char *listen_text(const struct listen_set *);
/* Writes the addresses to a file, one a line, atomically. */
int listen_write(const struct listen_set *, const char *path, char **why);
/*
 * Can the addresses be listened on?  An address in use (perhaps by this very
 * server) is no error.
 */
int listen_check(const struct conf *, char **why);

/* The file of a Unix socket gets this owner; 0, or -1 with errno. */
int listen_unix_give(const char *path, uid_t, gid_t);
/* The same for its mode; a file that is gone is no error. */
int listen_unix_set_mode(const char *path, mode_t, char **why);

#endif
