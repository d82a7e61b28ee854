/* SPDX-License-Identifier: MIT */
/*
 * log.c: one line, one write(2), to stderr or syslog, as text or as a JSON
 * object.  Owns the level, the format and the name of the process, a small
 * table that keeps a repeated warning from filling the disk, and the number of
 * lines that the log did not take: no line is worth waiting for (log_out.c),
 * and when the log takes lines again, one line reports how many are lost.
 *
 * A line never holds a control byte or bytes that are not UTF-8: whatever a
 * client puts into a message, it cannot forge a line or control a terminal.
 * Allocates nothing, so that it can report that memory is gone.  Must never be
 * called on the hot path, and never with a secret or the data of an event.
 */

#include "shared/base/log.h"
#include "shared/base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log_out.h"
#include "shared/base/utf8.h"

#define MESSAGE_BYTES 2048
#define LINE_BYTES 4096 /* PIPE_BUF: lines of two processes do not mix */
#define CUT "…"         /* ends a message that was cut */
#define QUIET_MS 1000   /* ms between two warnings of one format */
#define NOTES 10        /* log_note() lines of one format in QUIET_MS */
#define TEXT_MAX 256    /* bytes kept of a line that was not printed */

static struct {
	char process[32];
	enum log_level level;
	enum log_format format;
	bool named, to_syslog;
} conf = { .level = LOG_LEVEL_INFO };

/* The formats of log_warn() and log_note() that were used last. */
static struct quiet {
	const char *fmt;
	uint64_t printed_ms;
	unsigned printed; /* since printed_ms */
	unsigned more;    /* not printed since */
	enum log_level level;
	char text[TEXT_MAX]; /* the last of them */
	int err;             /* ... and its errno, or 0 */
} quiet[32];

/* Lines that the log did not take, and the reason for the last one. */
static struct {
	unsigned long n;
	int err;
} lost;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

struct line {
	char p[LINE_BYTES];
	size_t n;
};

void
log_init(const char *process, enum log_level level, enum log_format format)
{
	snprintf(conf.process, sizeof(conf.process), "%s", process);
	conf.level = level;
	conf.format = format;
	conf.named = true;
	memset(quiet, 0, sizeof(quiet));
	lost.n = 0;
}

void
log_to_syslog(void)
{
	conf.to_syslog = true;
}

void
log_to_stderr(void)
{
	log_out_close_syslog();
	conf.to_syslog = false;
}

void
log_set_level(enum log_level level)
{
	conf.level = level;
}

void
log_set_format(enum log_format format)
{
	conf.format = format;
}

bool
log_is_debug(void)
{
	return conf.level >= LOG_LEVEL_DEBUG;
}

int
log_level_parse(struct str s, enum log_level *level)
{
	size_t i;

	for (i = 0; i < nitems(level_names); i++) {
		if (str_eq(s, str_of(level_names[i]))) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

static uint64_t
now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* Appends if `reserve` bytes remain after it. */
static bool
line_put(struct line *l, struct str s, size_t reserve)
{
	if (sizeof(l->p) - l->n < s.n + reserve)
		return false;
	memcpy(l->p + l->n, s.p, s.n);
	l->n += s.n;
	return true;
}

/* Appends the text, with all bytes escaped that must not be in a line. */
static void
line_escape(struct line *l, struct str s, bool json)
{
	const size_t reserve = sizeof(CUT) + sizeof("\"}\n");
	char esc[8];
	struct str part;
	size_t n;

	for (; s.n > 0; s = str_from(s, MAX(n, 1))) {
		n = utf8_printable(s);
		part = str_make(s.p, n);
		if (n == 0) {
			/* In JSON the backslash is part of the text. */
			snprintf(esc, sizeof(esc), "%s\\x%02x",
			    json ? "\\" : "", (unsigned char)s.p[0]);
			part = str_of(esc);
		} else if (s.p[0] == '\\') {
			part = S("\\\\");
		} else if (json && s.p[0] == '"') {
			part = S("\\\"");
		}
		if (s.p[0] == '\n')
			part = json ? S("\\\\n") : S("\\n");
		if (!line_put(l, part, reserve)) {
			line_put(l, S(CUT), 0);
			return;
		}
	}
}

static void
line_time(struct line *l)
{
	struct timespec ts;
	struct tm tm;
	char text[40];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, sizeof(text) - 8, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 8, ".%03dZ", (int)(ts.tv_nsec / 1000000) % 1000);
	line_put(l, str_of(text), 0);
}

static void
line_make(struct line *l, enum log_level level, struct str msg)
{
	const char *who =
	    conf.named ? conf.process : program_invocation_short_name;
	bool json = conf.named && conf.format == LOG_FORMAT_JSON;

	l->n = 0;
	if (json) {
		line_put(l, S("{\"time\":\""), 0);
		line_time(l);
		line_put(l, S("\",\"level\":\""), 0);
		line_put(l, str_of(level_names[level]), 0);
		line_put(l, S("\",\"process\":\""), 0);
		line_escape(l, str_of(who), true);
		line_put(l, S("\",\"msg\":\""), 0);
		line_escape(l, msg, true);
		line_put(l, S("\"}\n"), 0);
		return;
	}
	if (conf.named && !conf.to_syslog) {
		line_time(l);
		line_put(l, S(" "), 0);
	}
	line_escape(l, str_of(who), false);
	line_put(l, S(": "), 0);
	if (conf.named && level != LOG_LEVEL_INFO) {
		line_put(l, str_of(level_names[level]), 0);
		line_put(l, S(": "), 0);
	}
	line_escape(l, msg, false);
	line_put(l, S("\n"), 0);
}

/* False with errno when the line is lost. */
static bool
print(enum log_level level, struct str msg)
{
	static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
		LOG_DEBUG };
	struct line l;

	line_make(&l, level, msg);
	if (conf.to_syslog)
		return log_out_syslog(priorities[level], l.p, l.n - 1);
	return log_out_stderr(l.p, l.n, !conf.named);
}

/* False when the log takes nothing yet. */
static bool
tell_lost(void)
{
	char text[160], known[80];
	int n;

	if (lost.n == 0)
		return true;
	n = snprintf(text, sizeof(text),
	    "%lu %s lost: the log did not take %s: %s", lost.n,
	    lost.n == 1 ? "line" : "lines", lost.n == 1 ? "it" : "them",
	    strerror_r(lost.err, known, sizeof(known)));
	if (!print(LOG_LEVEL_WARN, str_make(text, (size_t)MAX(n, 0))))
		return false;
	lost.n = 0;
	return true;
}

static void
emit(enum log_level level, struct str msg)
{
	if (tell_lost() && print(level, msg))
		return;
	lost.n++;
	lost.err = errno;
}

/* err: the errno to explain, or 0. */
__attribute__((format(printf, 4, 0))) static void
vlog(enum log_level level, int err, unsigned more, const char *fmt, va_list ap)
{
	char msg[MESSAGE_BYTES + 256], tail[256] = "", known[128];
	size_t n;
	int r;

	r = vsnprintf(msg, MESSAGE_BYTES, fmt, ap);
	n = r < 0 ? 0 : (size_t)r;
	if (n >= MESSAGE_BYTES) {
		n = MESSAGE_BYTES - sizeof(CUT);
		memcpy(msg + n, CUT, sizeof(CUT));
		n += sizeof(CUT) - 1;
	}
	if (err != 0)
		snprintf(tail, sizeof(tail), ": %s",
		    strerror_r(err, known, sizeof(known)));
	memcpy(msg + n, tail, strlen(tail));
	n += strlen(tail);
	if (more > 0) {
		snprintf(tail, sizeof(tail), " (+%u more)", more);
		memcpy(msg + n, tail, strlen(tail));
		n += strlen(tail);
	}
	emit(level, str_make(msg, n));
}

/* ---- warnings that repeat ---- */

static void
tell_repeats(struct quiet *q)
{
	char text[TEXT_MAX + 256], known[128];
	int n;

	n = snprintf(text, sizeof(text), "%u more: %s%s%s", q->more, q->text,
	    q->err == 0 ? "" : ": ",
	    q->err == 0 ? "" : strerror_r(q->err, known, sizeof(known)));
	q->more = 0;
	emit(q->level, str_make(text, (size_t)MAX(n, 0)));
}

/* The place of this format; the oldest one is replaced. */
static struct quiet *
quiet_of(enum log_level level, const char *fmt)
{
	struct quiet *q = &quiet[0];
	size_t i;

	for (i = 0; i < nitems(quiet); i++) {
		if (quiet[i].fmt == fmt)
			return &quiet[i];
		if (quiet[i].printed_ms < q->printed_ms)
			q = &quiet[i];
	}
	if (q->more > 0)
		tell_repeats(q);
	*q = (struct quiet){ .fmt = fmt, .level = level };
	return q;
}

/*
 * Prints, or only counts if the same was printed often enough a moment ago: a
 * warning once, a note NOTES times.
 */
__attribute__((format(printf, 3, 0))) static void
vquiet(enum log_level level, int err, const char *fmt, va_list ap)
{
	struct quiet *q = quiet_of(level, fmt);
	uint64_t now = now_ms();
	unsigned more = q->more;
	unsigned often = level == LOG_LEVEL_WARN ? 1 : NOTES;

	if (q->printed_ms == 0 || now - q->printed_ms >= QUIET_MS)
		q->printed = 0;
	if (q->printed >= often) {
		vsnprintf(q->text, sizeof(q->text), fmt, ap);
		q->err = err;
		q->more++;
		return;
	}
	if (q->printed++ == 0)
		q->printed_ms = now;
	q->more = 0;
	vlog(level, err, more, fmt, ap);
}

void
log_tick(void)
{
	int saved = errno;
	uint64_t now = now_ms();

	tell_lost();
	for (size_t i = 0; i < nitems(quiet); i++) {
		if (quiet[i].more == 0 || now - quiet[i].printed_ms < QUIET_MS)
			continue;
		quiet[i].printed_ms = now;
		quiet[i].printed = 1;
		tell_repeats(&quiet[i]);
	}
	errno = saved;
}

void
log_warn(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (conf.level >= LOG_LEVEL_WARN) {
		va_start(ap, fmt);
		vquiet(LOG_LEVEL_WARN, saved, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

void
log_warnx(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (conf.level >= LOG_LEVEL_WARN) {
		va_start(ap, fmt);
		vquiet(LOG_LEVEL_WARN, 0, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

void
log_note(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (conf.level >= LOG_LEVEL_INFO) {
		va_start(ap, fmt);
		vquiet(LOG_LEVEL_INFO, 0, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

void
log_info(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (conf.level >= LOG_LEVEL_INFO) {
		va_start(ap, fmt);
		vlog(LOG_LEVEL_INFO, 0, 0, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

void
log_debug(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	if (conf.level >= LOG_LEVEL_DEBUG) {
		va_start(ap, fmt);
		vlog(LOG_LEVEL_DEBUG, 0, 0, fmt, ap);
		va_end(ap);
	}
	errno = saved;
}

void
fatal(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_LEVEL_ERROR, saved, 0, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_LEVEL_ERROR, 0, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
