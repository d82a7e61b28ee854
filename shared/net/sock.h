/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_SOCK_H
#define SHARED_NET_SOCK_H

/*
 * Sockets.  Every descriptor made here is non-blocking and close-on-exec.
 * Functions return a descriptor or 0, and -1 with errno.
 */

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "shared/base/str.h"

#define SOCK_TEXT_MAX 128 /* of any address, with its NUL */

struct sock_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* "1.2.3.4:6001", "[::1]:6001", "*:6001" (all IPv4), "[::]:6001". */
int sock_addr_parse(struct str text, struct sock_addr *);
/*
 * "1.2.3.4:6001", "[::1]:6001", "unix:/path" or "unix" into out; always
 * NUL-terminated.
 */
void sock_addr_text(const struct sock_addr *, char *out, size_t cap);
/* Of a Unix socket; -1 with errno when the path is too long. */
int sock_addr_unix(const char *path, struct sock_addr *);
/* The path of a Unix socket's address, or NULL. */
const char *sock_addr_path(const struct sock_addr *);
/* The port; 0 when it has none. */
unsigned sock_addr_port(const struct sock_addr *);
/* Listens with SO_REUSEADDR and SO_REUSEPORT; IPv6 sockets are v6-only. */
int sock_listen_tcp(const struct sock_addr *);
/* Replaces a stale socket file; sets the mode before anyone can connect. */
int sock_listen_unix(const char *path, mode_t mode);
/* Connects at once or fails: Unix sockets do not wait. */
int sock_connect_unix(const char *path);
/* Accepts one connection; addr may be NULL. */
int sock_accept(int fd, struct sock_addr *addr);
int sock_set_nonblock(int fd);
/* TCP_NODELAY and TCP_NOTSENT_LOWAT (bytes, 0 = leave it). */
void sock_tune_client(int fd, unsigned notsent_lowat);
/* Credentials of the peer of a Unix socket (SO_PEERCRED). */
int sock_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
