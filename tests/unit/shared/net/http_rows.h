/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_NET_HTTP_ROWS_H
#define TESTS_UNIT_SHARED_NET_HTTP_ROWS_H

/* Request heads, right and wrong, for http_test.c. */

#include "shared/base/str.h"

#define HOST "Host: a\r\n"

static const struct row {
	const char *name;
	struct str in;
	int status; /* 0: accepted as a whole; 1: more is wanted */
} rows[] = {
#define OK(name, t) \
	{ \
		name, { (t), sizeof(t) - 1 }, 0 \
	}
#define MORE(name, t) \
	{ \
		name, { (t), sizeof(t) - 1 }, 1 \
	}
#define BAD(name, status, t) \
	{ \
		name, { (t), sizeof(t) - 1 }, status \
	}
	/* request line */
	OK("plain", "GET / HTTP/1.1\r\n" HOST "\r\n"),
	OK("empty line before", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
	OK("any token as method", "M-SEARCH!# / HTTP/1.1\r\n" HOST "\r\n"),
	OK("1.0 without host", "GET / HTTP/1.0\r\n\r\n"),
	OK("star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
	OK("authority", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
	OK("absolute", "GET http://a/x HTTP/1.1\r\n" HOST "\r\n"),
	OK("brackets in the query", "GET /?a[]=1 HTTP/1.1\r\n" HOST "\r\n"),
	OK("percent and NUL escape", "GET /%00%2e HTTP/1.1\r\n" HOST "\r\n"),
	MORE("nothing", ""),
	MORE("half a line", "GET / HT"),
	MORE("one line", "GET / HTTP/1.1\r\n"),
	MORE("no empty line", "GET / HTTP/1.1\r\n" HOST),
	MORE("half an empty line", "GET / HTTP/1.1\r\n" HOST "\r"),
	MORE("empty line only", "\r\n"),
	BAD("two empty lines", 400, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("no version", 400, "GET /\r\n" HOST "\r\n"),
	BAD("no target", 400, "GET  HTTP/1.1\r\n" HOST "\r\n"),
	BAD("no method", 400, " / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("one word", 400, "GET\r\n" HOST "\r\n"),
	BAD("two blanks", 400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("blank at the end", 400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
	BAD("tab for a blank", 400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
	BAD("blank in the target", 400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
	BAD("parenthesis in method", 400, "G(T / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("quote in method", 400, "\"GET\" / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("UTF-8 in target", 400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
	BAD("DEL in target", 400, "GET /\x7f HTTP/1.1\r\n" HOST "\r\n"),
	BAD("NUL in target", 400, "GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
	BAD("tab in target", 400, "GET /\t HTTP/1.1\r\n" HOST "\r\n"),
	BAD("fragment", 400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
	BAD("no slash", 400, "GET apps HTTP/1.1\r\n" HOST "\r\n"),
	BAD("star for GET", 400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
	BAD("other scheme", 400, "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n"),
	BAD("no authority", 400, "GET http:///x HTTP/1.1\r\n" HOST "\r\n"),
	BAD("HTTP/2.0", 505, "GET / HTTP/2.0\r\n" HOST "\r\n"),
	BAD("HTTP/1.2", 505, "GET / HTTP/1.2\r\n" HOST "\r\n"),
	BAD("HTTP/0.9", 505, "GET / HTTP/0.9\r\n" HOST "\r\n"),
	BAD("HTTP/1", 400, "GET / HTTP/1\r\n" HOST "\r\n"),
	BAD("HTTP/1.11", 400, "GET / HTTP/1.11\r\n" HOST "\r\n"),
	BAD("http/1.1", 400, "GET / http/1.1\r\n" HOST "\r\n"),
	BAD("HTTP/x.1", 400, "GET / HTTP/x.1\r\n" HOST "\r\n"),
	BAD("PRI of HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	BAD("TLS hello", 400, "\x16\x03\x01\x02\x00\x01\x00"),
	/* line ends */
	BAD("bare LF", 400, "GET / HTTP/1.1\n" HOST "\r\n"),
	BAD("bare LF in headers", 400, "GET / HTTP/1.1\r\nHost: a\n\r\n"),
	BAD("bare LF at the end", 400, "GET / HTTP/1.1\r\n" HOST "\n"),
	BAD("bare LF first", 400, "\nGET / HTTP/1.1\r\n" HOST "\r\n"),
	BAD("bare CR", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
	BAD("bare CR in value", 400, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"),
	BAD("CR CR LF", 400, "GET / HTTP/1.1\r\r\n" HOST "\r\n"),
	BAD("CR in the empty line", 400, "GET / HTTP/1.1\r\n" HOST "\r\r\n"),
	/* headers */
	OK("no blank", "GET / HTTP/1.1\r\nHost:a\r\n\r\n"),
	OK("many blanks", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n"),
	OK("empty value", "GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n"),
	OK("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	OK("host with port", "GET / HTTP/1.1\r\nHost: [::1]:6001\r\n\r\n"),
	OK("UTF-8 in value", "GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\r\n\r\n"),
	OK("tab in value", "GET / HTTP/1.1\r\n" HOST "X: a\tb\r\n\r\n"),
	OK("colon in value", "GET / HTTP/1.1\r\n" HOST "X: a:b: c\r\n\r\n"),
	BAD("no host", 400, "GET / HTTP/1.1\r\n\r\n"),
	BAD("two hosts", 400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"),
	BAD("two hosts in 1.0", 400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
	BAD("host with blank", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
	BAD("host with slash", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
	BAD("host with user", 400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
	BAD("blank before colon", 400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
	BAD("tab before colon", 400, "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"),
	BAD("blank in name", 400, "GET / HTTP/1.1\r\n" HOST "X Y: 1\r\n\r\n"),
	BAD("no colon", 400, "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"),
	BAD("no name", 400, "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"),
	BAD("folded", 400, "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
	BAD("folded by tab", 400,
	    "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
	BAD("folded first", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
	BAD("folded empty", 400, "GET / HTTP/1.1\r\n" HOST " \r\n\r\n"),
	BAD("NUL in value", 400, "GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"),
	BAD("NUL in name", 400, "GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"),
	BAD("ESC in value", 400,
	    "GET / HTTP/1.1\r\n" HOST "X: \x1b[0m\r\n\r\n"),
	BAD("UTF-8 in name", 400,
	    "GET / HTTP/1.1\r\n" HOST "\xc3\xa9: 1\r\n\r\n"),
	/* framing */
	OK("length", "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"),
	OK("length 0", "POST / HTTP/1.1\r\n" HOST "content-length:0\r\n\r\n"),
	OK("leading zeros",
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 005\r\n\r\n"),
	OK("chunked",
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
	OK("Chunked",
	    "POST / HTTP/1.1\r\n" HOST "TRANSFER-ENCODING: Chunked\r\n\r\n"),
	BAD("two lengths", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
	BAD("two equal lengths", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	BAD("list of lengths", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n"),
	BAD("signed length", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n"),
	BAD("negative length", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"),
	BAD("hex length", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n"),
	BAD("length with text", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 bytes\r\n\r\n"),
	BAD("length with fraction", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: 5.0\r\n\r\n"),
	BAD("empty length", 400,
	    "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n"),
	BAD("length of 2^63", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 9223372036854775808\r\n\r\n"),
	BAD("length of 2^64 + 5", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 18446744073709551621\r\n\r\n"),
	BAD("length of 40 digits", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 1111111111111111111111111111111111111111\r\n\r\n"),
	BAD("length and chunks", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	BAD("chunks and length", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	BAD("chunks, identity", 501,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked, identity\r\n\r\n"),
	BAD("gzip, chunked", 501,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	BAD("identity", 501,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"),
	BAD("xchunked", 501,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"),
	BAD("chunked in quotes", 501,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: \"chunked\"\r\n\r\n"),
	BAD("chunked;q=1", 501,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked;q=1\r\n\r\n"),
	BAD("empty encoding", 501,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
	BAD("two encodings", 400,
	    "POST / HTTP/1.1\r\n" HOST
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	BAD("encoding with blank", 400,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"),
	BAD("encoding behind VT", 400,
	    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
	    "chunked\r\n\r\n"),
	BAD("encoding in 1.0", 400,
	    "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
	/* expectations */
	OK("expect",
	    "POST / HTTP/1.1\r\n" HOST
	    "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"),
	BAD("other expectation", 417,
	    "POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n"),
	BAD("two expectations", 417,
	    "POST / HTTP/1.1\r\n" HOST "Expect: 100-continue, x\r\n\r\n"),
	BAD("empty expectation", 417,
	    "POST / HTTP/1.1\r\n" HOST "Expect:\r\n\r\n"),
};

#endif
