/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_API_PARAMS_H
#define SHARED_PUSHER_API_PARAMS_H

/* The parameters of a request's query, decoded once.  Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

#define API_PARAMS_MAX 64 /* parameters of one request; over it: 400 */

struct api_param {
	struct str key;   /* decoded, lower case */
	struct str value; /* decoded */
	struct str base;  /* the key without [] or [n] at its end */
};

struct api_params {
	size_t n;
	char *mem; /* decoded bytes; usually NULL */
	struct api_param v[API_PARAMS_MAX];
};

/*
 * Splits at '&' and the first '=', decodes both sides (%XX, '+' is a blank),
 * lower-cases keys; empty parts are dropped (protocol reference, 5.2).  Views
 * into `query` and into p->mem: api_params_clear() it.  0, or -1 when there
 * are more than API_PARAMS_MAX.
 */
int api_params_parse(struct api_params *p, struct str query);
void api_params_clear(struct api_params *);
/* The value of the first one with this key, or p == NULL. */
struct str api_params_get(const struct api_params *, struct str key);
/*
 * Walks the values of `name`, in the order of the wire, in all forms in which
 * libraries send arrays: name=, name[]=, name[n]=. *pos starts at 0; false at
 * the end.
 */
bool api_params_next(
    const struct api_params *, struct str name, size_t *pos, struct str *value);

#endif
