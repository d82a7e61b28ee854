/* SPDX-License-Identifier: MIT */
/*
 * sequencer.c: what Redis can do as the sequencer of several brokers.  Starts
 * a redis-server of its own on loopback.  Each broker is a process with two
 * connections: one appends entries of many events to a stream by a script that
 * drops a repeated entry, one reads all entries back.  An event has arrived
 * when the broker that appended it has read it back.  At the end all brokers
 * must have read the same entries in the same order.
 *
 *   sequencer SECONDS
 *
 * Prints rows of a Markdown table.  "full": each broker keeps 8 entries of the
 * given size on the way.  Otherwise events come at a fixed rate, and each turn
 * of a broker's loop appends what has come as one entry, if fewer than the
 * given number of entries are on the way.  An entry is on the way until its
 * broker has read it back.
 */

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"

#define EVENT 150     /* bytes */
#define BROKERS 4     /* at most */
#define MOST 512      /* events in an entry */
#define SLOWEST 1e6   /* us, of the histogram */
#define KEEP "100000" /* entries in the stream, about */

static const char script[] =
    "if (tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or 0) >= "
    "tonumber(ARGV[2]) then return 0 end "
    "redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) "
    "return redis.call('XADD', KEYS[1], 'MAXLEN', '~', " KEEP
    ", '*', 'h', ARGV[1], 's', ARGV[2], 'd', ARGV[3])";

/* One row of the table. */
struct plan {
	int brokers;
	int batch;     /* events in an entry at full speed, or 0: */
	double rate;   /* events a second of all brokers together */
	int on_way;    /* entries of a broker that it has not read back */
	bool scripted; /* else a bare XADD */
};

/* The entries that a broker has seen, in memory that the parent shares. */
struct result {
	uint64_t hash; /* of all entries, in order */
	uint64_t entries, events, late;
	double seconds;
	uint32_t us[(int)SLOWEST];
};

struct broker {
	const struct plan *plan;
	struct result *result;
	redisContext *writer, *reader;
	int number, on_way, ends;
	uint64_t seq, made; /* entries, events */
	char last[32];      /* id of the last entry that was read */
	char sha[41];
};

static int port;

static void
die(const char *what)
{
	fprintf(stderr, "sequencer: %s\n", what);
	exit(1);
}

static redisContext *
connect_engine(void)
{
	for (int i = 0; i < 500; i++) {
		redisContext *c = redisConnect("127.0.0.1", port);

		if (c != NULL && c->err == 0)
			return c;
		redisFree(c);
		usleep(10000);
	}
	die("no answer from redis-server");
	return NULL;
}

/* Appends n events; the first came at `first`, the others `step` later. */
static void
append(struct broker *b, int n, double first, double step)
{
	static char data[MOST * EVENT];
	char host[16], seq[32];
	const char *argv[] = { "EVALSHA", b->sha, "2", "s", "seen", host, seq,
		data };
	const char *plain[] = { "XADD", "s", "MAXLEN", "~", KEEP, "*", "h",
		host, "s", seq, "d", data };
	size_t len[12];
	int i, argc = b->plan->scripted ? 8 : 12;
	const char **a = b->plan->scripted ? argv : plain;

	for (i = 0; i < n; i++) {
		double at = first + i * step;

		memcpy(data + i * EVENT, &at, sizeof(at));
	}
	snprintf(host, sizeof(host), "%d", b->number);
	snprintf(seq, sizeof(seq), "%llu", (unsigned long long)++b->seq);
	for (i = 0; i < argc; i++)
		len[i] = strlen(a[i]);
	len[argc - 1] = (size_t)n * EVENT;
	redisAppendCommandArgv(b->writer, argc, a, len);
	b->on_way++;
}

static void
ask(struct broker *b)
{
	redisAppendCommand(
	    b->reader, "XREAD COUNT 1000 BLOCK 1000 STREAMS s %s", b->last);
}

/* The events of an own entry have arrived. */
static void
arrived(struct result *r, const char *data, size_t len)
{
	double t = clock_seconds(CLOCK_MONOTONIC);

	for (size_t i = 0; i + EVENT <= len; i += EVENT) {
		double at, us;

		memcpy(&at, data + i, sizeof(at));
		us = (t - at) * 1e6;
		if (us >= SLOWEST)
			r->late++;
		else
			r->us[us > 0 ? (int)us : 0]++;
		r->events++;
	}
}

static void
entry(struct broker *b, const redisReply *e)
{
	const char *id = e->element[0]->str;
	redisReply **f = e->element[1]->element;

	snprintf(b->last, sizeof(b->last), "%s", id);
	for (; *id != '\0'; id++)
		b->result->hash =
		    (b->result->hash ^ (unsigned char)*id) * 1099511628211u;
	if (f[5]->len == 0)
		b->ends++;
	else if (strtol(f[1]->str, NULL, 10) == b->number) {
		b->on_way--;
		arrived(b->result, f[5]->str, f[5]->len);
	}
}

/* The answers that are there. */
static void
answers(struct broker *b, redisContext *c)
{
	redisReply *r;
	void *reply;

	if (redisBufferRead(c) != REDIS_OK)
		die(c->errstr);
	while (
	    redisGetReplyFromReader(c, &reply) == REDIS_OK && reply != NULL) {
		r = reply;
		if (r->type == REDIS_REPLY_ERROR)
			die(r->str);
		if (c == b->reader) {
			redisReply *rows = r->type == REDIS_REPLY_ARRAY
			    ? r->element[0]->element[1]
			    : NULL;

			for (size_t i = 0; rows != NULL && i < rows->elements;
			     i++)
				entry(b, rows->element[i]);
			ask(b);
		}
		freeReplyObject(r);
	}
}

/* Appends what has come until t. */
static void
produce(struct broker *b, double began, double t)
{
	const struct plan *p = b->plan;
	double step = p->brokers / (p->rate > 0 ? p->rate : 1);

	if (p->batch > 0) {
		while (b->on_way < p->on_way)
			append(b, p->batch, t, 0);
		return;
	}
	while (b->on_way < p->on_way) {
		double due = (t - began) / step - (double)b->made;
		int n = due > MOST ? MOST : (int)due;

		if (n == 0)
			return;
		append(b, n, began + (double)(b->made + 1) * step, step);
		b->made += (uint64_t)n;
	}
}

/* How long the broker may sleep. */
static struct timespec
sleep_time(const struct broker *b, double began, double t)
{
	const struct plan *p = b->plan;
	double s = 0.001;

	if (p->batch == 0 && t >= began)
		s = began + (double)(b->made + 1) * p->brokers / p->rate - t;
	s = s < 0 || b->on_way >= p->on_way || s > 0.001 ? 0.001 : s;
	return (struct timespec){ 0, (long)(s * 1e9) };
}

static void
run_broker(struct broker *b, double began, double seconds)
{
	bool ended = false;
	struct timespec sleep;
	double t;
	int done;

	ask(b);
	while (b->ends < b->plan->brokers) {
		struct pollfd fds[] = { { b->writer->fd, POLLIN, 0 },
			{ b->reader->fd, POLLIN, 0 } };

		t = clock_seconds(CLOCK_MONOTONIC);
		if (t >= began && t < began + seconds)
			produce(b, began, t);
		else if (t >= began + seconds && !ended) {
			append(b, 0, t, 0);
			b->result->entries = b->seq - 1;
			ended = true;
		}
		if (redisBufferWrite(b->writer, &done) != REDIS_OK ||
		    redisBufferWrite(b->reader, &done) != REDIS_OK)
			die("write");
		sleep = sleep_time(b, began, clock_seconds(CLOCK_MONOTONIC));
		ppoll(fds, 2, &sleep, NULL);
		if (fds[0].revents != 0)
			answers(b, b->writer);
		if (fds[1].revents != 0)
			answers(b, b->reader);
	}
	b->result->seconds = seconds;
}

static void
broker(const struct plan *p, int number, struct result *r, double began,
    double seconds)
{
	struct broker b = { .plan = p, .result = r, .number = number };
	redisReply *sha;

	snprintf(b.last, sizeof(b.last), "0-0");
	b.writer = connect_engine();
	b.reader = connect_engine();
	sha = redisCommand(b.writer, "SCRIPT LOAD %s", script);
	if (sha == NULL || sha->type != REDIS_REPLY_STRING)
		die("SCRIPT LOAD");
	snprintf(b.sha, sizeof(b.sha), "%s", sha->str);
	b.writer->flags &= ~REDIS_BLOCK;
	b.reader->flags &= ~REDIS_BLOCK;
	run_broker(&b, began, seconds);
	exit(0);
}

/* The time within which this share of all events arrived. */
static uint32_t
quantile(const struct result *r, int n, double share)
{
	uint64_t all = 0, sum = 0;

	for (int i = 0; i < n; i++)
		all += r[i].events;
	for (uint32_t us = 0; us < (uint32_t)SLOWEST; us++) {
		for (int i = 0; i < n; i++)
			sum += r[i].us[us];
		if ((double)sum >= (double)all * share)
			return us;
	}
	return (uint32_t)SLOWEST;
}

static void
row(const struct plan *p, struct result *r, double seconds)
{
	uint64_t entries = 0, events = 0;
	double began;
	int status;
	char how[32];

	memset(r, 0, BROKERS * sizeof(*r));
	redisFree(connect_engine());
	began = clock_seconds(CLOCK_MONOTONIC) + 0.3;
	fflush(stdout);
	for (int i = 0; i < p->brokers; i++)
		if (fork() == 0)
			broker(p, i, &r[i], began, seconds);
	for (int i = 0; i < p->brokers; i++)
		if (wait(&status) == -1 || status != 0)
			die("a broker has failed");
	for (int i = 0; i < p->brokers; i++) {
		entries += r[i].entries;
		events += r[i].events;
		if (r[i].hash != r[0].hash)
			die("two brokers have read another order");
	}
	if (p->batch > 0)
		snprintf(how, sizeof(how), "full, entries of %d", p->batch);
	else
		snprintf(how, sizeof(how), "%.0f/s", p->rate);
	printf("| %d | %s | %d | %s | %.0f | %.0f | %.1f | %u | %u |\n",
	    p->brokers, how, p->on_way, p->scripted ? "script" : "XADD",
	    (double)entries / seconds, (double)events / seconds,
	    entries > 0 ? (double)events / (double)entries : 0,
	    quantile(r, p->brokers, 0.5), quantile(r, p->brokers, 0.99));
}

/* A port that is free now. */
static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&a, n) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) == -1)
		die("no free port");
	close(fd);
	return ntohs(a.sin_port);
}

static pid_t
start_engine(void)
{
	char text[16];
	pid_t pid;

	port = free_port();
	snprintf(text, sizeof(text), "%d", port);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execlp("redis-server", "redis-server", "--port", text, "--bind",
		    "127.0.0.1", "--save", "", "--logfile", "/dev/null",
		    (char *)NULL);
		die("no redis-server (Debian: tests/deps.sh cluster)");
	}
	return pid;
}

static const struct plan plans[] = {
	{ 2, 1, 0, 8, false },
	{ 2, 1, 0, 8, true },
	{ 2, 8, 0, 8, true },
	{ 2, 32, 0, 8, true },
	{ 2, 128, 0, 8, true },
	{ 3, 32, 0, 8, true },
	{ 4, 1, 0, 8, true },
	{ 4, 32, 0, 8, true },
	{ 4, 128, 0, 8, true },
	{ 2, 0, 1000, 64, true },
	{ 2, 0, 20000, 64, true },
	{ 2, 0, 100000, 64, true },
	{ 2, 0, 100000, 4, true },
	{ 2, 0, 100000, 1, true },
	{ 3, 0, 100000, 1, true },
	{ 4, 0, 1000, 1, true },
	{ 4, 0, 20000, 1, true },
	{ 4, 0, 100000, 64, true },
	{ 4, 0, 100000, 4, true },
	{ 4, 0, 100000, 1, true },
	{ 4, 0, 200000, 1, true },
};

int
main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	size_t size = BROKERS * sizeof(struct result);
	struct result *r = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	redisContext *c;
	pid_t engine;
	int n = (int)(sizeof(plans) / sizeof(plans[0]));

	if (r == MAP_FAILED)
		die("no memory");
	engine = start_engine();
	c = connect_engine();
	puts("| brokers | load | on the way | append | entries/s | events/s | "
	     "events in an entry | p50 us | p99 us |\n"
	     "| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
	for (int i = 0; i < n; i++) {
		freeReplyObject(redisCommand(c, "FLUSHALL"));
		row(&plans[i], r, seconds);
	}
	redisFree(c);
	kill(engine, SIGTERM);
	waitpid(engine, NULL, 0);
	return 0;
}
