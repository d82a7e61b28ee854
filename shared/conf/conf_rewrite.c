/* SPDX-License-Identifier: MIT */
/*
 * conf_rewrite.c: the text of a configuration file with other values of some
 * options.  Keeps comments, order, indentation and the ends of lines.  Expects
 * a text that conf_read_text() accepts; its caller checks the result with the
 * same function.  Opens nothing.
 */

#include "shared/conf/conf_rewrite.h"

#include <string.h>

#include "shared/base/buf.h"

/* One line: blanks, the name, blanks, the value, and a comment or nothing. */
struct parts {
	struct str indent, name, gap, tail;
};

static size_t
blanks(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

/* Where the value at the beginning of s ends. */
static size_t
value_end(struct str s)
{
	size_t i, end = 0;

	if (s.n > 0 && s.p[0] == '"') {
		for (i = 1; i < s.n && s.p[i] != '"'; i++)
			if (s.p[i] == '\\')
				i++;
		return i < s.n ? i + 1 : s.n;
	}
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' || s.p[i] == '\t')
			continue;
		if (s.p[i] == '#' && i > end)
			break;
		end = i + 1;
	}
	return end;
}

static void
cut(struct parts *p, struct str line)
{
	size_t n = blanks(line);

	p->indent = str_make(line.p, n);
	line = str_from(line, n);
	for (n = 0; n < line.n && line.p[n] != ' ' && line.p[n] != '\t';)
		n++;
	p->name = str_make(line.p, n);
	line = str_from(line, n);
	n = blanks(line);
	p->gap = str_make(line.p, n);
	line = str_from(line, n);
	p->tail = str_from(line, value_end(line));
	if (str_trim(p->tail).n == 0)
		p->tail.n = 0;
}

static struct conf_rewrite *
find(struct conf_rewrite *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(str_of(v[i].name), name))
			return &v[i];
	return NULL;
}

/* The next line without its end, which goes to *end. */
static struct str
next(struct str *rest, struct str *end)
{
	const char *newline = memchr(rest->p, '\n', rest->n);
	size_t n = newline == NULL ? rest->n : (size_t)(newline - rest->p);
	size_t all = newline == NULL ? n : n + 1;
	struct str line;

	if (n > 0 && rest->p[n - 1] == '\r')
		n--;
	line = str_make(rest->p, n);
	*end = str_make(rest->p + n, all - n);
	*rest = str_from(*rest, all);
	return line;
}

static void
put(struct buf **b, struct conf_rewrite *v, struct str gap)
{
	buf_append(b, str_of(v->name));
	buf_append(b, gap);
	conf_put_value(b, v->value);
	v->is_done = true;
}

static void
rewrite_line(struct buf **b, struct conf_rewrite *v, size_t n, struct str line,
    struct str end)
{
	struct conf_rewrite *set;
	struct parts p;

	cut(&p, line);
	set = find(v, n, p.name);
	if (set != NULL && set->is_done) {
		if (p.tail.n == 0)
			return;
		buf_append(b, str_trim(p.tail));
	} else if (set != NULL) {
		buf_append(b, p.indent);
		put(b, set, p.gap);
		buf_append(b, p.tail);
	} else {
		buf_append(b, line);
	}
	buf_append(b, end);
	if (p.name.n == 0 || p.name.p[0] != '#')
		return;
	set = find(v, n, str_from(p.name, 1));
	if (set == NULL || set->is_there || set->is_done)
		return;
	if (end.n == 0)
		buf_putc(b, '\n');
	put(b, set, S(" "));
	buf_append(b, end.n == 0 ? S("\n") : end);
}

void
conf_rewrite(struct str text, struct conf_rewrite *v, size_t n, struct buf **b)
{
	struct str rest = str_skip_bom(text), end = S("\n"), begin = rest;
	struct conf_rewrite *set;
	struct parts p;

	buf_append(b, str_make(text.p, text.n - rest.n));
	for (size_t i = 0; i < n; i++)
		v[i].is_there = v[i].is_done = false;
	while (rest.n > 0) {
		cut(&p, next(&rest, &end));
		if ((set = find(v, n, p.name)) != NULL)
			set->is_there = true;
	}
	for (rest = begin; rest.n > 0;) {
		struct str line = next(&rest, &end);

		rewrite_line(b, v, n, line, end);
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].is_done)
			continue;
		if ((*b)->len > 0 && (*b)->data[(*b)->len - 1] != '\n')
			buf_putc(b, '\n');
		put(b, &v[i], S(" "));
		buf_append(b, end.n == 0 ? S("\n") : end);
	}
}

void
conf_put_value(struct buf **b, const char *value)
{
	if (*value != '\0' && strpbrk(value, " \t#\"\\=") == NULL) {
		buf_append(b, str_of(value));
		return;
	}
	buf_putc(b, '"');
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *value);
	}
	buf_putc(b, '"');
}
