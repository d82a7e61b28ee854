/* SPDX-License-Identifier: MIT */
/*
 * run.c: the engine of the load generator: its processes, its loop, and how
 * clients are brought up.  The scenario decides what is measured.  Closed loop:
 * a fixed number of events is under way, and the next one starts when one has
 * arrived.  Open loop: events start at fixed times, and a latency counts from
 * the time at which the event should have started, so that a stalled server
 * cannot hide (coordinated omission).  The loop never sleeps: a sleeping reader
 * would be woken by every send of the server, and that cost would be charged to
 * the server.  Several processes on one core yield to each other when they have
 * nothing to do.
 */

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench/peer.h"
#include "shared/base/base.h"
#include "shared/base/shm.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define EVENTS 512
#define STALL_SECONDS 10.0 /* nothing moves: give up */
#define NS 1e9

const struct bench_scenario bench_scenarios[] = {
	{ "connect", "clients come, are greeted, and go", "bench-",
	    { .clients = 5000, .at_once = 400, .sources = 8 }, NULL,
	    connect_run },
	{ "fanout", "events over HTTP to many subscribers", "bench-",
	    { .clients = 1000,
		.subscriptions = 1,
		.publishers = 1,
		.at_once = 400 },
	    sent_event_on_text, publish_run },
	{ "publish", "events over HTTP without subscribers", "bench-",
	    { .publishers = 8, .in_flight = 8 }, NULL, publish_run },
	{ "client-events", "clients of a channel write to each other",
	    "private-bench-",
	    { .clients = 100,
		.channels = 50,
		.subscriptions = 1,
		.at_once = 400 },
	    sent_event_on_text, event_run },
	{ "presence", "members leave and come back", "presence-bench-",
	    { .clients = 1000, .channels = 10, .at_once = 400 },
	    presence_on_text, presence_run },
	{ "stampede", "all clients drop and come back", "bench-",
	    { .clients = 5000,
		.channels = 100,
		.subscriptions = 1,
		.at_once = 400,
		.sources = 8 },
	    NULL, connect_run_stampede },
	{ "slow", "fanout while some clients stop reading", "bench-",
	    { .clients = 1000,
		.subscriptions = 1,
		.publishers = 1,
		.slow = 100,
		.at_once = 400,
		.size = 8000 },
	    sent_event_on_text, publish_run_slow },
	{ "resume", "clients with sessions are cut off and come back", "bench-",
	    { .clients = 1000,
		.channels = 100,
		.subscriptions = 1,
		.publishers = 4,
		.at_once = 400,
		.sources = 8,
		.rate = 1000,
		.resume = true },
	    sent_event_on_text, resume_run },
	{ "idle", "clients that only stay", "bench-",
	    { .clients = 10000,
		.channels = 100,
		.subscriptions = 1,
		.at_once = 400 },
	    NULL, idle_run },
	{ .name = NULL },
};

uint64_t
bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
bench_fail(struct run *run, const char *fmt, ...)
{
	struct shared *s = run->shared;
	uint32_t none = 0;
	va_list ap;

	if (!atomic_compare_exchange_strong(&s->failed, &none, 1))
		return;
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

bool
bench_is_ok(const struct run *run)
{
	return atomic_load_explicit(
		   &run->shared->failed, memory_order_relaxed) == 0;
}

/* ---- the loop ---- */

void
bench_turn(struct run *run)
{
	struct epoll_event e[EVENTS];
	uint64_t before = run->now;
	int n = epoll_wait(run->ep, e, EVENTS, 0);

	for (int i = 0; i < n && bench_is_ok(run); i++) {
		struct peer *p = e[i].data.ptr;

		if (e[i].events & EPOLLOUT)
			peer_write(run, p);
		if (p->fd != -1 &&
		    (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
			peer_read(run, p);
	}
	if (n <= 0 && !run->worked && run->conf->processes > 1)
		sched_yield();
	run->now = bench_now();
	if (n > 0 || run->worked) {
		run->busy += run->now - before;
		run->lag = MAX(run->lag, run->now - before);
	}
	run->worked = false;
}

static void
progress(struct run *run, const char *what, uint64_t n, uint64_t of)
{
	static uint64_t last; /* of this process */

	if (!run->conf->progress || run->process != 0 ||
	    run->now - last < 200000000u)
		return;
	last = run->now;
	fprintf(stderr, "\r%s: %s %llu", run->conf->scenario->name, what,
	    (unsigned long long)n);
	if (of > 0)
		fprintf(stderr, " of %llu", (unsigned long long)of);
	fprintf(stderr, "   ");
}

void
bench_wait_turn(struct run *run, const char *what, uint64_t n, uint64_t of)
{
	bench_turn(run);
	progress(run, what, n, of);
	if ((double)(run->now - MIN(run->now, run->moved)) > STALL_SECONDS * NS)
		bench_fail(run, "%s: nothing has moved for %.0f seconds", what,
		    STALL_SECONDS);
}

void
bench_barrier(struct run *run)
{
	_Atomic uint32_t *arrived = &run->shared->arrived;
	uint32_t want = ++run->barriers * run->conf->processes;
	uint64_t looked = run->now;

	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < want && bench_is_ok(run)) {
		bench_turn(run);
		if (run->process != 0 || run->now - looked < NS / 10)
			continue;
		looked = run->now;
		if (waitpid(-1, NULL, WNOHANG) > 0 &&
		    atomic_load(arrived) < want)
			bench_fail(run, "a process of the generator has died");
	}
}

void
bench_bring_up(struct run *run)
{
	uint32_t at_once = run->conf->at_once;

	run->moved = run->now = bench_now();
	while (run->ready < run->nclients && bench_is_ok(run)) {
		while (run->opened < run->nclients &&
		    run->opened - run->ready < at_once && bench_is_ok(run))
			peer_open(run, &run->clients[run->opened++]);
		bench_wait_turn(
		    run, "clients that are ready", run->ready, run->nclients);
	}
}

void
bench_nap(struct run *run, long ns)
{
	struct timespec nap = { .tv_nsec = ns };
	uint64_t before = bench_now();

	nanosleep(&nap, NULL);
	run->now = bench_now();
	run->napped += run->now - before;
}

/* ---- the measured part ---- */

static double
own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void
bench_begin(struct run *run)
{
	pid_t pid = run->process == 0 ? run->conf->pid : 0;

	run->server_cpu0 = pid != 0 ? bench_cpu(pid) : 0;
	run->switches0 = pid != 0 ? bench_switches(pid) : 0;
	run->cpu0 = own_cpu();
	run->busy = run->lag = run->napped = 0;
	run->start = run->moved = run->intended = run->now = bench_now();
}

bool
bench_may_go_on(struct run *run, const char *what)
{
	uint64_t length = (uint64_t)(run->conf->seconds * NS);
	struct shared *s = run->shared;

	bench_wait_turn(run, what, run->r->delivered + run->r->published, 0);
	if (run->process == 0 && run->now - run->start >= length)
		atomic_store(&s->over, 1);
	return bench_is_ok(run) &&
	    atomic_load_explicit(&s->over, memory_order_relaxed) == 0;
}

void
bench_end(struct run *run)
{
	pid_t pid = run->process == 0 ? run->conf->pid : 0;
	struct bench_result *r = run->r;

	r->seconds = (double)(run->now - run->start) / NS;
	r->server_cpu = pid != 0 ? bench_cpu(pid) - run->server_cpu0 : 0;
	r->server_switches =
	    pid != 0 ? bench_switches(pid) - run->switches0 : 0;
	r->tool_seconds = r->seconds - (double)run->napped / NS;
	r->tool_cpu = own_cpu() - run->cpu0;
	r->tool_busy = (double)run->busy / NS;
	r->tool_lag = run->lag;
}

/* ---- the processes ---- */

/* Members of a channel stay together when there are enough channels. */
static bool
is_ours(const struct run *run, uint32_t client)
{
	uint32_t channels = run->conf->channels;
	uint32_t n = MAX(run->conf->processes, 1);

	return (channels >= n ? client % channels : client) % n == run->process;
}

static void
make_peers(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	uint32_t n = 0;

	run->clients = xcalloc(conf->clients + 1, sizeof(*run->clients));
	for (uint32_t i = 0; i < conf->clients; i++) {
		struct peer *p = &run->clients[n];

		if (!is_ours(run, i))
			continue;
		n++;
		p->fd = -1;
		p->index = i;
		p->slow = i < conf->slow;
		p->channel = conf->subscriptions > 1
		    ? (uint32_t)((uint64_t)i * conf->subscriptions %
			  conf->channels)
		    : i % conf->channels;
	}
	run->nclients = n;
	run->publishers = xcalloc(conf->publishers + 1, sizeof(struct peer));
	for (uint32_t i = 0; i < conf->publishers; i++) {
		run->publishers[i].fd = -1;
		run->publishers[i].publisher = true;
	}
}

static void
free_peers(struct peer *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		peer_close(&v[i], false);
		free(v[i].last);
		free(v[i].view);
	}
	free(v);
}

/* One process of the generator, from its first socket to its last. */
static void
run_process(const struct bench_conf *conf, struct shared *s, uint32_t process)
{
	struct run run = { .conf = conf,
		.r = &s->results[process],
		.shared = s,
		.sent = s->sent,
		.nlast = conf->publishers,
		.process = process,
		.now = bench_now() };

	run.ep = epoll_create1(EPOLL_CLOEXEC);
	run.recv = xmalloc(BENCH_RECV_BYTES);
	make_peers(&run);
	if (conf->pid != 0 && process == 0)
		run.r->pss_empty = bench_pss(conf->pid);
	bench_barrier(&run);
	conf->scenario->run(&run);
	if (conf->pid != 0 && process == 0 && run.r->pss == 0)
		run.r->pss = bench_pss(conf->pid);
	bench_barrier(&run); /* the memory is read while all are there */
	free_peers(run.clients, run.nclients);
	free_peers(run.publishers, conf->publishers);
	close(run.ep);
	buf_unref(run.text);
	free(run.free);
	free(run.recv);
}

static void
add_histogram(struct histogram *to, const struct histogram *h)
{
	to->n += h->n;
	to->max = MAX(to->max, h->max);
	for (size_t i = 0; i < nitems(to->slot); i++)
		to->slot[i] += h->slot[i];
}

static void
add(struct bench_result *to, const struct bench_result *r)
{
	to->connects += r->connects;
	to->connect_ns = MAX(to->connect_ns, r->connect_ns);
	to->rounds += r->rounds;
	to->joins += r->joins;
	to->join_ns = MAX(to->join_ns, r->join_ns);
	to->churns += r->churns;
	to->seconds = MAX(to->seconds, r->seconds);
	to->published += r->published;
	to->refused += r->refused;
	to->delivered += r->delivered;
	to->lost += r->lost;
	to->duplicate += r->duplicate;
	to->disorder += r->disorder;
	to->closed += r->closed;
	to->slow_closed += r->slow_closed;
	to->resumed += r->resumed;
	to->replayed += r->replayed;
	to->gaps += r->gaps;
	to->most_doubles = MAX(to->most_doubles, r->most_doubles);
	to->server_cpu += r->server_cpu;
	to->server_switches += r->server_switches;
	to->tool_seconds += r->tool_seconds;
	to->tool_cpu += r->tool_cpu;
	to->tool_busy += r->tool_busy;
	to->tool_lag = MAX(to->tool_lag, r->tool_lag);
	to->pss_empty += r->pss_empty;
	to->pss += r->pss;
	add_histogram(&to->latency, &r->latency);
	add_histogram(&to->round_time, &r->round_time);
}

static void
run_all(const struct bench_conf *conf, struct shared *s)
{
	pid_t pid[BENCH_PROCESSES_MAX];
	uint32_t n;

	for (n = 1; n < conf->processes; n++) {
		pid[n] = fork();
		if (pid[n] == -1) {
			atomic_store(&s->failed, 1);
			snprintf(s->why, sizeof(s->why), "fork: %s",
			    strerror(errno));
			break;
		}
		if (pid[n] == 0) {
			run_process(conf, s, n);
			_exit(0);
		}
	}
	run_process(conf, s, 0);
	while (--n > 0)
		waitpid(pid[n], NULL, 0);
}

int
bench_run(const struct bench_conf *conf, struct bench_result *r, char **why)
{
	struct shared *s;
	size_t size = sizeof(*s) + conf->channels * sizeof(s->subs[0]);

	*r = (struct bench_result){ 0 };
	*why = NULL;
	s = shm_map("bench", size);
	if (s == NULL) {
		*why = xasprintf("no memory: %s", strerror(errno));
		return -1;
	}
	proc_raise_nofile();
	s->session = bench_now();
	run_all(conf, s);
	if (conf->progress)
		fprintf(stderr, "\r%60s\r", "");
	for (uint32_t i = 0; i < conf->processes; i++)
		add(r, &s->results[i]);
	if (atomic_load(&s->failed) != 0)
		*why = xstrdup(s->why);
	munmap(s, size);
	return *why == NULL ? 0 : -1;
}
