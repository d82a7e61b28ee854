/* SPDX-License-Identifier: MIT */
/*
 * http.c: HTTP/1.1 request heads (RFC 9112), strict.
 *
 * A head is read in two steps.  The scan looks at each byte once, as it
 * arrives, and refuses what can never become a head (bare CR or LF, NUL,
 * control characters, too long); the parse runs once, over the complete head.
 * So the answer is the same for every split of the stream.
 *
 * Pure: no socket, no clock, no allocation.  Must never guess: whatever two
 * readers could understand in two ways (two lengths, a length and chunks, a
 * folded line, a blank before a colon) is refused, because a proxy in front may
 * have read it the other way.
 */

#include "shared/net/http.h"

#include <endian.h>

#include "shared/base/base.h"

#define LENGTH_MAX INT64_MAX /* sums with small numbers cannot overflow */

/* The reason why a head is refused. */
struct refusal {
	enum http_error err;
	const char *why;
};

static bool
refuse(struct refusal *r, enum http_error err, const char *why)
{
	r->err = err;
	r->why = why;
	return false;
}

/* --- the scan --------------------------------------------------------- */

/* Past the bytes that are neither control characters nor DEL. */
static size_t
skip_visible(struct str in, size_t i)
{
	const uint64_t ones = ~(uint64_t)0 / 255;
	uint64_t w, x, hit;

	while (in.n - i >= 8) {
		memcpy(&w, in.p + i, sizeof(w));
		w = le64toh(w);
		x = w ^ (ones * 0x7f);
		hit = (((w - ones * 0x20) & ~w) | ((x - ones) & ~x)) &
		    (ones * 128);
		if (hit != 0) /* its lowest bit is right, others may not be */
			return i + (size_t)__builtin_ctzll(hit) / 8;
		i += 8;
	}
	while (i < in.n && (unsigned char)in.p[i] >= 0x20 && in.p[i] != 0x7f)
		i++;
	return i;
}

/*
 * Checks in[i, in.n), where i is at a byte that is not the LF of a CRLF.  *end
 * becomes the length of the head when its empty line is there.
 */
static bool
scan(struct str in, size_t i, size_t *end, struct refusal *r)
{
	size_t line = SIZE_MAX; /* the beginning of the line after a CRLF */

	*end = 0;
	while ((i = skip_visible(in, i)) < in.n) {
		if (in.p[i] == '\t') {
			i++;
			continue;
		}
		if (in.p[i] == '\n')
			return refuse(r, HTTP_BAD_REQUEST,
			    "a line feed without a carriage return");
		if (in.p[i] != '\r')
			return refuse(r, HTTP_BAD_REQUEST,
			    "a control character in the request head");
		if (i + 1 == in.n)
			return true;
		if (in.p[i + 1] != '\n')
			return refuse(r, HTTP_BAD_REQUEST,
			    "a carriage return without a line feed");
		if (i == line) {
			*end = i + 2;
			return true;
		}
		i += 2;
		/* An empty line before the request line ends nothing. */
		line = i == 2 ? SIZE_MAX : i;
	}
	return true;
}

/*
 * Where to continue after `seen` bytes: at the last CRLF before, so that the
 * scan knows whether a line begins there.
 */
static size_t
scan_start(struct str in, size_t seen)
{
	size_t i = MIN(seen, in.n);

	if (i > 0 && in.p[i - 1] == '\r')
		i--;
	else if (i > 0 && in.p[i - 1] == '\n')
		i = i >= 2 ? i - 2 : 0;
	/* The CRLF before this CR, which ends the previous line. */
	if (i >= 2 && in.p[i - 1] == '\n')
		i -= 2;
	return i;
}

/* --- the request line -------------------------------------------------- */

/*
 * Removes scheme and authority from an absolute-form target (RFC 9112, 3.2.2):
 * the rest begins with '/' or '?' or is empty.
 */
static bool
cut_absolute(struct str *target)
{
	static const char *const schemes[] = { "http://", "https://", "ws://",
		"wss://" };
	struct str scheme, rest;
	size_t i, n;

	for (i = 0; i < nitems(schemes); i++) {
		scheme = str_of(schemes[i]);
		if (target->n < scheme.n ||
		    !str_eq_nocase(str_make(target->p, scheme.n), scheme))
			continue;
		rest = str_from(*target, scheme.n);
		for (n = 0; n < rest.n; n++)
			if (rest.p[n] == '/' || rest.p[n] == '?')
				break;
		*target = str_from(rest, n);
		return n > 0;
	}
	return false;
}

/* Visible ASCII without '#'?  Without branches, for several bytes at a time. */
static bool
is_target(struct str t)
{
	unsigned bad = 0; /* the compiler does not vectorize a bool */

	for (size_t i = 0; i < t.n; i++) {
		unsigned char c = (unsigned char)t.p[i];

		bad |= (c <= ' ') | (c > '~') | (c == '#');
	}
	return bad == 0;
}

static bool
parse_target(struct http_head *h, struct refusal *r)
{
	struct str t = h->target;
	ssize_t mark;

	if (t.n == 0)
		return refuse(
		    r, HTTP_BAD_REQUEST, "the request line has no target");
	if (!is_target(t))
		return refuse(r, HTTP_BAD_REQUEST,
		    "a character that the target must encode");
	h->query = (struct str){ NULL, 0 };
	if (str_eq(h->method, S("CONNECT")) ||
	    (str_eq(h->method, S("OPTIONS")) && str_eq(t, S("*")))) {
		h->path = t;
		return true;
	}
	if (t.p[0] != '/' && !cut_absolute(&t))
		return refuse(r, HTTP_BAD_REQUEST,
		    "the target is neither a path nor an absolute URL");
	h->path = t;
	if ((mark = str_find(t, '?')) != -1) {
		h->path.n = (size_t)mark;
		h->query = str_from(t, h->path.n + 1);
	}
	if (h->path.n == 0)
		h->path = S("/");
	return true;
}

static bool
parse_version(struct http_head *h, struct str v, struct refusal *r)
{
	if (v.n != 8 || !str_starts(v, S("HTTP/")) || v.p[6] != '.' ||
	    v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
		return refuse(r, HTTP_BAD_REQUEST,
		    "the request line is not METHOD TARGET HTTP/1.1");
	if (v.p[5] != '1' || v.p[7] > '1')
		return refuse(r, HTTP_VERSION_NOT_SUPPORTED,
		    "only HTTP/1.1 and HTTP/1.0 are supported");
	h->minor = (unsigned)(v.p[7] - '0');
	return true;
}

static bool
parse_request_line(struct http_head *h, struct str line, struct refusal *r)
{
	ssize_t sp = str_find(line, ' ');

	if (sp == -1)
		return refuse(r, HTTP_BAD_REQUEST,
		    "the request line is not METHOD TARGET HTTP/1.1");
	h->method = str_make(line.p, (size_t)sp);
	if (!http_is_token(h->method))
		return refuse(r, HTTP_BAD_REQUEST, "the method is not a token");
	line = str_from(line, (size_t)sp + 1);
	if ((sp = str_find(line, ' ')) == -1)
		return refuse(r, HTTP_BAD_REQUEST,
		    "the request line is not METHOD TARGET HTTP/1.1");
	h->target = str_make(line.p, (size_t)sp);
	return parse_version(h, str_from(line, (size_t)sp + 1), r) &&
	    parse_target(h, r);
}

/* --- header lines ------------------------------------------------------ */

/* The header lines about framing, before they are judged together. */
struct framing {
	unsigned lengths, encodings, hosts;
	bool unknown_encoding;
	bool close, keep_alive;
};

/* RFC 3986, 3.2.2 and 3.2.3: the bytes of a host and a port. */
static bool
is_host(struct str s)
{
	static const uint64_t set[4] = {
		UINT64_C(0x2fff7ff200000000), /* all but "#/<>? and the blank */
		UINT64_C(0x47fffffeaffffffe), /* all but @\^`{|} and DEL */
		0,
		0,
	};

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((set[c >> 6] >> (c & 63) & 1) == 0)
			return false;
	}
	return true;
}

static bool
take_length(
    struct http_head *h, struct framing *f, struct str value, struct refusal *r)
{
	if (f->lengths++ > 0)
		return refuse(r, HTTP_BAD_REQUEST,
		    "Content-Length occurs more than once");
	if (str_to_u64(value, LENGTH_MAX, &h->length) == -1)
		return refuse(r, HTTP_BAD_REQUEST,
		    "Content-Length is not a decimal number");
	h->has_length = true;
	return true;
}

static bool
take_host(struct framing *f, struct str value, struct refusal *r)
{
	if (f->hosts++ > 0)
		return refuse(
		    r, HTTP_BAD_REQUEST, "Host occurs more than once");
	if (!is_host(value))
		return refuse(r, HTTP_BAD_REQUEST, "Host is not a host name");
	return true;
}

static bool
take_expect(struct http_head *h, struct str value, struct refusal *r)
{
	if (!str_eq_nocase(value, S("100-continue")))
		return refuse(r, HTTP_EXPECTATION_FAILED,
		    "the only supported expectation is 100-continue");
	h->expect_continue = true;
	return true;
}

/* The lines that decide where this request ends. */
static bool
take_header(struct http_head *h, struct framing *f,
    const struct http_header *line, struct refusal *r)
{
	struct str name = line->name, value = line->value;

	switch (name.n) {
	case 4:
		if (str_eq_nocase(name, S("host")))
			return take_host(f, value, r);
		break;
	case 6:
		if (str_eq_nocase(name, S("expect")))
			return take_expect(h, value, r);
		break;
	case 10:
		if (!str_eq_nocase(name, S("connection")))
			break;
		f->close |= http_has_token(value, S("close"));
		f->keep_alive |= http_has_token(value, S("keep-alive"));
		break;
	case 14:
		if (str_eq_nocase(name, S("content-length")))
			return take_length(h, f, value, r);
		break;
	case 17:
		if (!str_eq_nocase(name, S("transfer-encoding")))
			break;
		f->encodings++;
		f->unknown_encoding |= !str_eq_nocase(value, S("chunked"));
		break;
	default:
		break;
	}
	return true;
}

/* Checks the rules of RFC 9112, 3.2, 6.1 and 6.3. */
static bool
judge_framing(struct http_head *h, const struct framing *f, struct refusal *r)
{
	if (f->encodings > 0 && f->lengths > 0)
		return refuse(r, HTTP_BAD_REQUEST,
		    "Content-Length and Transfer-Encoding exclude each other");
	if (f->encodings > 1)
		return refuse(r, HTTP_BAD_REQUEST,
		    "Transfer-Encoding occurs more than once");
	if (f->encodings > 0 && h->minor == 0)
		return refuse(
		    r, HTTP_BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding");
	if (f->unknown_encoding)
		return refuse(r, HTTP_NOT_IMPLEMENTED,
		    "the only supported Transfer-Encoding is chunked");
	if (h->minor > 0 && f->hosts == 0)
		return refuse(r, HTTP_BAD_REQUEST, "Host is missing");
	h->chunked = f->encodings > 0;
	h->keep_alive = !f->close && (h->minor > 0 || f->keep_alive);
	if (h->minor == 0)
		h->expect_continue = false; /* RFC 9110, 10.1.1 */
	return true;
}

static bool
parse_header(struct http_header *out, struct str line, struct refusal *r)
{
	ssize_t colon;

	if (line.p[0] == ' ' || line.p[0] == '\t')
		return refuse(r, HTTP_BAD_REQUEST, "a folded header line");
	if ((colon = str_find(line, ':')) == -1)
		return refuse(
		    r, HTTP_BAD_REQUEST, "a header line without a colon");
	out->name = str_make(line.p, (size_t)colon);
	if (!http_is_token(out->name))
		return refuse(r, HTTP_BAD_REQUEST,
		    "a header name with a blank or another invalid character");
	out->value = str_trim(str_from(line, (size_t)colon + 1));
	return true;
}

/* The complete head, with both CRLF at its end. */
static bool
parse_head(struct http_head *h, struct str in, struct refusal *r)
{
	struct framing f = { 0 };
	struct str line;
	bool first = true;

	while (in.n > 2) {
		const char *cr = memchr(in.p, '\r', in.n);

		line = str_make(in.p, (size_t)(cr - in.p));
		in = str_from(in, line.n + 2);
		if (first) {
			first = false;
			if (!parse_request_line(h, line, r))
				return false;
			continue;
		}
		if (h->nheaders == HTTP_MAX_HEADERS)
			return refuse(r, HTTP_HEAD_TOO_LARGE,
			    "more than 64 header lines");
		if (!parse_header(&h->headers[h->nheaders], line, r) ||
		    !take_header(h, &f, &h->headers[h->nheaders], r))
			return false;
		h->nheaders++;
	}
	return judge_framing(h, &f, r);
}

static void
head_clear(struct http_head *h)
{
	h->method = h->target = h->path = h->query = (struct str){ NULL, 0 };
	h->minor = 0;
	h->nheaders = 0;
	h->keep_alive = h->chunked = h->expect_continue = false;
	h->has_length = false;
	h->length = 0;
}

/* Is the request line (with the empty line before it) in these bytes? */
static bool
has_request_line(struct str in)
{
	if (str_starts(in, S("\r\n")))
		in = str_from(in, 2);
	return in.n > 0 && memchr(in.p, '\n', in.n) != NULL;
}

ssize_t
http_head_read(struct http_head *h, struct str in, size_t seen, size_t max,
    enum http_error *err, const char **why)
{
	struct refusal r = { HTTP_OK, NULL };
	size_t line_max = MIN(max, HTTP_MAX_LINE), limit = max, end, from;
	struct str part = str_make(in.p, MIN(in.n, line_max));
	enum http_error over = HTTP_HEAD_TOO_LARGE;
	const char *over_why = "the request head is too large";

	head_clear(h);
	if (!has_request_line(part)) {
		limit = line_max;
		over = HTTP_URI_TOO_LONG;
		over_why = "the request line is too long";
	}
	part = str_make(in.p, MIN(in.n, limit));
	if (!scan(part, scan_start(part, seen), &end, &r))
		goto refused;
	if (end == 0 && in.n < limit)
		return 0;
	if (end == 0) {
		refuse(&r, over, over_why);
		goto refused;
	}
	from = str_starts(in, S("\r\n")) ? 2 : 0;
	if (!parse_head(h, str_make(in.p + from, end - from), &r))
		goto refused;
	*err = HTTP_OK;
	*why = NULL;
	return (ssize_t)end;
refused:
	*err = r.err;
	*why = r.why;
	return -1;
}
