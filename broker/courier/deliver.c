/* SPDX-License-Identifier: MIT */
/*
 * deliver.c: sends requests with libcurl's multi interface on the libev loop.
 * Owns the curl handles.  Success is a 2xx within the time; redirects are not
 * followed, proxies of the environment are not used, certificates are checked.
 * The address is checked when the socket is made, after every name lookup, and
 * again before a request goes over a reused connection.  Must never log a body,
 * a header or a URL.
 */

#include "broker/courier/deliver.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/list.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/pusher/webhook.h"

#define ANSWER_MAX 4096 /* bytes of a body that are read */
#define HEADS_MAX 65536 /* bytes of the lines before it */
#define FDS_NEEDED 6    /* by one request: resolver, socket, certificates */

struct deliver {
	struct ev_loop *loop;
	const struct conf *conf;
	deliver_done done;
	CURLM *multi;
	ev_timer timer;
	struct list requests;
};

struct request {
	struct list link; /* in requests */
	struct deliver *d;
	CURL *easy;
	struct curl_slist *headers;
	struct buf *body;
	void *owner;
	bool allow_private, refused;
	bool starved;    /* no descriptor was free for a socket */
	uint32_t status; /* of the answer at hand; 0: not there yet */
	bool answered;   /* with a whole head */
	bool garbled;    /* the answer begins with no status line */
	size_t answer;   /* bytes of the body so far */
	size_t heads;    /* bytes of the lines before it */
	char error[CURL_ERROR_SIZE];
};

struct sock {
	ev_io io;
	struct deliver *d;
};

/* ---- callbacks of curl ---- */

static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct request *r = arg;
	int fd;

	if (!r->allow_private && !webhook_addr_is_public(&a->addr)) {
		r->refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd == -1 && (errno == EMFILE || errno == ENFILE))
		r->starved = true;
	return fd;
}

static bool
is_public_text(const char *ip)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_storage ss = { 0 };

	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof(in));
	else if (inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof(in6));
	return webhook_addr_is_public((struct sockaddr *)&ss);
}

static int
on_prereq(void *arg, char *ip, char *local, int port, int local_port)
{
	struct request *r = arg;

	if (r->allow_private || is_public_text(ip))
		return CURL_PREREQFUNC_OK;
	r->refused = true;
	return CURL_PREREQFUNC_ABORT;
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct request *r = arg;

	r->answer += size * n;
	return r->answer > ANSWER_MAX ? 0 : size * n;
}

/*
 * The status of "HTTP/1.1 204 No Content", or 0.  curl takes any line with such
 * a beginning, in capitals or not, for HTTP, and an unknown one for a 200.
 */
static uint32_t
status_of(struct str line)
{
	uint64_t status;

	if (line.n < 13 || !str_starts(line, S("HTTP/1.")) ||
	    (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ' ||
	    (line.p[12] != ' ' && line.p[12] != '\r' && line.p[12] != '\n') ||
	    str_to_u64(str_make(line.p + 9, 3), 999, &status) == -1 ||
	    status < 100)
		return 0;
	return (uint32_t)status;
}

/* Bounds the head: a server may send header lines without end. */
static size_t
on_head(char *p, size_t size, size_t n, void *arg)
{
	struct request *r = arg;
	struct str line = str_make(p, size * n);

	if (r->status == 0) {
		r->status = status_of(line);
		r->garbled = r->status == 0;
	} else if (line.n > 0 && (line.p[0] == '\r' || line.p[0] == '\n')) {
		/* After 1xx another head follows; trailers are not bounded. */
		if (r->status < 200 && r->status != 101)
			r->status = 0;
		else
			r->answered = true;
	}
	r->heads += size * n;
	return r->garbled || r->heads > HEADS_MAX ? 0 : size * n;
}

/* ---- the loop ---- */

static void finish_all(struct deliver *);

static void
act(struct deliver *d, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(d->multi, fd, events, &running);
	finish_all(d);
}

static void
on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct sock *s = container_of(w, struct sock, io);

	act(s->d, w->fd,
	    (revents & EV_READ ? CURL_CSELECT_IN : 0) |
		(revents & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	act(container_of(w, struct deliver, timer), CURL_SOCKET_TIMEOUT, 0);
}

static int
on_set_timer(CURLM *multi, long ms, void *arg)
{
	struct deliver *d = arg;

	ev_timer_stop(d->loop, &d->timer);
	if (ms >= 0) {
		ev_timer_set(&d->timer, (double)ms / 1000, 0.);
		ev_timer_start(d->loop, &d->timer);
	}
	return 0;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *sockp)
{
	struct deliver *d = arg;
	struct sock *s = sockp;

	if (what == CURL_POLL_REMOVE) {
		if (s != NULL)
			ev_io_stop(d->loop, &s->io);
		free(s);
		return 0;
	}
	if (s == NULL) {
		s = xcalloc(1, sizeof(*s));
		s->d = d;
		ev_init(&s->io, on_io);
		curl_multi_assign(d->multi, fd, s);
	}
	ev_io_stop(d->loop, &s->io);
	ev_io_set(&s->io, fd,
	    (what & CURL_POLL_IN ? EV_READ : 0) |
		(what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(d->loop, &s->io);
	return 0;
}

/* ---- requests ---- */

static void
request_free(struct request *r)
{
	list_remove(&r->link);
	curl_slist_free_all(r->headers);
	buf_unref(r->body);
	curl_easy_cleanup(r->easy);
	free(r);
}

/*
 * Always a new handle: libcurl before 8.1 keeps a pointer to the last header of
 * a handle's previous transfer, and an answer that begins with a folded line
 * would be written there.  The connections belong to the multi handle.
 */
static struct request *
request_new(struct deliver *d)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->d = d;
	r->easy = curl_easy_init();
	if (r->easy == NULL)
		fatalx("no memory for a request");
	list_init(&r->link);
	list_append(&d->requests, &r->link);
	return r;
}

static bool
has_descriptors(void)
{
	int fds[FDS_NEEDED], n = 0;
	bool all;

	while (n < FDS_NEEDED && (fds[n] = eventfd(0, EFD_CLOEXEC)) != -1)
		n++;
	all = n == FDS_NEEDED;
	while (n > 0)
		close(fds[--n]);
	return all;
}

static void
finish(struct request *r, CURLcode code)
{
	struct deliver_result result = { .ok = false };
	struct deliver *d = r->d;
	void *owner = r->owner;
	char text[CURL_ERROR_SIZE + 64];

	result.status = r->status;
	result.text = text;
	/*
	 * With the head the server has answered, whatever happens to the body.
	 */
	result.ok = r->answered && r->status >= 200 && r->status <= 299;
	/* Name lookups and certificates need descriptors, too. */
	result.starved = !result.ok && r->status == 0 && !r->refused &&
	    !r->garbled && (r->starved || !has_descriptors());
	if (r->refused && r->status == 0)
		snprintf(text, sizeof(text),
		    "the address is private (webhook_allow_private)");
	else if (r->answered && r->status >= 200)
		snprintf(text, sizeof(text), "HTTP %" PRIu32, r->status);
	else if (r->garbled)
		snprintf(text, sizeof(text), "the answer is not HTTP");
	else
		snprintf(text, sizeof(text), "%s",
		    r->error[0] != '\0' ? r->error : curl_easy_strerror(code));
	request_free(r);
	d->done(owner, &result);
}

static void
finish_all(struct deliver *d)
{
	struct request *r;
	CURLMsg *m;
	CURLcode code;
	char *p;
	int left;

	while ((m = curl_multi_info_read(d->multi, &left)) != NULL) {
		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &p);
		r = (struct request *)(void *)p;
		curl_multi_remove_handle(d->multi, r->easy);
		finish(r, code);
	}
}

static void
add_header(struct request *r, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);

	r->headers = curl_slist_append(r->headers, line);
	free(line);
}

static void
add_headers(struct request *r, const struct deliver_request *q)
{
	struct str rest = str_of(q->headers), line;
	char *text;

	/* A name without a value stops curl from sending its own header. */
	r->headers = curl_slist_append(r->headers, "Accept:");
	r->headers = curl_slist_append(r->headers, "Expect:");
	add_header(r, "Content-Type", "application/json");
	add_header(r, "X-Pusher-Key", q->key);
	add_header(r, "X-Pusher-Signature", q->signature);
	add_header(r, "X-Pusherd-Delivery", q->name);
	while (rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (line.n == 0)
			continue;
		text = str_dup(line);
		r->headers = curl_slist_append(r->headers, text);
		free(text);
	}
}

static void
set_up(struct request *r, const char *url)
{
	const struct conf *conf = r->d->conf;
	const char *body = r->body->data;
	CURL *e = r->easy;

	curl_easy_setopt(e, CURLOPT_PRIVATE, r);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	/* A name lookup that lasts longer than the attempt is abandoned. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(
	    e, CURLOPT_TIMEOUT_MS, (long)conf->webhook_timeout * 1000);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "pusherd/" PUSHERD_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)r->body->len);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_prereq);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, r);
	if (conf->webhook_ca_file[0] != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, conf->webhook_ca_file);
}

void
deliver_start(struct deliver *d, const struct deliver_request *q)
{
	struct request *r = request_new(d);

	r->owner = q->owner;
	r->allow_private = q->allow_private;
	r->body = buf_from(q->body);
	add_headers(r, q);
	set_up(r, q->url);
	if (curl_multi_add_handle(d->multi, r->easy) != CURLM_OK)
		fatalx("curl accepts no request");
}

static void
open_multi(struct deliver *d)
{
	d->multi = curl_multi_init();
	if (d->multi == NULL)
		fatalx("cannot start curl");
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
	curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, 256L);
}

bool
deliver_has_descriptors(struct deliver *d)
{
	if (has_descriptors())
		return true;
	if (!list_is_empty(&d->requests))
		return false;
	curl_multi_cleanup(d->multi);
	ev_timer_stop(d->loop, &d->timer);
	open_multi(d);
	return has_descriptors();
}

/*
 * A name lookup ends when its attempt does, unless the environment says
 * otherwise: its thread would go on without it (resolv.conf(5): a second try
 * lasts twice as long).
 */
static void
bound_lookups(const struct conf *conf)
{
	char text[64];

	snprintf(text, sizeof(text), "timeout:%llu attempts:2",
	    (unsigned long long)MAX(conf->webhook_timeout / 3, 1));
	if (setenv("RES_OPTIONS", text, 0) == -1)
		log_warn("RES_OPTIONS");
}

struct deliver *
deliver_new(struct ev_loop *loop, const struct conf *conf, deliver_done done)
{
	struct deliver *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->conf = conf;
	d->done = done;
	list_init(&d->requests);
	ev_init(&d->timer, on_timer);
	bound_lookups(conf);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatalx("cannot start curl");
	open_multi(d);
	return d;
}

void
deliver_free(struct deliver *d)
{
	while (!list_is_empty(&d->requests)) {
		struct request *r =
		    LIST_ITEM(d->requests.next, struct request, link);

		curl_multi_remove_handle(d->multi, r->easy);
		request_free(r);
	}
	curl_multi_cleanup(d->multi);
	curl_global_cleanup();
	ev_timer_stop(d->loop, &d->timer);
	free(d);
}
