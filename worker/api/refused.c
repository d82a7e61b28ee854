/* SPDX-License-Identifier: MIT */
/*
 * refused.c: the log of refused requests.  Anybody can be refused any number of
 * times, so these lines are limited in number (log_note), and texts from
 * outside are cut.  The query of a request holds its signature and perhaps the
 * data of an event: only its harmless parameters are logged.
 */

#include "worker/api/refused.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/log.h"
#include "shared/base/utf8.h"
#include "shared/json/json_slice.h"
#include "worker/app/apps.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/remote.h"
#include "worker/link/failure.h"

#define PEER_MAX 64
#define TARGET_SHOWN 200 /* bytes of a path */
#define REASON_SHOWN 300 /* bytes of a sentence */

/* Parameters that may be logged unchanged. */
static bool
is_harmless(struct str param)
{
	return str_starts(param, S("info=")) ||
	    str_starts(param, S("filter_by_prefix="));
}

/* Path and harmless parameters of the target. */
static struct str
target_text(struct str target, char out[TARGET_SHOWN])
{
	struct str query = target, param, path = str_cut(&query, '?');
	size_t n;

	path = utf8_cut(path, TARGET_SHOWN);
	memcpy(out, path.p, path.n);
	n = path.n;
	while (query.p != NULL) {
		param = str_cut(&query, '&');
		if (!is_harmless(param) || n + 1 + param.n > TARGET_SHOWN)
			continue;
		out[n] = n == path.n ? '?' : '&';
		memcpy(out + n + 1, param.p, param.n);
		n += 1 + param.n;
	}
	return str_make(out, n);
}

/* The sentence without text from the sender's query. */
static struct str
reason_of(struct str json, char **tmp)
{
	static const struct str long_one = { "Invalid signature", 17 };
	static const struct str with_key = { "auth_key ", 9 };
	struct json obj, v;
	struct str text;
	const char *err;

	if (json_parse(json, &obj, &err) == -1)
		return S("");
	v = json_get(obj, S("error"));
	if (v.kind != JSON_STRING || json_string(v, &text, tmp) == -1)
		return S("");
	if (str_starts(text, long_one))
		return S("the signature does not match (see pusherctl "
			 "doctor)");
	if (str_starts(text, with_key))
		return S("auth_key is not the key of the app in the path");
	return utf8_cut(text, REASON_SHOWN);
}

/* Of a long sentence about the clock, the end. */
static struct str
short_reason(struct str why)
{
	const char *end;

	if (!str_starts(why, S("Timestamp expired")) ||
	    (end = memmem(why.p, why.n, "): ", 3)) == NULL)
		return why;
	return str_from(why, (size_t)(end - why.p) + 3);
}

/* The head of the request; of one that waited, its copy. */
static struct str
head_of(const struct conn *c)
{
	return c->http->raw.n > 0 ? c->http->raw : buf_str(c->http->head);
}

/* The broker gets the whole request line: it can try other secrets. */
static void
report(struct conn *c, unsigned status, struct str target, struct str why)
{
	struct str raw = head_of(c), path = target;
	struct msg_failure m = { .kind = FAILURE_API, .sid = status };

	path = str_cut(&path, '?');
	m.name = str_make(raw.p, (size_t)(path.p + path.n - raw.p));
	m.why = short_reason(why);
	if (status == 401)
		m.proof =
		    str_make(raw.p, (size_t)(target.p + target.n - raw.p));
	failure_report(c->w, apps_by_num(c->w, c->http->app), &m);
}

void
api_refused(struct conn *c, unsigned status, struct str json)
{
	struct str method, target, rest = head_of(c);
	char peer[PEER_MAX], room[TARGET_SHOWN], *tmp = NULL;

	if (rest.n == 0)
		return; /* no request has been read */
	method = str_cut(&rest, ' ');
	target = str_cut(&rest, ' ');
	if (memmem(target.p, target.n, "/apps", 5) == NULL)
		return;
	rest = reason_of(json, &tmp);
	report(c, status, target, rest);
	remote_text(c, peer, sizeof(peer));
	target = target_text(target, room);
	log_note("request refused: %u %.*s %.*s: %.*s peer=%s", status,
	    STR_ARG(method), STR_ARG(target), STR_ARG(rest), peer);
	free(tmp);
}
