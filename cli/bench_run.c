/* SPDX-License-Identifier: MIT */
/*
 * bench_run.c: the engine of the load generator: connects subscribers, then
 * publishes over keep-alive HTTP connections and checks every delivery.
 *
 * Closed loop: `in_flight` publishes are under way; one is over when all its
 * subscribers have it.  Open loop: publishes start at fixed times, and a
 * latency counts from the time at which it should have started, so that a
 * stalled server cannot hide (coordinated omission).
 *
 * The loop never sleeps while it measures: a sleeping reader would be woken by
 * every send of the server, and that cost would be charged to the server.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/bench_peer.h"
#include "shared/base.h"
#include "shared/buf.h"
#include "shared/proc.h"
#include "shared/xmalloc.h"

#define CONNECTING_MAX 400 /* handshakes under way */
#define EVENTS 512
#define STALL_SECONDS 10.0 /* nothing moves: give up */

/* ---- publishing ---- */

/* The data of one event: fixed width, so that it can be read in place. */
static void
put_event(struct run *run, struct buf **b, uint64_t seq, uint32_t channel)
{
	uint32_t pad = run->conf->size > 20 ? run->conf->size - 20 : 0;
	char *p;

	buf_printf(b,
	    "{\"name\":\"bench\",\"channel\":\"bench-%u\","
	    "\"data\":\"[%016llx,",
	    channel, (unsigned long long)seq);
	p = buf_reserve(b, pad);
	memset(p, '1', pad);
	(*b)->len += pad;
	buf_append(b, S("1]\"}"));
}

static void
put_request(struct run *run, struct peer *p, struct str body)
{
	const struct bench_conf *conf = run->conf;
	const char *what = conf->batch > 1 ? "batch_events" : "events";
	char md5[SIGN_MD5_HEX_LEN + 1], hex[SIGN_HEX_LEN + 1];
	unsigned char mac[SIGN_SHA256_LEN];
	char *query, *text;
	struct str part;

	sign_md5_hex(body, md5);
	query = xasprintf("auth_key=%s&auth_timestamp=%lld&auth_version=1.0"
			  "&body_md5=%s",
	    conf->key, (long long)time(NULL), md5);
	text = xasprintf("POST\n/apps/%s/%s\n%s", conf->app_id, what, query);
	part = str_of(text);
	sign_hmac(conf->sign, &part, 1, mac);
	str_hex(mac, sizeof(mac), hex);
	buf_printf(&p->out,
	    "POST /apps/%s/%s?%s&auth_signature=%s HTTP/1.1\r\n"
	    "Host: %s\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    conf->app_id, what, query, hex, conf->host, body.n);
	buf_append(&p->out, body);
	free(query);
	free(text);
}

/* Starts one publish on an idle HTTP connection. */
static void
publish(struct run *run, struct peer *p, uint64_t start)
{
	struct buf *body = NULL;
	struct flight *f;

	if (run->conf->batch > 1)
		buf_append(&body, S("{\"batch\":["));
	for (uint32_t i = 0; i < run->conf->batch; i++) {
		uint64_t seq = ++run->next_seq;

		if (i > 0)
			buf_putc(&body, ',');
		f = &run->flights[seq & run->mask];
		f->seq = seq;
		f->start = start;
		f->publisher = (uint32_t)(p - run->publishers);
		f->left = run->subs[run->next_channel];
		run->nflights += f->left > 0;
		put_event(run, &body, seq, run->next_channel);
		run->next_channel =
		    (run->next_channel + 1) % run->conf->channels;
	}
	if (run->conf->batch > 1)
		buf_append(&body, S("]}"));
	p->busy = true;
	p->started = start;
	put_request(run, p, buf_str(body));
	buf_unref(body);
	peer_write(run, p);
}

/* Starts what the loop's kind wants to have started by now. */
static void
feed_publishers(struct run *run, uint64_t now)
{
	const struct bench_conf *conf = run->conf;
	uint64_t step = conf->rate > 0 ? (uint64_t)(1e9 / conf->rate) : 0;

	for (uint32_t i = 0; i < conf->publishers; i++) {
		struct peer *p = &run->publishers[i];

		if (p->busy)
			continue;
		if (conf->rate > 0) {
			if (run->intended > now)
				return;
			publish(run, p, run->intended);
			run->intended += step;
		} else if (run->nflights < conf->in_flight)
			publish(run, p, now);
	}
}

/* ---- phases ---- */

static void
open_peer(struct run *run, struct peer *p)
{
	const struct bench_conf *conf = run->conf;
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = p };

	p->fd = socket(conf->server.ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd == -1 ||
	    (connect(p->fd, (const struct sockaddr *)&conf->server.ss,
		 conf->server.len) == -1 &&
		errno != EINPROGRESS)) {
		run->why = xasprintf("cannot connect: %s", strerror(errno));
		return;
	}
	sock_tune_client(p->fd, 0);
	epoll_ctl(run->ep, EPOLL_CTL_ADD, p->fd, &e);
	p->out = buf_new(512);
	if (p->publisher)
		return;
	p->last = xcalloc(conf->publishers + 1, sizeof(*p->last));
	buf_printf(&p->out,
	    "GET /app/%s?protocol=7&client=bench&version=1.0 HTTP/1.1\r\n"
	    "Host: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: cHVzaGVyY3RsIGJlbmNoIQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n",
	    conf->key, conf->host);
}

/* One turn: what epoll has, without waiting. */
static void
turn(struct run *run)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(run->ep, e, EVENTS, 0);

	for (int i = 0; i < n && run->why == NULL; i++) {
		struct peer *p = e[i].data.ptr;

		if ((e[i].events & EPOLLOUT) && p->out->len > p->out_off)
			peer_write(run, p);
		else if (e[i].events & EPOLLOUT)
			peer_watch(run, p, false);
		if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			peer_read(run, p);
	}
}

static void
progress(struct run *run, const char *what, uint64_t n, uint64_t of)
{
	static uint64_t last;
	uint64_t now = bench_now();

	if (!run->conf->progress || now - last < 200000000u)
		return;
	last = now;
	fprintf(stderr, "\r%s %llu / %llu ", what, (unsigned long long)n,
	    (unsigned long long)of);
}

static void
connect_all(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	uint64_t t0 = bench_now(), moved = t0, now;
	uint32_t ready = 0;

	while (run->ready < conf->clients && run->why == NULL) {
		while (run->started < conf->clients &&
		    run->started - run->ready < CONNECTING_MAX &&
		    run->why == NULL) {
			struct peer *p = &run->clients[run->started];

			p->channel = run->started++ % conf->channels;
			open_peer(run, p);
		}
		turn(run);
		now = bench_now();
		if (run->ready != ready)
			moved = now;
		ready = run->ready;
		progress(run, "subscribed", ready, conf->clients);
		if ((double)(now - moved) > STALL_SECONDS * 1e9)
			bench_fail(run, "no client gets through any more");
	}
	run->r->connect_seconds = (double)(bench_now() - t0) / 1e9;
	for (uint32_t i = 0; i < conf->publishers && run->why == NULL; i++) {
		run->publishers[i].publisher = true;
		open_peer(run, &run->publishers[i]);
	}
}

static double
own_cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool
anything_under_way(const struct run *run)
{
	for (uint32_t i = 0; i < run->conf->publishers; i++)
		if (run->publishers[i].busy)
			return true;
	return run->nflights > 0;
}

static void
measure(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	uint64_t length = (uint64_t)(conf->seconds * 1e9), now;
	double cpu = conf->pid != 0 ? bench_cpu(conf->pid) : 0;
	double own = own_cpu();

	run->start = run->moved = run->intended = now = bench_now();
	while (now - run->start < length && run->why == NULL) {
		feed_publishers(run, now);
		turn(run);
		now = bench_now();
		progress(run, "milliseconds", (now - run->start) / 1000000,
		    length / 1000000);
		if ((double)(now - run->moved) > STALL_SECONDS * 1e9)
			bench_fail(run, "nothing arrives any more");
	}
	run->r->seconds = (double)(now - run->start) / 1e9;
	run->r->server_cpu = conf->pid != 0 ? bench_cpu(conf->pid) - cpu : 0;
	run->r->tool_cpu = own_cpu() - own;
}

/* Waits for what is under way; what does not arrive is lost. */
static void
settle(struct run *run)
{
	uint64_t end = bench_now() + 2000000000u;
	uint64_t delivered = run->r->delivered;
	struct histogram keep = run->r->latency;

	while (anything_under_way(run) && bench_now() < end && run->why == NULL)
		turn(run);
	for (uint32_t i = 0; i <= run->mask && run->nflights > 0; i++)
		run->r->lost += run->flights[i].left;
	run->r->delivered = delivered; /* of the measured part only */
	run->r->latency = keep;
}

static void
close_all(struct peer *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (p[i].out == NULL)
			continue;
		close(p[i].fd);
		buf_unref(p[i].in);
		buf_unref(p[i].out);
		free(p[i].last);
	}
	free(p);
}

int
bench_run(const struct bench_conf *conf, struct bench_result *r, char **why)
{
	struct run run = { .conf = conf, .r = r };

	*r = (struct bench_result){ 0 };
	run.ep = epoll_create1(EPOLL_CLOEXEC);
	run.clients = xcalloc(conf->clients + 1, sizeof(*run.clients));
	run.publishers = xcalloc(conf->publishers + 1, sizeof(*run.publishers));
	run.subs = xcalloc(conf->channels, sizeof(*run.subs));
	run.mask = (1u << 16) - 1;
	run.flights = xcalloc(run.mask + 1, sizeof(*run.flights));
	run.recv = xmalloc(BENCH_RECV_BYTES);
	proc_raise_nofile();
	connect_all(&run);
	if (run.why == NULL && conf->publishers > 0) {
		measure(&run);
		settle(&run);
	}
	if (conf->pid != 0)
		r->server_pss = bench_pss(conf->pid);
	if (conf->progress)
		fprintf(stderr, "\r%40s\r", "");
	close_all(run.clients, conf->clients);
	close_all(run.publishers, conf->publishers);
	close(run.ep);
	free(run.subs);
	free(run.flights);
	free(run.recv);
	*why = run.why;
	return run.why == NULL ? 0 : -1;
}
