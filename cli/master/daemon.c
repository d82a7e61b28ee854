/* SPDX-License-Identifier: MIT */
/*
 * daemon.c: the start of the daemon: files, sockets, privileges, in this
 * order; then it becomes the master.  Everything that can fail fails here,
 * with one sentence on stderr and exit code 1, before the first child
 * exists and before the terminal is left.  A program that takes the place of a
 * running master has all of that already (takeover.c).
 */

#include "cli/master/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/master/activation.h"
#include "cli/master/certs.h"
#include "cli/master/files.h"
#include "cli/master/first_app.h"
#include "cli/master/handover.h"
#include "cli/master/listen.h"
#include "cli/master/master.h"
#include "cli/master/rundir.h"
#include "cli/master/start.h"
#include "cli/master/takeover.h"
#include "shared/app/appdb.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/log_out.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/proc/answer_table.h"
#include "shared/proc/event_order.h"
#include "shared/proc/minute_log.h"
#include "shared/proc/proc.h"
#include "shared/proc/session_table.h"
#include "shared/proc/snapshot.h"

#define RESERVED_FDS 64 /* of a worker, not for connections */

/* The files and memory of the group, which its master owns. */
struct start {
	struct listen_set listen;
	struct rundir rundir;
	struct certs certs;
};

/* ---- steps of the start: 0, or -1 and a sentence ---- */

/* The user to become, if it is another one. */
static int
find_owner(const struct conf *conf, struct rundir_owner *owner, char **why)
{
	memset(owner, 0, sizeof(*owner));
	if (conf->user[0] == '\0')
		return 0;
	if (proc_find_user(conf->user, &owner->uid, &owner->gid) == -1) {
		if (errno == ENOENT)
			*why =
			    xasprintf("there is no user %s: make it (useradd "
				      "--system %s), or change the option "
				      "user",
				conf->user, conf->user);
		else
			*why = xasprintf("cannot look up the user %s: %s",
			    conf->user, strerror(errno));
		return -1;
	}
	if (geteuid() != 0 && geteuid() != owner->uid) {
		*why = xasprintf("only root can become the user %s: start as "
				 "root, or leave the option user empty",
		    conf->user);
		return -1;
	}
	owner->give = geteuid() == 0;
	return 0;
}

/* The new user must be able to open the files of the group. */
static int
drop_privileges(const struct conf *conf, const struct listen_set *l,
    const struct rundir_owner *owner, char **why)
{
	if (conf->user[0] == '\0')
		return 0;
	if (owner->give && listen_give(l, owner->uid, owner->gid) == -1)
		log_warn("a reload cannot add workers, and the group cannot "
			 "use Unix sockets: cannot give the listening sockets "
			 "to the user %s",
		    conf->user);
	if (proc_drop_privileges(conf->user) == -1) {
		*why = xasprintf("cannot become the user %s: %s", conf->user,
		    strerror(errno));
		return -1;
	}
	if (access(conf->database, R_OK | W_OK) == -1) {
		*why = xasprintf("the user %s cannot use the database %s: %s: "
				 "its directory must be open to that user",
		    conf->user, conf->database, strerror(errno));
		return -1;
	}
	if (access(conf->runtime_dir, R_OK | W_OK | X_OK) == -1) {
		*why = xasprintf("the user %s cannot use runtime_dir %s: %s: "
				 "its directory must be open to that user",
		    conf->user, conf->runtime_dir, strerror(errno));
		return -1;
	}
	return 0;
}

/*
 * Everything that the group needs, up to and including the loss of privileges.
 */
static int
prepare(const struct conf *conf, struct start *s, char **why)
{
	struct rundir_owner owner;

	if (files_check_apart(conf, why) == -1 ||
	    find_owner(conf, &owner, why) == -1 ||
	    certs_open(&s->certs, conf, why) == -1 ||
	    rundir_open(&s->rundir, conf, &owner, why) == -1)
		return -1;
	if (listen_open(&s->listen, conf, why) == 0) {
		if (drop_privileges(conf, &s->listen, &owner, why) == 0 &&
		    files_check_read(conf, why) == 0 &&
		    first_app_make(conf, why) == 0 &&
		    listen_write(&s->listen, s->rundir.listen_path, why) == 0)
			return 0;
		listen_close(&s->listen);
	}
	rundir_close(&s->rundir);
	return -1;
}

/* The process that a person started waits for the one that stays. */
_Noreturn static void
wait_for_daemon(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n == -1 && errno == EINTR);
	if (n != 1)
		log_warnx("the start has failed: the system log has the "
			  "reason, and pusherd -F prints it");
	_exit(n == 1 ? 0 : 1);
}

/*
 * Leaves the terminal.  Returns in the process that stays, with the descriptor
 * for the one byte that reports success; or -1.
 */
static int
daemonize(void)
{
	int line[2];

	if (pipe2(line, O_CLOEXEC) == -1)
		return -1;
	switch (fork()) {
	case -1:
		return -1;
	case 0:
		break;
	default:
		close(line[1]);
		wait_for_daemon(line[0]);
	}
	close(line[0]);
	if (proc_daemonize() == -1 || chdir("/") == -1)
		return -1;
	log_to_syslog();
	return line[1];
}

static void
report_limits(const struct conf *conf, uint64_t nofile)
{
	uint64_t each =
	    nofile > 2 * RESERVED_FDS ? nofile - RESERVED_FDS : nofile / 2;
	uint64_t wanted =
	    (conf->max_connections + conf->nworkers - 1) / conf->nworkers;

	log_info("descriptors: %llu for each process, enough for %llu "
		 "connections in each worker",
	    (unsigned long long)nofile, (unsigned long long)each);
	if (wanted > each)
		log_warnx(
		    "max_connections is %llu, and the limit of descriptors "
		    "allows %llu: raise it (LimitNOFILE, ulimit -n)",
		    (unsigned long long)conf->max_connections,
		    (unsigned long long)each * conf->nworkers);
	if (geteuid() == 0)
		log_info("running as root: set the option user");
}

/* A write that fails because of it says only "File too large". */
static void
report_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
		log_warnx("no file may be larger than %llu bytes: remove that "
			  "limit (LimitFSIZE=infinity, ulimit -f unlimited)",
		    (unsigned long long)r.rlim_cur);
}

/*
 * Closes the descriptors that the caller left open; a standard one that it left
 * closed must not become a socket that log lines are written to.
 */
static void
tidy_descriptors(struct listen_set *l)
{
	int keep[ACTIVATION_MAX], fd;
	size_t i;

	l->ngiven = activation_take();
	for (i = 0; i < l->ngiven; i++)
		l->given[i] = keep[i] = ACTIVATION_FIRST + (int)i;
	proc_close_others(keep, l->ngiven);
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

static void
on_stop(int sig)
{
	_exit(128 + sig);
}

/*
 * The first process of a container gets only signals that it has handlers for
 * (pid_namespaces(7)).  The master has its own; a start may wait before it.
 */
static void
handle_stops(void)
{
	static const int stops[] = { SIGTERM, SIGINT, SIGQUIT };

	for (size_t i = 0; i < nitems(stops) && getpid() == 1; i++)
		proc_signal(stops[i], on_stop);
}

/* ---- the three actions ---- */

/* The path of the configuration, independent of the current directory. */
static void
note_source(struct source *s, const struct daemon_command *cmd)
{
	char *base = getcwd(NULL, 0);

	s->base = base; /* NULL: relative paths will be refused */
	s->arguments = cmd->options;
	s->narguments = cmd->noptions;
	if (cmd->file != NULL && cmd->file[0] != '/' && base != NULL)
		s->file = xasprintf("%s/%s", base, cmd->file);
	else if (cmd->file != NULL)
		s->file = xstrdup(cmd->file);
}

/* Leaves the terminal, unless -F is given, and opens the log's target. */
static int
settle(struct master_start *start, char **why)
{
	struct log_target *log = &start->log;
	int fd;

	if (!log->foreground && (start->waiter_fd = daemonize()) == -1) {
		*why = xasprintf("cannot become a daemon: %s", strerror(errno));
		return -1;
	}
	if (log->stderr_fd == -1)
		log->stderr_fd = log_out_copy(STDERR_FILENO);
	if (log_target_open(log, start->conf, &fd, why) == -1)
		return -1;
	log_target_use(log, start->conf, fd);
	log_init("master", log->level, log->format);
	proc_title("pusherd: master");
	return 0;
}

/* The last day of an earlier run; a failure does not stop the start. */
static void
read_minute_log(struct minute_log *l, const struct conf *conf)
{
	char *path = minute_log_path(conf->outbox);

	if (minute_log_load(l, path) == -1)
		log_warn("statistics of earlier runs are not read: %s", path);
	free(path);
}

/* All before the first child: reads, opens, and leaves the terminal. */
static void
begin(struct conf *conf, const struct daemon_command *cmd,
    struct master_start *start, struct start *s)
{
	uint64_t nofile;
	char *why;

	handle_stops();
	tidy_descriptors(&s->listen);
	log_out_share();
	if (cmd->foreground) /* while we may open what root has opened */
		start->log.stderr_fd = log_out_copy(STDERR_FILENO);
	nofile = proc_raise_nofile();
	report_file_limit();
	if (prepare(conf, s, &why) == -1)
		fatalx("%s", why);
	if (!conf->core_dumps)
		proc_hide_memory();
	note_source(&start->source, cmd);
	if (settle(start, &why) == -1 ||
	    rundir_write_pid(&s->rundir, &why) == -1) {
		rundir_close(&s->rundir);
		fatalx("%s", why);
	}
	for (size_t i = 0; i < conf->notes.n; i++)
		log_info("%s", conf->notes.v[i]);
	report_limits(conf, nofile);
}

/* The same with what a running master has left. */
static void
go_on(struct handover *h, struct conf *conf, const struct daemon_command *cmd,
    struct master_start *start, struct start *s)
{
	char *why;

	start->source.file = cmd->file == NULL ? NULL : xstrdup(cmd->file);
	start->source.arguments = cmd->options;
	start->source.narguments = cmd->noptions;
	if (takeover_read(h, cmd->state_fd, conf, start, &why) == -1)
		fatalx("%s", why);
	log_out_share();
	takeover_files(h, conf, &s->listen, &s->rundir);
	if (cmd->is_trial) /* its own stderr says how it went */
		return;
	log_target_use(&start->log, conf, -1);
	log_init("master", start->log.level, start->log.format);
	proc_title("pusherd: master");
}

/*
 * All that could fail has been done.  The other program waits for this line,
 * which no program says that is not pusherd.
 */
_Noreturn static void
end_trial(
    const struct conf *conf, const struct master_start *start, struct start *s)
{
	char *why;

	if (certs_map(&s->certs, &why) == -1 ||
	    takeover_check_conf(conf, start, &why) == -1)
		fatalx("%s", why);
	printf(TAKEOVER_READY "%s\n", PUSHERD_VERSION);
	fflush(stdout);
	_exit(0);
}

/* The memory of the group; what an earlier run has left, for a new start. */
static void
map_all(struct master_start *start)
{
	const struct conf *conf = start->conf;

	start->minute_log = minute_log_map();
	start->event_order = event_order_map();
	start->apps = snapshot_map();
	start->sessions = session_table_map((uint32_t)conf->resume_sessions);
	start->answers = answer_table_map();
	if (start->event_order == NULL || start->apps == NULL ||
	    start->sessions == NULL || start->minute_log == NULL ||
	    start->answers == NULL)
		fatal("mmap");
	if (start->taken != NULL)
		return;
	read_minute_log(start->minute_log, conf);
	session_table_load(start->sessions, conf->runtime_dir, conf->database);
}

int
daemon_run(struct conf *conf, const struct daemon_command *cmd)
{
	struct master_start start = { .conf = conf,
		.waiter_fd = -1,
		.log = { .foreground = cmd->foreground, .stderr_fd = -1 },
		.rules = cmd->rules,
		.run_console = cmd->run_console,
		.run_apps = cmd->run_apps };
	static struct start s;
	struct handover h = { .bytes = NULL };
	char *why;
	int code;

	umask(077);
	if (cmd->state_fd == -1)
		begin(conf, cmd, &start, &s);
	else
		go_on(&h, conf, cmd, &start, &s);
	start.listen = &s.listen;
	start.listen_path = s.rundir.listen_path;
	start.certs = &s.certs;
	start.broker_fd = s.rundir.broker_fd;
	start.control_fd = s.rundir.control_fd;
	start.lock_fd = s.rundir.lock_fd;
	start.pid_fd = s.rundir.pid_fd;
	if (start.program == NULL)
		start.program = realpath("/proc/self/exe", NULL);
	map_all(&start);
	if (cmd->is_trial)
		end_trial(conf, &start, &s);
	if (start.taken != NULL && takeover_certs(&s.certs, conf, &why) == -1)
		fatalx("%s", why);
	code = master_run(&start);
	session_table_save(start.sessions, conf->runtime_dir, conf->database);
	listen_close(&s.listen);
	certs_close(&s.certs);
	rundir_close(&s.rundir);
	handover_free(&h);
	free(start.program);
	free(start.source.base);
	free(start.source.file);
	return code;
}

/* A reload reads these again, and then with the rights of the user. */
static int
check_as_user(const struct conf *conf, const char *file,
    const struct rundir_owner *owner, struct certs_loaded *certs, char **why)
{
	const char *as = conf->user[0] == '\0' ? "" : " as the user ";

	if (owner->give && proc_drop_privileges(conf->user) == -1) {
		*why = xasprintf("cannot become the user %s: %s", conf->user,
		    strerror(errno));
		return -1;
	}
	file = conf_file_read(file);
	if (file != NULL && access(file, R_OK) == -1) {
		*why = xasprintf("a reload cannot read %s%s%s: %s: give the "
				 "file to a group of that user (chgrp, chmod "
				 "g+r)",
		    file, as, conf->user, strerror(errno));
		return -1;
	}
	return files_check_apart(conf, why) == -1 ||
		files_check_read(conf, why) == -1 ||
		files_check_log(conf, why) == -1
	    ? -1
	    : certs_load(certs, conf, why);
}

int
daemon_test(const struct conf *conf, const char *file)
{
	struct rundir_owner owner;
	struct certs_loaded certs;
	char *why;

	if (first_app_check(&why) == -1)
		fatalx("%s", why);
	if (find_owner(conf, &owner, &why) == -1 ||
	    listen_check(conf, &why) == -1 ||
	    rundir_check(conf, &owner, &why) == -1 ||
	    files_check_pid(conf, &why) == -1 ||
	    appdb_check(conf->database, &why) == -1 ||
	    check_as_user(conf, file, &owner, &certs, &why) == -1)
		fatalx("%s", why);
	for (size_t i = 0; i < conf->notes.n; i++)
		fprintf(stderr, "pusherd: %s\n", conf->notes.v[i]);
	if (files_check_outbox(conf, &why) == -1) {
		fprintf(stderr, "pusherd: webhooks will wait: %s\n", why);
		free(why);
	}
	certs_forget(&certs);
	puts("configuration is fine");
	return 0;
}
