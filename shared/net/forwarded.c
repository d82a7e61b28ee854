/* SPDX-License-Identifier: MIT */
/*
 * forwarded.c: finds the client's address in the headers of proxies.  Headers
 * of the same name are one list, in their order (RFC 9110, 5.3).  Only to be
 * asked about a trusted peer: the text is whatever the peer has let through.
 * Pure, owns nothing.
 */

#include "shared/net/forwarded.h"

#include "shared/base/base.h"
#include "shared/net/http.h"

#define HOPS_MAX 64 /* from the right; further ones are ignored */

/* The position of the last `sep` that is outside of quotes, or -1. */
static ssize_t
find_last(struct str s, char sep)
{
	bool quoted = false;
	ssize_t last = -1;

	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == sep && !quoted)
			last = (ssize_t)i;
	}
	return last;
}

/* The hops of all headers of one name, from the right to the left. */
struct hops {
	const struct http_head *head;
	struct str name, rest;
	size_t next; /* header, counted down */
};

static bool
next_hop(struct hops *h, struct str *hop)
{
	const struct http_header *f;
	ssize_t at;

	while (h->rest.p == NULL) {
		if (h->next == 0)
			return false;
		f = &h->head->headers[--h->next];
		if (str_eq_nocase(f->name, h->name))
			h->rest = f->value;
	}
	at = find_last(h->rest, ',');
	*hop = str_trim(str_from(h->rest, (size_t)(at + 1)));
	h->rest = str_make(at == -1 ? NULL : h->rest.p, (size_t)MAX(at, 0));
	return true;
}

/* An address in a hop: perhaps in brackets, with a port. */
static int
hop_address(struct str s, struct ip *ip)
{
	struct str rest = s, host;

	if (str_starts(s, S("["))) {
		rest = str_from(s, 1);
		host = str_cut(&rest, ']');
		if (rest.p == NULL || (rest.n > 0 && rest.p[0] != ':'))
			return -1;
		return ip_parse(host, ip);
	}
	if (ip_parse(s, ip) == 0)
		return 0;
	host = str_cut(&rest, ':'); /* 1.2.3.4:5678 */
	return str_find(host, '.') == -1 ? -1 : ip_parse(host, ip);
}

/* The value of name= in one element of Forwarded, without its quotes. */
static struct str
element_get(struct str element, struct str name)
{
	struct str found = { NULL, 0 }, pair, value;
	ssize_t at;

	while (element.n > 0) {
		at = find_last(element, ';');
		pair = str_trim(str_from(element, (size_t)(at + 1)));
		element = str_make(element.p, (size_t)MAX(at, 0));
		value = pair;
		if (!str_eq_nocase(str_cut(&value, '='), name) ||
		    value.p == NULL)
			continue;
		if (value.n >= 2 && value.p[0] == '"' &&
		    value.p[value.n - 1] == '"')
			value = str_make(value.p + 1, value.n - 2);
		found = value;
	}
	return found;
}

/* Does this scheme mean TLS?  Traefik writes wss for a WebSocket. */
static bool
is_tls(struct str scheme)
{
	return str_eq_nocase(scheme, S("https")) ||
	    str_eq_nocase(scheme, S("wss"));
}

static void
read_standard(struct forwarded *f, const struct http_head *head,
    const struct ip_net *trusted, size_t ntrusted)
{
	struct hops hops = {
		.head = head, .name = S("Forwarded"), .next = head->nheaders
	};
	struct str hop;
	struct ip ip;

	for (int i = 0; i < HOPS_MAX && next_hop(&hops, &hop); i++) {
		if (hop.n == 0)
			continue;
		/*
		 * The way in which this hop, known or not, reached the next
		 * one.
		 */
		f->https = is_tls(element_get(hop, S("proto")));
		if (hop_address(element_get(hop, S("for")), &ip) == -1)
			return;
		f->ip = ip;
		f->known = true;
		if (!ip_nets_have(trusted, ntrusted, &ip))
			return;
	}
}

static void
read_customary(struct forwarded *f, const struct http_head *head,
    const struct ip_net *trusted, size_t ntrusted)
{
	struct hops hops = { .head = head,
		.name = S("X-Forwarded-For"),
		.next = head->nheaders };
	struct hops protos = { .head = head,
		.name = S("X-Forwarded-Proto"),
		.next = head->nheaders };
	struct str hop;
	struct ip ip;

	f->https = next_hop(&protos, &hop) && is_tls(hop);
	for (int i = 0; i < HOPS_MAX && next_hop(&hops, &hop); i++) {
		if (hop.n == 0)
			continue;
		if (hop_address(hop, &ip) == -1)
			return;
		f->ip = ip;
		f->known = true;
		if (!ip_nets_have(trusted, ntrusted, &ip))
			return;
	}
}

void
forwarded_read(struct forwarded *f, const struct http_head *head, bool standard,
    const struct ip_net *trusted, size_t ntrusted)
{
	*f = (struct forwarded){ 0 };
	if (standard)
		read_standard(f, head, trusted, ntrusted);
	else
		read_customary(f, head, trusted, ntrusted);
}
