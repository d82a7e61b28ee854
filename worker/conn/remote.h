/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CONN_REMOTE_H
#define WORKER_CONN_REMOTE_H

/* The remote end of a connection: its client, directly or behind proxies. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct http_head;
struct ip;

/*
 * Reads the client from the head of a request if the peer is trusted.  If an
 * untrusted peer sends headers of a proxy, the log names it, once for each
 * address.
 */
void remote_on_request(struct conn *, const struct http_head *);
/*
 * Counts a wrong signature for the client's address.  False: there were more
 * than max_auth_failures_per_minute.
 */
bool remote_auth_failed(struct conn *);
/* Does the client use TLS, to this server or to a trusted proxy? */
bool remote_is_secure(const struct conn *);
/*
 * The client's address: the one that a trusted proxy named, else the peer's.
 * False for a peer on a Unix socket that is no proxy.  port may be NULL.
 */
bool remote_address(const struct conn *, struct ip *, uint16_t *port);
/*
 * "1.2.3.4:5678" for the log: the client, also behind trusted proxies (then
 * perhaps without a port); "unix" on a Unix socket.
 */
void remote_text(const struct conn *, char *out, size_t cap);

#endif
