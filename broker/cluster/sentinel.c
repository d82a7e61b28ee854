/* SPDX-License-Identifier: MIT */
/*
 * sentinel.c: asks Sentinels which server is the primary, one after the other,
 * until one knows it.  The connection to it stays.
 */

#include "broker/cluster/sentinel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"

#define SILENT_SECONDS 2.

enum { LOGIN, PRIMARY };

static void open_next(struct sentinel *);

static void
answer(struct sentinel *s, const char *host, int port, const char *why)
{
	s->busy = false;
	s->tried = 0;
	s->found(s->owner, host, port, why);
}

/* This one has no answer: the next one, unless all were asked. */
static void
try_next(struct sentinel *s, const char *why)
{
	const struct cluster_server *one = &s->addr->servers[s->at];
	char text[512];

	wire_close(&s->wire);
	s->at = (s->at + 1) % s->addr->nservers;
	if (!s->busy)
		return;
	if (++s->tried < s->addr->nservers) {
		open_next(s);
		return;
	}
	snprintf(text, sizeof(text),
	    "no Sentinel names the primary; the last one, %s:%d: %s", one->host,
	    one->port, why);
	answer(s, NULL, 0, text);
}

/* The next address of this one, while it has not answered. */
static void
try_address(struct sentinel *s, const char *why)
{
	struct wire_to to = { .tls = s->secrets->tls,
		.name = s->addr->servers[s->at].host };

	wire_close(&s->wire);
	while (s->tried_addrs < s->naddrs) {
		to.addr = s->addrs[s->tried_addrs++];
		if (wire_open(&s->wire, &to) == 0)
			return;
		why = strerror(errno);
	}
	try_next(s, why);
}

static void
send_question(struct sentinel *s)
{
	const char *argv[] = { "SENTINEL", "get-master-addr-by-name",
		s->addr->master };

	wire_ask(&s->wire, PRIMARY, 3, argv, NULL);
}

static void
on_up(void *owner, struct wire *w)
{
	struct sentinel *s = owner;

	s->tried_addrs = s->naddrs;
	wire_log_in(w, LOGIN, &s->secrets->sentinel);
	send_question(s);
}

static void
on_reply(void *owner, struct wire *w, unsigned what, const redisReply *r)
{
	struct sentinel *s = owner;
	long port;

	if (r->type == REDIS_REPLY_ERROR) {
		try_next(s, r->str);
		return;
	}
	if (what == LOGIN)
		return;
	if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING ||
	    (port = strtol(r->element[1]->str, NULL, 10)) < 1 || port > 65535) {
		try_next(s, "it does not know this name");
		return;
	}
	answer(s, r->element[0]->str, (int)port, NULL);
}

static void
on_down(void *owner, struct wire *w, const char *why)
{
	try_address(owner, why);
}

static const struct wire_ops wire_ops = {
	.up = on_up, .reply = on_reply, .down = on_down
};

static void
on_found(void *owner, const struct sock_addr *v, size_t n, const char *why)
{
	struct sentinel *s = owner;

	for (s->naddrs = 0; s->naddrs < n; s->naddrs++)
		s->addrs[s->naddrs] = v[s->naddrs];
	s->tried_addrs = 0;
	try_address(s, why);
}

static void
open_next(struct sentinel *s)
{
	const struct cluster_server *to = &s->addr->servers[s->at];

	lookup_begin(&s->lookup, to->host, to->port);
}

void
sentinel_init(struct sentinel *s)
{
	s->wire.loop = s->lookup.loop = s->loop;
	s->wire.ops = &wire_ops;
	s->wire.owner = s->lookup.owner = s;
	s->lookup.found = on_found;
}

void
sentinel_ask(struct sentinel *s)
{
	if (s->busy)
		return;
	s->busy = true;
	s->tried = 0;
	if (s->wire.up)
		send_question(s);
	else if (!wire_is_open(&s->wire) && !lookup_is_on(&s->lookup))
		open_next(s);
}

void
sentinel_tick(struct sentinel *s)
{
	if (wire_silence(&s->wire) > SILENT_SECONDS)
		try_address(s, "no answer for 2 seconds");
}

void
sentinel_stop(struct sentinel *s)
{
	lookup_cancel(&s->lookup);
	wire_close(&s->wire);
	s->busy = false;
}
