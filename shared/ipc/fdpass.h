/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_FDPASS_H
#define SHARED_IPC_FDPASS_H

/*
 * The link between the master and one child: a pair of sockets that carries
 * whole messages and, with them, descriptors (unix(7), SCM_RIGHTS).
 */

#include <stddef.h>
#include <sys/types.h>

#define FDPASS_BYTES (128u << 10) /* of one message */
#define FDPASS_FDS 80             /* with one message */

/* Both ends are non-blocking and close-on-exec.  0, or -1 with errno. */
int fdpass_pair(int ends[2]);
/*
 * Sends a message and copies of descriptors.  0, or -1 with errno: EAGAIN
 * when the other end does not read, EMSGSIZE when it is too long.
 */
int fdpass_send(
    int fd, const void *bytes, size_t n, const int *fds, size_t nfds);
/*
 * Receives one message into buf and at most FDPASS_FDS descriptors, which the
 * caller closes.  The number of bytes, 0 at the end, -1 with errno.  EMSGSIZE:
 * it was cut off; EMFILE: this process had no room for the descriptors; both
 * discard the message.
 */
ssize_t fdpass_recv(int fd, char *buf, size_t cap, int *fds, size_t *nfds);

#endif
