/* SPDX-License-Identifier: MIT */
#ifndef SHARED_JSON_JSON_SLICE_H
#define SHARED_JSON_JSON_SLICE_H

/*
 * Walks one JSON text (RFC 8259) without building a tree and without
 * allocating: validates it strictly (also its UTF-8) and gives the raw bytes
 * of values, which can then be passed on untouched.
 */

#include <stdbool.h>

#include "shared/base/str.h"

#define JSON_MAX_DEPTH 32

enum json_kind {
	JSON_NONE, /* the member is missing */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

/* A value inside a text: `raw` are its bytes, quotes included. */
struct json {
	enum json_kind kind;
	struct str raw;
};

/*
 * Checks the whole text: exactly one value, with nothing but white space
 * around it.  0 and the value, or -1 and *err: a static sentence.
 */
int json_parse(struct str text, struct json *out, const char **err);
/*
 * Members of objects, to be found in the walk that checks the text.  The
 * objects are the elements of the array that is the root's member `array`; or
 * there is only the root, if array.p is NULL.
 */
struct json_rows {
	struct str array;
	const struct str *keys; /* of the members; compared as by json_get() */
	size_t nkeys;
	/* Out: each row is the element, and then the values of its keys. */
	struct json *cells; /* (1 + nkeys) * max */
	size_t max;
	size_t n;            /* out: elements, even above max */
	enum json_kind kind; /* out: of the member `array` */
};

/* json_parse() that fills rows, too, if it succeeds. */
int json_parse_rows(struct str text, struct json *out, struct json_rows *rows,
    const char **err);

/* A row; i < MIN(n, max). */
static inline const struct json *
json_row(const struct json_rows *r, size_t i)
{
	return r->cells + i * (1 + r->nkeys);
}

/*
 * The member of an object that json_parse() accepted; keys are compared
 * after unescaping, case-sensitively; of duplicates the last one wins.
 * JSON_NONE when it is missing or `obj` is no object.
 */
struct json json_get(struct json obj, struct str key);
/*
 * Several members in one walk: out[i] is the value of keys[i].
 */
void json_get_many(
    struct json obj, const struct str *keys, struct json *out, size_t n);
/*
 * Walks an array: *pos starts at 0; each call gives the next element, or
 * false at the end (or when `arr` is no array).
 */
bool json_next(struct json arr, size_t *pos, struct json *out);
/* Walks an object likewise; *key is the raw key with its quotes. */
bool json_next_member(
    struct json obj, size_t *pos, struct json *key, struct json *out);
/*
 * Unescapes a JSON_STRING into out, which must have room for raw.n bytes.
 * The number of bytes, or -1 when it holds a lone surrogate (\ud800), which
 * has no UTF-8 form.  U+0000 becomes a zero byte.
 */
ssize_t json_unescape(struct json s, char *out);
/* The number of these bytes, or -1. */
ssize_t json_length(struct json s);
/*
 * The string's bytes without escapes: a view into raw if there is nothing to
 * unescape (the usual case), else unescaped into *tmp, which is grown with
 * realloc and which the caller frees.  -1 as json_unescape().
 */
int json_string(struct json s, struct str *out, char **tmp);
/* Compares a key, without its quotes but with escapes, with plain text. */
bool json_escaped_eq(struct str key, struct str want);
/* A copy of a string, free(3) it; NULL if the value is no string. */
char *json_dup(struct json);
/* A number written as a plain non-negative integer up to max: 0, or -1. */
int json_u64(struct json v, uint64_t max, uint64_t *out);

/* The kind of a value with this first byte. */
static inline enum json_kind
json_kind_of(unsigned char first)
{
	switch (first) {
	case '"':
		return JSON_STRING;
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

#endif
