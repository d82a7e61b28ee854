/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_MINUTE_LOG_H
#define SHARED_PROC_MINUTE_LOG_H

/*
 * Counters of each minute of the last day, in memory that survives the broker
 * and in a file that survives the daemon.  The broker writes into memory that
 * the master has made, so that the disk never delays it; the courier copies new
 * rows to the file once a minute; the master reads the file at the start.  Both
 * have one place for each minute of a day and never grow: a quarter of a MiB.
 * Rows of apps are not stored: there may be any number of apps.
 */

#include <stddef.h>
#include <stdint.h>

/* The columns of a minute or an hour, one line each. */
#define MINUTE_LOG_FIELDS(X) \
	X(seconds)     /* of it that were counted */ \
	X(connections) /* at most, at one time */ \
	X(opened) \
	X(closed) \
	X(refused) /* server only */ \
	X(messages_in) \
	X(messages_out) \
	X(bytes_in) \
	X(bytes_out) \
	X(published) \
	X(delivered) \
	X(api) \
	X(slow)        /* closed for reading too slowly */ \
	X(cpu_us)      /* server only: all processes */ \
	X(turn_max_us) /* server only: the longest turn of a loop */

struct minute_log_row {
	uint64_t time; /* its start: seconds since 1970, a whole minute */
#define X(field) uint64_t field;
	MINUTE_LOG_FIELDS(X)
#undef X
};

#define MINUTE_LOG_ROWS 1440

struct minute_log;

/* Adds v to sum; of connections and turn_max_us the larger value counts. */
void minute_log_add(struct minute_log_row *sum, const struct minute_log_row *v);

/* Call before there are children; NULL with errno. */
struct minute_log *minute_log_map(void);
/* Only the broker.  Replaces the minute's row; NULL: removes it. */
void minute_log_put(struct minute_log *, const struct minute_log_row *);
/*
 * The rows of the last day before `now` (seconds since 1970), oldest first;
 * returns how many.  Rows that are damaged or are being written are omitted.
 */
size_t minute_log_get(const struct minute_log *, uint64_t now,
    struct minute_log_row out[MINUTE_LOG_ROWS]);

/* The file for this outbox: "history" beside it; free(3) it. */
char *minute_log_path(const char *outbox);
/*
 * Reads the rows of the file: 0, or -1 with errno.  A file that is missing or
 * was made by another version has none; EILSEQ: it is another file.
 */
int minute_log_load(struct minute_log *, const char *path);
/*
 * Writes the rows from *since on (0: all) and sets *since to the last one.  0,
 * or -1 with errno; another file is left alone (EILSEQ).  May wait for the
 * disk.
 */
int minute_log_save(
    const struct minute_log *, const char *path, uint64_t now, uint64_t *since);

#endif
