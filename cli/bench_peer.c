/* SPDX-License-Identifier: MIT */
/*
 * bench_peer.c: bytes of the load generator: writes frames and requests, reads
 * frames and replies, and checks every delivery for order and duplicates.  It
 * parses as little as it can, so that the tool is not the bottleneck.
 */

#include "cli/bench_peer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "shared/base.h"
#include "shared/ws_frame.h"
#include "shared/xmalloc.h"

uint64_t
bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void
bench_fail(struct run *run, const char *why)
{
	if (run->why == NULL)
		run->why = xstrdup(why);
}

/* ---- output ---- */

void
peer_watch(struct run *run, struct peer *p, bool write)
{
	struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0),
		.data.ptr = p };

	epoll_ctl(run->ep, EPOLL_CTL_MOD, p->fd, &e);
}

void
peer_write(struct run *run, struct peer *p)
{
	size_t left = p->out->len - p->out_off;
	ssize_t n = send(p->fd, p->out->data + p->out_off, left, MSG_NOSIGNAL);

	if (n == -1 && errno != EAGAIN) {
		bench_fail(
		    run, "the server closed a connection while we wrote");
		return;
	}
	p->out_off += n > 0 ? (uint32_t)n : 0;
	peer_watch(run, p, p->out_off < p->out->len);
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
	peer_write(run, p);
}

/* ---- input ---- */

/* Of lower-case hex, which is what put_event() writes. */
static uint64_t
hex_digit(char c)
{
	return c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10;
}

static void
on_delivery(struct run *run, struct peer *p, struct str text)
{
	ssize_t at;
	uint64_t seq = 0, *last;
	struct flight *f;

	/* data is the first "[" of the frame, whatever the member order. */
	at = run->data_at;
	if (text.n <= (size_t)at || text.p[at] != '[')
		at = run->data_at = str_find(text, '[');
	if (at == -1 || text.n < (size_t)at + 17)
		return;
	for (size_t i = (size_t)at + 1; i < (size_t)at + 17; i++)
		seq = seq << 4 | hex_digit(text.p[i]);
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
			bench_fail(run, "the server refused a connection");
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
			bench_fail(
			    run, "the server did not upgrade a connection");
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
		histogram_add(&run->r->latency, run->moved - p->started);
	}
	p->busy = false;
	return total;
}

void
peer_read(struct run *run, struct peer *p)
{
	struct str in;
	size_t used;
	ssize_t n = recv(p->fd, run->recv, BENCH_RECV_BYTES, 0);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		bench_fail(run, "the server closed a connection");
		return;
	}
	run->moved = bench_now();
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
