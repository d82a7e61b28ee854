/* SPDX-License-Identifier: MIT */
/* engine.c: the connections to Redis, by hiredis' asynchronous interface.  Owns
 * struct engine.  Both connections are closed when one fails or is silent for
 * ANSWER_SECONDS, and made again every second.  Must never wait, look a name
 * up, or know what an entry means.
 */

#include "broker/cluster/engine.h"

#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/base.h"
#include "shared/base/log.h"

#define ANSWER_SECONDS 5.

static void on_connect(const redisAsyncContext *, int);
static void on_disconnect(const redisAsyncContext *, int);

/* hiredis calls back for what was asked, but no longer finds its owner. */
static void
forget(struct engine_conn *c)
{
	if (c->ac != NULL)
		c->ac->data = NULL;
	c->ac = NULL;
	c->ready = false;
	c->waiting = 0;
}

static void
close_conn(struct engine_conn *c)
{
	redisAsyncContext *ac = c->ac;

	forget(c);
	if (ac != NULL)
		redisAsyncFree(ac);
}

void
engine_drop(struct engine *e, const char *why)
{
	bool was_up = e->up;

	if (why != e->error)
		snprintf(e->error, sizeof(e->error), "%s", why);
	e->up = false;
	close_conn(&e->commands);
	close_conn(&e->entries);
	e->ops->down(e->owner, was_up ? e->error : NULL);
}

static void
on_reply(redisAsyncContext *ac, void *r, void *priv)
{
	enum engine_call call = (enum engine_call)(uintptr_t)priv;
	struct engine_conn *c = ac->data;
	const redisReply *reply = r;
	struct engine *e;

	if (c == NULL || reply == NULL)
		return; /* the connection ends: see on_disconnect() */
	e = c->engine;
	c->waiting--;
	c->waiting_since = ev_now(e->loop);
	if (call != ENGINE_LOGIN) {
		e->ops->reply(e->owner, call, reply);
		return;
	}
	if (reply->type == REDIS_REPLY_ERROR) {
		engine_drop(e, reply->str);
		return;
	}
	if (c->waiting > 0)
		return; /* AUTH has been answered, SELECT has not */
	c->ready = true;
	if (e->commands.ready && e->entries.ready && !e->up) {
		e->up = true;
		e->error[0] = '\0';
		e->ops->up(e->owner);
	}
}

static void
ask(struct engine_conn *c, enum engine_call call, int argc, const char **argv,
    const size_t *lens)
{
	if (c->waiting++ == 0)
		c->waiting_since = ev_now(c->engine->loop);
	redisAsyncCommandArgv(
	    c->ac, on_reply, (void *)(uintptr_t)call, argc, argv, lens);
}

void
engine_ask(struct engine *e, enum engine_call call, int argc, const char **argv,
    const size_t *lens)
{
	if (e->up)
		ask(call == ENGINE_READ ? &e->entries : &e->commands, call,
		    argc, argv, lens);
}

static void
login(struct engine_conn *c)
{
	struct engine *e = c->engine;
	const char *argv[3] = { "AUTH" };
	size_t lens[3] = { 4 };
	int n = 1;
	char db[16];

	if (e->user != NULL) {
		argv[n] = e->user->data;
		lens[n++] = e->user->len;
	}
	if (e->password != NULL) {
		argv[n] = e->password->data;
		lens[n++] = e->password->len;
		ask(c, ENGINE_LOGIN, n, argv, lens);
	}
	argv[0] = "SELECT";
	lens[0] = 6;
	argv[1] = db;
	lens[1] = (size_t)snprintf(db, sizeof(db), "%d", e->addr.db);
	ask(c, ENGINE_LOGIN, 2, argv, lens);
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct engine_conn *c = ac->data;

	if (c == NULL)
		return;
	if (status == REDIS_OK) {
		login(c);
		return;
	}
	forget(c); /* hiredis frees it */
	engine_drop(c->engine, ac->errstr);
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	struct engine_conn *c = ac->data;

	if (c == NULL)
		return;
	forget(c);
	engine_drop(c->engine,
	    status == REDIS_OK ? "the connection was closed" : ac->errstr);
}

static int
connect_one(struct engine_conn *c)
{
	struct engine *e = c->engine;
	redisAsyncContext *ac = e->addr.path[0] != '\0'
	    ? redisAsyncConnectUnix(e->addr.path)
	    : redisAsyncConnect(e->addr.host, e->addr.port);

	if (ac == NULL || ac->err != 0) {
		snprintf(e->error, sizeof(e->error), "%s",
		    ac == NULL ? "out of memory" : ac->errstr);
		if (ac != NULL)
			redisAsyncFree(ac);
		return -1;
	}
	ac->data = c;
	c->ac = ac;
	c->waiting_since = ev_now(e->loop);
	redisLibevAttach(e->loop, ac);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	redisAsyncSetConnectCallback(ac, on_connect);
	return 0;
}

static bool
is_silent(const struct engine_conn *c)
{
	return c->ac != NULL && (c->waiting > 0 || !c->ready) &&
	    ev_now(c->engine->loop) - c->waiting_since > ANSWER_SECONDS;
}

static void
on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct engine *e = w->data;

	if (is_silent(&e->commands) || is_silent(&e->entries))
		engine_drop(e, "no answer for 5 seconds");
	else if (e->commands.ac == NULL && e->entries.ac == NULL &&
	    (connect_one(&e->commands) == -1 || connect_one(&e->entries) == -1))
		engine_drop(e, e->error);
}

void
engine_start(struct engine *e, struct ev_loop *loop,
    const struct engine_ops *ops, void *owner)
{
	e->loop = loop;
	e->ops = ops;
	e->owner = owner;
	e->commands.engine = e->entries.engine = e;
	ev_timer_init(&e->tick, on_tick, 0., 1.);
	e->tick.data = e;
	ev_timer_start(loop, &e->tick);
}

void
engine_stop(struct engine *e)
{
	ev_timer_stop(e->loop, &e->tick);
	close_conn(&e->commands);
	close_conn(&e->entries);
	buf_unref(e->user);
	buf_unref(e->password);
}
