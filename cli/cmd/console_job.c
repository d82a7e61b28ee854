/* SPDX-License-Identifier: MIT */
/*
 * console_job.c: one command of the console, in a process of its own.  It asks
 * the broker for the command, which has been checked there, runs it in another
 * process exactly as pusherctl -j does, and sends its output.  When the broker
 * hangs up, because the browser has, the command is killed.  The command gets
 * the scope of its session: it sees no other app.
 */

#include "cli/cmd/console_job.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/proc/memory.h"
#include "shared/proc/proc.h"

#define WORDS_MAX 1024
#define PORTION (64u << 10)
#define NOTES_MAX (16u << 10) /* of what it prints on stderr */
/* Bytes that a command may allocate: of a session for one app, of the others */
#define SCOPED_BYTES (64u << 20)
#define WHOLE_BYTES (256u << 20)
#define NICER 10 /* it waits for all that serve clients */

struct job {
	const struct conf *conf;
	const struct cmd_verb *table;
	size_t ntable;
	int fd; /* to the broker */
};

/* ---- the process that runs it ---- */

static const struct cmd_verb *
find_verb(const struct job *j, char **words, size_t n, int *used)
{
	char *two = n > 1 ? xasprintf("%s %s", words[0], words[1]) : NULL;
	const struct cmd_verb *found = NULL;

	for (size_t i = 0; i < j->ntable; i++) {
		const struct cmd_verb *v = &j->table[i];

		if (two != NULL && strcmp(v->name, two) == 0) {
			found = v;
			*used = 2;
		} else if (found == NULL && strcmp(v->name, words[0]) == 0) {
			found = v;
			*used = 1;
		}
	}
	free(two);
	return found;
}

/* A file in memory with the text for stdin. */
static void
give_stdin(struct json text)
{
	int fd = memfd_create("stdin", MFD_CLOEXEC);
	char *tmp = NULL;
	struct str s = S("");

	if (text.kind == JSON_STRING)
		json_string(text, &s, &tmp);
	if (fd == -1 || write(fd, s.p, s.n) != (ssize_t)s.n ||
	    lseek(fd, 0, SEEK_SET) == -1 || dup2(fd, STDIN_FILENO) == -1)
		_exit(CMD_FAILED);
	free(tmp);
}

/*
 * Arguments come from a browser: a short regular expression can take gigabytes
 * and minutes.
 */
static void
confine(bool scoped)
{
	if (setpriority(PRIO_PROCESS, 0, NICER) == -1 ||
	    memory_confine(scoped ? SCOPED_BYTES : WHOLE_BYTES) == -1)
		cmd_note("the memory of this command is not bounded");
}

_Noreturn static void
run(const struct job *j, struct json row)
{
	struct cmd c = { .self = "pusherctl", .conf = j->conf };
	struct json list = json_get(row, S("words")), e;
	char *words[WORDS_MAX + 1],
	    *scope = json_dup(json_get(row, S("scope")));
	size_t n = 0, pos = 0;
	int used = 0, r = CMD_USAGE;

	/*
	 * The command must end with this process: nobody else reads its output.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	proc_signal(SIGPIPE, SIG_DFL);
	give_stdin(json_get(row, S("stdin")));
	while (n < WORDS_MAX && json_next(list, &pos, &e))
		if ((words[n] = json_dup(e)) != NULL)
			n++;
	confine(scope != NULL);
	c.scope = scope;
	c.verb = n == 0 ? NULL : find_verb(j, words, n, &used);
	if (c.verb != NULL)
		r = cmd_parse(&c, (int)n - used, words + used);
	if (r == CMD_OK) {
		c.out = out_new(stdout, OUT_JSON, false);
		r = c.verb->run(&c);
		if (out_finish(c.out) == -1)
			r = CMD_FAILED;
	}
	fflush(stdout);
	fflush(stderr);
	_exit(r);
}

/* ---- the process that sends ---- */

/* Sends all of it, or -1 when the broker is gone. */
static int
send_all(int fd, const char *p, size_t n)
{
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	ssize_t r;

	while (n > 0) {
		r = send(fd, p, n, MSG_NOSIGNAL);
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		} else if (errno == EAGAIN) {
			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

/* Takes the message, which is n bytes. */
static int
send_message(int fd, char *message, size_t n)
{
	int r = send_all(fd, message, n);

	free(message);
	return r;
}

static int
send_out(int fd, struct str bytes)
{
	struct msg_ctl_out m = { .bytes = bytes };
	size_t n = msg_ctl_out_size(&m);
	char *p = xmalloc(n);

	msg_ctl_out_put(p, &m);
	return send_message(fd, p, n);
}

static int
send_exit(int fd, unsigned code, struct str notes)
{
	struct msg_ctl_exit m = { .code = code, .notes = notes };
	size_t n = msg_ctl_exit_size(&m);
	char *p = xmalloc(n);

	msg_ctl_exit_put(p, &m);
	return send_message(fd, p, n);
}

/* Reads a pipe: false when it has ended. */
static bool
take(struct pollfd *p, char *bytes, size_t max, ssize_t *n)
{
	*n = 0;
	if ((p->revents & (POLLIN | POLLHUP | POLLERR)) == 0)
		return true;
	*n = read(p->fd, bytes, max);
	if (*n > 0)
		return true;
	*n = 0;
	if (errno == EINTR)
		return true;
	p->fd = -1; /* poll(2) leaves it out */
	return false;
}

/* Passes on the command's output; -1: nobody reads it any more. */
static int
relay(int fd, int out, int err, struct buf **notes)
{
	struct pollfd p[3] = { { .fd = out, .events = POLLIN },
		{ .fd = err, .events = POLLIN },
		{ .fd = fd, .events = POLLIN } };
	char *bytes = xmalloc(PORTION);
	int r = 0;
	ssize_t n;

	while (r == 0 && (p[0].fd != -1 || p[1].fd != -1)) {
		if (poll(p, nitems(p), -1) == -1)
			continue;
		if (p[2].revents != 0)
			r = -1; /* an end that nobody has asked for */
		take(&p[0], bytes, PORTION, &n);
		if (r == 0 && n > 0)
			r = send_out(fd, str_make(bytes, (size_t)n));
		take(&p[1], bytes, PORTION, &n);
		if (*notes == NULL || (*notes)->len < NOTES_MAX)
			buf_append(notes, str_make(bytes, (size_t)n));
	}
	free(bytes);
	return r;
}

static unsigned
end_of(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	return WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : CMD_FAILED;
}

static void
on_row(void *arg, struct json row)
{
	struct job *j = arg;
	int out[2], err[2];
	struct buf *notes = NULL;
	struct str text;
	pid_t pid;

	if (pipe(out) == -1 || pipe(err) == -1 || (pid = fork()) == -1) {
		send_exit(j->fd, CMD_FAILED, S("no process for the command"));
		return;
	}
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		proc_close_others(NULL, 0);
		run(j, row);
	}
	close(out[1]);
	close(err[1]);
	if (relay(j->fd, out[0], err[0], &notes) == -1) {
		kill(pid, SIGKILL);
		end_of(pid);
	} else {
		text = buf_str(notes);
		while (text.n > 0 && text.p[text.n - 1] == '\n')
			text.n--;
		send_exit(j->fd, end_of(pid), text);
	}
	buf_unref(notes);
}

int
console_job_run(const struct conf *conf, const struct cmd_verb *table, size_t n)
{
	struct job j = { .conf = conf, .table = table, .ntable = n, .fd = -1 };
	struct ctl_question q = { .path = conf->control_path,
		.verb = "console-job",
		.args = S("{}"),
		.timeout_ms = CTL_TIMEOUT_MS,
		.on_row = on_row,
		.arg = &j,
		.fd = &j.fd };
	char *why = NULL;

	ctl_ask(&q, &why);
	free(why);
	return 0;
}
