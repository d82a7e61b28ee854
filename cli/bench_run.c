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

#include "cli/bench.h"
#include "shared/base.h"
#include "shared/buf.h"
#include "shared/proc.h"
#include "shared/ws_frame.h"
#include "shared/xmalloc.h"

#define CONNECTING_MAX 400 /* handshakes under way */
#define RECV_BYTES (256u << 10)
#define EVENTS 512
#define STALL_SECONDS 10.0 /* nothing moves: give up */

enum peer_state { PEER_CONNECTING, PEER_GREETING, PEER_SUBSCRIBING, PEER_ON };

struct peer {
	int fd;
	bool publisher;
	enum peer_state state;
	uint32_t channel;
	uint64_t *last;  /* sequence numbers seen last, by publisher */
	struct buf *in;  /* half a frame or reply */
	struct buf *out; /* request not yet written */
	uint32_t out_off;
	bool busy;        /* publisher: waits for an answer */
	uint64_t started; /* publisher: when, ns */
};

struct flight { /* one publish that has not reached everybody */
	uint64_t seq, start;
	uint32_t publisher;
	uint32_t left; /* deliveries */
};

struct run {
	const struct bench_conf *conf;
	struct bench_result *r;
	int ep;
	struct peer *clients, *publishers;
	uint32_t started, ready; /* clients */
	uint32_t *subs;          /* clients on each channel */
	struct flight *flights;  /* ring by seq */
	uint32_t nflights, mask;
	uint64_t next_seq, intended; /* open loop: when, ns */
	uint32_t next_channel;
	uint64_t start, moved; /* ns: of the part; last delivery */
	bool measuring;
	char *recv;
	char *why;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
fail(struct run *run, const char *what)
{
	if (run->why == NULL)
		run->why = xasprintf("%s", what);
}

/* ---- output ---- */

static void
watch(struct run *run, struct peer *p, bool write)
{
	struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0),
		.data.ptr = p };

	epoll_ctl(run->ep, EPOLL_CTL_MOD, p->fd, &e);
}

static void
write_out(struct run *run, struct peer *p)
{
	size_t left = p->out->len - p->out_off;
	ssize_t n = send(p->fd, p->out->data + p->out_off, left, MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN) {
		fail(run, "the server closed a connection while we wrote");
		return;
	}
	p->out_off += n > 0 ? (uint32_t)n : 0;
	watch(run, p, p->out_off < p->out->len);
	if (p->out_off == p->out->len)
		p->out->len = p->out_off = 0;
}

/* Sends a masked text frame. */
static void
send_text(struct run *run, struct peer *p, struct str text)
{
	static const uint8_t mask[4] = { 0x5a, 0xc3, 0x17, 0x88 };
	unsigned char head[WS_HEAD_MAX];
	size_t n = ws_head_write_masked(WS_TEXT, text.n, mask, head);

	buf_append(&p->out, str_make(head, n));
	buf_append(&p->out, text);
	ws_mask(p->out->data + p->out->len - text.n, text.n, mask, 0);
	write_out(run, p);
}

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
	write_out(run, p);
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

/* ---- input ---- */

static void
on_delivery(struct run *run, struct peer *p, struct str text)
{
	struct str rest = text;
	ssize_t at;
	uint64_t seq = 0, *last;
	struct flight *f;

	/* data is the first "[" of the frame, whatever the member order. */
	if ((at = str_find(rest, '[')) == -1 || text.n < (size_t)at + 17)
		return;
	for (size_t i = (size_t)at + 1; i < (size_t)at + 17; i++) {
		unsigned char c = (unsigned char)text.p[i];

		seq = seq << 4 | (c <= '9' ? c - '0' + 0u : c - 'a' + 10u);
	}
	run->r->delivered++;
	f = &run->flights[seq & run->mask];
	if (f->seq != seq)
		return; /* long ago: counted as lost */
	last = &p->last[f->publisher];
	if (seq == *last)
		run->r->duplicate++;
	else if (seq < *last)
		run->r->disorder++;
	*last = seq;
	if (f->left == 0)
		return;
	run->moved = now_ns();
	histogram_add(&run->r->latency, run->moved - f->start);
	if (--f->left == 0)
		run->nflights--;
}

static bool
contains(struct str s, struct str what)
{
	return memmem(s.p, s.n, what.p, what.n) != NULL;
}

static void
on_text(struct run *run, struct peer *p, struct str text)
{
	char *sub;

	switch (p->state) {
	case PEER_GREETING:
		if (!contains(text, S("connection_established"))) {
			fail(run, "the server refused a connection");
			return;
		}
		p->state = PEER_SUBSCRIBING;
		sub = xasprintf("{\"event\":\"pusher:subscribe\",\"data\":"
				"{\"channel\":\"bench-%u\"}}",
		    p->channel);
		send_text(run, p, str_of(sub));
		free(sub);
		break;
	case PEER_SUBSCRIBING:
		if (!contains(text, S("subscription_succeeded")))
			break;
		p->state = PEER_ON;
		run->ready++;
		run->subs[p->channel]++;
		break;
	case PEER_ON:
		if (contains(str_make(text.p, MIN(text.n, 60)), S("bench\"")))
			on_delivery(run, p, text);
		break;
	case PEER_CONNECTING:
		break;
	}
}

/* Takes one frame or reply off the front: its bytes, or 0 for more. */
static size_t
take_frame(struct run *run, struct peer *p, struct str in)
{
	struct ws_head h;
	ssize_t n = ws_head_read(&h, in);
	struct str body;

	if (n <= 0 || in.n - (size_t)n < h.len)
		return 0;
	body = str_make(in.p + n, (size_t)h.len);
	if (h.opcode == WS_TEXT)
		on_text(run, p, body);
	else if (h.opcode == WS_CLOSE)
		run->r->closed++;
	return (size_t)n + (size_t)h.len;
}

static size_t
take_http(struct run *run, struct peer *p, struct str in)
{
	const char *end = memmem(in.p, in.n, "\r\n\r\n", 4);
	const char *len;
	uint64_t body = 0;
	size_t head, total;

	if (end == NULL)
		return 0;
	head = (size_t)(end - in.p) + 4;
	len = memmem(in.p, head, "ength: ", 7);
	for (len = len == NULL ? "" : len + 7; *len >= '0' && *len <= '9';
	     len++)
		body = body * 10 + (uint64_t)(*len - '0');
	if (!p->publisher) { /* the answer to the upgrade */
		if (!contains(str_make(in.p, 12), S("101")))
			fail(run, "the server did not upgrade a connection");
		p->state = PEER_GREETING;
		return head;
	}
	total = head + (size_t)body;
	if (in.n < total)
		return 0;
	if (contains(str_make(in.p, 12), S("200")))
		run->r->published += run->conf->batch;
	else
		run->r->refused += run->conf->batch;
	if (run->conf->clients == 0) {
		run->moved = now_ns();
		histogram_add(&run->r->latency, run->moved - p->started);
	}
	p->busy = false;
	return total;
}

static void
on_input(struct run *run, struct peer *p)
{
	struct str in;
	size_t used;
	ssize_t n = recv(p->fd, run->recv, RECV_BYTES, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		fail(run, "the server closed a connection");
		return;
	}
	in = str_make(run->recv, (size_t)n);
	if (p->in != NULL) {
		buf_append(&p->in, in);
		in = buf_str(p->in);
	}
	while (in.n > 0 && run->why == NULL) {
		used = p->publisher || p->state == PEER_CONNECTING
		    ? take_http(run, p, in)
		    : take_frame(run, p, in);
		if (used == 0)
			break;
		in = str_from(in, used);
	}
	if (in.n == 0) {
		buf_unref(p->in);
		p->in = NULL;
	} else if (p->in == NULL)
		p->in = buf_from(in);
	else {
		memmove(p->in->data, in.p, in.n);
		p->in->len = (uint32_t)in.n;
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
			write_out(run, p);
		else if (e[i].events & EPOLLOUT)
			watch(run, p, false);
		if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			on_input(run, p);
	}
}

static void
progress(struct run *run, const char *what, uint64_t n, uint64_t of)
{
	static uint64_t last;
	uint64_t now = now_ns();

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
	uint64_t t0 = now_ns(), moved = t0, now;
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
		now = now_ns();
		if (run->ready != ready)
			moved = now;
		ready = run->ready;
		progress(run, "subscribed", ready, conf->clients);
		if ((double)(now - moved) > STALL_SECONDS * 1e9)
			fail(run, "no client gets through any more");
	}
	run->r->connect_seconds = (double)(now_ns() - t0) / 1e9;
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

	run->start = run->moved = run->intended = now = now_ns();
	while (now - run->start < length && run->why == NULL) {
		feed_publishers(run, now);
		turn(run);
		now = now_ns();
		progress(run, "milliseconds", (now - run->start) / 1000000,
		    length / 1000000);
		if ((double)(now - run->moved) > STALL_SECONDS * 1e9)
			fail(run, "nothing arrives any more");
	}
	run->r->seconds = (double)(now - run->start) / 1e9;
	run->r->server_cpu = conf->pid != 0 ? bench_cpu(conf->pid) - cpu : 0;
	run->r->tool_cpu = own_cpu() - own;
}

/* Waits for what is under way; what does not arrive is lost. */
static void
settle(struct run *run)
{
	uint64_t end = now_ns() + 2000000000u;
	uint64_t delivered = run->r->delivered;
	struct histogram keep = run->r->latency;

	while (anything_under_way(run) && now_ns() < end && run->why == NULL)
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
	run.recv = xmalloc(RECV_BYTES);
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
