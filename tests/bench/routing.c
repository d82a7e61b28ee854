/* SPDX-License-Identifier: MIT */
/*
 * routing.c: how many events the broker routes on a core of its own.  The
 * broker is the product's, in this process, on the first core; a second
 * process on the second core is all its workers: it sends events into every
 * link and reads what comes back.  The links are the product's, too, each with
 * a ring in shared memory (carrier.h).  Prints a table, by the number of
 * links, the size of an event, and whether one or each worker gets it: CPU time
 * of the broker for an event, and millions of events in a second of that time,
 * since on small machines the workers are slower than the broker.
 *
 *   routing SECONDS
 *
 * Events leave a worker 8 at a time, under one PLACE, like those of 8 publishes
 * that a turn of its loop has read.  The workers never sleep, as under full
 * load: the broker does not wake them.
 */

#include <ev.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/app/apps.h"
#include "broker/broker.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc.h"
#include "shared/proc/proc.h"
#include "tests/bench/two_cores.h"

#define LINKS_MAX 16
#define TOGETHER 8  /* events that leave a worker together */
#define WARM_UP 0.2 /* seconds */
#define READ_BYTES (1u << 20)
#define QUEUED_MAX (256u << 10) /* above it the workers only read */

/* A worker, as the broker sees one. */
struct link {
	struct ipc ipc;
	uint64_t seq;
	char channel[16];
};

struct plan {
	unsigned links;
	size_t bytes; /* of an event's frame */
	bool to_all;  /* each event goes to all workers; else to one */
	/* Bytes queued in the broker; both processes see it. */
	_Atomic size_t *queued;
};

/* ---- the workers ---- */

/* What has come is read in work(). */
static void
on_input(void *link)
{
}

/* HELLO, and a subscriber of the channel that its events go to. */
static void
begin(struct link *l, struct ev_loop *loop, int fd, unsigned slot,
    const struct plan *p)
{
	static const struct ipc_ops ops = { .on_input = on_input };

	ipc_init(&l->ipc, loop, fd, &ops, l);
	l->ipc.places = l->ipc.quiet = l->ipc.carrier.takes_ring = true;
	snprintf(
	    l->channel, sizeof(l->channel), "room-%u", p->to_all ? 0 : slot);
	ipc_send_hello(&l->ipc,
	    &(struct msg_hello){ .version = IPC_VERSION,
		.build = str_of(proc_build_id()),
		.slot = slot,
		.pid = (uint32_t)getpid(),
		.origin = slot + 1 });
	ipc_send_sub(&l->ipc,
	    &(struct msg_sub){ .seq = ++l->seq,
		.app = 1,
		.sid = slot + 1,
		.ref = 1,
		.channel = str_of(l->channel) });
	ipc_flush(&l->ipc);
}

static void
send_events(struct link *l, unsigned slot, struct str frame)
{
	for (int i = 0; i < TOGETHER; i++)
		ipc_send_event(&l->ipc,
		    &(struct msg_event){ .origin = slot + 1,
			.seq = ++l->seq,
			.app = 1,
			.channel = str_of(l->channel),
			.frame = frame });
	ipc_flush(&l->ipc);
}

/* Until the process is killed. */
static _Noreturn void
work(const int *fds, const struct plan *p)
{
	char *in = xmalloc(READ_BYTES), *frame = xcalloc(1, p->bytes);
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct link links[LINKS_MAX] = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay_on(1);
	for (unsigned i = 0; i < p->links; i++)
		begin(&links[i], loop, fds[i], i, p);
	for (unsigned i = 0;; i = (i + 1) % p->links) {
		struct ipc *l = &links[i].ipc;

		if (l->blocked)
			ev_run(loop, EVRUN_NOWAIT); /* is there room? */
		else if (*p->queued < QUEUED_MAX)
			send_events(&links[i], i, str_make(frame, p->bytes));
		carrier_read(&l->carrier, in, READ_BYTES);
	}
}

/* ---- the broker ---- */

static void
add_app(struct broker *br)
{
	struct app a;

	app_init(&a);
	a.num = 1;
	a.id = xstrdup("bench");
	a.key = xstrdup("benchkey");
	a.secret = xstrdup("benchsecret");
	a.name = xstrdup("bench");
	a.enabled = 1;
	apps_put(br, &a);
	app_clear(&a);
}

static size_t
queued(const struct broker *br, const struct plan *p)
{
	size_t n = 0;

	for (unsigned i = 0; i < p->links; i++)
		n += br->peers[i] == NULL ? 0
					  : outq_bytes(&br->peers[i]->ipc.out);
	return n;
}

static void
run_for(struct broker *br, const struct plan *p, double seconds)
{
	uint64_t end = clock_us(CLOCK_MONOTONIC) + (uint64_t)(seconds * 1e6);

	while (clock_us(CLOCK_MONOTONIC) < end) {
		ev_run(br->loop, EVRUN_ONCE);
		broker_turn(br);
		*p->queued = queued(br, p);
	}
}

/* Messages that it has queued for the workers. */
static uint64_t
sent(const struct broker *br, const struct plan *p)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < p->links; i++)
		n += br->peers[i] == NULL ? 0 : br->peers[i]->ipc.nout;
	return n;
}

/* worker[i] and broker[i] are the ends of a link. */
static void
connect_all(int *worker, int *broker, const struct plan *p)
{
	int fds[2];

	for (unsigned i = 0; i < p->links; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) ==
		    -1)
			die("socketpair");
		worker[i] = fds[0];
		broker[i] = fds[1];
	}
}

/* Does every link go by its ring? */
static bool
has_rings(const struct broker *br, const struct plan *p)
{
	for (unsigned i = 0; i < p->links; i++)
		if (br->peers[i] == NULL || !br->peers[i]->ipc.carrier.by_ring)
			return false;
	return true;
}

static void
measure(const struct plan *p, double seconds)
{
	int worker[LINKS_MAX], fds[LINKS_MAX];
	struct conf conf;
	unsigned of_an_event = p->to_all ? p->links : 1;
	struct broker br;
	uint64_t events, copies;
	double used;
	pid_t pid;

	connect_all(worker, fds, p);
	if ((pid = fork()) == -1)
		die("fork");
	if (pid == 0) {
		for (unsigned i = 0; i < p->links; i++)
			close(fds[i]);
		work(worker, p);
	}
	conf_init(&conf);
	conf.nworkers = p->links;
	broker_init(&br, &conf);
	br.links->rings = true;
	add_app(&br);
	for (unsigned i = 0; i < p->links; i++) {
		close(worker[i]);
		peer_accept(&br, fds[i]);
	}
	run_for(&br, p, WARM_UP);
	events = br.nevents;
	copies = sent(&br, p);
	used = cpu();
	run_for(&br, p, seconds);
	used = cpu() - used;
	events = br.nevents - events;
	copies = sent(&br, p) - copies;
	if (!has_rings(&br, p) || events == 0 ||
	    copies < events * of_an_event) {
		fprintf(
		    stderr, "routing: events were not passed on by rings\n");
		exit(1);
	}
	printf(" %.2f us, %.2f |", used / (double)events * 1e6,
	    (double)events / used / 1e6);
	fflush(stdout);
	broker_clear(&br);
	conf_clear(&conf);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(int argc, char **argv)
{
	static const unsigned links[] = { 1, 4, 16 };
	static const size_t bytes[] = { 100, 4000 };
	double seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
	_Atomic size_t *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (seconds <= 0) {
		fprintf(stderr, "usage: routing SECONDS\n");
		return 2;
	}
	if (shared == MAP_FAILED)
		die("mmap");
	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	stay_on(0);
	puts("| workers | to one worker, 100 bytes | to all, 100 bytes | "
	     "to one worker, 4 KB | to all, 4 KB |\n"
	     "| --- | --- | --- | --- | --- |");
	for (size_t i = 0; i < nitems(links); i++) {
		printf("| %u |", links[i]);
		for (size_t k = 0; k < nitems(bytes); k++)
			for (int all = 0; all < 2; all++)
				measure(&(struct plan){ links[i], bytes[k],
					    all == 1, shared },
				    seconds);
		puts("");
	}
	return 0;
}
