/* SPDX-License-Identifier: MIT */
/*
 * files.c: asks the system whether files can be read, written or made, before
 * anything depends on them.  Makes and opens none of them for writing; a file
 * may still fail later, and then its user says so.
 */

#include "cli/master/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/file.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/cluster_secrets.h"
#include "shared/conf/conf.h"
#include "shared/crypto/authorities.h"

static bool
is_made_by_the_start(const struct conf *conf, const char *dir)
{
	char *of_database = file_parent(conf->database);
	bool is = strcmp(dir, conf->runtime_dir) == 0 ||
	    strcmp(dir, of_database) == 0;

	free(of_database);
	return is;
}

bool
files_may_write(const struct conf *conf, const char *path)
{
	struct stat st;
	char *dir;
	bool may;

	if (stat(path, &st) == 0) {
		errno = EISDIR;
		return !S_ISDIR(st.st_mode) && access(path, W_OK) == 0;
	}
	if (errno != ENOENT)
		return false;
	dir = file_parent(path);
	may = access(dir, W_OK | X_OK) == 0 ||
	    (errno == ENOENT && is_made_by_the_start(conf, dir));
	free(dir);
	return may;
}

static int
check_written(
    const struct conf *conf, const char *option, const char *path, char **why)
{
	if (files_may_write(conf, path))
		return 0;
	*why = xasprintf("%s: %s is \"%s\": cannot write it: %s: its directory "
			 "must exist, and the user %s must be able to write "
			 "there",
	    conf_origin(conf, option), option, path, strerror(errno),
	    conf->user[0] == '\0' ? "who starts pusherd" : conf->user);
	return -1;
}

int
files_check_read(const struct conf *conf, char **why)
{
	if (cluster_secrets_check(conf, why) == -1)
		return -1;
	return conf->webhook_ca_file[0] == '\0'
	    ? 0
	    : authorities_check("webhook_ca_file", conf->webhook_ca_file, why);
}

int
files_check_log(const struct conf *conf, char **why)
{
	return conf->log[0] == '/' ? check_written(conf, "log", conf->log, why)
				   : 0;
}

int
files_check_outbox(const struct conf *conf, char **why)
{
	return check_written(conf, "outbox", conf->outbox, why);
}

int
files_check_pid(const struct conf *conf, char **why)
{
	return check_written(conf, "pid_file", conf->pid_file, why);
}

int
files_check_apart(const struct conf *conf, char **why)
{
	const char *const files[][2] = { { "database", conf->database },
		{ "outbox", conf->outbox }, { "log", conf->log },
		{ "pid_file", conf->pid_file } };

	for (size_t i = 0; i < nitems(files); i++)
		for (size_t k = 0; k < i; k++) {
			if (strcmp(files[i][1], files[k][1]) != 0)
				continue;
			*why = xasprintf("%s: %s and %s are the same file, %s: "
					 "give each a path of its own",
			    conf_origin(conf, files[i][0]), files[k][0],
			    files[i][0], files[i][1]);
			return -1;
		}
	return 0;
}
