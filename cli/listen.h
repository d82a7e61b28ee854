/* SPDX-License-Identifier: MIT */
#ifndef CLI_LISTEN_H
#define CLI_LISTEN_H

/*
 * The sockets that clients connect to: for each address in the configuration
 * one per worker slot, so that the kernel spreads connections and a slot's
 * queue outlives its worker.
 */

#include <stddef.h>

#include "shared/sock.h"

struct conf;

struct listen_set {
	size_t n;                /* addresses, metrics_listen included */
	size_t nmetrics;         /* 1: the last one is metrics_listen */
	unsigned nslots;         /* worker slots */
	struct sock_addr *addrs; /* what is listened on, ports filled in */
	int *fds;                /* slot * n + address; -1: not open */
};

/*
 * All functions: 0, or -1 and *why (free(3) it): a sentence that names the
 * address, what is wrong and what to do.
 */

/* Opens everything or nothing. */
int listen_open(struct listen_set *, const struct conf *, char **why);
/* Closes everything; harmless when nothing is open. */
void listen_close(struct listen_set *);
/* The sockets of one slot, one for each address. */
const int *listen_slot(const struct listen_set *, unsigned slot);
/* Every address, with ", " between; free(3) it. */
char *listen_text(const struct listen_set *);
/* Writes one address a line to a file, which appears whole. */
int listen_write(const struct listen_set *, const char *path, char **why);
/*
 * Could the addresses be listened on?  That something (perhaps this very
 * server) listens there now is no error.
 */
int listen_check(const struct conf *, char **why);

#endif
