/* SPDX-License-Identifier: MIT */
/*
 * console.c: a process for one command of the console.  The broker requests it
 * after it has checked the command, which the process then fetches over the
 * control socket, as pusherctl would; so the master never sees it.  The process
 * ends with its command, or with the broker.
 */

#include "cli/master/console.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/master/certs.h"
#include "cli/master/child.h"
#include "cli/master/start.h"
#include "shared/base/log.h"
#include "shared/crypto/tls_store.h"
#include "shared/proc/proc.h"
#include "shared/proc/snapshot.h"

void
console_fork(const struct master_start *start, const char *name,
    int (*run)(const struct conf *))
{
	pid_t pid = fork();

	if (pid == -1)
		log_warn("%s: cannot fork", name);
	if (pid != 0)
		return;
	tls_store_unmap(start->certs->store);
	snapshot_unmap(start->apps);
	log_init(name, start->log.level, start->log.format);
	proc_title("pusherd: %s", name);
	if (start->log.to_syslog)
		log_to_stderr();
	proc_close_others(NULL, 0);
	if (start->log.to_syslog)
		log_to_syslog();
	proc_forget_capabilities();
	child_signals();
	proc_unblock_signals();
	_exit(run(start->conf));
}
