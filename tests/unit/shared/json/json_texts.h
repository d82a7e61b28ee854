/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_JSON_JSON_TEXTS_H
#define TESTS_UNIT_SHARED_JSON_JSON_TEXTS_H

/* Texts that the tests of json_parse.c and json_slice.c share. */

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"

/* json_parse() over a copy that ends where its memory ends. */
static inline int
parse_copy(struct str s, char **mem, struct json *out)
{
	const char *err = "";
	int r;

	*mem = xmalloc(s.n == 0 ? 1 : s.n);
	memcpy(*mem, s.p, s.n);
	r = json_parse(str_make(*mem, s.n), out, &err);
	assert_true((r == 0) == (err == NULL));
	assert_true((r == 0) == (out->kind != JSON_NONE));
	return r;
}

static inline bool
cjson_takes(struct str s)
{
	char *copy = xstrndup(s.p, s.n);
	cJSON *tree = cJSON_ParseWithLengthOpts(copy, s.n + 1, NULL, 1);
	bool ok = tree != NULL;

	cJSON_Delete(tree);
	free(copy);
	return ok;
}

static uint64_t rng = 20240229;

/* The same numbers in each run. */
static inline unsigned
draw(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)((rng >> 20) % (n | (n == 0)));
}

#endif
