/* SPDX-License-Identifier: MIT */
/*
 * ctl.c: one question to the broker: connect, CTL_HELLO, CTL_ASK, then rows and
 * one end (ipc_msgs.def).  Owns the descriptor and the received bytes.  It
 * waits at most for the time-out without a byte from the other end, and trusts
 * nothing that comes: a message that is not a row or an end of this form is an
 * error.
 */

#include "cli/cmd/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/net/sock.h"

#define READ_BYTES (64u << 10)
#define RETRY_MS 20 /* while the daemon's queue of connections is full */

static const char hung_up[] = "pusherd hung up before its answer: it is "
			      "stopping or restarting";

struct talk {
	const struct ctl_question *q;
	int fd;
	struct buf *in;
	uint32_t off; /* first byte not yet looked at */
	char **why;
};

static enum ctl_result
fail(struct talk *t, const char *what)
{
	*t->why = xasprintf("%s: %s", t->q->path, what);
	return CTL_FAILED;
}

static enum ctl_result
fail_errno(struct talk *t)
{
	int e = errno;

	if (e == ENOENT || e == ECONNREFUSED) {
		*t->why = xasprintf(
		    "pusherd is not running (nobody listens at %s): start it, "
		    "or name its configuration file: -c FILE",
		    t->q->path);
		return CTL_ABSENT;
	}
	if (e == EACCES || e == EPERM)
		return fail(t,
		    "permission denied: run pusherctl as root or as "
		    "the user of pusherd");
	return fail(t, strerror(e));
}

/* Waits for the events: 1, or 0 when the time is over. */
static int
wait_for(const struct talk *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int n;

	do
		n = poll(
		    &p, 1, t->q->timeout_ms == 0 ? -1 : (int)t->q->timeout_ms);
	while (n == -1 && errno == EINTR);
	return n > 0;
}

/* A Unix socket answers EAGAIN while the listener's queue is full. */
static enum ctl_result
open_socket(struct talk *t)
{
	struct timespec pause = { 0, RETRY_MS * 1000000L };
	unsigned waited = 0, patience = t->q->timeout_ms;

	if (patience == 0)
		patience = CTL_TIMEOUT_MS;
	for (;;) {
		t->fd = sock_connect_unix(t->q->path);
		if (t->fd != -1)
			return CTL_DONE;
		if (errno != EAGAIN || waited >= patience)
			break;
		nanosleep(&pause, NULL);
		waited += RETRY_MS;
	}
	if (errno == EAGAIN)
		return fail(t, "pusherd does not accept a connection");
	return fail_errno(t);
}

/*
 * Sends both messages.  When the other end has closed already its reason may
 * still lie in the socket, so that is not an error here.
 */
static enum ctl_result
send_question(struct talk *t)
{
	struct msg_ctl_hello hello = { .build = S(PUSHERD_VERSION),
		.scope = t->q->scope == NULL ? S("") : str_of(t->q->scope) };
	struct msg_ctl_ask ask = { .verb = str_of(t->q->verb),
		.args = t->q->args };
	size_t nhello = msg_ctl_hello_size(&hello);
	size_t len = nhello + msg_ctl_ask_size(&ask), off = 0;
	char *bytes;
	ssize_t n;

	if (len > IPC_MAX_MESSAGE)
		return fail(t, "the request is too large");
	bytes = xmalloc(len);
	msg_ctl_hello_put(bytes, &hello);
	msg_ctl_ask_put(bytes + nhello, &ask);
	while (off < len) {
		n = send(t->fd, bytes + off, len - off, MSG_NOSIGNAL);
		if (n > 0)
			off += (size_t)n;
		else if (errno == EAGAIN ? !wait_for(t, POLLOUT)
					 : errno != EINTR)
			break;
	}
	free(bytes);
	if (off == len || errno == EPIPE || errno == ECONNRESET)
		return CTL_DONE;
	return fail(t,
	    errno == EAGAIN ? "pusherd does not read the request"
			    : strerror(errno));
}

/* Reads until a whole message lies at off: *type and *body. */
static enum ctl_result
next_message(struct talk *t, uint32_t *type, struct str *body)
{
	uint32_t have, len;
	ssize_t n;

	for (;;) {
		have = t->in->len - t->off;
		if (have >= IPC_HEAD) {
			memcpy(&len, t->in->data + t->off, sizeof(len));
			memcpy(type, t->in->data + t->off + 4, sizeof(*type));
			if (len < IPC_HEAD - 4 || len > IPC_MAX_MESSAGE - 4)
				return fail(t,
				    "the answer has a message of a wrong "
				    "length");
			if (have - 4 >= len)
				break;
		}
		if (t->off > 0 && buf_room(t->in) < READ_BYTES) {
			memmove(t->in->data, t->in->data + t->off, have);
			t->in->len = have;
			t->off = 0;
		}
		buf_reserve(&t->in, READ_BYTES);
		n = recv(t->fd, t->in->data + t->in->len, READ_BYTES, 0);
		if (n > 0) {
			t->in->len += (uint32_t)n;
		} else if (n == 0) {
			return fail(t, hung_up);
		} else if (errno == EAGAIN) {
			if (!wait_for(t, POLLIN)) {
				fail(t, "pusherd does not answer");
				return CTL_SILENT;
			}
		} else if (errno != EINTR) {
			return fail(
			    t, errno == ECONNRESET ? hung_up : strerror(errno));
		}
	}
	*body = str_make(t->in->data + t->off + IPC_HEAD, len + 4 - IPC_HEAD);
	t->off += len + 4;
	return CTL_DONE;
}

static enum ctl_result
on_row(struct talk *t, struct str body)
{
	struct msg_ctl_row m;
	struct json row;
	const char *err;

	if (msg_ctl_row_get(&m, body) == -1 ||
	    json_parse(m.json, &row, &err) == -1 || row.kind != JSON_OBJECT)
		return fail(t, "the answer has a malformed row");
	if (t->q->on_row != NULL)
		t->q->on_row(t->q->arg, row);
	return CTL_DONE;
}

static enum ctl_result
on_end(struct talk *t, struct str body)
{
	struct msg_ctl_end m;

	if (msg_ctl_end_get(&m, body) == -1)
		return fail(t, "the answer has a malformed end");
	if (m.code == 0)
		return CTL_DONE;
	*t->why = m.text.n > 0 ? str_dup(m.text) : xstrdup("refused");
	return CTL_REFUSED;
}

static enum ctl_result
read_answer(struct talk *t)
{
	enum ctl_result r;
	struct str body;
	uint32_t type;

	while ((r = next_message(t, &type, &body)) == CTL_DONE) {
		if (type == IPC_CTL_END)
			return on_end(t, body);
		if (type != IPC_CTL_ROW)
			return fail(t, "the answer has an unexpected message");
		if ((r = on_row(t, body)) != CTL_DONE)
			break;
		if (t->q->stop != NULL && *t->q->stop)
			return CTL_DONE;
	}
	return r;
}

enum ctl_result
ctl_ask(const struct ctl_question *q, char **why)
{
	struct talk t = { .q = q, .fd = -1, .why = why };
	enum ctl_result r;

	*why = NULL;
	t.in = buf_new(READ_BYTES);
	r = open_socket(&t);
	if (q->fd != NULL)
		*q->fd = t.fd;
	if (r == CTL_DONE)
		r = send_question(&t);
	if (r == CTL_DONE)
		r = read_answer(&t);
	if (t.fd != -1)
		close(t.fd);
	buf_unref(t.in);
	return r;
}
