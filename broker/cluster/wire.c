/* SPDX-License-Identifier: MIT */
/*
 * wire.c: one connection to a Redis server: the socket, TLS, and the queue of
 * what was asked.  hiredis writes the commands and reads the answers.  Owns
 * struct wire.  Must never wait, look a name up, or know what an answer means.
 */

#include "broker/cluster/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"

#define READ_BYTES (64u << 10) /* at once */
#define READS 16               /* in one turn */
#define LIFE_BYTES 4096        /* of an answer are a sign of life */

static void on_io(struct ev_loop *, ev_io *, int);

void
wire_close(struct wire *w)
{
	if (!wire_is_open(w))
		return;
	ev_io_stop(w->loop, &w->io);
	SSL_free(w->ssl);
	close(w->io.fd);
	redisReaderFree(w->reader);
	outq_clear(&w->out);
	free(w->what);
	w->ssl = NULL;
	w->reader = NULL;
	w->what = NULL;
	w->up = false;
	w->n = w->cap = 0;
}

static void
fail(struct wire *w, const char *why)
{
	wire_close(w);
	w->ops->down(w->owner, w, why);
}

/* ---- the socket, and TLS over it ---- */

static int
begin_tls(struct wire *w, const struct wire_to *to)
{
	if (to->tls == NULL)
		return 0;
	w->ssl = SSL_new(to->tls);
	if (w->ssl == NULL || SSL_set_fd(w->ssl, w->io.fd) != 1)
		return -1;
	SSL_set_connect_state(w->ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), to->name) ==
	    1)
		return 0;
	ERR_clear_error();
	return SSL_set_tlsext_host_name(w->ssl, to->name) == 1 &&
		SSL_set1_host(w->ssl, to->name) == 1
	    ? 0
	    : -1;
}

int
wire_open(struct wire *w, const struct wire_to *to)
{
	int fd = socket(to->addr.ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd == -1)
		return -1;
	if (to->addr.ss.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	w->reader = redisReaderCreate();
	if (w->reader == NULL)
		fatalx("out of memory");
	outq_init(&w->out);
	ev_io_init(&w->io, on_io, fd, EV_WRITE);
	w->io.data = w;
	w->asked = ev_now(w->loop);
	if ((connect(fd, (const struct sockaddr *)&to->addr.ss, to->addr.len) ==
		    -1 &&
		errno != EINPROGRESS) ||
	    begin_tls(w, to) == -1) {
		wire_close(w);
		return -1;
	}
	ev_io_start(w->loop, &w->io);
	return 0;
}

static void
watch(struct wire *w, int events)
{
	if ((w->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(w->loop, &w->io);
	ev_io_modify(&w->io, events);
	ev_io_start(w->loop, &w->io);
}

/* The error of the last call, from OpenSSL or errno. */
static const char *
tls_error(const struct wire *w)
{
	long verdict = SSL_get_verify_result(w->ssl);
	unsigned long e = ERR_get_error();
	const char *text = e == 0 ? NULL : ERR_reason_error_string(e);

	ERR_clear_error();
	if (verdict != X509_V_OK)
		return X509_verify_cert_error_string(verdict);
	if (text != NULL)
		return text;
	return errno != 0 ? strerror(errno) : "the connection was closed";
}

/*
 * After a call of OpenSSL that gave r: 1: done; 0: it waits for the socket; -1:
 * the connection has failed, and is closed.
 */
static int
after_tls(struct wire *w, int r)
{
	int e = SSL_get_error(w->ssl, r);

	if (r > 0)
		return 1;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE) {
		watch(w,
		    e == SSL_ERROR_WANT_WRITE || (w->up && w->out.n > 0)
			? EV_READ | EV_WRITE
			: EV_READ);
		return 0;
	}
	fail(w, tls_error(w));
	return -1;
}

/* Connected?  True when bytes may flow. */
static bool
becomes_up(struct wire *w)
{
	socklen_t n = sizeof(int);
	int e = 0;

	if (w->ssl == NULL || SSL_in_before(w->ssl)) {
		getsockopt(w->io.fd, SOL_SOCKET, SO_ERROR, &e, &n);
		if (e != 0) {
			fail(w, strerror(e));
			return false;
		}
	}
	errno = 0;
	if (w->ssl != NULL && after_tls(w, SSL_do_handshake(w->ssl)) != 1)
		return false;
	w->up = true;
	watch(w, EV_READ);
	w->ops->up(w->owner, w);
	return wire_is_open(w);
}

/* True: all has left. */
static bool
send_tls(struct wire *w)
{
	const struct slice *s;
	int r;

	while ((s = outq_front(&w->out)) != NULL) {
		errno = 0;
		r = SSL_write(w->ssl, s->b->data + s->off, (int)s->len);
		if (after_tls(w, r) != 1)
			return false;
		outq_consume(&w->out, (size_t)r);
	}
	return true;
}

static void
flush(struct wire *w)
{
	int r;

	if (w->ssl != NULL) {
		if (send_tls(w))
			watch(w, EV_READ);
		return;
	}
	r = outq_send(&w->out, w->io.fd, SIZE_MAX);
	if (r == -1)
		fail(w, strerror(errno));
	else
		watch(w, r == 1 ? EV_READ : EV_READ | EV_WRITE);
}

/* ---- answers ---- */

/* Single bytes of an answer that never ends are none. */
static void
sign_of_life(struct wire *w)
{
	w->asked = ev_now(w->loop);
	w->since = 0;
}

/* Passes on the answers that are complete; the owner may close it meanwhile. */
static bool
pass_answers(struct wire *w)
{
	redisReader *reader = w->reader;
	unsigned what;
	void *r;

	while (wire_is_open(w) && w->reader == reader) {
		if (redisReaderGetReply(reader, &r) != REDIS_OK) {
			fail(w, "the answer is not one of Redis");
			return false;
		}
		if (r == NULL)
			return true;
		if (w->n == 0) {
			freeReplyObject(r);
			fail(w, "an answer without a question");
			return false;
		}
		what = w->what[w->first];
		w->first = (w->first + 1) % w->cap;
		w->n--;
		sign_of_life(w);
		w->ops->reply(w->owner, w, what, r);
		freeReplyObject(r);
	}
	return false;
}

/* Bytes read; 0: none now; -1: it is closed. */
static ssize_t
receive(struct wire *w, char *to, size_t room)
{
	ssize_t n;
	int r;

	errno = 0;
	if (w->ssl != NULL) {
		r = SSL_read(w->ssl, to, (int)room);
		return after_tls(w, r) == 1 ? r : wire_is_open(w) ? 0 : -1;
	}
	n = recv(w->io.fd, to, room, 0);
	if (n > 0)
		return n;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	fail(w, n == 0 ? "the connection was closed" : strerror(errno));
	return -1;
}

static void
on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct wire *w = io->data;
	static char bytes[READ_BYTES];
	ssize_t n = 1;

	if (!w->up && !becomes_up(w))
		return;
	if (!outq_is_empty(&w->out))
		flush(w);
	for (int i = 0; i < READS && wire_is_open(w); i++) {
		n = receive(w, bytes, sizeof(bytes));
		if (n <= 0)
			return;
		w->since += (size_t)n;
		if (w->since >= LIFE_BYTES)
			sign_of_life(w);
		if (redisReaderFeed(w->reader, bytes, (size_t)n) != REDIS_OK) {
			fail(w, "the answer is not one of Redis");
			return;
		}
		if (!pass_answers(w))
			return;
	}
	/* OpenSSL may have more of it, of which the socket tells nothing. */
	if (wire_is_open(w) && w->ssl != NULL)
		ev_feed_event(loop, io, EV_READ);
}

/* Its answer comes after those to all earlier ones. */
static void
note(struct wire *w, unsigned char what)
{
	unsigned char *more;

	if (w->n == w->cap) {
		more = xmalloc(w->cap == 0 ? 64 : w->cap * 2);
		for (unsigned i = 0; i < w->n; i++)
			more[i] = w->what[(w->first + i) % w->cap];
		free(w->what);
		w->what = more;
		w->cap = w->cap == 0 ? 64 : w->cap * 2;
		w->first = 0;
	}
	w->what[(w->first + w->n++) % w->cap] = what;
}

void
wire_ask(struct wire *w, unsigned what, int argc, const char **argv,
    const size_t *lens)
{
	char *text = NULL;
	long long n;

	if (!w->up)
		return;
	n = redisFormatCommandArgv(&text, argc, argv, lens);
	if (n < 0)
		fatalx("out of memory");
	if (w->n == 0)
		sign_of_life(w);
	note(w, (unsigned char)what);
	outq_push_copy(&w->out, str_make(text, (size_t)n));
	free(text);
	ev_feed_event(w->loop, &w->io, EV_WRITE);
}

void
wire_log_in(struct wire *w, unsigned what, const struct cluster_login *l)
{
	const char *argv[3] = { "AUTH" };
	size_t lens[3] = { 4 };
	int n = 1;

	if (l->user != NULL) {
		argv[n] = l->user->data;
		lens[n++] = l->user->len;
	}
	if (l->password != NULL) {
		argv[n] = l->password->data;
		lens[n++] = l->password->len;
		wire_ask(w, what, n, argv, lens);
	}
}

double
wire_silence(const struct wire *w)
{
	return wire_is_open(w) && (!w->up || w->n > 0)
	    ? ev_now(w->loop) - w->asked
	    : 0;
}
