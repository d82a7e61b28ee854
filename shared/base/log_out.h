/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_LOG_OUT_H
#define SHARED_BASE_LOG_OUT_H

/* Where lines of the log go: stderr or syslog.  Nothing here ever waits. */

#include <stdbool.h>
#include <stddef.h>

/*
 * Call before the first fork: processes that write into one file tell each
 * other that a line was cut off.  Without memory each one only knows its own
 * lines.
 */
void log_out_share(void);
/*
 * A descriptor for the same pipe or terminal which never blocks, whatever
 * others do with theirs; or a plain copy of fd if that is impossible.  At least
 * 3, close-on-exec; -1 with errno.
 */
int log_out_copy(int fd);
/* stderr is another file now; half: it ends with an incomplete line. */
void log_out_fresh(bool half);
/*
 * Writes a line and its newline to stderr.  patient: it may take a second (a
 * program that a person has started and that ends soon).  False with errno if
 * it is lost, completely or in part.
 */
bool log_out_stderr(const char *p, size_t n, bool patient);
/* Makes other output to the stream stderr wait no longer than this. */
void log_out_guard(void);
/* Sets another socket than /dev/log. */
void log_out_syslog_at(const char *path);
/* One line without a newline; priority as of syslog(3).  False with errno. */
bool log_out_syslog(int priority, const char *p, size_t n);
void log_out_close_syslog(void);

#endif
