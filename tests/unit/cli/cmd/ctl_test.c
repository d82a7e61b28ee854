/* SPDX-License-Identifier: MIT */
/* ctl.c against a broker made here that answers well, badly or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd/ctl.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"

#define BIG (2u << 20)
#define MANY 20000

static char dir[] = "/tmp/pusherctl-test-XXXXXX";
static char path[64];

/* ---- the other end; runs in a child ---- */

static void
add_row(struct buf **b, struct str json)
{
	struct msg_ctl_row m = { .json = json };

	msg_ctl_row_put(buf_reserve(b, msg_ctl_row_size(&m)), &m);
	(*b)->len += (uint32_t)msg_ctl_row_size(&m);
}

static void
add_end(struct buf **b, uint32_t code, struct str text)
{
	struct msg_ctl_end m = { .code = code, .text = text };

	msg_ctl_end_put(buf_reserve(b, msg_ctl_end_size(&m)), &m);
	(*b)->len += (uint32_t)msg_ctl_end_size(&m);
}

static void
send_all(int fd, struct str s, size_t piece)
{
	ssize_t n;

	for (; s.n > 0; s = str_from(s, (size_t)n)) {
		n = send(fd, s.p, MIN(s.n, piece), MSG_NOSIGNAL);
		if (n <= 0)
			_exit(1);
	}
}

/* The same, and frees it. */
static void
send_buf(int fd, struct buf *b, size_t piece)
{
	send_all(fd, buf_str(b), piece);
	buf_unref(b);
}

static void
read_all(int fd, void *p, size_t n)
{
	if (recv(fd, p, n, MSG_WAITALL) != (ssize_t)n)
		_exit(2);
}

/* One message; exits unless it is of this type.  The body is the caller's. */
static struct str
read_message(int fd, uint32_t want)
{
	uint32_t head[2];
	char *body;

	read_all(fd, head, sizeof(head));
	if (head[1] != want || head[0] < 4 || head[0] > BIG)
		_exit(3);
	body = xmalloc(head[0]);
	read_all(fd, body, head[0] - 4);
	return str_make(body, head[0] - 4);
}

/* The action of the fake broker after it has read the question. */
typedef void (*answer)(int fd, const struct msg_ctl_ask *);

static void
answer_echo(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;

	if (!str_eq(ask->verb, S("verb")))
		_exit(4);
	add_row(&b, ask->args);
	add_row(&b, S("{\"last\":true}"));
	add_end(&b, 0, S(""));
	send_buf(fd, b, 1);
}

static void
answer_refused(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;

	add_row(&b, S("{}"));
	add_end(&b, 1, S("no such app"));
	send_buf(fd, b, SIZE_MAX);
}

static void
answer_big(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *row = NULL, *b = NULL;
	char *p;

	buf_append(&row, S("{\"x\":\""));
	p = buf_reserve(&row, BIG);
	memset(p, 'x', BIG);
	row->len += BIG;
	buf_append(&row, S("\"}"));
	add_row(&b, buf_str(row));
	add_row(&b, buf_str(row));
	buf_unref(row);
	add_end(&b, 0, S(""));
	send_buf(fd, b, SIZE_MAX);
}

static void
answer_many(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;
	unsigned i;

	for (i = 0; i < MANY; i++)
		add_row(&b, S("{\"channel\":\"presence-somewhere\"}"));
	add_end(&b, 0, S(""));
	send_buf(fd, b, 12345);
}

static void
answer_silence(int fd, const struct msg_ctl_ask *ask)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, 5000); /* until the other end has had enough */
}

static void
answer_hang_up(int fd, const struct msg_ctl_ask *ask)
{
}

static void
answer_half(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;

	add_row(&b, S("{}"));
	add_end(&b, 0, S(""));
	b->len--;
	send_buf(fd, b, SIZE_MAX);
}

static void
answer_long(int fd, const struct msg_ctl_ask *ask)
{
	uint32_t head[2] = { IPC_MAX_MESSAGE, IPC_CTL_ROW };

	send_all(fd, str_make(head, sizeof(head)), SIZE_MAX);
}

static void
answer_short(int fd, const struct msg_ctl_ask *ask)
{
	uint32_t head[2] = { 3, IPC_CTL_END };

	send_all(fd, str_make(head, sizeof(head)), SIZE_MAX);
}

static void
answer_other_type(int fd, const struct msg_ctl_ask *ask)
{
	uint32_t head[2] = { 4, IPC_APPS_DONE };

	send_all(fd, str_make(head, sizeof(head)), SIZE_MAX);
}

static void
answer_row_no_json(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;

	add_row(&b, S("{"));
	send_buf(fd, b, SIZE_MAX);
}

static void
answer_row_no_object(int fd, const struct msg_ctl_ask *ask)
{
	struct buf *b = NULL;

	add_row(&b, S("[]"));
	send_buf(fd, b, SIZE_MAX);
}

static void
answer_end_no_fit(int fd, const struct msg_ctl_ask *ask)
{
	uint32_t bytes[3] = { 8, IPC_CTL_END, 0 };

	send_all(fd, str_make(bytes, sizeof(bytes)), SIZE_MAX);
}

/* Closes before the question is read, with a reason. */
static void
serve_early(int fd)
{
	struct buf *b = NULL;

	add_end(&b, 1, S("another build"));
	send_buf(fd, b, SIZE_MAX);
	shutdown(fd, SHUT_WR);
	_exit(0);
}

static void
serve(int listener, answer fn)
{
	struct msg_ctl_hello hello;
	struct msg_ctl_ask ask;
	int fd = accept(listener, NULL, NULL);

	if (fn == NULL)
		serve_early(fd);
	if (msg_ctl_hello_get(&hello, read_message(fd, IPC_CTL_HELLO)) == -1 ||
	    !str_eq(hello.build, S(PUSHERD_VERSION)) ||
	    msg_ctl_ask_get(&ask, read_message(fd, IPC_CTL_ASK)) == -1)
		_exit(5);
	fn(fd, &ask);
	_exit(0);
}

static int
listen_here(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(path);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* ---- this end ---- */

struct seen {
	unsigned rows;
	size_t bytes;
	bool last; /* the second row of answer_echo() */
};

static void
on_row(void *arg, struct json row)
{
	struct seen *s = arg;

	s->rows++;
	s->bytes += row.raw.n;
	s->last = json_get(row, S("last")).kind == JSON_TRUE;
}

static enum ctl_result
ask(struct seen *seen, unsigned timeout_ms, struct str args, char **why)
{
	struct ctl_question q = { .path = path,
		.verb = "verb",
		.args = args,
		.timeout_ms = timeout_ms,
		.on_row = on_row,
		.arg = seen };

	*seen = (struct seen){ .rows = 0 };
	return ctl_ask(&q, why);
}

static const struct {
	answer fn; /* NULL: serve_early() */
	enum ctl_result want;
	unsigned rows;
	const char *why; /* a part of it */
	unsigned timeout_ms;
} table[] = {
	{ answer_echo, CTL_DONE, 2, NULL, 5000 },
	{ answer_refused, CTL_REFUSED, 1, "no such app", 5000 },
	{ answer_big, CTL_DONE, 2, NULL, 5000 },
	{ answer_many, CTL_DONE, MANY, NULL, 5000 },
	{ answer_silence, CTL_SILENT, 0, "does not answer", 100 },
	{ answer_hang_up, CTL_FAILED, 0, "hung up", 5000 },
	{ answer_half, CTL_FAILED, 1, "hung up", 5000 },
	{ answer_long, CTL_FAILED, 0, "wrong length", 5000 },
	{ answer_short, CTL_FAILED, 0, "wrong length", 5000 },
	{ answer_other_type, CTL_FAILED, 0, "unexpected message", 5000 },
	{ answer_row_no_json, CTL_FAILED, 0, "malformed", 5000 },
	{ answer_row_no_object, CTL_FAILED, 0, "malformed", 5000 },
	{ answer_end_no_fit, CTL_FAILED, 0, "malformed", 5000 },
	{ NULL, CTL_REFUSED, 0, "another build", 5000 },
};

static void
answers(void **state)
{
	struct seen seen;
	enum ctl_result r;
	int listener, status;
	char *why;
	pid_t pid;
	size_t i;

	for (i = 0; i < nitems(table); i++) {
		listener = listen_here();
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0)
			serve(listener, table[i].fn);
		close(listener);
		r = ask(&seen, table[i].timeout_ms, S("{\"a\":1}"), &why);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		if (r != table[i].want || seen.rows != table[i].rows)
			fail_msg("row %zu: %d, %u rows, %s", i, (int)r,
			    seen.rows, why == NULL ? "" : why);
		if (table[i].why == NULL)
			assert_null(why);
		else
			assert_non_null(strstr(why, table[i].why));
		if (table[i].fn == answer_echo)
			assert_true(seen.last && seen.bytes == 7 + 13);
		free(why);
	}
}

static void
nobody(void **state)
{
	struct seen seen;
	char *why;

	close(listen_here()); /* a socket file that was left behind */
	assert_int_equal(ask(&seen, 100, S("{}"), &why), CTL_ABSENT);
	assert_non_null(strstr(why, "not running"));
	free(why);
	unlink(path);
	assert_int_equal(ask(&seen, 100, S("{}"), &why), CTL_ABSENT);
	free(why);
}

/* A broker that accepts nothing and one that reads nothing. */
static void
stuck(void **state)
{
	struct seen seen;
	char *why, *large = xmalloc(BIG);
	int fd = listen_here(), i;

	assert_int_equal(ask(&seen, 100, S("{}"), &why), CTL_SILENT);
	free(why);
	memset(large, 'x', BIG);
	assert_int_equal(
	    ask(&seen, 100, str_make(large, BIG), &why), CTL_FAILED);
	assert_non_null(strstr(why, "does not read"));
	free(why);
	free(large);
	/* The queue of connections is full. */
	assert_int_equal(listen(fd, 0), 0);
	for (i = 0; i < 16; i++) {
		assert_int_equal(ask(&seen, 50, S("{}"), &why), CTL_FAILED);
		if (strstr(why, "does not accept") != NULL)
			break;
		free(why);
		why = NULL;
	}
	assert_non_null(why);
	free(why);
	close(fd);
}

static int
make_dir(void **state)
{
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(nobody),
		cmocka_unit_test(stuck),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
