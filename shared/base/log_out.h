/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_LOG_OUT_H
#define SHARED_BASE_LOG_OUT_H

/* Where lines of the log go: stderr or syslog.  Nothing here ever waits. */

#include <stdbool.h>
#include <stddef.h>

/*
 * Before the first fork: processes that write into one file tell each other
 * of a line that was cut off.  Without memory each one knows its own only.
 */
void log_out_share(void);
/*
 * A descriptor for the same pipe or terminal which never blocks, whatever
 * others do with theirs; or a plain copy of fd where that cannot be had.
 * Not below 3, close-on-exec; -1 with errno.
 */
int log_out_copy(int fd);
/* stderr is another file now; half: it ends with a line that is cut off. */
void log_out_fresh(bool half);
/*
 * Writes a line and its newline to stderr.  patient: it may take a second
 * (a program that a person has started and that ends soon).  False with errno
 * when it is lost, or a part of it.
 */
bool log_out_stderr(const char *p, size_t n, bool patient);
/* Other output to the stream stderr does not wait for ever, either. */
void log_out_guard(void);
/* Another socket than /dev/log. */
void log_out_syslog_at(const char *path);
/* One line without a newline; priority as of syslog(3).  False with errno. */
bool log_out_syslog(int priority, const char *p, size_t n);
void log_out_close_syslog(void);

#endif
