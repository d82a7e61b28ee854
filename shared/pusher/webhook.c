/* SPDX-License-Identifier: MIT */
/*
 * webhook.c: an endpoint and its options, filters, the bytes of a request and
 * their signature.  Input of a person is checked here, once, when it is set; so
 * a header can never split a request.  The allowed addresses are in
 * webhook_addr.c.  Must never send, log, or look at a clock.
 */

#include "shared/pusher/webhook.h"

#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/glob.h"
#include "shared/base/hash.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"

#define ALL_KINDS ((1u << WEBHOOK_KINDS) - 1)

static const char *const kinds[WEBHOOK_KINDS_ALL] = {
	[WEBHOOK_OCCUPIED] = "channel_occupied",
	[WEBHOOK_VACATED] = "channel_vacated",
	[WEBHOOK_MEMBER_ADDED] = "member_added",
	[WEBHOOK_MEMBER_REMOVED] = "member_removed",
	[WEBHOOK_CLIENT_EVENT] = "client_event",
	[WEBHOOK_CACHE_MISS] = "cache_miss",
	[WEBHOOK_COUNT] = "subscription_count",
	[WEBHOOK_TEST] = "test",
	[WEBHOOK_FILLED] = "filled",
};

void
webhook_init(struct webhook *h)
{
	*h = (struct webhook){ .enabled = 1, .mask = ALL_KINDS };
	h->url = xstrdup("");
	h->events = xstrdup("");
	h->prefix = xstrdup("");
	h->suffix = xstrdup("");
	h->glob = xstrdup("");
	h->headers = xstrdup("");
}

void
webhook_clear(struct webhook *h)
{
	free(h->url);
	free(h->events);
	free(h->prefix);
	free(h->suffix);
	free(h->glob);
	free(h->headers);
	*h = (struct webhook){ .num = 0 };
}

void
webhook_copy(struct webhook *out, const struct webhook *h)
{
	*out = *h;
	out->url = xstrdup(h->url);
	out->events = xstrdup(h->events);
	out->prefix = xstrdup(h->prefix);
	out->suffix = xstrdup(h->suffix);
	out->glob = xstrdup(h->glob);
	out->headers = xstrdup(h->headers);
}

const char *
webhook_kind_name(enum webhook_kind k)
{
	return k < WEBHOOK_KINDS_ALL ? kinds[k] : "?";
}

/* ---- options ---- */

static void
replace(char **field, char *value)
{
	free(*field);
	*field = value;
}

/* Visible ASCII, so that nothing can end a line or hide. */
static bool
is_visible(struct str s, bool blanks)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < '!' || s.p[i] > '~') &&
		    !(blanks && (s.p[i] == ' ' || s.p[i] == '\t')))
			return false;
	return true;
}

static const char *
url_problem(struct str url)
{
	struct str rest, authority;
	size_t n = 0;

	if (str_starts(url, S("http://")))
		rest = str_from(url, 7);
	else if (str_starts(url, S("https://")))
		rest = str_from(url, 8);
	else
		return "must begin with http:// or https://";
	if (url.n > WEBHOOK_URL_MAX)
		return "is longer than 2048 bytes";
	if (!is_visible(url, false))
		return "has a blank or a character that is not ASCII: "
		       "percent-encode it";
	if (str_find(url, '#') != -1)
		return "has a fragment (#), which is never sent";
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	authority = str_make(rest.p, n);
	if (str_find(authority, '@') != -1)
		return "holds a user name: use a header instead";
	if (authority.n == 0 || authority.p[0] == ':')
		return "names no host";
	return NULL;
}

static int
set_url(struct webhook *h, const char *value, char **why)
{
	const char *bad = url_problem(str_of(value));

	if (bad != NULL) {
		*why = xasprintf("the URL \"%.200s\" %s", value, bad);
		return -1;
	}
	replace(&h->url, xstrdup(value));
	return 0;
}

static int
kind_parse(struct str name)
{
	for (int k = 0; k < WEBHOOK_KINDS; k++)
		if (str_eq(name, str_of(kinds[k])))
			return k;
	return -1;
}

/* The next word of a list with blanks or commas; empty at its end. */
static struct str
next_word(struct str *rest)
{
	size_t from = 0, to;

	while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == ','))
		from++;
	for (to = from; to < rest->n; to++)
		if (rest->p[to] == ' ' || rest->p[to] == ',')
			break;
	*rest = str_from(*rest, from);
	to -= from;
	from = to;
	struct str word = str_make(rest->p, to);
	*rest = str_from(*rest, from);
	return word;
}

static int
set_events(struct webhook *h, const char *value, char **why)
{
	struct str rest = str_of(value), word;
	struct buf *list = NULL;
	uint32_t mask = 0;
	int k;

	while ((word = next_word(&rest)).n > 0) {
		if ((k = kind_parse(word)) == -1) {
			*why = xasprintf("events: \"%.*s\" is none of "
					 "channel_occupied, channel_vacated, "
					 "member_added, member_removed, "
					 "client_event, cache_miss, "
					 "subscription_count",
			    (int)MIN(word.n, 64), word.p);
			return -1;
		}
		mask |= 1u << k;
	}
	for (k = 0; k < WEBHOOK_KINDS; k++)
		if (mask & 1u << k)
			buf_printf(
			    &list, "%s%s", list == NULL ? "" : " ", kinds[k]);
	replace(&h->events, str_dup(buf_str(list)));
	h->mask = mask == 0 ? ALL_KINDS : mask;
	buf_unref(list);
	return 0;
}

static int
set_filter(char **field, const char *option, const char *value, char **why)
{
	struct str s = str_of(value);

	if (s.n > WEBHOOK_FILTER_MAX || !is_visible(s, false)) {
		*why = xasprintf("%s: at most %d characters, without blanks",
		    option, WEBHOOK_FILTER_MAX);
		return -1;
	}
	replace(field, xstrdup(value));
	return 0;
}

static int
set_switch(uint32_t *field, const char *option, const char *value, char **why)
{
	if (str_eq(str_of(value), S("on")))
		*field = 1;
	else if (str_eq(str_of(value), S("off")))
		*field = 0;
	else {
		*why = xasprintf(
		    "%s is \"%.80s\": must be on or off", option, value);
		return -1;
	}
	return 0;
}

static int
set_headers(struct webhook *h, const char *value, char **why)
{
	struct str rest = str_of(value), line;
	struct webhook tmp;
	char *text;
	int r = 0;

	webhook_init(&tmp);
	while (r == 0 && rest.p != NULL) {
		line = str_cut(&rest, '\n');
		if (line.n == 0)
			continue;
		text = str_dup(line);
		r = webhook_add_header(&tmp, text, why);
		free(text);
	}
	if (r == 0)
		replace(&h->headers, xstrdup(tmp.headers));
	webhook_clear(&tmp);
	return r;
}

int
webhook_set(
    struct webhook *h, const char *option, const char *value, char **why)
{
	struct str o = str_of(option);

	if (str_eq(o, S("url")))
		return set_url(h, value, why);
	if (str_eq(o, S("events")))
		return set_events(h, value, why);
	if (str_eq(o, S("channel-prefix")))
		return set_filter(&h->prefix, option, value, why);
	if (str_eq(o, S("channel-suffix")))
		return set_filter(&h->suffix, option, value, why);
	if (str_eq(o, S("channel-glob")))
		return set_filter(&h->glob, option, value, why);
	if (str_eq(o, S("headers")))
		return set_headers(h, value, why);
	if (str_eq(o, S("batch")))
		return set_switch(&h->batch, option, value, why);
	if (str_eq(o, S("enabled")))
		return set_switch(&h->enabled, option, value, why);
	*why = xasprintf("there is no option \"%.64s\": url, events, "
			 "channel-prefix, channel-suffix, channel-glob, "
			 "headers, batch, enabled",
	    option);
	return -1;
}

/* ---- headers ---- */

/* RFC 9110, 5.6.2 */
static bool
is_token(struct str s)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0;
}

static bool
starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n &&
	    str_eq_nocase(str_make(s.p, prefix.n), prefix);
}

/* Headers that pusherd sets itself, or that frame a request. */
static bool
is_reserved(struct str name)
{
	static const char *const names[] = { "Host", "Content-Length",
		"Content-Type", "Transfer-Encoding", "Connection",
		"Content-Encoding", "Keep-Alive", "Proxy-Connection", "TE",
		"Trailer", "Upgrade", "Expect", "User-Agent" };

	for (size_t i = 0; i < nitems(names); i++)
		if (str_eq_nocase(name, str_of(names[i])))
			return true;
	return starts_nocase(name, S("X-Pusher-")) ||
	    starts_nocase(name, S("X-Pusherd-"));
}

static const char *
header_problem(struct str name, struct str value, size_t before)
{
	if (!is_token(name))
		return "is not of the form \"Name: value\"";
	if (is_reserved(name))
		return "is one that pusherd sets itself";
	if (value.n == 0)
		return "has no value";
	if (!is_visible(value, true))
		return "has a value with control or non-ASCII characters";
	if (before + name.n + value.n + 3 > WEBHOOK_HEADERS_MAX)
		return "is too long: all headers together may have 4096 bytes";
	return NULL;
}

int
webhook_add_header(struct webhook *h, const char *line, char **why)
{
	struct str value = str_of(line), name = str_cut(&value, ':');
	const char *bad;

	value = value.p == NULL ? S("") : str_trim(value);
	bad = header_problem(name, value, strlen(h->headers));
	if (bad != NULL) {
		*why = xasprintf("the header \"%.*s\" %s",
		    (int)MIN(name.n, 100), name.p, bad);
		return -1;
	}
	replace(&h->headers,
	    xasprintf(
		"%s%.*s: %.*s\n", h->headers, STR_ARG(name), STR_ARG(value)));
	return 0;
}

/* ---- filters ---- */

bool
webhook_wants_channel(const struct webhook *h, struct str channel)
{
	return str_starts(channel, str_of(h->prefix)) &&
	    str_ends(channel, str_of(h->suffix)) &&
	    (*h->glob == '\0' || glob_matches(str_of(h->glob), channel));
}

/* ---- bytes ---- */

static void
put_head(struct buf **b, enum webhook_kind k, struct str channel)
{
	buf_printf(b, "{\"name\":\"%s\",\"channel\":", webhook_kind_name(k));
	json_quote(b, channel);
}

void
webhook_put_event(
    struct buf **b, enum webhook_kind k, struct str channel, struct str user_id)
{
	put_head(b, k, channel);
	if (user_id.n > 0) {
		json_raw(b, S(",\"user_id\":"));
		json_quote(b, user_id);
	}
	buf_putc(b, '}');
}

void
webhook_put_count(struct buf **b, struct str channel, uint32_t count)
{
	put_head(b, WEBHOOK_COUNT, channel);
	buf_printf(b, ",\"subscription_count\":%u}", count);
}

void
webhook_put_client_event(struct buf **b, const struct webhook_client_event *e)
{
	char sid[SOCKET_ID_MAX];

	socket_id_text(e->sid, sid);
	put_head(b, WEBHOOK_CLIENT_EVENT, e->channel);
	json_raw(b, S(",\"event\":"));
	json_raw(b, e->event);
	if (e->data.n > 0) {
		json_raw(b, S(",\"data\":"));
		json_raw(b, e->data);
	}
	buf_printf(b, ",\"socket_id\":\"%s\"", sid);
	if (e->user_id.n > 0) {
		json_raw(b, S(",\"user_id\":"));
		json_raw(b, e->user_id);
	}
	buf_putc(b, '}');
}

void
webhook_put_id(struct buf **b, uint64_t mark, struct str app_id,
    enum webhook_kind k, struct str channel, struct str user_id)
{
	uint64_t h = hash_sip13(mark, k, 0, app_id);

	if (mark == 0)
		return;
	h = hash_sip13(mark, k, h, channel);
	h = hash_sip13(mark, k, h, user_id);
	(*b)->len--; /* the brace */
	buf_printf(b, ",\"id\":\"%016" PRIx64 "\"}", h);
}

void
webhook_put_body(struct buf **b, uint64_t time_ms, struct str events)
{
	buf_printf(
	    b, "{\"time_ms\":%llu,\"events\":[", (unsigned long long)time_ms);
	json_raw(b, events);
	json_raw(b, S("]}"));
}
