/* SPDX-License-Identifier: MIT */
/*
 * fit.c: makes a table fit the terminal.  In this order: headings and numbers
 * are shortened, columns of little importance are removed, long texts are cut.
 * Works on the collected cells, and never changes output into a pipe or as
 * JSON.
 */

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/out/private.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define GAP 2       /* blanks between two columns */
#define TEXT_MIN 16 /* of a text that is cut, with its ellipsis */
#define KEPT_MIN 24 /* the same of the first column */

/* ---- width ---- */

/* The width of a character in columns: 0, 1 or 2. */
static size_t
places(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		size_t n;
	} odd[] = {
		{ 0x0300, 0x036f, 0 },
		{ 0x1100, 0x115f, 2 },
		{ 0x200b, 0x200f, 0 },
		{ 0x2e80, 0xa4cf, 2 },
		{ 0xac00, 0xd7a3, 2 },
		{ 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 },
		{ 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1faff, 2 },
		{ 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < nitems(odd); i++)
		if (c >= odd[i].from && c <= odd[i].to)
			return odd[i].n;
	return 1;
}

size_t
out_places(const char *s, size_t n)
{
	static const unsigned char bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)s[0] & bits[MIN(n, 4)];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return places(c);
}

/* Cuts the text to this width; an ellipsis takes the last column. */
static void
cut(struct out_cell *cell, size_t width)
{
	size_t at = 0, n, used = 0, w;
	char *s = cell->text, *shorter;

	if (cell->width <= width)
		return;
	while (s[at] != '\0') {
		for (n = 1; ((unsigned char)s[at + n] & 0xc0) == 0x80; n++)
			;
		w = out_places(s + at, n);
		if (used + w + 1 > width)
			break;
		used += w;
		at += n;
	}
	shorter = xasprintf("%.*s\xe2\x80\xa6", (int)at, s);
	free(s);
	cell->text = shorter;
	cell->width = used + 1;
}

/* ---- short forms ---- */

static void
put_scaled(
    char *out, size_t cap, double v, double step, const char *const *units)
{
	while (v >= step && units[1] != NULL) {
		v /= step;
		units++;
	}
	snprintf(out, cap, v < 9.95 && **units != '\0' ? "%.1f%s" : "%.0f%s", v,
	    *units);
}

char *
out_brief(enum out_kind kind, uint64_t n)
{
	static const char *const thousands[] = { "", "k", "M", "G", "T", "P",
		"E", NULL };
	static const char *const bytes[] = { "B", "K", "M", "G", "T", "P", "E",
		NULL };
	char text[32];

	if (kind == OUT_SECONDS && n < 60)
		snprintf(text, sizeof(text), "%" PRIu64 "s", n);
	else if (kind == OUT_SECONDS && n < 3600)
		snprintf(text, sizeof(text), "%" PRIu64 "m", n / 60);
	else if (kind == OUT_SECONDS && n < 86400)
		snprintf(text, sizeof(text), "%" PRIu64 "h", n / 3600);
	else if (kind == OUT_SECONDS)
		snprintf(text, sizeof(text), "%" PRIu64 "d", n / 86400);
	else if (kind == OUT_BYTES && n < 1024)
		snprintf(text, sizeof(text), "%" PRIu64 "B", n);
	else if (kind == OUT_BYTES)
		put_scaled(text, sizeof(text), (double)n, 1024, bytes);
	else if (kind == OUT_NUM && n >= 10000)
		put_scaled(text, sizeof(text), (double)n, 1000, thousands);
	else
		return NULL;
	return xstrdup(text);
}

char *
out_short(uint64_t n, bool bytes)
{
	char *text = out_brief(bytes ? OUT_BYTES : OUT_NUM, n);

	return text != NULL ? text : xasprintf("%" PRIu64, n);
}

/* A heading without the parts that a narrow terminal has no room for. */
static const char *
short_heading(const char *key)
{
	static const char *const pairs[][2] = {
		{ "connections", "CONNS" },
		{ "subscriptions", "SUBS" },
		{ "in_per_s", "IN/S" },
		{ "out_per_s", "OUT/S" },
		{ "bytes_in_per_s", "B_IN/S" },
		{ "bytes_out_per_s", "B_OUT/S" },
		{ "published_per_s", "PUB/S" },
		{ "delivered_per_s", "DLVD/S" },
		{ "api_per_s", "API/S" },
		{ "cpu_percent", "CPU%" },
		{ "turn_max_ms", "TURN_MS" },
		{ "messages_in", "MSG_IN" },
		{ "messages_out", "MSG_OUT" },
		{ "bytes_in", "B_IN" },
		{ "bytes_out", "B_OUT" },
		{ "bytes_sent", "B_SENT" },
		{ "published", "PUB" },
		{ "delivered", "DLVD" },
		{ "received", "RECVD" },
		{ "descriptors", "FDS" },
		{ "channel-prefix", "PREFIX" },
		{ "channel-suffix", "SUFFIX" },
		{ "channel-glob", "GLOB" },
		{ "attempts", "TRIES" },
		{ "old_key_seconds", "OLD_S" },
	};

	for (size_t i = 0; i < nitems(pairs); i++)
		if (strcmp(pairs[i][0], key) == 0)
			return pairs[i][1];
	return NULL;
}

static void
replace(struct out_cell *cell, char *text)
{
	free(cell->text);
	cell->text = text;
	cell->width = strlen(text);
}

static void
shorten(struct out *o, struct out_cell *head)
{
	const char *brief;

	for (size_t i = 0; i < o->ncols; i++)
		if ((brief = short_heading(o->keys[i])) != NULL)
			replace(&head[i], xstrdup(brief));
	for (size_t i = 0; i < o->ncells; i++) {
		struct out_cell *cell = &o->cells[i];

		if (cell->brief == NULL)
			continue;
		replace(cell, cell->brief);
		cell->brief = NULL;
	}
}

/* ---- which columns ---- */

/* The smaller the more important: the place in o->order, or behind it. */
static size_t
importance(const struct out *o, size_t column)
{
	struct str rest = str_of(o->order), word;
	size_t n = 0;

	for (; rest.p != NULL && rest.n > 0; n++) {
		word = str_cut(&rest, ' ');
		if (str_eq(word, str_of(o->keys[column])))
			return n;
	}
	return n + column;
}

/* The least width that a column can have. */
static size_t
least(const struct out *o, const struct out_column *cols, size_t i)
{
	size_t min = importance(o, i) == 0 ? KEPT_MIN : TEXT_MIN;

	return cols[i].right ? cols[i].width : MIN(cols[i].width, min);
}

static size_t
sum(const struct out *o, const struct out_column *cols, bool at_least)
{
	size_t all = 0, i;

	for (i = 0; i < o->ncols; i++)
		if (!cols[i].gone)
			all += GAP +
			    (at_least ? least(o, cols, i) : cols[i].width);
	return all - MIN(all, GAP);
}

/* Empty columns: they are removed first. */
static void
drop_empty(const struct out *o, struct out_column *cols)
{
	size_t i;

	for (i = 0; i < o->ncols && o->ncells > 0; i++)
		cols[i].empty = importance(o, i) > 0;
	for (i = 0; i < o->ncells; i++)
		if (o->cells[i].text[0] != '\0' &&
		    strcmp(o->cells[i].text, "-") != 0)
			cols[i % o->ncols].empty = false;
	for (i = 0; i < o->ncols; i++)
		cols[i].gone = cols[i].empty;
}

static bool
drop_one(const struct out *o, struct out_column *cols)
{
	size_t worst = o->ncols, left = 0, i;

	for (i = 0; i < o->ncols; i++) {
		if (cols[i].gone)
			continue;
		left++;
		if (worst == o->ncols ||
		    importance(o, i) > importance(o, worst))
			worst = i;
	}
	if (left < 2)
		return false;
	cols[worst].gone = true;
	return true;
}

/* Narrow columns may have room where a wide one did not. */
static void
bring_back(const struct out *o, struct out_column *cols)
{
	bool *tried = xcalloc(o->ncols, sizeof(*tried));
	size_t best, i;

	for (;;) {
		for (best = o->ncols, i = 0; i < o->ncols; i++)
			if (cols[i].gone && !cols[i].empty && !tried[i] &&
			    (best == o->ncols ||
				importance(o, i) < importance(o, best)))
				best = i;
		if (best == o->ncols)
			break;
		tried[best] = true;
		cols[best].gone = false;
		cols[best].gone = sum(o, cols, true) > o->width;
	}
	free(tried);
}

/* Takes one place from the widest text that can give one. */
static bool
narrow_one(const struct out *o, struct out_column *cols)
{
	struct out_column *widest = NULL;

	for (size_t i = 0; i < o->ncols; i++)
		if (!cols[i].gone && cols[i].width > least(o, cols, i) &&
		    (widest == NULL || cols[i].width > widest->width))
			widest = &cols[i];
	if (widest == NULL)
		return false;
	widest->width--;
	return true;
}

void
out_measure(
    const struct out *o, const struct out_cell *head, struct out_column *cols)
{
	assert(o->ncols > 0);
	for (size_t i = 0; i < o->ncols; i++)
		cols[i] =
		    (struct out_column){ .width =
					     head != NULL ? head[i].width : 0 };
	for (size_t i = 0; i < o->ncells; i++) {
		struct out_column *col = &cols[i % o->ncols];

		col->width = MAX(col->width, o->cells[i].width);
		/* One number makes the whole column right-aligned. */
		col->right = col->right || o->cells[i].right;
	}
}

void
out_fit(struct out *o, struct out_cell *head, struct out_column *cols)
{
	assert(o->ncols > 0);
	if (sum(o, cols, false) <= o->width)
		return;
	shorten(o, head);
	out_measure(o, head, cols);
	if (sum(o, cols, false) > o->width)
		drop_empty(o, cols);
	while (sum(o, cols, true) > o->width && drop_one(o, cols))
		;
	bring_back(o, cols);
	while (sum(o, cols, false) > o->width && narrow_one(o, cols))
		;
	/* One column that is still too wide. */
	for (size_t i = 0; i < o->ncols; i++)
		cols[i].width = MIN(cols[i].width, o->width);
	for (size_t i = 0; i < o->ncols; i++)
		cut(&head[i], cols[i].width);
	for (size_t i = 0; i < o->ncells; i++)
		cut(&o->cells[i], cols[i % o->ncols].width);
}

char *
out_gone(const struct out *o, const struct out_column *cols)
{
	struct buf *b = NULL;
	struct out_cell cell = { .text = NULL };
	size_t n = 0;

	for (size_t i = 0; i < o->ncols; i++)
		if (cols[i].gone)
			buf_printf(
			    &b, "%s%s", n++ == 0 ? "" : ", ", o->keys[i]);
	if (n > 0) {
		cell.text =
		    xasprintf("(no room for %.*s)", STR_ARG(buf_str(b)));
		cell.width = strlen(cell.text);
		cut(&cell, o->width);
	}
	buf_unref(b);
	return cell.text;
}

/* ---- cells ---- */

void
out_clear_cells(struct out_cell *cells, size_t n)
{
	while (n-- > 0) {
		free(cells[n].text);
		free(cells[n].brief);
	}
}
