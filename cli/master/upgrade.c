/* SPDX-License-Identifier: MIT */
/*
 * upgrade.c: another program in the place of this one (etc/doc/upgrade.md).
 * The new program is first run as a child that reads the state of this master
 * and does all of a start that could fail.  Only when it has said that it can
 * take over this process executes it: process id, children, descriptors and
 * shared memory stay.  Then the new program replaces the workers, the courier
 * and the broker one after the other.
 *
 * Before the exec nothing changes, whatever the trial does.  Owns the
 * descriptor of the program, so that what was tried is what is executed, and
 * the trial's process.  Must never wait for it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/master/handover.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "cli/master/takeover.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/json/json_write.h"
#include "shared/proc/proc.h"

#define TRIAL_MS 10000 /* for the new program to say that it can */

/* ---- answers ---- */

void
upgrade_say(struct master *m, unsigned code, const char *text)
{
	if (m->upgrade.request != 0)
		request_reply(m, m->upgrade.request, code, str_of(text));
	if (code != REPLY_MORE)
		m->upgrade.request = 0;
}

void
upgrade_progress(struct master *m, const char *text)
{
	struct json_writer w;
	struct buf *b;
	char *line;

	log_info("upgrade: %s", text);
	json_writer_init(&w);
	json_object_open(&w);
	json_member_str(&w, "progress", str_of(text));
	json_object_close(&w);
	b = json_writer_take(&w);
	line = xstrndup(b->data, b->len);
	upgrade_say(m, REPLY_MORE, line);
	free(line);
	buf_unref(b);
}

void
upgrade_forget(struct upgrade *u)
{
	if (u->back_fd != -1)
		close(u->back_fd);
	if (u->program_fd != -1)
		close(u->program_fd);
	if (u->said_fd != -1)
		close(u->said_fd);
	free(u->path);
	free(u->back);
	free(u->from);
	free(u->reason);
	u->path = u->back = u->from = u->reason = NULL;
	u->program_fd = u->said_fd = u->back_fd = -1;
	u->trial = 0;
	u->step = UPGRADE_NONE;
}

/* Nothing has happened.  why: free(3). */
static void
refuse(struct master *m, char *why)
{
	char *text = xasprintf("nothing has changed, version %s goes on: %s",
	    PUSHERD_VERSION, why);

	log_warnx("upgrade: %s", text);
	upgrade_say(m, 1, text);
	upgrade_forget(&m->upgrade);
	free(text);
	free(why);
}

/* ---- the trial ---- */

/* The arguments of the new program; free(3) them and the last one. */
static char **
arguments(const struct master *m, const char *option, int fd)
{
	const struct source *s = &m->start->source;
	char **argv = xcalloc(2 * s->narguments + 5, sizeof(char *));
	size_t n = 0;

	argv[n++] = m->upgrade.path;
	argv[n++] = xasprintf("%s=%d", option, fd);
	if (s->file != NULL) {
		argv[n++] = xstrdup("-c");
		argv[n++] = xstrdup(s->file);
	}
	for (size_t i = 0; i < s->narguments; i++) {
		argv[n++] = xstrdup("-o");
		argv[n++] = xstrdup(s->arguments[i]);
	}
	return argv;
}

static void
free_arguments(char **argv)
{
	for (size_t i = 1; argv[i] != NULL; i++) /* the first is not ours */
		free(argv[i]);
	free(argv);
}

/* In the new process.  The trial must not outlive this master. */
_Noreturn static void
run_trial(const struct master *m, const struct handover *h, int fd, int out)
{
	char **argv = arguments(m, "--try-to-take-over", fd);
	pid_t master = getppid();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master || dup2(out, STDOUT_FILENO) == -1 ||
	    dup2(out, STDERR_FILENO) == -1)
		_exit(1);
	child_signals();
	proc_unblock_signals();
	proc_pass_capabilities();
	if (handover_keep(h, true) == 0 && fcntl(fd, F_SETFD, 0) == 0)
		fexecve(m->upgrade.program_fd, argv, environ);
	dprintf(STDERR_FILENO, "pusherd: it cannot be executed: %s\n",
	    errno == ENOENT ? "it is a script, or its interpreter is missing"
			    : strerror(errno));
	_exit(1);
}

/* The state as it is now, and its descriptor. */
static int
write_state(const struct master *m, struct handover *h, char **why)
{
	int fd = handover_write(m);

	if (fd == -1) {
		*why = xasprintf(
		    "its state cannot be written: %s", strerror(errno));
		return -1;
	}
	if (handover_read(h, fd, why) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
start_trial(struct master *m, char **why)
{
	struct upgrade *u = &m->upgrade;
	struct handover h;
	int fd = write_state(m, &h, why), out[2];

	if (fd == -1)
		return -1;
	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) == -1) {
		*why = xasprintf("cannot make a pipe: %s", strerror(errno));
	} else {
		u->trial = fork();
		if (u->trial == 0)
			run_trial(m, &h, fd, out[1]);
		if (u->trial == -1)
			*why = xasprintf("cannot fork: %s", strerror(errno));
		close(out[1]);
		u->said_fd = out[0];
	}
	handover_free(&h);
	close(fd);
	return u->trial > 0 ? 0 : -1;
}

static int
open_program(struct upgrade *u, char **why)
{
	struct stat st;

	if (u->path == NULL) {
		*why = xasprintf("without /proc pusherd does not know its own "
				 "program: name it with --binary");
		return -1;
	}
	u->program_fd = open(u->path, O_PATH | O_CLOEXEC);
	if (u->program_fd == -1 || fstat(u->program_fd, &st) == -1) {
		*why = xasprintf("%s: %s", u->path, strerror(errno));
		return -1;
	}
	if (S_ISREG(st.st_mode) &&
	    faccessat(AT_FDCWD, u->path, X_OK, AT_EACCESS) == 0)
		return 0;
	*why =
	    xasprintf("%s is not a program that pusherd may execute", u->path);
	return -1;
}

/* Is this a moment in which the state can be handed over?  NULL: it is. */
static const char *
hinders(const struct master *m)
{
	const struct shm_area *areas;
	bool replaces = m->replace.active;
	size_t n;

	if (m->phase != PHASE_RUN)
		return "pusherd is starting or stopping";
	if (m->reload.active)
		return "a reload is under way: try again in a moment";
	for (size_t i = FIRST_WORKER; i < m->nchildren; i++) {
		const struct child *c = &m->children[i];

		if (c->retiring)
			return "a worker is still leaving after a reload: try "
			       "again when it has left";
		/* The next program would kill it, and close its clients. */
		replaces =
		    replaces || (c->took_over && !c->ready && c->pid != 0);
	}
	if (replaces)
		return "a worker is being replaced: try again in a moment";
	areas = shm_areas(&n);
	for (size_t i = 0; i < n; i++)
		if (areas[i].fd == -1)
			return "a limit of file sizes (ulimit -f) was in force "
			       "at the start: restart pusherd";
	return NULL;
}

void
upgrade_begin(struct master *m, uint64_t request, struct str path)
{
	struct upgrade *u = &m->upgrade;
	const char *own = m->start->program, *hindrance;
	char *why;

	if (u->step != UPGRADE_NONE) {
		if (request != 0)
			request_reply(
			    m, request, 1, S("an upgrade is under way"));
		return;
	}
	u->request = request;
	u->began_ms = child_now_ms();
	u->program_fd = u->said_fd = u->back_fd = -1;
	u->is_back = false;
	if (path.n > 0)
		u->path = xstrndup(path.p, path.n);
	else
		u->path = own == NULL ? NULL : xstrdup(own);
	if ((hindrance = hinders(m)) != NULL) {
		refuse(m, xstrdup(hindrance));
		return;
	}
	if (open_program(u, &why) == -1 || start_trial(m, &why) == -1) {
		refuse(m, why);
		return;
	}
	u->step = UPGRADE_TRIAL;
	u->deadline_ms = child_now_ms() + TRIAL_MS;
	log_info("upgrade: trying %s pid=%d", u->path, (int)u->trial);
}

/* ---- the exec ---- */

/* Does not return, or returns with a reason why nothing has happened. */
static char *
execute(struct master *m)
{
	struct upgrade *u = &m->upgrade;
	struct handover h;
	char **argv, *why;
	int fd;

	if ((fd = write_state(m, &h, &why)) == -1)
		return why;
	argv = arguments(m, "--take-over", fd);
	proc_pass_capabilities();
	if (handover_keep(&h, true) == 0 && fcntl(fd, F_SETFD, 0) == 0)
		fexecve(u->program_fd, argv, environ);
	why = xasprintf("%s cannot be executed: %s", u->path, strerror(errno));
	handover_keep(&h, false);
	handover_free(&h);
	free_arguments(argv);
	close(fd);
	return why;
}

static char *
commit(struct master *m)
{
	const char *hindrance = hinders(m);

	if (hindrance != NULL)
		return xstrdup(hindrance);
	m->upgrade.back_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	return execute(m);
}

void
upgrade_go_back(struct master *m, const char *reason)
{
	struct upgrade *u = &m->upgrade;
	char *why;

	if (u->back_fd == -1 || u->back == NULL)
		return;
	log_warnx("upgrade: %s: back to version %s", reason, u->from);
	u->program_fd = u->back_fd;
	u->back_fd = -1;
	u->path = u->back;
	u->back = NULL;
	u->reason = xstrdup(reason);
	u->is_back = true;
	why = execute(m);
	log_warnx("upgrade: %s", why);
	free(why);
}

/* The sentence in what a trial has said: that of pusherd, or the first one. */
static struct str
find_reason(struct str said)
{
	struct str rest = said, line, found = { NULL, 0 };

	while (rest.n > 0) {
		line = str_cut(&rest, '\n');
		if (str_starts(line, S("pusherd: ")))
			found = str_from(line, strlen("pusherd: "));
		else if (found.p == NULL)
			found = line;
	}
	return found;
}

static char *
describe(const struct upgrade *u, int status, struct str said)
{
	struct str reason = find_reason(said);

	if (reason.n > 0)
		return xasprintf("%s: %.*s", u->path, STR_ARG(reason));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL &&
	    child_now_ms() >= u->deadline_ms)
		return xasprintf("%s has not said within %d s that it can take "
				 "over",
		    u->path, TRIAL_MS / 1000);
	if (WIFSIGNALED(status))
		return xasprintf("%s was killed by signal %d (%s)", u->path,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return xasprintf("%s exited with code %d and did not say that it can "
			 "take over: is it pusherd?",
	    u->path, WEXITSTATUS(status));
}

void
upgrade_on_exit(struct master *m, pid_t pid, int status)
{
	struct upgrade *u = &m->upgrade;
	char text[2000], *line;
	struct str said;
	ssize_t n;

	if (u->trial == 0 || pid != u->trial)
		return;
	u->trial = 0;
	n = read(u->said_fd, text, sizeof(text));
	said = str_make(text, n > 0 ? (size_t)n : 0);
	if (master_is_stopping(m)) {
		refuse(m, xstrdup("pusherd is stopping"));
		return;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
	    !str_starts(said, S(TAKEOVER_READY))) {
		refuse(m, describe(u, status, said));
		return;
	}
	said = str_from(said, strlen(TAKEOVER_READY));
	said = str_cut(&said, '\n');
	line = xasprintf(
	    "version %.*s takes over from %s", STR_ARG(said), PUSHERD_VERSION);
	upgrade_progress(m, line);
	free(line);
	refuse(m, commit(m));
}

/* ---- meanwhile ---- */

void
upgrade_wait(struct master *m, uint64_t request)
{
	struct upgrade *u = &m->upgrade;

	if (u->step == UPGRADE_NONE && u->report != NULL)
		request_reply(m, request, u->failed ? 1 : 0, str_of(u->report));
	else if (u->step == UPGRADE_NONE)
		request_reply(m, request, 1, S("there has been no upgrade"));
	else if (u->nwaiting < UPGRADE_ASKERS)
		u->waiting[u->nwaiting++] = request;
	else
		request_reply(
		    m, request, 1, S("too many wait for the upgrade"));
}

void
upgrade_check(struct master *m, uint64_t now)
{
	struct upgrade *u = &m->upgrade;

	if (u->step == UPGRADE_RENEW)
		renew_check(m, now);
	else if (u->trial > 0 && now >= u->deadline_ms)
		kill(u->trial, SIGKILL);
}

void
upgrade_stood_still(struct master *m, uint64_t ms)
{
	m->upgrade.deadline_ms += ms;
	m->replace.deadline_ms += ms;
	m->replace.successor.started_ms += ms;
	for (size_t i = 0; i < m->nchildren; i++)
		if (!m->children[i].ready)
			m->children[i].started_ms += ms;
}

uint64_t
upgrade_due(const struct master *m)
{
	const struct upgrade *u = &m->upgrade;

	if (u->step == UPGRADE_NONE)
		return UINT64_MAX;
	return u->wait_ms == 0 ? u->deadline_ms
			       : MIN(u->wait_ms, u->deadline_ms);
}
