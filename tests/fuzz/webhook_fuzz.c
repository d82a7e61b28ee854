/* SPDX-License-Identifier: MIT */
/*
 * Webhooks: a receiver that answers with any bytes in any pieces to the real
 * broker/courier/deliver.c, on a connection that is kept or not; and what an
 * endpoint may be told to be (URL, headers, filters).  A delivery counts as
 * successful only after a head with a 2xx that came after its request began,
 * and each request ends exactly once.  Input: which, then steps of the
 * receiver, or options.
 */

#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/courier/deliver.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"
#include "shared/pusher/webhook.h"

#define SENT_MAX (256u << 10) /* bytes for one request */
#define PATIENCE 20000        /* turns of a millisecond at most */

static const struct str parts[] = {
	{ "HTTP/1.1 200 OK\r\n", 17 },
	{ "HTTP/1.0 204 No Content\r\n\r\n", 27 },
	{ "HTTP/1.1 100 Continue\r\n\r\n", 25 },
	{ "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n", 35 },
	{ "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n", 50 },
	{ "Content-Length: ", 16 },
	{ "Transfer-Encoding: chunked\r\n", 28 },
	{ "Connection: close\r\n", 19 },
	{ "Connection: keep-alive\r\n", 24 },
	{ "HTTP/1.1 401 Who\r\nWWW-Authenticate: Basic realm=x\r\n", 50 },
	{ "Set-Cookie: a=b; Path=/\r\n", 25 },
	{ "Content-Encoding: gzip\r\n", 24 },
	{ "Upgrade: h2c\r\nConnection: Upgrade\r\n", 35 },
	{ "\r\n\r\n", 4 },
	{ "\r\n", 2 },
	{ "0\r\n\r\n", 5 },
};

struct receiver {
	struct ev_loop *loop;
	ev_timer tick;
	struct conf conf;
	int fd;           /* of the connection, or -1 */
	struct buf *sent; /* since the request at hand began */
	unsigned done;
	struct deliver_result result;
};

static int
listener(unsigned *port)
{
	static int fd = -1;
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	if (fd == -1) {
		/* deliver.c's own calls only count from here on. */
		curl_global_init(CURL_GLOBAL_DEFAULT);
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		assert_int_not_equal(fd, -1);
		assert_int_equal(
		    bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
		assert_int_equal(listen(fd, 100), 0);
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void
on_done(void *owner, const struct deliver_result *result)
{
	struct receiver *r = owner;

	r->done++;
	r->result = *result;
	assert_non_null(result->text);
	for (const char *p = result->text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			fail_msg("control byte in: %s", result->text);
	assert_true(*result->text != '\0');
}

static void
on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
}

static void
hang_up(struct receiver *r, bool rudely)
{
	struct linger rude = { 1, 0 };

	if (r->fd == -1)
		return;
	if (rudely)
		setsockopt(r->fd, SOL_SOCKET, SO_LINGER, &rude, sizeof(rude));
	close(r->fd);
	r->fd = -1;
}

/* The request is read and thrown away. */
static void
turn(struct receiver *r)
{
	char bytes[4096];
	unsigned port;
	int fd;

	ev_run(r->loop, EVRUN_NOWAIT);
	fd = accept(listener(&port), NULL, NULL);
	if (fd != -1) {
		hang_up(r, false);
		r->fd = fd;
		buf_unref(r->sent); /* it asks anew */
		r->sent = NULL;
		assert_int_equal(sock_set_nonblock(fd), 0);
	}
	while (r->fd != -1 && recv(r->fd, bytes, sizeof(bytes), 0) > 0)
		continue;
}

static void
answer(struct receiver *r, struct str s)
{
	ssize_t n;

	for (unsigned i = 0; i < 50 && r->fd == -1 && r->done == 0; i++) {
		turn(r);
		if (r->fd == -1)
			ev_run(r->loop, EVRUN_ONCE);
	}
	while (s.n > 0 && r->fd != -1 && r->done == 0) {
		n = send(r->fd, s.p, s.n, MSG_NOSIGNAL);
		if (n > 0) {
			buf_append(&r->sent, str_make(s.p, (size_t)n));
			s = str_from(s, (size_t)n);
		} else if (errno != EAGAIN) {
			hang_up(r, false);
		}
		turn(r);
	}
}

/* One step; false: that was the whole answer. */
static bool
step(struct receiver *r, struct input *in)
{
	uint8_t op = input_u8(in);
	unsigned times = 1;
	struct str s;

	if (op >= 0xc0) {
		answer(r, parts[op % nitems(parts)]);
		return true;
	}
	if (op >= 0xb8)
		return false;
	if (op >= 0xb4) {
		if (r->fd != -1 && (op & 1))
			shutdown(r->fd, SHUT_WR);
		else
			hang_up(r, op & 2);
		return false;
	}
	if (op >= 0xa0)
		times = 1 + input_u8(in) * 4u;
	s = input_str(in);
	while (times-- > 0 && r->done == 0 && buf_str(r->sent).n < SENT_MAX)
		answer(r, s);
	return true;
}

/* The status of the line at p, which ends with \n; 0: it is none. */
static unsigned
status_of(const char *p, size_t n)
{
	unsigned minor, status;
	char end;

	if (n < 13 ||
	    sscanf(p, "HTTP/1.%1u %3u%c", &minor, &status, &end) != 3 ||
	    minor > 1 || p[8] != ' ' || strspn(p + 9, "0123456789") != 3 ||
	    strchr(" \r\n", end) == NULL)
		return 0;
	return status;
}

/*
 * Behind any heads with 1xx there is one with 2xx, to its empty line.  Where
 * a line begins with a NUL, curl throws away what it has read, so nothing is
 * known.
 */
static bool
has_success(struct str s)
{
	char *text = str_dup(s), *line = text, *end;
	const char *last = text + s.n;
	unsigned status = 0;
	bool found = false;

	if (strlen(text) < s.n) {
		free(text);
		return true;
	}
	while (!found && line < last &&
	    (end = memchr(line, '\n', (size_t)(last - line))) != NULL) {
		if (status == 0) {
			status = status_of(line, (size_t)(end - line) + 1);
			if (status < 100)
				break;
		} else if (*line == '\r' || *line == '\n') {
			found = status / 100 == 2;
			if (status / 100 != 1 || status == 101)
				break;
			status = 0;
		}
		line = end + 1;
	}
	free(text);
	return found;
}

static void
request(struct receiver *r, struct deliver *d, struct input *in)
{
	struct deliver_request q = {
		.headers = "X-More: yes\n",
		.key = "key",
		.signature = "signature",
		.name = "name",
		.body = S("{\"events\":[]}"),
		.allow_private = true,
		.owner = r,
	};
	unsigned port, i;
	char *url;

	listener(&port);
	url = xasprintf("http://127.0.0.1:%u/hook", port);
	q.url = url;
	r->done = 0;
	buf_unref(r->sent);
	r->sent = NULL;
	deliver_start(d, &q);
	free(url);
	turn(r);
	while (in->n > 0 && r->done == 0 && step(r, in))
		continue;
	if (in->n == 0)
		hang_up(r, false);
	for (i = 0; i < PATIENCE && r->done == 0; i++) {
		/* A while for what it waits for; then there is no more. */
		if (i == 20)
			hang_up(r, false);
		turn(r);
		if (r->fd == -1 && r->done == 0)
			ev_run(r->loop, EVRUN_ONCE);
		if (i >= 20)
			hang_up(r, false);
	}
	assert_int_equal(r->done, 1);
	if (r->result.ok)
		assert_true(has_success(buf_str(r->sent)));
	assert_int_equal(r->result.ok && r->result.status / 100 != 2, 0);
	assert_true(r->result.status < 1000);
}

static void
answers(struct input *in)
{
	struct receiver r = { .fd = -1 };
	struct deliver *d;

	conf_init(&r.conf);
	r.conf.webhook_timeout = 2;
	r.loop = ev_loop_new(EVFLAG_AUTO);
	ev_timer_init(&r.tick, on_tick, 0.001, 0.001);
	ev_timer_start(r.loop, &r.tick);
	d = deliver_new(r.loop, &r.conf, on_done);
	for (int i = 0; i < 4 && (i == 0 || in->n > 0); i++)
		request(&r, d, in);
	/* One more is under way when everything ends. */
	deliver_free(d);
	hang_up(&r, false);
	turn(&r);
	hang_up(&r, false);
	buf_unref(r.sent);
	ev_loop_destroy(r.loop);
	conf_clear(&r.conf);
}

/* ---- endpoints ---- */

static bool
matches(struct str pattern, struct str text)
{
	/* can[j]: the pattern so far fits the first j bytes. */
	bool can[256] = { true }, next[256];

	for (size_t i = 0; i < pattern.n; i++) {
		bool any = false;

		for (size_t j = 0; j <= text.n; j++) {
			any = any || can[j];
			if (pattern.p[i] == '*')
				next[j] = any;
			else
				next[j] = j > 0 && can[j - 1] &&
				    (pattern.p[i] == '?' ||
					pattern.p[i] == text.p[j - 1]);
		}
		memcpy(can, next, sizeof(can));
	}
	return can[text.n];
}

static void
check_headers(struct str all)
{
	struct str line, name;

	assert_true(all.n <= WEBHOOK_HEADERS_MAX);
	assert_true(all.n == 0 || all.p[all.n - 1] == '\n');
	while (all.n > 0) {
		line = str_cut(&all, '\n');
		name = str_cut(&line, ':');
		assert_true(line.p != NULL && name.n > 0);
		for (size_t i = 0; i < name.n; i++)
			assert_true((unsigned char)name.p[i] > 0x20);
		for (size_t i = 0; i < line.n; i++)
			assert_true((unsigned char)line.p[i] >= 0x20 ||
			    line.p[i] == '\t');
	}
}

static void
check_endpoint(const struct webhook *w)
{
	assert_true(strlen(w->url) <= WEBHOOK_URL_MAX);
	if (*w->url != '\0')
		assert_true(strncmp(w->url, "http://", 7) == 0 ||
		    strncmp(w->url, "https://", 8) == 0);
	for (const char *p = w->url; *p != '\0'; p++)
		assert_true((unsigned char)*p > 0x20 && *p != 0x7f);
	check_headers(str_of(w->headers));
	assert_true(strlen(w->prefix) <= WEBHOOK_FILTER_MAX);
	assert_true(strlen(w->suffix) <= WEBHOOK_FILTER_MAX);
	assert_true(strlen(w->glob) <= WEBHOOK_FILTER_MAX);
	assert_true(w->mask < 1u << WEBHOOK_KINDS);
	assert_true(w->batch <= 1 && w->enabled <= 1);
}

/* Does the channel pass, written down a second time? */
static bool
wants(const struct webhook *w, struct str c)
{
	struct str p = str_of(w->prefix), s = str_of(w->suffix);
	struct str g = str_of(w->glob);

	if (p.n > c.n || (p.n > 0 && memcmp(c.p, p.p, p.n) != 0))
		return false;
	if (s.n > c.n || (s.n > 0 && memcmp(c.p + c.n - s.n, s.p, s.n) != 0))
		return false;
	return g.n == 0 || matches(g, c);
}

static void
endpoints(struct input *in)
{
	static const char *const options[] = { "url", "events",
		"channel-prefix", "channel-suffix", "channel-glob", "headers",
		"batch", "enabled", "secret" };
	struct webhook w, copy;
	char *text, *why;
	uint8_t op;
	int r;

	webhook_init(&w);
	for (int i = 0; i < 30 && in->n > 0; i++) {
		op = input_u8(in);
		text = str_dup(input_str(in));
		why = NULL;
		if (op >= 0x80)
			r = webhook_add_header(&w, text, &why);
		else
			r = webhook_set(
			    &w, options[op % nitems(options)], text, &why);
		assert_int_equal(r == -1, why != NULL);
		free(why);
		free(text);
		check_endpoint(&w);
	}
	webhook_copy(&copy, &w);
	check_endpoint(&copy);
	webhook_clear(&w);
	text = str_dup(input_bytes(in, 200));
	assert_int_equal(webhook_wants_channel(&copy, str_of(text)),
	    wants(&copy, str_of(text)));
	free(text);
	webhook_clear(&copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };

	fuzz_start();
	if (input_u8(&in) & 1)
		answers(&in);
	else
		endpoints(&in);
	return 0;
}
