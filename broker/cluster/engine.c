/* SPDX-License-Identifier: MIT */
/*
 * engine.c: finds the primary, connects to it, and logs in.  Owns struct
 * engine. Both connections are closed when one fails or is silent for
 * ANSWER_SECONDS, and made again every second; after a refusal later.  Must
 * never wait, or know what an entry means.
 */

#include "broker/cluster/engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/conf/conf.h"

#define ANSWER_SECONDS 5.
#define ASK_SECONDS 10.   /* between two questions to the Sentinels */
#define PAUSE_MAX 8.      /* seconds after a refusal, which doubles */
#define TRUST_SECONDS 10. /* without a refusal: it begins again with 1 */
#define VERSION_MIN 5     /* the first one that has streams */

static void connect_to(struct engine *);

static void
close_both(struct engine *e)
{
	e->up = e->commands.ready = e->entries.ready = false;
	wire_close(&e->commands.wire);
	wire_close(&e->entries.wire);
}

void
engine_drop(struct engine *e, const char *why)
{
	bool was_up = e->up;

	snprintf(e->error, sizeof(e->error), "%s", why);
	close_both(e);
	e->ops->down(e->owner, was_up, e->error);
}

void
engine_refuse(struct engine *e, const char *why)
{
	e->pause = MIN(MAX(e->pause * 2, 1.), PAUSE_MAX);
	e->again_at = ev_now(e->loop) + e->pause;
	engine_drop(e, why);
}

/* A name can have several addresses, of which not all answer. */
static void
on_down(void *owner, struct wire *w, const char *why)
{
	struct engine *e = owner;

	if (!e->reached && e->at + 1 < e->naddrs) {
		close_both(e);
		e->at++;
		connect_to(e);
	} else {
		engine_drop(e, why);
	}
}

/* ---- log in ---- */

/* Is this server new enough?  One that does not say it is not refused. */
static bool
check_version(struct engine *e, const redisReply *r)
{
	const char *at = r->type == REDIS_REPLY_STRING
	    ? strstr(r->str, "redis_version:")
	    : NULL;
	char why[128];
	int n;

	if (at == NULL)
		return true;
	at += strlen("redis_version:");
	if (strtol(at, NULL, 10) >= VERSION_MIN)
		return true;
	n = (int)strcspn(at, "\r\n");
	snprintf(why, sizeof(why),
	    "its version is %.*s: Redis %d or newer, or Valkey, is needed",
	    MIN(n, 20), at, VERSION_MIN);
	engine_drop(e, why);
	return false;
}

/* True when an answer of the login is all right. */
static bool
check_login(struct engine *e, enum engine_call call, const redisReply *r)
{
	if (call == ENGINE_INFO)
		return check_version(e, r);
	if (r->type != REDIS_REPLY_ERROR)
		return true;
	engine_drop(e, r->str);
	return false;
}

static void
on_reply(void *owner, struct wire *w, unsigned what, const redisReply *r)
{
	struct engine *e = owner;
	struct engine_conn *c =
	    w == &e->commands.wire ? &e->commands : &e->entries;

	if (c->ready) {
		e->ops->reply(e->owner, (enum engine_call)what, r);
		return;
	}
	if (!check_login(e, (enum engine_call)what, r))
		return;
	c->ready = w->n == 0;
	if (!e->commands.ready || !e->entries.ready)
		return;
	e->up = true;
	e->error[0] = '\0';
	e->ops->up(e->owner);
}

static void
login(void *owner, struct wire *w)
{
	struct engine *e = owner;
	char db[16];
	const char *use[] = { "SELECT", db }, *version[] = { "INFO", "server" };

	e->reached = true;
	snprintf(db, sizeof(db), "%d", e->addr.db);
	wire_log_in(w, ENGINE_LOGIN, &e->secrets.redis);
	wire_ask(w, ENGINE_LOGIN, 2, use, NULL);
	wire_ask(w, ENGINE_INFO, 2, version, NULL);
}

static const struct wire_ops wire_ops = {
	.up = login, .reply = on_reply, .down = on_down
};

void
engine_ask(struct engine *e, enum engine_call call, int argc, const char **argv,
    const size_t *lens)
{
	if (e->up)
		wire_ask(
		    call == ENGINE_READ ? &e->entries.wire : &e->commands.wire,
		    call, argc, argv, lens);
}

/* ---- find and connect ---- */

static void
connect_to(struct engine *e)
{
	struct wire_to to = { .addr = e->addrs[e->at],
		.tls = e->secrets.tls,
		.name = e->server.host };

	e->reached = false;
	if (wire_open(&e->commands.wire, &to) == -1 ||
	    wire_open(&e->entries.wire, &to) == -1)
		on_down(e, NULL, strerror(errno));
}

static void
on_addresses(void *owner, const struct sock_addr *v, size_t n, const char *why)
{
	struct engine *e = owner;

	if (n == 0) {
		engine_drop(e, why);
		return;
	}
	memcpy(e->addrs, v, n * sizeof(v[0]));
	e->naddrs = n;
	e->at = 0;
	connect_to(e);
}

static bool
is_open(const struct engine *e)
{
	return wire_is_open(&e->commands.wire) ||
	    wire_is_open(&e->entries.wire);
}

/* The Sentinels name the primary. */
static void
on_primary(void *owner, const char *host, int port, const char *why)
{
	struct engine *e = owner;
	bool same;

	if (host == NULL) {
		if (!is_open(e)) /* else the server answers, and they do not */
			engine_drop(e, why);
		return;
	}
	same = strcmp(e->server.host, host) == 0 && e->server.port == port;
	if (is_open(e) && same)
		return;
	if (is_open(e))
		engine_drop(e, "the Sentinels name another primary");
	lookup_cancel(&e->lookup);
	snprintf(e->server.host, sizeof(e->server.host), "%s", host);
	e->server.port = port;
	lookup_begin(&e->lookup, e->server.host, port);
}

static void
begin(struct engine *e)
{
	struct sock_addr path;
	char *why;

	cluster_secrets_clear(&e->secrets);
	if (cluster_secrets_read(e->conf, &e->secrets, &why) == -1) {
		engine_drop(e, why);
		free(why);
	} else if (e->addr.path[0] != '\0') {
		if (sock_addr_unix(e->addr.path, &path) == -1)
			engine_drop(e, strerror(errno));
		else
			on_addresses(e, &path, 1, NULL);
	} else if (e->addr.master[0] != '\0') {
		e->asked_at = ev_now(e->loop);
		sentinel_ask(&e->sentinel);
	} else {
		e->server = e->addr.servers[0];
		lookup_begin(&e->lookup, e->server.host, e->server.port);
	}
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct engine *e = w->data;

	sentinel_tick(&e->sentinel);
	if (e->up && ev_now(loop) > e->again_at + TRUST_SECONDS)
		e->pause = 0;
	if (wire_silence(&e->commands.wire) > ANSWER_SECONDS ||
	    wire_silence(&e->entries.wire) > ANSWER_SECONDS)
		engine_drop(e, "no answer for 5 seconds");
	else if (!is_open(e) && !lookup_is_on(&e->lookup) &&
	    !e->sentinel.busy && ev_now(loop) >= e->again_at)
		begin(e);
	else if (e->up && e->addr.master[0] != '\0' &&
	    ev_now(loop) - e->asked_at >= ASK_SECONDS) {
		e->asked_at = ev_now(loop);
		sentinel_ask(&e->sentinel);
	}
}

static void
conn_init(struct engine *e, struct engine_conn *c)
{
	c->wire.loop = e->loop;
	c->wire.ops = &wire_ops;
	c->wire.owner = e;
}

void
engine_doubt(struct engine *e)
{
	e->asked_at = 0;
}

void
engine_start(struct engine *e)
{
	const char *why;

	if (cluster_addr_parse(&e->addr, str_of(e->conf->cluster), &why) == -1)
		return; /* conf_finish() has refused it */
	conn_init(e, &e->commands);
	conn_init(e, &e->entries);
	e->lookup = (struct lookup){
		.loop = e->loop, .found = on_addresses, .owner = e
	};
	e->sentinel = (struct sentinel){ .loop = e->loop,
		.addr = &e->addr,
		.secrets = &e->secrets,
		.found = on_primary,
		.owner = e };
	sentinel_init(&e->sentinel);
	ev_timer_init(&e->tick, on_tick, 0., 1.);
	e->tick.data = e;
	ev_timer_start(e->loop, &e->tick);
}

void
engine_stop(struct engine *e)
{
	ev_timer_stop(e->loop, &e->tick);
	lookup_cancel(&e->lookup);
	sentinel_stop(&e->sentinel);
	wire_close(&e->commands.wire);
	wire_close(&e->entries.wire);
	cluster_secrets_clear(&e->secrets);
}

const char *
reply_text(const redisReply *r, size_t i)
{
	return i < r->elements && r->element[i]->type == REDIS_REPLY_STRING
	    ? r->element[i]->str
	    : "";
}
