/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_TLS_H
#define WORKER_CONN_TLS_H

/*
 * TLS of one worker: the contexts in use, and the bytes of one connection.
 * Its interface resembles recv(2) and send(2).
 */

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/crypto/tls_set.h"

struct outq;
struct worker;

#define TLS_SHAKING_BYTES 40960 /* memory of half a handshake, about */
#define TLS_RECORD_BYTES 16384  /* of plain text, at most (RFC 8446, 5.1) */

struct tls {
	struct tls_home home;
	uint32_t generation, ticket_generation; /* of the store */
	char *record;      /* where small slices become one record */
	unsigned started;  /* handshakes in this turn */
	uint64_t accepted; /* handshakes that succeeded … */
	uint64_t resumed;  /* … with a session ticket … */
	uint64_t failed;   /* … or failed */
};

enum tls_state {
	TLS_SHAKING, /* the handshake is not over */
	TLS_OPEN,
	TLS_ENDING, /* close_notify is out */
	TLS_BROKEN  /* no further call may be made */
};

struct tls_conn {
	SSL *ssl;
	enum tls_state state;
	bool wants_write; /* reading continues when the socket takes bytes */
	bool plain; /* the client has sent a request of Pusher's without TLS */
};

/*
 * Takes the certificates that the master has published; dies when they are
 * unusable.
 */
void tls_init(struct worker *);
void tls_free(struct worker *);
/*
 * Checks whether the master has published other certificates or ticket keys,
 * and uses them for new connections; present ones keep theirs.  Cheap when
 * nothing is new.
 */
void tls_refresh(struct worker *);
/* The turn is over: handshakes may start again. */
void tls_turn(struct worker *);

/* For an accepted socket; false: this worker has no certificates. */
bool tls_begin(struct worker *, struct tls_conn *, int fd);
void tls_end(struct worker *, struct tls_conn *);
/*
 * Makes the handshake, then reads.  -1 with EAGAIN: later, and if wants_write
 * is set when the socket can be written; -1 with another errno: it is broken;
 * 0: the peer sends no more.  cap must be at least TLS_RECORD_BYTES, so that
 * no byte stays inside.
 */
ssize_t tls_recv(struct worker *, struct tls_conn *, char *out, size_t cap);
/* As outq_send(). */
int tls_send(struct worker *, struct tls_conn *, struct outq *, size_t max);
/* Sends close_notify: 1, 0 when the socket is full, -1: broken. */
int tls_shutdown(struct tls_conn *);

#endif
