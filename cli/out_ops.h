/* SPDX-License-Identifier: MIT */
#ifndef CLI_OUT_OPS_H
#define CLI_OUT_OPS_H

/* What out.c and the two writers (out_text.c, out_json.c) share. */

#include "cli/out.h"
#include "shared/json_write.h"

enum out_kind {
	OUT_STR,
	OUT_GOOD,
	OUT_BAD,
	OUT_NUM,
	OUT_SECONDS,
	OUT_BYTES,
	OUT_BOOL,
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
	size_t width; /* columns on the terminal */
	bool right;
	const char *colour;
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
	const char *const *keys;
	size_t ncols;
	struct out_cell *cells;
	size_t ncells, cap;
	bool in_table;
	bool written; /* a blank line goes before the next part */
};

extern const struct out_ops out_text_ops, out_json_ops;

/* Writes bytes as they are; the first error is kept. */
void out_put(struct out *, struct str);
void out_clear_cells(struct out_cell *, size_t n);

#endif
