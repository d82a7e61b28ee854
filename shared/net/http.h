/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_HTTP_H
#define SHARED_NET_HTTP_H

/*
 * HTTP/1.1 requests (RFC 9112), strict: an ambiguous request is refused.  Pure:
 * bytes in, views out.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/base/str.h"

#define HTTP_MAX_HEADERS 64
#define HTTP_MAX_LINE 8192 /* bytes of a request line; over it: 414 */

struct http_header {
	struct str name, value; /* value without blanks around it */
};

/* The head of a request.  All views point into the bytes that were fed. */
struct http_head {
	struct str method;
	struct str target; /* unchanged */
	struct str path;   /* target up to '?' */
	struct str query;  /* after '?'; p == NULL without one */
	unsigned minor;    /* HTTP/1.minor: 0 or 1 */
	struct http_header headers[HTTP_MAX_HEADERS];
	size_t nheaders;

	bool keep_alive;
	bool chunked;
	bool expect_continue;
	bool has_length;
	uint64_t length; /* of the body; 0 when chunked or none */
};

enum http_error {
	HTTP_OK = 0,
	HTTP_BAD_REQUEST = 400,
	HTTP_URI_TOO_LONG = 414,
	HTTP_EXPECTATION_FAILED = 417,
	HTTP_HEAD_TOO_LARGE = 431,
	HTTP_NOT_IMPLEMENTED = 501,
	HTTP_VERSION_NOT_SUPPORTED = 505
};

/*
 * Reads one request head.  > 0: its bytes, including the empty line; 0: more
 * bytes are needed; -1: refuse with *err and close.  `seen` is how many of
 * these bytes an earlier call that returned 0 has read (it may skip them);
 * `max` bounds the head.  *why is a static sentence.
 */
ssize_t http_head_read(struct http_head *, struct str in, size_t seen,
    size_t max, enum http_error *err, const char **why);
/* The header's value (name in any case), or p == NULL. */
struct str http_header(const struct http_head *, struct str name);
/* Does a comma-separated header value hold this token (any case)? */
bool http_has_token(struct str value, struct str token);

/* One or more token characters (RFC 9110, 5.6.2). */
bool http_is_token(struct str);

/* A chunked body, decoded in place, in any split. */
struct http_chunks {
	uint64_t left; /* of the chunk that is being read */
	int state;     /* 0 at the start */
	unsigned line; /* bytes of the size line or trailers so far */
};
/*
 * Decodes in[0, n) in place: the data bytes are moved to the front and their
 * number is stored in *nout.  Returns the number of used bytes of `in`, or -1
 * (malformed).  *done is set at the end of the body.
 */
ssize_t http_chunks_read(
    struct http_chunks *, char *in, size_t n, size_t *nout, bool *done);

/* The first value of a query parameter, raw; p == NULL when missing. */
struct str http_query_get(struct str query, struct str name);

#endif
