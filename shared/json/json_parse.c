/* SPDX-License-Identifier: MIT */
/*
 * json_parse.c: the only place that judges JSON from outside.  Grammar (RFC
 * 8259), UTF-8 (RFC 3629) and depth in one pass, without recursion: the stack
 * is one bit per open level.  A lone surrogate escape is JSON and passes;
 * json_unescape() refuses its text.  Owns nothing, allocates nothing, changes
 * nothing.  Must never let a text pass that another reader could interpret
 * differently.
 */

#include "shared/base/utf8.h"
#include "shared/json/json_bytes.h"
#include "shared/json/json_slice.h"

/* Bytes that need a check inside a string: quote, \, control, non-ASCII. */
static const uint8_t *
skip_plain(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t w = load8(p);
		uint64_t hit = has_control(w) | (w & JSON_TOPS) |
		    has_byte(w, '"') | has_byte(w, '\\');

		if (hit != 0)
			return p + first_byte(hit);
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

struct scan {
	const uint8_t *p, *end;
	const char *err;
	uint64_t objects; /* bit per open level: it is an object */
	unsigned depth;

	struct json_rows *rows;  /* or NULL */
	bool in_array;           /* in the one that has the rows */
	struct str key;          /* the last one, without its quotes */
	bool escaped;            /* the last string has escapes */
	struct json *row, *cell; /* the open ones, or NULL */
};

static bool
scan_fail(struct scan *s, const char *err)
{
	s->err = err;
	return false;
}

/* After the backslash. */
static bool
scan_escape(struct scan *s)
{
	int i;

	s->escaped = true;
	if (s->p == s->end)
		return scan_fail(s, "the text ends inside a string");
	switch (*s->p++) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return true;
	case 'u':
		for (i = 0; i < 4; i++, s->p++)
			if (s->p == s->end || str_hex_digit(*s->p) == -1)
				return scan_fail(
				    s, "\\u without four hex digits");
		return true;
	default:
		return scan_fail(s, "an escape that JSON does not have");
	}
}

/* From the opening quote to the byte after the closing one. */
static bool
scan_string(struct scan *s)
{
	size_t n;

	s->escaped = false;
	for (s->p++;;) {
		s->p = skip_plain(s->p, s->end);
		if (s->p == s->end)
			return scan_fail(s, "the text ends inside a string");
		if (*s->p == '"') {
			s->p++;
			return true;
		}
		if (*s->p == '\\') {
			s->p++;
			if (!scan_escape(s))
				return false;
		} else if (*s->p < 0x20) {
			return scan_fail(
			    s, "an unescaped control character in a string");
		} else {
			if ((n = utf8_char(s->p, s->end)) == 0)
				return scan_fail(
				    s, "a string is not valid UTF-8");
			s->p += n;
		}
	}
}

static size_t
scan_digits(struct scan *s)
{
	const uint8_t *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - from);
}

static bool
scan_number(struct scan *s)
{
	const uint8_t *from;

	if (*s->p == '-')
		s->p++;
	from = s->p;
	if (scan_digits(s) == 0)
		return scan_fail(s, "a minus sign without digits");
	if (*from == '0' && s->p - from > 1)
		return scan_fail(s, "a number with a leading zero");
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (scan_digits(s) == 0)
			return scan_fail(
			    s, "a number without digits after its point");
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (scan_digits(s) == 0)
			return scan_fail(s, "a number with an empty exponent");
	}
	return true;
}

static bool
scan_word(struct scan *s, const char *word, size_t n)
{
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return scan_fail(s, "not a JSON value");
	s->p += n;
	return true;
}

/* ---- rows ---- */

static bool
in_object(const struct scan *s)
{
	return (s->objects & 1) != 0;
}

static bool
key_is(const struct scan *s, struct str want)
{
	return s->escaped ? json_escaped_eq(s->key, want)
			  : str_eq(s->key, want);
}

static struct json
value_from(const uint8_t *p)
{
	return (struct json){ json_kind_of(*p), str_make(p, 0) };
}

static void
end_value(struct json *v, const uint8_t *end)
{
	if (v != NULL)
		v->raw.n = (size_t)(end - (const uint8_t *)v->raw.p);
}

static void
begin_row(struct scan *s)
{
	struct json_rows *r = s->rows;

	s->row = r->n < r->max ? r->cells + r->n * (1 + r->nkeys) : NULL;
	r->n++;
	if (s->row == NULL)
		return;
	memset(s->row, 0, (1 + r->nkeys) * sizeof(*s->row));
	*s->row = value_from(s->p);
}

/* A member of the root: is it the array of the rows? */
static void
begin_member(struct scan *s)
{
	s->in_array = false;
	if (!in_object(s) || !key_is(s, s->rows->array))
		return;
	s->rows->kind = json_kind_of(*s->p);
	s->rows->n = 0; /* of duplicates the last one wins */
	s->in_array = s->rows->kind == JSON_ARRAY;
}

static void
begin_cell(struct scan *s)
{
	s->cell = NULL;
	if (s->row == NULL || !in_object(s))
		return;
	for (size_t i = 0; i < s->rows->nkeys; i++)
		if (key_is(s, s->rows->keys[i])) {
			s->cell = s->row + 1 + i;
			*s->cell = value_from(s->p);
			return;
		}
}

/* How many containers are open around a row. */
static unsigned
row_level(const struct scan *s)
{
	return s->rows->array.p == NULL ? 0 : 2;
}

/* A value begins at s->p. */
static void
rows_begin(struct scan *s)
{
	unsigned level = row_level(s);

	if (s->depth == level && (level == 0 || s->in_array))
		begin_row(s);
	else if (s->depth == level + 1)
		begin_cell(s);
	else if (s->depth == 1)
		begin_member(s);
}

/* A value has ended at s->p. */
static void
rows_end(struct scan *s)
{
	unsigned level = row_level(s);

	if (s->depth == level) {
		end_value(s->row, s->p);
		s->row = NULL;
	} else if (s->depth == level + 1) {
		end_value(s->cell, s->p);
		s->cell = NULL;
	}
}

/* ---- values ---- */

static bool
scan_open(struct scan *s)
{
	if (s->depth == JSON_MAX_DEPTH)
		return scan_fail(s, "nested deeper than 32 levels");
	s->objects = s->objects << 1 | (*s->p == '{');
	s->depth++;
	s->p++;
	return true;
}

static bool
scan_close(struct scan *s)
{
	s->objects >>= 1;
	s->depth--;
	s->p++;
	if (s->rows != NULL)
		rows_end(s);
	return true;
}

/* A key, its colon and the white space after it. */
static bool
scan_key(struct scan *s)
{
	const uint8_t *from;

	if (s->p == s->end || *s->p != '"')
		return scan_fail(s, "a key of an object is not in quotes");
	from = s->p + 1;
	if (!scan_string(s))
		return false;
	s->key = str_make(from, (size_t)(s->p - 1 - from));
	s->p = skip_ws(s->p, s->end);
	if (s->p == s->end || *s->p != ':')
		return scan_fail(s, "a key without a colon");
	s->p = skip_ws(s->p + 1, s->end);
	return true;
}

/*
 * One value, or the opening of one.  *opened: a container was opened and
 * the next thing is its first element (or its end).
 */
static bool
scan_value(struct scan *s, bool *opened)
{
	*opened = false;
	if (s->p == s->end)
		return scan_fail(s, "the text ends where a value must be");
	switch (*s->p) {
	case '"':
		return scan_string(s);
	case '{':
	case '[':
		*opened = true;
		return scan_open(s);
	case 't':
		return scan_word(s, "true", 4);
	case 'f':
		return scan_word(s, "false", 5);
	case 'n':
		return scan_word(s, "null", 4);
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return scan_number(s);
	default:
		return scan_fail(s, "not a JSON value");
	}
}

/*
 * After a value or an opening: takes closings and at most one comma, so that a
 * value (in an object: after its key) is next, or the text is over (depth 0).
 */
static bool
scan_between(struct scan *s, bool opened)
{
	bool object;

	while (s->depth > 0) {
		object = (s->objects & 1) != 0;
		s->p = skip_ws(s->p, s->end);
		if (s->p == s->end)
			return scan_fail(s,
			    object ? "an object without its end"
				   : "an array without its end");
		if (*s->p == (object ? '}' : ']')) {
			scan_close(s);
			opened = false;
			continue;
		}
		if (!opened) {
			if (*s->p != ',')
				return scan_fail(
				    s, "a comma or an end is missing");
			s->p = skip_ws(s->p + 1, s->end);
		}
		return object ? scan_key(s) : true;
	}
	return true;
}

/* scan_value(), and what the rows need of it. */
static bool
scan_one(struct scan *s, bool *opened)
{
	if (s->rows == NULL || s->p == s->end)
		return scan_value(s, opened);
	rows_begin(s);
	if (!scan_value(s, opened))
		return false;
	if (!*opened)
		rows_end(s);
	return true;
}

int
json_parse_rows(
    struct str text, struct json *out, struct json_rows *rows, const char **err)
{
	struct scan s = { .p = (const uint8_t *)text.p, .rows = rows };
	bool opened;
	const uint8_t *from;

	s.end = s.p + text.n;
	from = s.p = skip_ws(s.p, s.end);
	*out = (struct json){ 0 };
	if (rows != NULL) {
		rows->n = 0;
		rows->kind = JSON_NONE;
	}
	if (s.p == s.end) {
		*err = "the text is empty";
		return -1;
	}
	do {
		if (!scan_one(&s, &opened) || !scan_between(&s, opened)) {
			*err = s.err;
			return -1;
		}
	} while (s.depth > 0);
	out->kind = json_kind_of(*from);
	out->raw = str_make(from, (size_t)(s.p - from));
	if (skip_ws(s.p, s.end) != s.end) {
		*out = (struct json){ 0 };
		*err = "text after the value";
		return -1;
	}
	*err = NULL;
	return 0;
}

int
json_parse(struct str text, struct json *out, const char **err)
{
	return json_parse_rows(text, out, NULL, err);
}
