/* SPDX-License-Identifier: MIT */
#ifndef CLI_OUT_OUT_H
#define CLI_OUT_OUT_H

/*
 * The output of a command, said once and written in one of three styles:
 *
 *   OUT_TABLE  a terminal, or a pager: aligned columns with a heading, as
 *              many as fit, human numbers
 *   OUT_TABS   a pipe: one line per row, cells separated by tabs, plain
 *              numbers, a heading only when it is asked for
 *   OUT_JSON   one JSON document on one line
 *
 * A document is one record, one table, or a group of named records, tables
 * and texts.  In the text styles control bytes and bytes that are not UTF-8
 * are written as \xNN, so that no name can steer the terminal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/base/str.h"
#include "shared/json/json_slice.h"

enum out_style { OUT_TABLE, OUT_TABS, OUT_JSON };

struct out;

/* Writes to f, which stays the caller's. */
struct out *out_new(FILE *f, enum out_style style, bool colour);
/*
 * The style, width and colour for a terminal, a pager or a pipe; json: what
 * -j says.  NO_COLOR (any value that is not empty) and TERM=dumb are respected.
 */
struct out *out_new_for(FILE *f, bool json);
/* Is it a terminal that moves its cursor?  TERM=dumb is none. */
bool out_can_draw(int fd);
/* Tables have a heading in a pipe, too. */
void out_set_header(struct out *);
/* Places of a line; 0: no limit. */
void out_set_width(struct out *, size_t width);
size_t out_width(const struct out *);
/* For a screen that is drawn again and again: nothing but the document. */
void out_set_live(struct out *);
/*
 * Ends the document and flushes.  0, or -1 with errno: the output is
 * incomplete.
 */
int out_finish(struct out *);
/*
 * Instead of a document of parts: a finished JSON text, the same in every
 * style.
 */
void out_json_document(struct out *, struct str text);
/*
 * The command failed: discards the open part or, in JSON, everything, so that
 * half an answer is never taken for a whole one.
 */
void out_drop(struct out *);
void out_free(struct out *);
bool out_is_json(const struct out *);
bool out_is_terminal(const struct out *);

/*
 * A text from outside for a terminal or a pipe, as the text styles write it;
 * free(3) it.
 */
char *out_clean(struct str);

/* "1.2k", or "1.2K" of bytes, for a narrow place; free(3) it. */
char *out_short(uint64_t, bool bytes);

/* Several parts as one document. */
void out_group_open(struct out *);
void out_group_close(struct out *);

/*
 * A record: keys and values below each other.  name: the key inside a
 * group, else NULL.
 */
void out_record_open(struct out *, const char *name);
void out_record_close(struct out *);

/*
 * A table.  columns: their keys with blanks between them; their upper case is
 * the heading.  Every row gives each column once, in this order.  An open table
 * is closed first, and by the end of its group; if it is the same one, it
 * continues.  The text must live until the close.
 */
void out_table_open(struct out *, const char *name, const char *columns);
/*
 * Call before out_table_open(): its keys with blanks between them, the most
 * important first.  On a narrow terminal unnamed columns are removed first, and
 * then the last ones.  By default their order is that of the table.
 */
void out_table_order(struct out *, const char *keys);
void out_row_open(struct out *);
void out_row_close(struct out *);
void out_table_close(struct out *);

/*
 * Values from a row of the daemon, into the open record or row.  A member (and
 * a column of a table) is "key", "key:kind" or "key:kind=name" where the row
 * has another name for it; "key=a+b" adds up.  Kinds: bytes, seconds, ms (of
 * which seconds are shown), time (seconds since 1970), clock (milliseconds).
 */
void out_members(struct out *, struct json row, const char *members);
/* A row of the open table: its columns (arg is the struct out). */
void out_row(void *arg, struct json row);
/* A whole record. */
void out_record(
    struct out *, const char *name, struct json row, const char *members);
/* A number of a row; 0 when it is missing. */
uint64_t row_u64(struct json row, const char *key);

/* Values, in a record or in a row. */
void out_str(struct out *, const char *key, struct str);
/* NULL is null. */
void out_text(struct out *, const char *key, const char *);
/* Green or red on a terminal. */
void out_state(struct out *, const char *key, const char *, bool good);
void out_num(struct out *, const char *key, uint64_t);
/* "yes" and "no"; in JSON true and false. */
void out_bool(struct out *, const char *key, bool);
/*
 * A setting in the form of the command line: "on" and "off"; in JSON true and
 * false.
 */
void out_switch(struct out *, const char *key, bool);
/* "-"; null. */
void out_null(struct out *, const char *key);
/* "2d 03:04:05" on a terminal. */
void out_seconds(struct out *, const char *key, uint64_t);
/* "1.5 MiB" on a terminal. */
void out_bytes(struct out *, const char *key, uint64_t);
/* Milliseconds since 1970 as a date to the minute, fine: to the millisecond. */
void out_time(struct out *, const char *key, uint64_t ms, bool fine);
/* A value of a row of the daemon; JSON_NONE is null. */
void out_json(struct out *, const char *key, struct json);

/* A text of several lines in a group: "# title" above it; a JSON string. */
void out_block(
    struct out *, const char *key, const char *title, struct str text);
/* A sentence for people: omitted in JSON and in a pipe. */
void out_hint(struct out *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
