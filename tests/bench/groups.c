/* SPDX-License-Identifier: MIT */
/*
 * groups.c: what the kernel alone takes to hand on the messages of 10 groups
 * of 10 TCP clients, with all of them in one process, and with them spread over
 * several processes on one core.  Nothing of pusherd: messages of a fixed size,
 * no order between the processes, rings in shared memory from each to each
 * other, and an eventfd that wakes a process that sleeps.  Each client sends
 * its next message when all others of its group have the last one; the clients
 * are one process that never sleeps, on the second core.
 *
 * A process that has output lets the others run and looks for more, until there
 * is none, before it sends.  Without that the messages leave in smaller lots,
 * at 1.6 times as many `send`s; waits for some time (20 to 400 us) and more
 * looks were no better, either.  Prints one JSON line.
 *
 *   groups PROCESSES SECONDS
 */

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/two_cores.h"

#define GROUPS 10
#define MEMBERS 10
#define CLIENTS (GROUPS * MEMBERS)
#define MESSAGE 150 /* bytes; the first one is the sender */
#define PROCESSES 8
#define SLOTS 256 /* of a ring; each client has one message on the way */

/* Messages from one process to one other. */
struct ring {
	_Alignas(64) atomic_uint written;
	_Alignas(64) atomic_uint read;
	_Alignas(64) unsigned char slot[SLOTS][MESSAGE];
};

struct process {
	_Alignas(64) atomic_bool sleeps;
	int wake;
};

struct shared {
	atomic_ullong sends;
	struct process process[PROCESSES];
	struct ring ring[PROCESSES][PROCESSES]; /* [from][to] */
};

/* What one server process has. */
struct server {
	struct shared *shared;
	int self, count, ep;
	bool told[PROCESSES];
	bool news;
	size_t len[CLIENTS];
	unsigned char out[CLIENTS][CLIENTS * MESSAGE];
};

static int client_end[CLIENTS], server_end[CLIENTS];

static void
deliver(struct server *s, const unsigned char *message)
{
	int from = message[0], first = from / MEMBERS * MEMBERS;

	for (int c = first; c < first + MEMBERS; c++)
		if (c % s->count == s->self && c != from) {
			memcpy(s->out[c] + s->len[c], message, MESSAGE);
			s->len[c] += MESSAGE;
		}
	s->news = true;
}

static void
hand_on(struct server *s, const unsigned char *message)
{
	for (int to = 0; to < s->count; to++) {
		struct ring *r = &s->shared->ring[s->self][to];
		unsigned n =
		    atomic_load_explicit(&r->written, memory_order_relaxed);

		if (to == s->self)
			continue;
		memcpy(r->slot[n % SLOTS], message, MESSAGE);
		atomic_store_explicit(&r->written, n + 1, memory_order_release);
		s->told[to] = true;
	}
}

static bool
take_from_rings(struct server *s)
{
	bool any = false;

	for (int from = 0; from < s->count; from++) {
		struct ring *r = &s->shared->ring[from][s->self];
		unsigned n =
		    atomic_load_explicit(&r->read, memory_order_relaxed);

		while (n != atomic_load(&r->written)) {
			deliver(s, r->slot[n++ % SLOTS]);
			any = true;
		}
		atomic_store_explicit(&r->read, n, memory_order_release);
	}
	return any;
}

static void
take_from_client(struct server *s, int client)
{
	unsigned char bytes[MESSAGE * 8];
	ssize_t n = recv(server_end[client], bytes, sizeof(bytes), 0);

	if (n <= 0 || n % MESSAGE != 0)
		die("recv");
	for (unsigned char *m = bytes; m < bytes + n; m += MESSAGE) {
		deliver(s, m);
		hand_on(s, m);
	}
}

static void
send_all(struct server *s)
{
	unsigned sends = 0;

	for (int c = s->self; c < CLIENTS; c += s->count)
		if (s->len[c] != 0) {
			if (send(server_end[c], s->out[c], s->len[c], 0) !=
			    (ssize_t)s->len[c])
				die("send");
			s->len[c] = 0;
			sends++;
		}
	atomic_fetch_add(&s->shared->sends, sends);
}

static void
wake_others(struct server *s)
{
	for (int to = 0; to < s->count; to++) {
		struct process *p = &s->shared->process[to];

		if (s->told[to] && atomic_exchange(&p->sleeps, false))
			eventfd_write(p->wake, 1);
		s->told[to] = false;
	}
}

/* One look at the sockets and the rings; sleeps if it may. */
static void
look(struct server *s, bool may_sleep)
{
	struct process *self = &s->shared->process[s->self];
	struct epoll_event e[CLIENTS];
	eventfd_t count;
	int n;

	if (may_sleep)
		atomic_store(&self->sleeps, true);
	if (take_from_rings(s))
		may_sleep = false;
	n = epoll_wait(s->ep, e, CLIENTS, may_sleep ? -1 : 0);
	atomic_store(&self->sleeps, false);
	for (int i = 0; i < n; i++)
		if (e[i].data.fd == -1)
			eventfd_read(self->wake, &count);
		else
			take_from_client(s, e[i].data.fd);
	take_from_rings(s);
}

static void
serve(struct shared *shared, int self, int count)
{
	struct server *s = calloc(1, sizeof(*s));
	struct epoll_event e = { .events = EPOLLIN };
	bool output = false;

	*s = (struct server){ .shared = shared,
		.self = self,
		.count = count,
		.ep = epoll_create1(0) };
	for (int c = self; c < CLIENTS; c += count) {
		e.data.fd = c;
		epoll_ctl(s->ep, EPOLL_CTL_ADD, server_end[c], &e);
	}
	e.data.fd = -1;
	epoll_ctl(s->ep, EPOLL_CTL_ADD, shared->process[self].wake, &e);
	for (;;) {
		s->news = false;
		look(s, !output);
		if (output && !s->news)
			send_all(s);
		output = s->news;
		wake_others(s);
		if (output)
			sched_yield();
	}
}

static void
send_one(int client)
{
	unsigned char m[MESSAGE] = { (unsigned char)client };

	if (send(client_end[client], m, sizeof(m), 0) != MESSAGE)
		die("send");
}

/* The clients: returns how many messages have come to one. */
static uint64_t
run_clients(double seconds)
{
	static unsigned char bytes[CLIENTS * MESSAGE];
	struct epoll_event e[CLIENTS];
	unsigned came[CLIENTS] = { 0 };
	uint64_t deliveries = 0;
	int ep = epoll_create1(0), n;

	for (int c = 0; c < CLIENTS; c++) {
		e[0] = (struct epoll_event){ EPOLLIN, { .fd = c } };
		epoll_ctl(ep, EPOLL_CTL_ADD, client_end[c], &e[0]);
		send_one(c);
	}
	for (double end = now() + seconds; now() < end;) {
		n = epoll_wait(ep, e, CLIENTS, 0);
		for (int i = 0; i < n; i++) {
			ssize_t got = recv(
			    client_end[e[i].data.fd], bytes, sizeof(bytes), 0);

			if (got <= 0 || got % MESSAGE != 0)
				die("recv");
			for (ssize_t at = 0; at < got; at += MESSAGE) {
				deliveries++;
				if (++came[bytes[at]] == MEMBERS - 1) {
					came[bytes[at]] = 0;
					send_one(bytes[at]);
				}
			}
		}
	}
	return deliveries;
}

int
main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1;
	double seconds = argc > 2 ? atof(argv[2]) : 1, used = 0;
	struct shared *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child[PROCESSES];
	struct rusage u;
	long switches = 0;
	uint64_t n;

	if (count < 1 || count > PROCESSES || shared == MAP_FAILED)
		die("groups");
	for (int c = 0; c < CLIENTS; c++) {
		int fds[2];

		connect_both(fds);
		client_end[c] = fds[0];
		server_end[c] = fds[1];
	}
	for (int i = 0; i < count; i++)
		shared->process[i].wake = eventfd(0, EFD_NONBLOCK);
	for (int i = 0; i < count; i++) {
		if ((child[i] = fork()) == -1)
			die("fork");
		if (child[i] == 0) {
			stay_on(0);
			serve(shared, i, count);
		}
	}
	stay_on(1);
	n = run_clients(seconds);
	for (int i = 0; i < count; i++) {
		kill(child[i], SIGKILL);
		wait4(child[i], NULL, 0, &u);
		used += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
		switches += u.ru_nvcsw + u.ru_nivcsw;
	}
	printf("{\"processes\":%d,\"delivered_per_second\":%.0f,"
	       "\"server_cpu_us_each\":%.3f,\"server_switches_each\":%.4f,"
	       "\"sends_each\":%.3f}\n",
	    count, (double)n / seconds, used * 1e6 / (double)n,
	    (double)switches / (double)n, (double)shared->sends / (double)n);
	return 0;
}
