/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_LOG_H
#define SHARED_BASE_LOG_H

/*
 * Six words.  One line, one write(2):
 *   2026-01-31T12:00:00.123Z worker 2: client closed: … app=3 sid=912.77
 * Control bytes are escaped.  errno is saved and restored.  Secrets and
 * event data are never logged.  A call never waits: a line that the log does
 * not take at once is lost, and counted.
 */

#include <stdbool.h>

#include "shared/base/str.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/*
 * Names the process ("master", "worker 2"), which begins without the repeated
 * warnings and lost lines of the one that forked it.  Before the first call,
 * lines carry the program's name and no time, and go to stderr.
 */
void log_init(const char *process, enum log_level, enum log_format);
/* Sends lines to syslog instead of stderr (a daemon without a terminal). */
void log_to_syslog(void);
/* Returns to stderr, which may be another file now. */
void log_to_stderr(void);
void log_set_level(enum log_level);
void log_set_format(enum log_format);
/*
 * Once a second: reports how many lines were lost, when the log takes lines
 * again, and how often repeated warnings were not printed.
 */
void log_tick(void);
bool log_is_debug(void);
/* "error", "warn", "info", "debug": 0, or -1. */
int log_level_parse(struct str, enum log_level *);

/* With ": " and strerror(errno) at the end. */
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * As log_info(), for events that strangers can cause any number of times:
 * prints some lines of a format in one second, then only counts; the next line
 * or log_tick() reports the count.
 */
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Like log_warn()/log_warnx() at level error, then exit(1). */
_Noreturn void fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
_Noreturn void fatalx(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
