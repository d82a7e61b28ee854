/* SPDX-License-Identifier: MIT */
/*
 * document.c: the interface of the writers: chooses one, passes everything on,
 * keeps the first write error.  It never owns the FILE.
 */

#include "cli/out/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/out/pager.h"
#include "cli/out/private.h"
#include "shared/base/xmalloc.h"

#define WIDTH_DEFAULT 80 /* of a terminal that does not say */

struct out *
out_new(FILE *f, enum out_style style, bool colour)
{
	struct out *o = xcalloc(1, sizeof(*o));

	o->ops = style == OUT_JSON ? &out_json_ops : &out_text_ops;
	o->f = f;
	o->style = style;
	o->colour = colour;
	json_writer_init(&o->w);
	return o;
}

/* The width of a line; 0: this is no terminal. */
static size_t
terminal_width(int fd)
{
	struct winsize size = { .ws_col = 0 };
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	if (isatty(fd) != 1)
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (columns != NULL && str_to_u64(str_of(columns), 10000, &n) == 0 &&
	    n > 0)
		return n;
	return WIDTH_DEFAULT;
}

bool
out_can_draw(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) == 1 && (term == NULL || strcmp(term, "dumb") != 0);
}

struct out *
out_new_for(FILE *f, bool json)
{
	const char *no_color = getenv("NO_COLOR");
	bool tty = isatty(fileno(f)) == 1;
	bool table = tty || (!json && pager_reads(fileno(f)));
	struct out *o = out_new(f,
	    json        ? OUT_JSON
		: table ? OUT_TABLE
			: OUT_TABS,
	    (no_color == NULL || *no_color == '\0') && out_can_draw(fileno(f)));

	if (table)
		o->width = terminal_width(tty ? fileno(f) : STDERR_FILENO);
	return o;
}

void
out_set_header(struct out *o)
{
	o->header = true;
}

void
out_set_width(struct out *o, size_t width)
{
	o->width = width;
}

size_t
out_width(const struct out *o)
{
	return o->width;
}

void
out_set_live(struct out *o)
{
	o->live = true;
}

int
out_finish(struct out *o)
{
	if (!o->dropped)
		o->ops->finish(o);
	if (o->error == 0 && fflush(o->f) != 0)
		o->error = errno;
	errno = o->error;
	return o->error == 0 ? 0 : -1;
}

void
out_drop(struct out *o)
{
	o->dropped = true;
}

void
out_json_document(struct out *o, struct str text)
{
	out_put(o, text);
	out_put(o, S("\n"));
	out_drop(o);
}

void
out_free(struct out *o)
{
	if (o == NULL)
		return;
	buf_unref(o->w.b); /* not taken when the document was dropped */
	out_clear_cells(o->cells, o->ncells);
	out_forget_keys(o);
	free(o->cells);
	free(o);
}

bool
out_is_json(const struct out *o)
{
	return o->style == OUT_JSON;
}

bool
out_is_terminal(const struct out *o)
{
	return o->style == OUT_TABLE;
}

void
out_group_open(struct out *o)
{
	o->ops->group(o, true);
}

void
out_group_close(struct out *o)
{
	out_table_close(o);
	o->ops->group(o, false);
}

void
out_record_open(struct out *o, const char *name)
{
	out_table_close(o);
	o->ops->record(o, name, true);
}

void
out_record_close(struct out *o)
{
	o->ops->record(o, NULL, false);
}

void
out_table_open(struct out *o, const char *name, const char *columns)
{
	const char *order = o->order;

	if (o->columns == columns)
		return;
	out_table_close(o);
	o->order = order;
	out_learn_keys(o, columns);
	o->ops->table(o, name, true);
}

void
out_table_order(struct out *o, const char *keys)
{
	o->order = keys;
}

void
out_table_close(struct out *o)
{
	if (o->columns != NULL)
		o->ops->table(o, NULL, false);
	o->columns = NULL;
	o->order = NULL;
}

void
out_row_open(struct out *o)
{
	o->ops->row(o, true);
}

void
out_row_close(struct out *o)
{
	o->ops->row(o, false);
}

void
out_block(struct out *o, const char *key, const char *title, struct str text)
{
	out_table_close(o);
	o->ops->block(o, key, title, text);
}

static void
put_value(struct out *o, const char *key, enum out_kind kind, struct str s,
    uint64_t n)
{
	o->ops->value(o, key, &(struct out_value){ kind, s, n });
}

void
out_str(struct out *o, const char *key, struct str s)
{
	put_value(o, key, OUT_STR, s, 0);
}

void
out_text(struct out *o, const char *key, const char *s)
{
	if (s == NULL)
		out_null(o, key);
	else
		out_str(o, key, str_of(s));
}

void
out_state(struct out *o, const char *key, const char *s, bool good)
{
	put_value(o, key, good ? OUT_GOOD : OUT_BAD, str_of(s), 0);
}

void
out_num(struct out *o, const char *key, uint64_t n)
{
	put_value(o, key, OUT_NUM, S(""), n);
}

void
out_bool(struct out *o, const char *key, bool v)
{
	put_value(o, key, OUT_BOOL, S(""), v);
}

void
out_switch(struct out *o, const char *key, bool v)
{
	put_value(o, key, OUT_SWITCH, S(""), v);
}

void
out_null(struct out *o, const char *key)
{
	put_value(o, key, OUT_NULL, S(""), 0);
}

void
out_seconds(struct out *o, const char *key, uint64_t n)
{
	put_value(o, key, OUT_SECONDS, S(""), n);
}

void
out_bytes(struct out *o, const char *key, uint64_t n)
{
	put_value(o, key, OUT_BYTES, S(""), n);
}

void
out_json(struct out *o, const char *key, struct json v)
{
	struct str s;
	char *tmp = NULL;
	uint64_t n;

	if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == 0)
		out_str(o, key, s);
	else if (v.kind == JSON_NUMBER && json_u64(v, UINT64_MAX, &n) == 0)
		out_num(o, key, n);
	else if (v.kind == JSON_TRUE || v.kind == JSON_FALSE)
		out_bool(o, key, v.kind == JSON_TRUE);
	else if (v.kind == JSON_NULL || v.kind == JSON_NONE)
		out_null(o, key);
	else
		out_str(o, key, v.raw);
	free(tmp);
}

void
out_hint(struct out *o, const char *fmt, ...)
{
	va_list ap;

	if (o->style != OUT_TABLE || o->dropped)
		return;
	va_start(ap, fmt);
	if (vfprintf(o->f, fmt, ap) < 0 && o->error == 0)
		o->error = EIO;
	va_end(ap);
	out_put(o, S("\n"));
}
