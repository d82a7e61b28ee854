/* SPDX-License-Identifier: MIT */
/*
 * text.c: the writer for people and pipes.  A table or a record is collected
 * cell by cell and written at its end, because the width of a column is known
 * only then.  It must never write a control byte from outside: a name could
 * control the terminal.
 */

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "cli/out/private.h"
#include "shared/base/base.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"

#define RECORD_MIN 20 /* places for a value that is broken into lines */

static const char bold[] = "1", dim[] = "2", red[] = "31", green[] = "32";

static void
put_text(struct out *o, const char *s)
{
	out_put(o, str_of(s));
}

static void
put_coloured(struct out *o, const char *colour, const char *s)
{
	bool on = o->colour && colour != NULL;

	if (on) {
		put_text(o, "\033[");
		put_text(o, colour);
		put_text(o, "m");
	}
	put_text(o, s);
	if (on)
		put_text(o, "\033[0m");
}

static void
put_blanks(struct out *o, size_t n)
{
	while (n-- > 0)
		out_put(o, S(" "));
}

/* Text for a terminal or a pipe; NUL-terminated, free(3) it. */
static char *
clean(struct str s, size_t *width)
{
	struct buf *b = NULL;
	char *text;
	size_t n;

	*width = 0;
	for (; s.n > 0; s = str_from(s, n)) {
		n = utf8_printable(s);
		*width += n == 0 ? 4 : out_places(s.p, n);
		if (n == 0)
			buf_printf(&b, "\\x%02x", (unsigned char)s.p[0]);
		else
			buf_append(&b, str_make(s.p, n));
		n = MAX(n, 1);
	}
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

char *
out_clean(struct str s)
{
	size_t width;

	return clean(s, &width);
}

static void
seconds_text(char *out, size_t cap, uint64_t n)
{
	uint64_t days = n / 86400;
	unsigned h = (unsigned)(n / 3600 % 24), m = (unsigned)(n / 60 % 60);

	if (days > 0)
		snprintf(out, cap, "%" PRIu64 "d %02u:%02u:%02u", days, h, m,
		    (unsigned)(n % 60));
	else
		snprintf(out, cap, "%02u:%02u:%02u", h, m, (unsigned)(n % 60));
}

static void
bytes_text(char *out, size_t cap, uint64_t n)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n / 1024;
	size_t i = 0;

	if (n < 1024) {
		snprintf(out, cap, "%" PRIu64 " B", n);
		return;
	}
	for (; v >= 1024 && i + 1 < nitems(units); i++)
		v /= 1024;
	snprintf(out, cap, "%.1f %s", v, units[i]);
}

/* The text of a value; out holds what is not a string. */
static struct str
value_text(
    const struct out *o, const struct out_value *v, char *out, size_t cap)
{
	bool human = o->style == OUT_TABLE;

	switch (v->kind) {
	case OUT_STR:
	case OUT_GOOD:
	case OUT_BAD:
		return v->s;
	case OUT_BOOL:
		return v->n != 0 ? S("yes") : S("no");
	case OUT_SWITCH:
		return v->n != 0 ? S("on") : S("off");
	case OUT_NULL:
		return S("-");
	case OUT_SECONDS:
	case OUT_BYTES:
	case OUT_NUM:
		break;
	}
	if (human && v->kind == OUT_SECONDS)
		seconds_text(out, cap, v->n);
	else if (human && v->kind == OUT_BYTES)
		bytes_text(out, cap, v->n);
	else
		snprintf(out, cap, "%" PRIu64, v->n);
	return str_of(out);
}

static struct out_cell *
add_cell(struct out *o, struct str text)
{
	struct out_cell *c;

	if (o->ncells == o->cap) {
		o->cap = MAX(o->cap * 2, 64);
		o->cells = xreallocarray(o->cells, o->cap, sizeof(*o->cells));
	}
	c = &o->cells[o->ncells++];
	*c = (struct out_cell){ .text = NULL };
	c->text = clean(text, &c->width);
	return c;
}

static void
text_value(struct out *o, const char *key, const struct out_value *v)
{
	char tmp[32];
	struct out_cell *c;

	if (!o->in_table)
		add_cell(o, str_of(key))->colour = dim;
	else
		assert(strcmp(key, o->keys[o->ncells % o->ncols]) == 0);
	c = add_cell(o, value_text(o, v, tmp, sizeof(tmp)));
	c->right = o->in_table &&
	    (v->kind == OUT_NUM || v->kind == OUT_BYTES ||
		v->kind == OUT_SECONDS);
	if (c->right && o->width > 0)
		c->brief = out_brief(v->kind, v->n);
	c->colour = v->kind == OUT_GOOD ? green
	    : v->kind == OUT_BAD        ? red
					: NULL;
}

/* One line of ncols cells. */
static void
put_line(
    struct out *o, const struct out_cell *cells, const struct out_column *cols)
{
	size_t pad = 0, i, n = 0;

	for (i = 0; i < o->ncols; i++) {
		if (o->style == OUT_TABS) {
			put_text(o, i == 0 ? "" : "\t");
			put_text(o, cells[i].text);
			continue;
		}
		if (cols[i].gone)
			continue;
		/* The padding of the column before. */
		put_blanks(o, n++ == 0 ? 0 : pad + 2);
		pad = cols[i].width - cells[i].width;
		if (cols[i].right) {
			put_blanks(o, pad);
			pad = 0;
		}
		put_coloured(o, cells[i].colour, cells[i].text);
	}
	put_text(o, "\n");
}

/* Writes the value of a record in lines of its own, broken at blanks. */
static void
put_wrapped(struct out *o, const struct out_cell *cells, size_t indent)
{
	size_t room = o->width - indent, n;
	const char *s = cells[1].text;

	put_coloured(o, cells[0].colour, cells[0].text);
	put_blanks(o, indent - cells[0].width);
	while (strlen(s) > room) {
		for (n = room; n > 0 && s[n] != ' '; n--)
			;
		if (n == 0) /* a word that is longer stays whole */
			n = strcspn(s, " ");
		if (s[n] == '\0')
			break;
		out_put(o, str_make(s, n));
		put_text(o, "\n");
		put_blanks(o, indent);
		s += n + 1;
	}
	put_text(o, s);
	put_text(o, "\n");
}

/* The heading cells: the keys in upper case. */
static struct out_cell *
make_heading(const struct out *o)
{
	struct out_cell *h = xcalloc(o->ncols, sizeof(*h));
	size_t i;
	char *p;

	for (i = 0; i < o->ncols; i++) {
		h[i].text = xstrdup(o->keys[i]);
		for (p = h[i].text; *p != '\0'; p++)
			if (*p >= 'a' && *p <= 'z')
				*p = (char)(*p - 'a' + 'A');
		h[i].width = strlen(h[i].text);
		h[i].colour = bold;
	}
	return h;
}

/* A record, or the rows of a table. */
static void
put_rows(struct out *o, const struct out_column *cols)
{
	bool wraps = !o->in_table && o->style == OUT_TABLE &&
	    o->width >= cols[0].width + 2 + RECORD_MIN;
	size_t indent = cols[0].width + 2, i;

	for (i = 0; i + o->ncols <= o->ncells; i += o->ncols) {
		const struct out_cell *cells = o->cells + i;

		if (wraps && cells[1].width > o->width - indent)
			put_wrapped(o, cells, indent);
		else
			put_line(o, cells, cols);
	}
}

/* Writes the collected cells. */
static void
put_cells(struct out *o)
{
	bool heading = o->in_table && (o->style == OUT_TABLE || o->header);
	struct out_cell *h = heading ? make_heading(o) : NULL;
	struct out_column *cols = xcalloc(o->ncols, sizeof(*cols));
	char *gone = NULL;

	assert(o->ncols > 0);
	out_measure(o, h, cols);
	if (heading && o->style == OUT_TABLE && o->width > 0) {
		out_fit(o, h, cols);
		gone = o->live ? NULL : out_gone(o, cols);
	}
	if (heading && !o->dropped)
		put_line(o, h, cols);
	if (!o->dropped)
		put_rows(o, cols);
	if (gone != NULL && !o->dropped) {
		put_coloured(o, dim, gone);
		put_text(o, "\n");
	}
	if (heading)
		out_clear_cells(h, o->ncols);
	out_clear_cells(o->cells, o->ncells);
	o->ncells = 0;
	free(gone);
	free(h);
	free(cols);
}

static void
separate(struct out *o)
{
	if (o->written)
		put_text(o, "\n");
	o->written = true;
}

static void
text_part(struct out *o, bool table, bool open)
{
	if (open) {
		separate(o);
		o->in_table = table;
		o->ncols = table ? o->ncols : 2;
	} else {
		put_cells(o);
	}
}

static void
text_group(struct out *o, bool open)
{
}

static void
text_record(struct out *o, const char *name, bool open)
{
	text_part(o, false, open);
}

static void
text_table(struct out *o, const char *name, bool open)
{
	text_part(o, true, open);
}

static void
text_row(struct out *o, bool open)
{
	assert(o->ncells % o->ncols == 0);
}

static void
text_block(struct out *o, const char *key, const char *title, struct str text)
{
	struct str line;
	size_t width;
	char *s;

	separate(o);
	s = xasprintf("# %s", title);
	put_coloured(o, bold, s);
	put_text(o, "\n");
	free(s);
	while (text.p != NULL && text.n > 0) {
		line = str_cut(&text, '\n');
		s = clean(line, &width);
		put_text(o, s);
		put_text(o, "\n");
		free(s);
	}
}

static void
text_finish(struct out *o)
{
}

const struct out_ops out_text_ops = { text_group, text_record, text_table,
	text_row, text_value, text_block, text_finish };
