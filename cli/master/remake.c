/* SPDX-License-Identifier: MIT */
/*
 * remake.c: notices that files of runtime_dir, or Unix sockets of the option
 * listen, were removed while the server runs (a clean-up of /tmp, a hasty rm),
 * and makes them again.  Without the sockets no worker would find the next
 * broker, pusherctl none, and a proxy no worker.  A broker that listens on a
 * socket without a name is replaced, which no client notices.  Must never touch
 * the files of another server.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/master/listen.h"
#include "cli/master/start.h"
#include "cli/master/state.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/sock.h"

#define LOOK_MS 1000
#define RETRY_MS 10000

static bool
is_gone(const char *path)
{
	struct stat st;

	return lstat(path, &st) == -1 && errno == ENOENT;
}

/* The new descriptor gets the number of the old one: children inherit that. */
static int
put(int made, int fd)
{
	int r = made == -1 ? -1 : dup3(made, fd, O_CLOEXEC), saved = errno;

	if (made != -1)
		close(made);
	errno = saved;
	return r == -1 ? -1 : 0;
}

/* A locked file with the number of this process; 0, or -1 with errno. */
static int
make_file(const char *path, mode_t mode, int fd)
{
	int made;

	if (!is_gone(path))
		return 0;
	made = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (made == -1)
		return -1;
	if (flock(made, LOCK_EX | LOCK_NB) == -1 ||
	    dprintf(made, "%d\n", (int)getpid()) < 0) {
		close(made);
		return -1;
	}
	return put(made, fd);
}

static int
make_socket(const char *path, mode_t mode, int fd)
{
	return is_gone(path) ? put(sock_listen_unix(path, mode), fd) : 0;
}

static int
make_all(const struct master_start *s)
{
	const struct conf *conf = s->conf;
	char *lock = xasprintf("%s/lock", conf->runtime_dir), *why;
	int r = -1;

	if (mkdir(conf->runtime_dir, 0710) == 0 || errno == EEXIST)
		r = make_file(lock, 0600, s->lock_fd);
	if (r == 0 && make_file(conf->pid_file, 0644, s->pid_fd) == -1)
		r = -1;
	if (r == 0 &&
	    (make_socket(conf->broker_path, 0600, s->broker_fd) == -1 ||
		make_socket(conf->control_path, 0660, s->control_fd) == -1))
		r = -1;
	free(lock);
	if (r == 0 && listen_write(s->listen, s->listen_path, &why) == -1) {
		log_warnx("%s", why);
		free(why);
	}
	return r;
}

/*
 * Unix sockets that clients connect to; the workers get those that are made
 * again.
 */
static void
check_listeners(struct master *m, uint64_t now)
{
	struct listen_set *l = m->start->listen;
	bool made = false;

	for (size_t i = 0; i < l->n; i++) {
		struct listener_place *p = l->v[i];
		const char *path = p->foreign ? NULL : sock_addr_path(&p->addr);

		if (path == NULL || !is_gone(path))
			continue;
		if (make_socket(path, p->mode, p->fds[0]) == -1) {
			log_warn("unix:%s was removed, and no client can "
				 "connect there: make its directory writable "
				 "for the user of pusherd, or restart pusherd",
			    path);
			m->files_ms = now + RETRY_MS;
			continue;
		}
		log_warnx("unix:%s was removed: it is made again", path);
		p->id = ++l->last_id;
		made = true;
	}
	if (made) {
		m->reload.order = ++m->last_order;
		reload_tell_conf(m);
	}
}

void
remake_check(struct master *m, uint64_t now)
{
	const struct conf *conf = m->start->conf;

	if (now < m->files_ms + LOOK_MS || m->reload.active ||
	    m->replace.active || m->retire.active ||
	    m->upgrade.step != UPGRADE_NONE)
		return;
	m->files_ms = now;
	if (!is_gone(conf->broker_path) && !is_gone(conf->control_path)) {
		check_listeners(m, now);
		return;
	}
	if (make_all(m->start) == -1) {
		log_warn("files of runtime_dir %s were removed: pusherctl and "
			 "the next broker need them: make the directory again "
			 "for the user of pusherd, or restart pusherd",
		    conf->runtime_dir);
		m->files_ms = now + RETRY_MS;
		return;
	}
	log_warnx("files of runtime_dir %s were removed: they are made again, "
		  "and the broker is replaced",
	    conf->runtime_dir);
	child_replace(&m->children[0]);
}
