/* SPDX-License-Identifier: MIT */
/*
 * log_target.c: the option log: syslog, stderr or a file.  The master opens
 * files, and opens them again on SIGUSR1; the others get the descriptor and
 * open nothing.  Owns a copy of the first stderr, for the way back.
 */

#include "cli/master/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/log_out.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

#define LOG_MODE 0600

static bool
is_syslog(const struct log_target *p, const struct conf *conf)
{
	if (strcmp(conf->log, "auto") == 0)
		return !p->foreground;
	return strcmp(conf->log, "syslog") == 0;
}

/* A full disk may have cut off the last line of an earlier run. */
static bool
ends_in_half_a_line(const struct conf *conf)
{
	char last = '\n';
	struct stat st;
	int fd;

	if (conf->log[0] != '/' || lstat(conf->log, &st) == -1 ||
	    !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	fd = open(conf->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return false;
	if (pread(fd, &last, 1, st.st_size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

int
log_target_open(
    const struct log_target *p, const struct conf *conf, int *fd, char **why)
{
	const char *what = conf->log;

	if (conf->log[0] == '/')
		*fd = open(what,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
			O_NOCTTY | O_NONBLOCK,
		    LOG_MODE);
	else if (p->stderr_fd == -1)
		return *fd = -1, 0;
	else
		*fd = fcntl(p->stderr_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (*fd != -1)
		return 0;
	*why = xasprintf("%s: log is \"%s\": cannot open it: %s: its directory "
			 "must exist, and the user of pusherd must be able to "
			 "write there",
	    conf_origin(conf, "log"), what, strerror(errno));
	return -1;
}

void
log_target_use(struct log_target *p, const struct conf *conf, int fd)
{
	log_level_parse(str_of(conf->log_level), &p->level);
	p->format = strcmp(conf->log_format, "json") == 0 ? LOG_FORMAT_JSON
							  : LOG_FORMAT_LOGFMT;
	p->to_syslog = is_syslog(p, conf);
	if (fd != -1) {
		if (dup2(fd, STDERR_FILENO) == -1)
			log_warn("dup2");
		close(fd);
		log_out_fresh(ends_in_half_a_line(conf));
	}
	log_set_level(p->level);
	log_set_format(p->format);
	if (p->to_syslog)
		log_to_syslog();
	else
		log_to_stderr();
}
