/* SPDX-License-Identifier: MIT */
/*
 * api_params.c: the query of a request as a small array of decoded keys and
 * values.  Usually nothing needs decoding and all are views into the request;
 * else one block holds the decoded ones.  Pure.  Must never sort or drop a
 * named parameter: the signature needs every one, in the order of the wire
 * (protocol reference, 5.2).
 */

#include "shared/pusher/api_params.h"

#include "shared/base/xmalloc.h"

/* Without branches, for several bytes at a time. */
static bool
has_upper(struct str s)
{
	unsigned upper = 0; /* the compiler does not vectorize a bool */

	for (size_t i = 0; i < s.n; i++)
		upper |= s.p[i] >= 'A' && s.p[i] <= 'Z';
	return upper != 0;
}

static bool
is_encoded(struct str s)
{
	return str_find(s, '%') != -1 || str_find(s, '+') != -1;
}

/* The name of the array to which a key like "info[0]" belongs. */
static struct str
base_of(struct str key)
{
	ssize_t open;

	if (key.n < 3 || key.p[key.n - 1] != ']')
		return key;
	open = str_find(key, '[');
	return open > 0 ? str_make(key.p, (size_t)open) : key;
}

/* The block for decoded bytes, made when it is first needed. */
struct block {
	struct api_params *p;
	size_t used, cap;
	bool encoded; /* something in the query is */
	bool upper;   /* something in it may be in upper case */
};

static char *
block_end(struct block *b)
{
	if (b->p->mem == NULL)
		b->p->mem = xmalloc(b->cap);
	return b->p->mem + b->used;
}

/* Decodes into the block; s itself if it needs no decoding. */
static struct str
decode(struct block *b, struct str s)
{
	char *out;
	size_t n;

	if (!b->encoded || !is_encoded(s))
		return s;
	out = block_end(b);
	n = str_percent_decode(s, true, out);
	b->used += n;
	return str_make(out, n);
}

static struct str
lower_key(struct block *b, struct str key)
{
	char *out;

	if (!b->upper || !has_upper(key))
		return key;
	out = block_end(b);
	for (size_t i = 0; i < key.n; i++)
		out[i] = key.p[i] >= 'A' && key.p[i] <= 'Z'
		    ? (char)(key.p[i] + ('a' - 'A'))
		    : key.p[i];
	b->used += key.n;
	return str_make(out, key.n);
}

int
api_params_parse(struct api_params *p, struct str query)
{
	/* A key may be written twice, decoded and then in lower case. */
	struct block b = {
		.p = p, .cap = 2 * query.n, .encoded = is_encoded(query)
	};
	struct str rest = query, part, key;

	b.upper = b.encoded || has_upper(query); /* as in %41 */
	p->n = 0;
	p->mem = NULL;
	while (rest.p != NULL) {
		part = str_cut(&rest, '&');
		if (part.n == 0)
			continue;
		if (p->n == API_PARAMS_MAX) {
			api_params_clear(p);
			return -1;
		}
		key = str_cut(&part, '=');
		if (part.p == NULL)
			part = S("");
		key = lower_key(&b, decode(&b, key));
		p->v[p->n].key = key;
		p->v[p->n].base = base_of(key);
		p->v[p->n].value = decode(&b, part);
		p->n++;
	}
	return 0;
}

void
api_params_clear(struct api_params *p)
{
	free(p->mem);
	p->mem = NULL;
	p->n = 0;
}

struct str
api_params_get(const struct api_params *p, struct str key)
{
	for (size_t i = 0; i < p->n; i++)
		if (str_eq(p->v[i].key, key))
			return p->v[i].value;
	return (struct str){ NULL, 0 };
}

bool
api_params_next(
    const struct api_params *p, struct str name, size_t *pos, struct str *value)
{
	while (*pos < p->n) {
		const struct api_param *v = &p->v[(*pos)++];

		if (str_eq(v->base, name)) {
			*value = v->value;
			return true;
		}
	}
	return false;
}
