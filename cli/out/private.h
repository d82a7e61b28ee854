/* SPDX-License-Identifier: MIT */
#ifndef CLI_OUT_PRIVATE_H
#define CLI_OUT_PRIVATE_H

/* Shared by the files of this room; no other file includes it. */

#include <errno.h>
#include <stdio.h>

#include "cli/out/out.h"
#include "shared/json/json_write.h"

enum out_kind {
	OUT_STR,
	OUT_GOOD,
	OUT_BAD,
	OUT_NUM,
	OUT_SECONDS,
	OUT_BYTES,
	OUT_BOOL,
	OUT_SWITCH,
	OUT_NULL
};

struct out_value {
	enum out_kind kind;
	struct str s;
	uint64_t n;
};

struct out_ops {
	void (*group)(struct out *, bool open);
	void (*record)(struct out *, const char *name, bool open);
	void (*table)(struct out *, const char *name, bool open);
	void (*row)(struct out *, bool open);
	void (*value)(struct out *, const char *key, const struct out_value *);
	void (*block)(
	    struct out *, const char *key, const char *title, struct str text);
	void (*finish)(struct out *);
};

struct out_cell {
	char *text;
	char *brief;  /* a shorter form of a number, or NULL */
	size_t width; /* places on the terminal */
	bool right;
	const char *colour;
};

struct out_column {
	size_t width;
	bool right; /* numbers */
	bool gone;  /* there is no room for it */
	bool empty; /* it is empty */
};

struct out {
	const struct out_ops *ops;
	FILE *f;
	enum out_style style;
	bool colour;
	bool dropped;
	int error; /* errno of the first failed write */
	/* JSON */
	struct json_writer w;
	/* text: the open record (two columns) or table */
	char **keys; /* of the table that is open */
	size_t nkeys;
	const char *columns; /* the text that they come from, or NULL */
	const char *order;   /* of the columns, the most important first */
	size_t width;        /* of the terminal; 0: no limit */
	bool header;         /* also into a pipe */
	bool live; /* a screen: says nothing of columns that are gone */
	size_t ncols;
	struct out_cell *cells;
	size_t ncells, cap;
	bool in_table;
	bool written; /* a blank line goes before the next part */
};

extern const struct out_ops out_text_ops, out_json_ops;

/* Writes bytes unchanged; the first error is kept. */
static inline void
out_put(struct out *o, struct str s)
{
	if (o->error == 0 && fwrite(s.p, 1, s.n, o->f) != s.n)
		o->error = errno != 0 ? errno : EIO;
}

/* The keys of a table from the text of its columns. */
void out_learn_keys(struct out *, const char *columns);
void out_forget_keys(struct out *);
void out_clear_cells(struct out_cell *, size_t n);

/* Places on a terminal of one character of n bytes. */
size_t out_places(const char *, size_t n);
/* A short form of a number, free(3) it; NULL: it is short. */
char *out_brief(enum out_kind, uint64_t);
/* The widths of the columns as they are; head may be NULL. */
void out_measure(
    const struct out *, const struct out_cell *head, struct out_column *);
/* Makes the measured table fit o->width. */
void out_fit(struct out *, struct out_cell *head, struct out_column *);
/* A line about the removed columns, free(3) it; NULL: there are none. */
char *out_gone(const struct out *, const struct out_column *);

#endif
