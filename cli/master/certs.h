/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_CERTS_H
#define CLI_MASTER_CERTS_H

/*
 * The certificates that the configuration names: read and checked by the
 * master, passed to the workers in memory, read again when the files change.  A
 * reload calls certs_load() among its checks, and certs_publish() when all of
 * them have passed; workers use the published certificates within a second, or
 * at once by tls_refresh().
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/buf.h"
#include "shared/crypto/cert.h"

struct cert_board;
struct conf;
struct tls_store;

/* Certificates that were read and are valid; certs_forget() wipes them. */
struct certs_loaded {
	struct buf *bundle; /* NULL: the configuration has none */
	struct cert_info info[CERT_MAX];
	size_t n;
};

struct certs {
	struct tls_store *store;  /* inherited by workers; NULL without TLS */
	struct cert_board *board; /* the public part */
	/* The watch: the state of the files when they were read. */
	uint64_t loaded, tried, seen;
	uint64_t look_ms;   /* of the last look at the files */
	uint64_t rotate_ms; /* of the last new ticket key */
	int64_t warned_day; /* days left when it was said */
};

/*
 * Reads and checks everything, publishes nothing: 0, or -1 and *why (free(3)
 * it) with the file and the fault.
 */
int certs_load(struct certs_loaded *, const struct conf *, char **why);
void certs_forget(struct certs_loaded *);

/* Only the memory: 0, or -1 and *why. */
int certs_map(struct certs *, char **why);
/*
 * Makes the shared memory and publishes: before privileges are dropped, and
 * before there are children.  0, or -1 and *why.
 */
int certs_open(struct certs *, const struct conf *, char **why);
/* Publishes them to the present and later workers. */
void certs_publish(
    struct certs *, const struct certs_loaded *, const struct conf *);
/*
 * Call it from time to time: checks for a changed file, an old ticket key, an
 * expiring certificate.  A bad new certificate is logged, and the old one
 * stays.
 */
void certs_tick(struct certs *, const struct conf *, uint64_t now_ms);
void certs_close(struct certs *);

#endif
