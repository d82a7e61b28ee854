/* SPDX-License-Identifier: MIT */
/*
 * publish.c: scenarios of the load generator in which events come over
 * the HTTP API, signed, on keep-alive connections; with subscribers, without,
 * and with some that stop reading.  The first process publishes; the others,
 * if there are any, only read.
 */

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "cli/bench/peer.h"
#include "shared/base/xmalloc.h"

#define SLOW_DRAIN_NS 3000000000u
#define IDLE_NAP_NS 20000000

static void
put_event(struct run *run, struct buf **b, uint64_t seq, uint32_t channel)
{
	buf_printf(b, "{\"name\":\"bench\",\"channel\":\"%s%u\",\"data\":\"",
	    run->conf->scenario->prefix, channel);
	sent_event_put_data(run, b, seq);
	buf_append(b, S("\"}"));
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

/* Starts one request on an idle HTTP connection. */
static void
publish(struct run *run, struct peer *p, uint64_t start)
{
	uint32_t batch = run->conf->batch, sender;
	struct sent_event *f;

	if (p->fd == -1) /* the server closes after each answer */
		peer_open(run, p);
	sender = (uint32_t)(p - run->publishers);
	run->text = run->text == NULL ? buf_new(4096) : run->text;
	run->text->len = 0;
	if (batch > 1)
		buf_append(&run->text, S("{\"batch\":["));
	for (uint32_t i = 0; i < batch; i++) {
		uint32_t channel = run->next_channel;

		if (i > 0)
			buf_putc(&run->text, ',');
		f = sent_event_new(run, start, sender,
		    atomic_load(&run->shared->subs[channel]));
		put_event(run, &run->text, f->seq, channel);
		run->next_channel = (channel + 1) % run->conf->channels;
	}
	if (batch > 1)
		buf_append(&run->text, S("]}"));
	p->busy = run->worked = true;
	p->started = start;
	put_request(run, p, buf_str(run->text));
	peer_write(run, p);
}

void
publish_feed(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	uint64_t step = conf->rate > 0 ? (uint64_t)(1e9 / conf->rate) : 0;

	for (uint32_t i = 0; i < conf->publishers; i++) {
		struct peer *p = &run->publishers[i];

		if (p->busy)
			continue;
		if (conf->rate > 0) {
			if (run->intended > run->now)
				return;
			publish(run, p, run->intended);
			run->intended += step;
		} else if (atomic_load_explicit(&run->shared->nsent,
			       memory_order_relaxed) < conf->in_flight)
			publish(run, p, run->now);
	}
}

/*
 * Adds the readers to the list of each channel, and makes the slow ones stop.
 */
static void
count_readers(struct run *run)
{
	const struct bench_conf *conf = run->conf;
	struct epoll_event none = { 0 };

	for (uint32_t i = 0; i < run->nclients; i++) {
		struct peer *p = &run->clients[i];

		p->last = xcalloc(run->nlast + 1, sizeof(*p->last));
		if (p->slow)
			epoll_ctl(run->ep, EPOLL_CTL_DEL, p->fd, &none);
		for (uint32_t k = 0; !p->slow && k < conf->subscriptions; k++)
			atomic_fetch_add(
			    &run->shared
				 ->subs[(p->channel + k) % conf->channels],
			    1);
	}
}

bool
publish_begin(struct run *run)
{
	bench_bring_up(run);
	if (!bench_is_ok(run))
		return false;
	count_readers(run);
	bench_barrier(run);
	bench_begin(run);
	return true;
}

void
publish_run(struct run *run)
{
	if (!publish_begin(run))
		return;
	do {
		if (run->process == 0)
			publish_feed(run);
	} while (bench_may_go_on(run, "answered and delivered"));
	bench_end(run);
	sent_event_wait(run);
}

/*
 * Reads the unread bytes of the slow clients, until the end or until nothing
 * comes.
 */
static void
drain_slow(struct run *run)
{
	uint64_t end = bench_now() + SLOW_DRAIN_NS;
	uint32_t open = 0;

	for (uint32_t i = 0; i < run->nclients; i++) {
		struct peer *p = &run->clients[i];
		struct epoll_event e = { .events = EPOLLIN, .data.ptr = p };

		if (!p->slow || p->fd == -1)
			continue;
		epoll_ctl(run->ep, EPOLL_CTL_ADD, p->fd, &e);
		open++;
	}
	while (open > 0 && run->r->slow_closed < open && bench_now() < end &&
	    bench_is_ok(run))
		bench_turn(run);
}

void
publish_run_slow(struct run *run)
{
	uint64_t delivered;

	publish_run(run);
	if (run->conf->pid != 0 && run->process == 0)
		run->r->pss = bench_pss(run->conf->pid);
	delivered = run->r->delivered;
	if (bench_is_ok(run))
		drain_slow(run);
	run->r->delivered = delivered;
}

void
idle_run(struct run *run)
{
	uint64_t end;

	bench_bring_up(run);
	bench_barrier(run);
	bench_begin(run);
	end = run->start + (uint64_t)(run->conf->seconds * 1e9);
	while (bench_now() < end && bench_is_ok(run)) {
		bench_nap(run, IDLE_NAP_NS);
		bench_turn(run);
	}
	bench_end(run);
	bench_barrier(run);
}
