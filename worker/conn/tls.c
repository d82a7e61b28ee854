/* SPDX-License-Identifier: MIT */
/*
 * tls.c: TLS on a client's socket, by OpenSSL.  Owns the worker's contexts and
 * the SSL of each connection.  Each record has a cost, so a client's queue is
 * gathered into as few records as possible, at the end of the turn.  An idle
 * connection has no buffer (SSL_MODE_RELEASE_BUFFERS).  A handshake costs a
 * thousand times as much as a message: a turn starts or continues a limited
 * number of them, and the others wait in the kernel.  Must never wait, open a
 * file, or keep a session for a client that has left.
 */

#include "worker/conn/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/outq.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"
#include "worker/core/core.h"

#define TURN_HANDSHAKES 32 /* steps of handshakes in one turn */

static const char plain_http[] =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 64\r\n"
    "Connection: close\r\n"
    "\r\n"
    "{\"error\":\"plain HTTP on a port for HTTPS: use https\",\"code\":400}";

/* ---- the contexts ---- */

static void
take_tickets(struct tls *t, const struct tls_store *store)
{
	if (tls_store_ticket_generation(store) != t->ticket_generation)
		tls_store_tickets(
		    store, t->home.tickets, &t->ticket_generation);
}

/* The master has tested the certificates: a failure is unexpected. */
static void
take_bundle(struct tls *t, const struct tls_store *store)
{
	struct buf *bundle = tls_store_get(store, &t->generation);
	struct tls_set *set;
	char *why;
	int which;

	set = tls_set_new(&t->home, buf_str(bundle), &which, &why);
	tls_bundle_free(bundle);
	if (set == NULL) {
		log_warnx("cannot use certificate %d: %s", which, why);
		free(why);
		return;
	}
	tls_set_free(t->home.set);
	t->home.set = set;
}

void
tls_refresh(struct worker *w)
{
	const struct tls_store *store = w->inherit->tls;

	if (store == NULL)
		return;
	take_tickets(w->tls, store);
	if (tls_store_generation(store) != w->tls->generation)
		take_bundle(w->tls, store);
}

void
tls_init(struct worker *w)
{
	w->tls->record = xmalloc(TLS_RECORD_BYTES);
	tls_refresh(w);
}

void
tls_free(struct worker *w)
{
	tls_set_free(w->tls->home.set);
	OPENSSL_cleanse(w->tls->home.tickets, sizeof(w->tls->home.tickets));
	free(w->tls->record);
}

void
tls_turn(struct worker *w)
{
	w->tls->started = 0;
}

/* ---- one connection ---- */

bool
tls_begin(struct worker *w, struct tls_conn *t, int fd)
{
	if (w->tls->home.set == NULL)
		return false;
	t->ssl = SSL_new(tls_set_default(w->tls->home.set));
	if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1)
		fatalx("no memory for TLS");
	SSL_set_accept_state(t->ssl);
	t->state = TLS_SHAKING;
	return true;
}

void
tls_end(struct worker *w, struct tls_conn *t)
{
	if (t->ssl == NULL)
		return;
	if (t->state == TLS_SHAKING)
		w->tls->failed++;
	/* The client must see that the server closed it. */
	if (t->state == TLS_OPEN)
		tls_shutdown(t);
	SSL_free(t->ssl);
	t->ssl = NULL;
}

/*
 * The client speaks HTTP here: answers in HTTP.  OpenSSL has read the method
 * and, of a GET, the slash.  Programs that look for open ports ask other paths.
 */
static void
answer_plainly(struct tls_conn *t)
{
	int fd = SSL_get_fd(t->ssl);
	char rest[1024];
	ssize_t n;

	if (ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_HTTP_REQUEST)
		return;
	n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
	t->plain = n > 0 &&
	    (memmem(rest, (size_t)n, "app/", 4) != NULL ||
		memmem(rest, (size_t)n, "apps/", 5) != NULL);
	if (send(fd, plain_http, sizeof(plain_http) - 1,
		MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		log_debug("cannot send the answer to plain HTTP");
}

static ssize_t
fail(struct tls_conn *t)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	if (t->state == TLS_SHAKING) {
		log_debug("TLS handshake failed: %s",
		    why == NULL ? "the client has left" : why);
		answer_plainly(t);
	}
	/* tls_end() must know that a handshake has failed. */
	if (t->state != TLS_SHAKING)
		t->state = TLS_BROKEN;
	ERR_clear_error();
	errno = EPROTO;
	return -1;
}

static ssize_t
later(void)
{
	errno = EAGAIN;
	return -1;
}

static void
opened(struct worker *w, struct tls_conn *t)
{
	t->state = TLS_OPEN;
	w->tls->accepted++;
	if (SSL_session_reused(t->ssl))
		w->tls->resumed++;
}

ssize_t
tls_recv(struct worker *w, struct tls_conn *t, char *out, size_t cap)
{
	int n;

	if (t->state == TLS_SHAKING && w->tls->started++ >= TURN_HANDSHAKES)
		return later(); /* the socket stays readable */
	ERR_clear_error();
	errno = 0;
	t->wants_write = false;
	n = SSL_read(t->ssl, out, (int)MIN(cap, (size_t)INT32_MAX));
	if (t->state == TLS_SHAKING && SSL_is_init_finished(t->ssl))
		opened(w, t);
	if (n > 0)
		return n;
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_WRITE:
		t->wants_write = true;
		return later();
	case SSL_ERROR_WANT_READ:
		return later();
	default:
		return fail(t);
	}
}

/*
 * The next bytes for one record: in place if they are in one piece, or
 * gathered.
 */
static struct str
gather(struct worker *w, const struct outq *q, size_t max)
{
	const struct slice *s = outq_front(q);
	size_t n = MIN(max, (size_t)TLS_RECORD_BYTES);

	if (q->n == 1 || s->len >= n)
		return str_make(s->b->data + s->off, MIN((size_t)s->len, n));
	return str_make(w->tls->record, outq_peek(q, w->tls->record, n));
}

/*
 * After WANT_WRITE the same bytes must be passed again: they are still the
 * first of the queue, which only grows, and so does the part that may be
 * written.
 */
int
tls_send(struct worker *w, struct tls_conn *t, struct outq *q, size_t max)
{
	struct str s;
	int n;

	for (size_t sent = 0; !outq_is_empty(q); sent += (size_t)n) {
		if (t->state != TLS_OPEN)
			return -1;
		if (sent >= max)
			return 0;
		s = gather(w, q, max - sent);
		ERR_clear_error();
		n = SSL_write(t->ssl, s.p, (int)s.n);
		if (n > 0) {
			outq_consume(q, (size_t)n);
			continue;
		}
		if (SSL_get_error(t->ssl, n) == SSL_ERROR_WANT_WRITE)
			return 0;
		fail(t);
		return -1;
	}
	return 1;
}

int
tls_shutdown(struct tls_conn *t)
{
	int r;

	if (t->state != TLS_OPEN)
		return 1; /* there is nobody to say it to, or it is said */
	ERR_clear_error();
	r = SSL_shutdown(t->ssl);
	if (r < 0 && SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_WRITE)
		return 0;
	t->state = TLS_ENDING;
	ERR_clear_error();
	return 1;
}
