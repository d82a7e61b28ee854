/* SPDX-License-Identifier: MIT */
/*
 * http_field.c: looks things up in a parsed request: a header, a token in its
 * list, a parameter of the query.  Pure, owns nothing: views into the request's
 * bytes.  Must never decode: the raw text is signed, so callers get the raw
 * text.
 */

#include "shared/net/http.h"

/* RFC 9110, 5.6.2. */
static bool
is_token_char(unsigned char c)
{
	static const uint64_t set[4] = {
		UINT64_C(0x03ff6cfa00000000), /* !#$%&'*+-. 0-9 */
		UINT64_C(0x57ffffffc7fffffe), /* A-Z ^_` a-z |~ */
		0,
		0,
	};

	return (set[c >> 6] >> (c & 63) & 1) != 0;
}

bool
http_is_token(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!is_token_char((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

struct str
http_header(const struct http_head *h, struct str name)
{
	size_t i;

	for (i = 0; i < h->nheaders; i++)
		if (str_eq_nocase(h->headers[i].name, name))
			return h->headers[i].value;
	return (struct str){ NULL, 0 };
}

bool
http_has_token(struct str value, struct str token)
{
	while (value.p != NULL)
		if (str_eq_nocase(str_trim(str_cut(&value, ',')), token))
			return true;
	return false;
}

struct str
http_query_get(struct str query, struct str name)
{
	struct str part, key;

	while (query.p != NULL) {
		part = str_cut(&query, '&');
		key = str_cut(&part, '=');
		if (key.n > 0 && str_eq(key, name))
			return part.p == NULL ? S("") : part;
	}
	return (struct str){ NULL, 0 };
}
