/* SPDX-License-Identifier: MIT */
/*
 * http_reply.c: writes HTTP/1.1 replies into a buf.  Every reply with a body
 * gives its exact length; none is chunked.  1xx, 204 and 304 have neither body
 * nor length (RFC 9110, 8.6; RFC 9112, 6.3).  Owns nothing.  Must never choose
 * a status: that is the caller's.
 */

#include "shared/net/http_reply.h"

#include "shared/base/base.h"
#include "shared/json/json_write.h"

static const struct {
	unsigned status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

const char *
http_reason(unsigned status)
{
	size_t i;

	for (i = 0; i < nitems(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static bool
status_has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}

void
http_reply_write(struct buf **b, const struct http_reply *r)
{
	const char *type = r->type;

	buf_reserve(b, 256 + r->body.n);
	if (r->status == 200)
		buf_append(b, S("HTTP/1.1 200 OK\r\n"));
	else
		buf_printf(
		    b, "HTTP/1.1 %u %s\r\n", r->status, http_reason(r->status));
	if (status_has_body(r->status)) {
		if (type == NULL && r->body.n > 0)
			type = "application/json";
		if (type != NULL) {
			buf_append(b, S("Content-Type: "));
			buf_append(b, str_of(type));
			buf_append(b, S("\r\n"));
		}
		buf_printf(b, "Content-Length: %zu\r\n", r->body.n);
	}
	if (r->extra != NULL)
		buf_append(b, str_of(r->extra));
	/* A 1xx is not the end of its request: it decides nothing. */
	if (r->status >= 200)
		buf_append(b,
		    r->keep_alive ? S("Connection: keep-alive\r\n")
				  : S("Connection: close\r\n"));
	buf_append(b, S("\r\n"));
	if (status_has_body(r->status) && !r->head_only)
		buf_append(b, r->body);
}

void
http_error_body(struct buf **b, unsigned status, struct str text)
{
	buf_append(b, S("{\"error\":"));
	json_quote(b, text);
	buf_printf(b, ",\"code\":%u}", status);
}
