/* SPDX-License-Identifier: MIT */
/*
 * The headers of proxies, and the texts of addresses: the head of the PROXY
 * protocol in any split, X-Forwarded-For and Forwarded against a reader that
 * cuts the list from the left, addresses and networks bit by bit, listeners
 * that can be written down and read again.  Input: which of them, then its
 * bytes.
 */

#include "shared/base/xmalloc.h"
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "shared/net/forwarded.h"
#include "shared/net/http.h"
#include "shared/net/listen_spec.h"
#include "shared/net/proxy_head.h"

/* ---- the PROXY protocol ---- */

static bool
is_same(const struct proxy_head *a, const struct proxy_head *b)
{
	return a->known == b->known && a->port == b->port &&
	    ip_eq(&a->ip, &b->ip);
}

/* A line that was taken is the one that its addresses make. */
static void
check_line(const struct proxy_head *h, struct str in)
{
	char *line = str_dup(in), six, source[64], target[64], again[256];
	unsigned from, to;
	struct ip ip;

	if (h->known) {
		assert_int_equal(sscanf(line, "PROXY TCP%c %63s %63s %u %u\r\n",
				     &six, source, target, &from, &to),
		    5);
		snprintf(again, sizeof(again), "PROXY TCP%c %s %s %u %u\r\n",
		    six, source, target, from, to);
		assert_string_equal(line, again);
		assert_int_equal(from, h->port);
		assert_true(to <= 65535);
		assert_int_equal(ip_parse(str_of(source), &ip), 0);
		assert_true(ip_eq(&ip, &h->ip));
		assert_int_equal(six == '6', strchr(source, ':') != NULL);
		assert_int_equal(six == '6', strchr(target, ':') != NULL);
	} else {
		assert_true(strncmp(line, "PROXY UNKNOWN", 13) == 0);
	}
	assert_true(in.n <= 107);
	free(line);
}

static void
check_binary(const struct proxy_head *h, struct str in)
{
	const unsigned char *b = (const unsigned char *)in.p;
	unsigned family = b[13] >> 4;
	size_t len = (size_t)b[14] << 8 | b[15];

	assert_int_equal(in.n, 16 + len);
	assert_true(b[12] == 0x20 || b[12] == 0x21);
	if (b[12] == 0x20 || family == 0 || family == 3) {
		assert_false(h->known);
	} else if (family == 1) {
		assert_true(h->known && memcmp(h->ip.b + 12, b + 16, 4) == 0);
		assert_int_equal(h->port, b[24] << 8 | b[25]);
	} else {
		assert_true(h->known && family == 2);
		assert_true(memcmp(h->ip.b, b + 16, 16) == 0);
		assert_int_equal(h->port, b[48] << 8 | b[49]);
	}
}

/* Never another answer with more bytes, once there is one. */
static void
head(struct str in)
{
	struct proxy_head whole, part;
	ssize_t want = proxy_head_read(&whole, in), got, last = 0;

	assert_true(want >= -1 && want <= (ssize_t)in.n);
	for (size_t n = 0; n < in.n; n++) {
		got = proxy_head_read(&part, str_make(in.p, n));
		if (want >= 0 && (want == 0 || n < (size_t)want))
			assert_int_equal(got, 0);
		else if (want > 0)
			assert_true(got == want && is_same(&part, &whole));
		assert_true(last != -1 || got == -1);
		assert_true(got <= 0 || want > 0);
		last = got;
	}
	if (want <= 0)
		return;
	if (in.p[0] == 'P')
		check_line(&whole, str_make(in.p, (size_t)want));
	else
		check_binary(&whole, str_make(in.p, (size_t)want));
}

/* ---- addresses ---- */

static bool
bit(const struct ip *ip, unsigned i)
{
	return ip->b[i / 8] >> (7 - i % 8) & 1;
}

static bool
has(const struct ip_net *net, const struct ip *ip)
{
	for (unsigned i = 0; i < net->bits; i++)
		if (bit(&net->ip, i) != bit(ip, i))
			return false;
	return true;
}

static void
check_sock(const struct ip *ip)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sock_addr a = { .len = sizeof(sin6) };
	struct ip got;

	memcpy(&sin6.sin6_addr, ip->b, sizeof(ip->b));
	memcpy(&a.ss, &sin6, sizeof(sin6));
	assert_true(ip_of_sock(&a, &got) && ip_eq(&got, ip));
	memcpy(&sin.sin_addr, ip->b + 12, 4);
	memcpy(&a.ss, &sin, sizeof(sin));
	a.len = sizeof(sin);
	assert_true(ip_of_sock(&a, &got));
	assert_true(memcmp(got.b + 12, ip->b + 12, 4) == 0);
	a.len--;
	assert_false(ip_of_sock(&a, &got));
	a.ss.ss_family = AF_UNIX;
	a.len = sizeof(a.ss);
	assert_false(ip_of_sock(&a, &got));
}

/* Two lines: an address, and a network or an address. */
static void
addresses(struct str in)
{
	struct str first = str_cut(&in, '\n');
	struct ip ip, again;
	struct ip_net net;
	char text[IP_TEXT_MAX];
	bool known = ip_parse(first, &ip) == 0;

	if (known) {
		ip_text(&ip, text);
		assert_int_equal(ip_parse(str_of(text), &again), 0);
		assert_true(ip_eq(&ip, &again));
		assert_int_equal(ip_net_parse(first, &net), 0);
		assert_int_equal(net.bits, 128);
		check_sock(&ip);
	}
	if (ip_net_parse(in.p == NULL ? first : in, &net) == -1)
		return;
	assert_true(net.bits <= 128);
	assert_true(ip_net_has(&net, &net.ip));
	if (known)
		assert_int_equal(ip_net_has(&net, &ip), has(&net, &ip));
	for (unsigned i = 0; i < 128; i++) {
		again = net.ip;
		again.b[i / 8] ^= (unsigned char)(0x80 >> i % 8);
		assert_int_equal(ip_nets_have(&net, 1, &again), i >= net.bits);
	}
}

/* ---- headers ---- */

#define HOPS 64

/* Cuts a value at `sep` outside of quotes, from the left. */
static size_t
split(struct str s, char sep, struct str *out, size_t cap)
{
	size_t n = 0, from = 0;
	bool quoted = false;

	assert_true(s.n < cap); /* room for as many as there can be */
	for (size_t i = 0; i < s.n; i++) {
		if (quoted && s.p[i] == '\\') {
			i++;
		} else if (s.p[i] == '"') {
			quoted = !quoted;
		} else if (s.p[i] == sep && !quoted) {
			out[n++] = str_trim(str_make(s.p + from, i - from));
			from = i + 1;
		}
	}
	out[n++] = str_trim(str_from(s, from));
	return n;
}

/* All hops of the headers of this name, from the left to the right. */
static size_t
all_hops(
    const struct http_head *h, struct str name, struct str *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < h->nheaders; i++)
		if (str_eq_nocase(h->headers[i].name, name))
			n += split(h->headers[i].value, ',', out + n, cap - n);
	return n;
}

static bool
address(struct str s, struct ip *ip)
{
	const char *end;

	if (s.n > 0 && s.p[0] == '[') {
		end = memchr(s.p, ']', s.n);
		return end != NULL && (end + 1 == s.p + s.n || end[1] == ':') &&
		    ip_parse(str_make(s.p + 1, (size_t)(end - s.p - 1)), ip) ==
		    0;
	}
	if (ip_parse(s, ip) == 0)
		return true;
	/* 1.2.3.4:5678 */
	end = s.n == 0 ? NULL : memchr(s.p, ':', s.n);
	return end != NULL && memchr(s.p, '.', (size_t)(end - s.p)) != NULL &&
	    ip_parse(str_make(s.p, (size_t)(end - s.p)), ip) == 0;
}

/* for= or proto= of one element; the first one of each name counts. */
static struct str
parameter(struct str element, struct str name)
{
	static struct str pairs[8192];
	size_t n = split(element, ';', pairs, nitems(pairs));

	for (size_t i = 0; i < n; i++) {
		struct str value = pairs[i];

		if (!str_eq_nocase(str_cut(&value, '='), name) ||
		    value.p == NULL)
			continue;
		if (value.n >= 2 && value.p[0] == '"' &&
		    value.p[value.n - 1] == '"')
			value = str_make(value.p + 1, value.n - 2);
		return value;
	}
	return S("");
}

static bool
means_tls(struct str scheme)
{
	return str_eq_nocase(scheme, S("https")) ||
	    str_eq_nocase(scheme, S("wss"));
}

static struct forwarded
expected(const struct http_head *h, bool standard, const struct ip_net *nets,
    size_t nnets)
{
	static struct str hops[8192];
	struct forwarded f = { 0 };
	struct str name = standard ? S("Forwarded") : S("X-Forwarded-For");
	size_t n, least;
	struct ip ip;

	n = all_hops(h, S("X-Forwarded-Proto"), hops, nitems(hops));
	if (!standard && n > 0)
		f.https = means_tls(hops[n - 1]);
	n = all_hops(h, name, hops, nitems(hops));
	least = n > HOPS ? n - HOPS : 0;
	while (n-- > least) {
		struct str hop = hops[n];

		if (hop.n == 0)
			continue;
		if (standard) {
			f.https = means_tls(parameter(hop, S("proto")));
			hop = parameter(hop, S("for"));
		}
		if (!address(hop, &ip))
			break;
		f.ip = ip;
		f.known = true;
		if (!ip_nets_have(nets, nnets, &ip))
			break;
	}
	return f;
}

/* Lines of headers, each with a letter for its name. */
static void
headers(struct str in)
{
	static const struct str texts[] = { { "10.0.0.0/8", 10 },
		{ "192.0.2.1", 9 }, { "fd00::/7", 8 }, { "::1", 3 } };
	static const struct str names[] = { { "X-Forwarded-For", 15 },
		{ "Forwarded", 9 }, { "X-Forwarded-Proto", 17 },
		{ "x-FORWARDED-for", 15 }, { "X-Real-IP", 9 } };
	struct ip_net nets[nitems(texts)];
	struct http_head h = { .nheaders = 0 };
	struct forwarded got, want;

	for (size_t i = 0; i < nitems(texts); i++)
		assert_int_equal(ip_net_parse(texts[i], &nets[i]), 0);
	while (in.p != NULL && h.nheaders < HTTP_MAX_HEADERS) {
		struct str line = str_cut(&in, '\n');
		struct http_header *f = &h.headers[h.nheaders];

		if (line.n == 0)
			continue;
		f->name = names[(unsigned char)line.p[0] % nitems(names)];
		f->value = str_from(line, 1);
		h.nheaders++;
	}
	for (unsigned standard = 0; standard < 2; standard++) {
		forwarded_read(&got, &h, standard, nets, nitems(nets));
		want = expected(&h, standard, nets, nitems(nets));
		assert_int_equal(got.known, want.known);
		assert_int_equal(got.https, want.https);
		assert_true(!got.known || ip_eq(&got.ip, &want.ip));
	}
}

/* ---- listeners ---- */

static void
listener(struct str in)
{
	struct listen_spec l, again;
	char text[SOCK_TEXT_MAX], *line, *why = NULL;

	if (listen_spec_parse(&l, in, &why) == -1) {
		assert_non_null(why);
		free(why);
		return;
	}
	assert_true(l.mode <= 0777);
	sock_addr_text(&l.addr, text, sizeof(text));
	line = xasprintf("%s %srole=%s %s", text, l.tls ? "tls " : "",
	    listen_role_text(l.role), l.proxy_protocol ? "proxy_protocol" : "");
	if (listen_spec_is_unix(&l)) {
		why = xasprintf("%s mode=%o", line, (unsigned)l.mode);
		free(line);
		line = why;
		why = NULL;
	}
	if (listen_spec_parse(&again, str_of(line), &why) == -1)
		fail_msg("%s: %s", line, why);
	assert_int_equal(l.addr.len, again.addr.len);
	assert_true(memcmp(&l.addr.ss, &again.addr.ss, l.addr.len) == 0);
	assert_true(l.mode == again.mode && l.role == again.role &&
	    l.tls == again.tls && l.proxy_protocol == again.proxy_protocol);
	assert_true(
	    listen_spec_is_unix(&l) || sock_addr_port(&l.addr) <= 65535);
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static void (*const readers[])(
	    struct str) = { head, addresses, headers, listener };
	struct input in = { p, n };
	uint8_t which = input_u8(&in);

	fuzz_start();
	readers[which % nitems(readers)](str_make(in.p, in.n));
	return 0;
}
