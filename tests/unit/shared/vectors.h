/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_VECTORS_H
#define TESTS_UNIT_SHARED_VECTORS_H

/*
 * Walks tests/vectors.json (tests run with the root of the tree as their
 * directory).  Read with json_slice, because some vectors hold U+0000.
 */

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"

struct vectors {
	char *text;
	struct json list;
	size_t pos;
};

static inline void
vectors_open(struct vectors *v)
{
	FILE *f = fopen("tests/vectors.json", "rb");
	struct json root;
	const char *err;
	long n;

	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	assert_true(n > 0);
	rewind(f);
	v->text = xmalloc((size_t)n);
	assert_int_equal(fread(v->text, 1, (size_t)n, f), n);
	fclose(f);
	assert_int_equal(
	    json_parse(str_make(v->text, (size_t)n), &root, &err), 0);
	v->list = json_get(root, S("vectors"));
	assert_int_equal(v->list.kind, JSON_ARRAY);
	v->pos = 0;
}

/* The next vector of this kind. */
static inline bool
vectors_next(struct vectors *v, const char *kind, struct json *out)
{
	struct json k;

	while (json_next(v->list, &v->pos, out)) {
		k = json_get(*out, S("kind"));
		if (k.raw.n == strlen(kind) + 2 &&
		    memcmp(k.raw.p + 1, kind, strlen(kind)) == 0)
			return true;
	}
	return false;
}

static inline void
vectors_close(struct vectors *v)
{
	free(v->text);
}

/* A string member, unescaped, in fresh memory at *mem. */
static inline struct str
vector_text(struct json obj, const char *key, char **mem)
{
	struct json v = json_get(obj, str_of(key));
	struct str s;

	assert_int_equal(v.kind, JSON_STRING);
	*mem = NULL;
	assert_int_equal(json_string(v, &s, mem), 0);
	return s;
}

#endif
