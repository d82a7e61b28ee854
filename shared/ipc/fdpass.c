/* SPDX-License-Identifier: MIT */
/*
 * fdpass.c: datagrams with descriptors between the master and a child.  A
 * message arrives whole or not at all, so neither end holds half of one.  Owns
 * nothing; received descriptors belong to the caller, and none is lost when a
 * message is refused.
 */

#include "shared/ipc/fdpass.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_BYTES (1 << 20) /* requested bytes; the kernel may give less */

int
fdpass_pair(int ends[2])
{
	int size = QUEUE_BYTES, i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, ends) == -1)
		return -1;
	for (i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDPASS_FDS * sizeof(int))];
};

int
fdpass_send(int fd, const void *bytes, size_t n, const int *fds, size_t nfds)
{
	/* sendmsg(2) only reads what the type does not call const. */
	union {
		const void *in;
		void *out;
	} data = { .in = bytes };
	struct iovec iov = { .iov_base = data.out, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	struct cmsghdr *c;
	ssize_t sent;

	if (n > FDPASS_BYTES || nfds > FDPASS_FDS) {
		errno = EMSGSIZE;
		return -1;
	}
	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		assert(c != NULL); /* there is room for it */
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do {
		sent = sendmsg(fd, &m, MSG_NOSIGNAL);
	} while (sent == -1 && errno == EINTR);
	return sent == -1 ? -1 : 0;
}

static size_t
take_descriptors(struct msghdr *m, int *fds)
{
	struct cmsghdr *c;
	size_t n = 0, here;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + n, CMSG_DATA(c), here * sizeof(int));
		n += here;
	}
	return n;
}

ssize_t
fdpass_recv(int fd, char *buf, size_t cap, int *fds, size_t *nfds)
{
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	union control control;
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	*nfds = 0;
	do {
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	*nfds = take_descriptors(&m, fds);
	if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return n;
	while (*nfds > 0)
		close(fds[--*nfds]);
	errno = (m.msg_flags & MSG_TRUNC) != 0 ? EMSGSIZE : EMFILE;
	return -1;
}
