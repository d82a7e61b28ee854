/* SPDX-License-Identifier: MIT */
/*
 * rundir.c: makes, owns and removes the files of a running server.  The lock in
 * the runtime directory is held by every process of the group, so that a new
 * group cannot start beside the rest of an old one; only its holder touches the
 * files.  Runs before privileges are dropped: never follows a symbolic link to
 * a file whose owner it changes.
 */

#include "cli/master/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/master/leftover.h"
#include "shared/app/appdb.h"
#include "shared/base/file.h"
#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"
#include "shared/proc/proc.h"

/* Times 100 ms: for an old group to exit. */
#define STOPPED_TRIES 15 /* then those that are stopped are killed */
#define KILL_TRIES 80    /* then all */
#define LEAVE_TRIES 100

static void
close_if_open(int fd)
{
	if (fd != -1)
		close(fd);
}

/* A file with a second name may be any user's file: errno EMLINK. */
static int
is_one_name(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink == 1))
		return 0;
	errno = EMLINK;
	return -1;
}

static int
give_fd(const struct rundir *r, int fd)
{
	if (!r->owner.give)
		return 0;
	if (is_one_name(fd) == -1)
		return -1;
	return fchown(fd, r->owner.uid, r->owner.gid);
}

/* A file or directory that must not be a link; it may be missing. */
static int
give_path(const struct rundir *r, const char *path)
{
	int fd, rc, saved;

	if (!r->owner.give)
		return 0;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT || errno == ELOOP ? 0 : -1;
	rc = give_fd(r, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/*
 * The user makes and opens files in his own directories: a link that he has
 * planted there leads to nothing that he may not open himself.  0, or -1 with
 * errno.
 */
static int
become_user(const struct rundir *r)
{
	gid_t gid = r->owner.gid;

	if (!r->owner.give)
		return 0;
	if (setgroups(1, &gid) == -1 || setegid(gid) == -1)
		return -1;
	return seteuid(r->owner.uid);
}

static void
become_root(const struct rundir *r)
{
	if (r->owner.give && (seteuid(0) == -1 || setegid(0) == -1))
		fatal("cannot become root again");
}

/* ---- the directory ---- */

static int
check_directory(const char *path, const struct stat *st,
    const struct rundir_owner *owner, char **why)
{
	uid_t uid = st->st_uid;

	if (!S_ISDIR(st->st_mode)) {
		*why = xasprintf("runtime_dir %s is not a directory: choose "
				 "another one",
		    path);
		return -1;
	}
	if (uid != 0 && uid != geteuid() &&
	    !(owner->give && uid == owner->uid)) {
		*why = xasprintf("runtime_dir %s belongs to another user (id "
				 "%u): name that user in the option user, or "
				 "choose another directory",
		    path, (unsigned)uid);
		return -1;
	}
	if ((st->st_mode & 022) != 0) {
		*why = xasprintf("others may write into runtime_dir %s (mode "
				 "%04o): chmod 700 %s, or choose another one",
		    path, st->st_mode & 07777, path);
		return -1;
	}
	if (access(path, R_OK | W_OK | X_OK) == -1) {
		*why = xasprintf("cannot write into runtime_dir %s: %s: chmod "
				 "700 %s, or choose another one",
		    path, strerror(errno), path);
		return -1;
	}
	return 0;
}

static int
make_directory(struct rundir *r, char **why)
{
	const char *path = r->conf->runtime_dir;
	struct stat st;
	bool made = mkdir(path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST) {
		*why =
		    xasprintf("cannot make runtime_dir %s: %s: make it (mode "
			      "0700), or choose another one",
			path, strerror(errno));
		return -1;
	}
	if (stat(path, &st) == -1) {
		*why = xasprintf("cannot use runtime_dir %s: %s: choose "
				 "another one",
		    path, strerror(errno));
		return -1;
	}
	if (check_directory(path, &st, &r->owner, why) == -1)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The group may reach the control socket (its mode: 0660). */
	if (fd == -1 || give_fd(r, fd) == -1 ||
	    (made && r->owner.give && fchmod(fd, 0710) == -1)) {
		close_if_open(fd);
		*why = xasprintf("cannot give runtime_dir %s to the user %s: "
				 "%s",
		    path, r->conf->user, strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

int
rundir_check(
    const struct conf *conf, const struct rundir_owner *owner, char **why)
{
	const char *path = conf->runtime_dir;
	struct stat st;
	char *parent;
	int r;

	if (stat(path, &st) == 0)
		return check_directory(path, &st, owner, why);
	parent = file_parent(path);
	r = errno == ENOENT ? access(parent, W_OK | X_OK) : -1;
	if (r == -1)
		*why =
		    xasprintf("cannot make runtime_dir %s: %s: make it (mode "
			      "0700), or choose another one",
			path, strerror(errno));
	free(parent);
	return r;
}

/* ---- lock and pid file ---- */

static pid_t
read_pid(int fd)
{
	char text[32];
	uint64_t pid;
	ssize_t n = pread(fd, text, sizeof(text), 0);

	if (n <= 1 || text[n - 1] != '\n' ||
	    str_to_u64(str_make(text, (size_t)n - 1), INT32_MAX, &pid) == -1)
		return 0;
	return (pid_t)pid;
}

static int
write_pid(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) == -1)
		return -1;
	errno = ENOSPC; /* of a write that is short */
	return pwrite(fd, text, (size_t)n, 0) == n ? 0 : -1;
}

/*
 * Opens and locks a file that is still the one of this name.  The descriptor,
 * or -1: errno EWOULDBLOCK, *holder (the number in it, 0: unknown) and *lock
 * when another has it.
 */
static int
lock_once(const char *path, pid_t *holder, struct stat *lock)
{
	struct stat named;
	int fd, saved;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1)
		return -1;
	if (is_one_name(fd) == -1 || fstat(fd, lock) == -1 ||
	    flock(fd, LOCK_EX | LOCK_NB) == -1) {
		saved = errno;
		*holder = read_pid(fd);
		close(fd);
		errno = saved;
		return -1;
	}
	if (stat(path, &named) == 0 && lock->st_ino == named.st_ino &&
	    lock->st_dev == named.st_dev)
		return fd;
	close(fd); /* removed while we waited for it */
	*holder = 0;
	errno = EAGAIN;
	return -1;
}

/* Is it held by a server, or only by the remains of one? */
static bool
is_served(const struct leftover *v, size_t n, pid_t holder)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].pid == holder || !v[i].orphan)
			return true;
	return n == 0 && leftover_may_be(holder);
}

/*
 * Waits a little if the exiting rest of a group holds it, and ends processes
 * that do not exit.  -1 with errno; EWOULDBLOCK: *who holds it (free(3) it; it
 * may be empty).
 */
static int
lock_file(const char *path, char **who)
{
	const struct timespec moment = { 0, 100000000 };
	struct leftover v[LEFTOVER_MAX];
	struct stat lock;
	pid_t holder;
	size_t n;
	int fd, tries, saved;

	for (tries = 0;; tries++) {
		holder = 0;
		fd = lock_once(path, &holder, &lock);
		if (fd != -1 || errno != EWOULDBLOCK)
			return fd;
		n = leftover_find(&lock, v);
		if (is_served(v, n, holder) || tries == LEAVE_TRIES) {
			*who = leftover_text(v, n);
			saved = EWOULDBLOCK;
			break;
		}
		if (tries == 1)
			log_info("waiting until the processes of a server that "
				 "died have exited");
		if (tries == STOPPED_TRIES)
			leftover_end(v, n, true);
		else if (tries == KILL_TRIES)
			leftover_end(v, n, false);
		nanosleep(&moment, NULL);
	}
	errno = saved;
	return -1;
}

static int
take_lock(struct rundir *r, char **why)
{
	char *who = NULL;

	r->lock_fd = lock_file(r->lock_path, &who);
	if (r->lock_fd != -1)
		unlink(r->listen_path); /* of a server that was killed */
	if (r->lock_fd != -1 && write_pid(r->lock_fd) == 0 &&
	    give_fd(r, r->lock_fd) == 0)
		return 0;
	if (who != NULL)
		*why =
		    xasprintf("another pusherd runs with runtime_dir %s%s%s: "
			      "stop it, or give this one its own "
			      "runtime_dir",
			r->conf->runtime_dir, who[0] == '\0' ? "" : ": ", who);
	else
		*why = xasprintf(
		    "cannot write %s: %s", r->lock_path, strerror(errno));
	free(who);
	return -1;
}

static int
open_pid_file(struct rundir *r, char **why)
{
	const char *path = r->conf->pid_file;
	char *who = NULL;

	r->pid_fd = lock_file(path, &who);
	if (r->pid_fd != -1 && fchmod(r->pid_fd, 0644) == 0 &&
	    give_fd(r, r->pid_fd) == 0)
		return 0;
	if (who != NULL)
		*why =
		    xasprintf("another pusherd has the pid_file %s%s%s: give "
			      "this one its own",
			path, who[0] == '\0' ? "" : ": ", who);
	else
		*why = xasprintf("cannot write pid_file %s: %s: its directory "
				 "must exist and be writable",
		    path, strerror(errno));
	free(who);
	return -1;
}

int
rundir_write_pid(struct rundir *r, char **why)
{
	if (write_pid(r->lock_fd) == 0 && write_pid(r->pid_fd) == 0)
		return 0;
	*why = xasprintf(
	    "cannot write pid_file %s: %s", r->conf->pid_file, strerror(errno));
	return -1;
}

/* ---- database and sockets ---- */

/* Waits for a database that is only busy. */
static struct appdb *
open_database(const char *path, char **why)
{
	struct appdb *d;

	for (unsigned n = 0;
	     !(d = appdb_open(path, APPDB_CREATE, why)) && errno == EBUSY;
	     n++) {
		if (n == 0)
			log_warnx("waiting for the database: %s", *why);
		free(*why);
		usleep(100000);
	}
	return d;
}

/* Makes a missing directory, but not the one above it. */
static int
make_database(struct rundir *r, char **why)
{
	const char *path = r->conf->database;
	char *dir = file_parent(path);
	struct appdb *d;
	bool exposed;
	int made = mkdir(dir, 0700) == 0 ? give_path(r, dir) : 0;

	if (made == -1)
		*why = xasprintf("cannot give %s to the user %s: %s", dir,
		    r->conf->user, strerror(errno));
	free(dir);
	if (made == -1)
		return -1;
	exposed = proc_is_exposed(path);
	if (give_path(r, path) == -1 || (exposed && become_user(r) == -1)) {
		*why = xasprintf("cannot give the database %s to the user %s: "
				 "%s",
		    path, r->conf->user, strerror(errno));
		return -1;
	}
	d = open_database(path, why);
	if (exposed)
		become_root(r);
	if (d == NULL)
		return -1;
	appdb_close(d);
	if (exposed || give_path(r, path) == 0)
		return 0;
	*why = xasprintf("cannot give the database %s to the user %s: %s", path,
	    r->conf->user, strerror(errno));
	return -1;
}

static int
open_socket(struct rundir *r, const char *path, mode_t mode, char **why)
{
	int fd = become_user(r) == -1 ? -1 : sock_listen_unix(path, mode);

	if (fd == -1)
		*why =
		    xasprintf("cannot listen on %s: %s", path, strerror(errno));
	become_root(r);
	return fd;
}

static int
open_sockets(struct rundir *r, char **why)
{
	r->broker_fd = open_socket(r, r->conf->broker_path, 0600, why);
	if (r->broker_fd == -1)
		return -1;
	r->control_fd = open_socket(r, r->conf->control_path, 0660, why);
	return r->control_fd == -1 ? -1 : 0;
}

int
rundir_open(struct rundir *r, const struct conf *conf,
    const struct rundir_owner *owner, char **why)
{
	*r = (struct rundir){ .conf = conf,
		.owner = *owner,
		.lock_fd = -1,
		.pid_fd = -1,
		.broker_fd = -1,
		.control_fd = -1 };
	r->lock_path = xasprintf("%s/lock", conf->runtime_dir);
	r->listen_path = xasprintf("%s/listen", conf->runtime_dir);
	if (make_directory(r, why) == 0 && take_lock(r, why) == 0 &&
	    open_pid_file(r, why) == 0 && make_database(r, why) == 0 &&
	    open_sockets(r, why) == 0)
		return 0;
	rundir_close(r);
	return -1;
}

void
rundir_close(struct rundir *r)
{
	/* Without the lock the files are those of another server. */
	if (r->lock_fd != -1) {
		unlink(r->conf->broker_path);
		unlink(r->conf->control_path);
		unlink(r->listen_path);
		/* If the file may not be removed any more, it is emptied. */
		if (r->pid_fd != -1 && unlink(r->conf->pid_file) == -1 &&
		    ftruncate(r->pid_fd, 0) == -1)
			log_warn("cannot remove %s", r->conf->pid_file);
		unlink(r->lock_path);
	}
	close_if_open(r->broker_fd);
	close_if_open(r->control_fd);
	close_if_open(r->pid_fd);
	close_if_open(r->lock_fd);
	free(r->lock_path);
	free(r->listen_path);
	*r = (struct rundir){
		.lock_fd = -1, .pid_fd = -1, .broker_fd = -1, .control_fd = -1
	};
}
