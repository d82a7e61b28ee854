/* SPDX-License-Identifier: MIT */
/*
 * floor.c: what the kernel alone asks for a delivery: N TCP connections on
 * loopback, one process that only sends, on the first core, one that only
 * reads (and never sleeps), on the second.  Prints one JSON line for each way
 * of sending.
 *
 *   floor CONNECTIONS SECONDS
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/two_cores.h"

#define FRAME 150 /* bytes */
#define MANY 16   /* frames in one call */

/* The reader: takes everything, in a loop without sleep. */
static void
read_all(int port, int n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((unsigned short)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char bytes[1 << 18];
	struct epoll_event e[512];
	int ep = epoll_create1(0);

	for (int i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

		if (fd == -1 ||
		    connect(fd, (struct sockaddr *)&a, sizeof(a)) == -1)
			die("connect");
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	}
	for (;;) {
		int k = epoll_wait(ep, e, 512, 0);

		for (int i = 0; i < k; i++)
			if (recv(e[i].data.fd, bytes, sizeof(bytes), 0) == 0)
				_exit(0);
	}
}

/* One way of sending, for some seconds. */
static void
run(const char *name, const int *fds, int n, double seconds, int frames,
    int vectors)
{
	static char bytes[FRAME * MANY];
	struct iovec iov[MANY];
	double t0 = now(), c0 = cpu(), t;
	unsigned long sent = 0;

	for (int i = 0; i < MANY; i++)
		iov[i] = (struct iovec){ bytes + i * FRAME, FRAME };
	do {
		for (int i = 0; i < n; i++) {
			struct msghdr m = { .msg_iov = iov,
				.msg_iovlen = (size_t)frames };
			ssize_t r = vectors
			    ? sendmsg(fds[i], &m, MSG_NOSIGNAL)
			    : send(fds[i], bytes, (size_t)(FRAME * frames),
				  MSG_NOSIGNAL);

			if (r == -1 && errno != EAGAIN)
				die("send");
			sent += (unsigned long)frames;
		}
		t = now() - t0;
	} while (t < seconds);
	printf("{\"floor\":\"%s\",\"connections\":%d,\"per_second\":%.0f,"
	       "\"cpu_us_each\":%.3f}\n",
	    name, n, (double)sent / t, (cpu() - c0) * 1e6 / (double)sent);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1000;
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int one = 1, l = socket(AF_INET, SOCK_STREAM, 0), *fds;
	pid_t child;

	if (n < 1 || (fds = calloc((size_t)n, sizeof(int))) == NULL)
		die("floor");
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) == -1 ||
	    listen(l, 4096) == -1 ||
	    getsockname(l, (struct sockaddr *)&a, &len) == -1)
		die("listen");
	if ((child = fork()) == 0) {
		stay_on(1);
		read_all(ntohs(a.sin_port), n);
	}
	stay_on(0);
	for (int i = 0; i < n; i++) {
		if ((fds[i] = accept(l, NULL, NULL)) == -1)
			die("accept");
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	run("send", fds, n, seconds, 1, 0);
	run("send 8 together", fds, n, seconds, MANY / 2, 0);
	run("send 16 together", fds, n, seconds, MANY, 0);
	run("sendmsg of 16", fds, n, seconds, MANY, 1);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	return 0;
}
