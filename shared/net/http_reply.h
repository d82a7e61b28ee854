/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_HTTP_REPLY_H
#define SHARED_NET_HTTP_REPLY_H

/* Writes HTTP/1.1 replies. */

#include <stdbool.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"

/*
 * Appends status line, headers and body.  type: NULL = application/json.
 * extra: finished header lines, each with CRLF, or NULL.  head_only omits the
 * body but gives its length (HEAD).
 */
struct http_reply {
	unsigned status;
	const char *type;
	const char *extra;
	struct str body;
	bool keep_alive;
	bool head_only;
};
void http_reply_write(struct buf **b, const struct http_reply *);
/* {"error":"…","code":status} as a body; the text is escaped. */
void http_error_body(struct buf **b, unsigned status, struct str text);
/* "Not Found" for 404. */
const char *http_reason(unsigned status);

#endif
