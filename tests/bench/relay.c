/* SPDX-License-Identifier: MIT */
/*
 * relay.c: how long the kernel alone takes from one client to another at 2,000
 * messages a second.  A message of 150 bytes goes by TCP to the first of some
 * processes on the first core, by pipes from each to the next one, and by TCP
 * to its receiver, which never sleeps, on the second core.  One process is a
 * worker that asks nobody; three are a worker, the broker, and another worker.
 * A latency counts from the intended time.  Prints one JSON line.
 *
 *   relay PROCESSES SECONDS
 */

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/two_cores.h"

#define MESSAGE 150 /* bytes */
#define RATE 2000   /* messages in a second */
#define PROCESSES 16

/* One process: sleeps until something comes, and hands it on. */
static void
hand_on(int from, int to)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	char bytes[4096];
	ssize_t n;

	epoll_ctl(ep, EPOLL_CTL_ADD, from, &e);
	while (epoll_wait(ep, &e, 1, -1) == 1) {
		n = read(from, bytes, sizeof(bytes));
		if (n <= 0 || write(to, bytes, (size_t)n) != n)
			break;
	}
	_exit(1);
}

/* Sends n messages at their times, and takes them back: their latencies. */
static void
measure(int to, int from, size_t n, double *took_us)
{
	static char bytes[1 << 16];
	double start = now();
	size_t sent = 0, bytes_back = 0, back = 0;
	ssize_t r;

	fcntl(from, F_SETFL, O_NONBLOCK);
	while (back < n) {
		if (sent < n && now() >= start + (double)sent / RATE) {
			if (write(to, bytes, MESSAGE) != MESSAGE)
				die("write");
			sent++;
		}
		r = read(from, bytes, sizeof(bytes));
		if (r == 0)
			die("read");
		bytes_back += r > 0 ? (size_t)r : 0;
		for (; back < bytes_back / MESSAGE; back++)
			took_us[back] =
			    (now() - start - (double)back / RATE) * 1e6;
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1, in[2], out[2], next[2], from;
	size_t n = (size_t)((argc > 2 ? atof(argv[2]) : 1) * RATE);
	double *took = calloc(n, sizeof(double));
	pid_t child[PROCESSES];

	if (count < 1 || count > PROCESSES || n < 100 || took == NULL)
		die("relay");
	connect_both(in);
	connect_both(out);
	from = in[1];
	for (int i = 0; i < count; i++) {
		if (pipe(next) == -1 || (child[i] = fork()) == -1)
			die("relay");
		if (child[i] == 0) {
			stay_on(0);
			hand_on(from, i == count - 1 ? out[0] : next[1]);
		}
		from = next[0];
	}
	stay_on(1);
	measure(in[0], out[1], n, took);
	for (int i = 0; i < count; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	qsort(took, n, sizeof(double), compare);
	printf("{\"processes\":%d,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", count,
	    took[n / 2], took[n * 99 / 100]);
	free(took);
	return 0;
}
