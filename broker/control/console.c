/* SPDX-License-Identifier: MIT */
/*
 * console.c: the console's requests, which come from workers.  Checks each
 * request against the scope of its session; a command that passes becomes a job
 * (console_job.c).  Must never trust a worker beyond the secret that it passes
 * on.
 */

#include "broker/control/console.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/console_args.h"
#include "broker/control/console_job.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/net/listen_spec.h"

/* ---- tokens ---- */

/* The console's address for browsers, or NULL; free(3) it. */
static char *
console_url(const struct conf *conf)
{
	char text[SOCK_TEXT_MAX];

	if (*conf->console_url != '\0')
		return xstrdup(conf->console_url);
	for (size_t i = 0; i < conf->nlisteners; i++) {
		const struct listen_spec *l = &conf->listeners[i];
		struct str s;

		if (l->role != LISTEN_CONSOLE || listen_spec_is_unix(l))
			continue;
		sock_addr_text(&l->addr, text, sizeof(text));
		s = str_of(text);
		if (str_starts(s, S("0.0.0.0:")))
			return xasprintf("http%s://127.0.0.1%s",
			    l->tls ? "s" : "", text + 7);
		if (str_starts(s, S("[::]:")))
			return xasprintf(
			    "http%s://[::1]%s", l->tls ? "s" : "", text + 4);
		return xasprintf("http%s://%s", l->tls ? "s" : "", text);
	}
	return NULL;
}

/*
 * Makes a token of this scope as a URL, with the token in the fragment, which
 * browsers send to no server; free(3) it.  NULL and *why, a static sentence.
 */
static char *
mint(struct broker *br, struct console_scope scope, struct json args,
    const char **why)
{
	struct json ttl = json_get(args, S("ttl"));
	char token[CONSOLE_SECRET_LEN + 1], *base, *url;
	uint64_t seconds = CONSOLE_TOKEN_TTL;

	*why = "ttl: a number of seconds from 1 to 3600";
	if (ttl.kind != JSON_NONE &&
	    (json_u64(ttl, CONSOLE_TOKEN_TTL_MAX, &seconds) == -1 ||
		seconds == 0))
		return NULL;
	*why = "no address serves the console: add listen 127.0.0.1:6003 "
	       "role=console to the configuration, and reload";
	if ((base = console_url(br->conf)) == NULL)
		return NULL;
	console_token_new(&br->console->sessions, scope, broker_now(),
	    (uint32_t)seconds, token);
	url = xasprintf(
	    "%s%s#%s", base, str_ends(str_of(base), S("/")) ? "" : "/", token);
	explicit_bzero(token, sizeof(token));
	free(base);
	return url;
}

void
verb_console_token(struct control_client *cc, struct json args)
{
	struct console_scope scope = {
		.read_only = json_get(args, S("read_only")).kind == JSON_TRUE
	};
	struct broker_app *a;
	struct json_writer w;
	const char *why;
	char *url;

	if (verb_app_or_all(cc, args, &a) == -1)
		return;
	scope.app = a == NULL ? 0 : a->app.num;
	if ((url = mint(cc->br, scope, args, &why)) == NULL) {
		control_fail(cc, "%s", why);
		return;
	}
	verb_row_begin(&w, NULL);
	json_member_str(&w, "url", str_of(url));
	verb_row_end(cc, &w);
	control_end(cc);
	free(url);
}

/* POST /apps/{id}/console_tokens; the worker has checked its signature. */
static void
on_mint(struct peer *p, const struct msg_console_ask *m)
{
	const struct broker_app *a = apps_find(p->br, m->app);
	struct console_scope scope = { .app = m->app };
	struct json args, ro;
	struct json_writer w;
	const char *why = "the body is not a JSON object";
	struct buf *b;
	char *url = NULL;

	if (json_parse(m->body, &args, &why) == -1 ||
	    args.kind != JSON_OBJECT || a == NULL) {
		console_answer(
		    p->br, (unsigned)p->slot, m->id, 400, 0, str_of(why));
		return;
	}
	ro = json_get(args, S("read_only"));
	scope.read_only = ro.kind == JSON_TRUE;
	if (ro.kind != JSON_NONE && ro.kind != JSON_TRUE &&
	    ro.kind != JSON_FALSE)
		why = "read_only: true or false";
	else
		url = mint(p->br, scope, args, &why);
	if (url == NULL) {
		console_answer(
		    p->br, (unsigned)p->slot, m->id, 400, 0, str_of(why));
		return;
	}
	json_writer_init(&w);
	json_object_open(&w);
	json_member_str(&w, "url", str_of(url));
	json_object_close(&w);
	b = json_writer_take(&w);
	console_answer(p->br, (unsigned)p->slot, m->id, 200, 0, buf_str(b));
	buf_unref(b);
	free(url);
}

/* ---- sessions ---- */

/*
 * cookie: of a new session, which the worker removes from the answer; or NULL.
 */
static void
put_session(struct peer *p, uint64_t id, const struct console_secret *s,
    const char *cookie)
{
	const struct broker_app *a = apps_find(p->br, s->scope.app);
	struct json_writer w;
	struct buf *json, *answer = NULL;

	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "app");
	if (a == NULL)
		json_put_null(&w);
	else
		json_put_str(&w, str_of(a->app.id));
	json_member_bool(&w, "read_only", s->scope.read_only);
	json_member_u64(&w, "seconds", (uint64_t)(s->until - broker_now()));
	json_member_str(&w, "version", S(PUSHERD_VERSION));
	json_object_close(&w);
	json = json_writer_take(&w);
	/* Stands before the JSON, so that the worker need not parse it. */
	if (cookie != NULL)
		buf_append(&answer, str_of(cookie));
	buf_append(&answer, buf_str(json));
	console_answer(p->br, (unsigned)p->slot, id, 200, 0, buf_str(answer));
	explicit_bzero(answer->data, answer->len);
	buf_unref(answer);
	buf_unref(json);
}

static void
on_login(struct peer *p, const struct msg_console_ask *m)
{
	struct console_sessions *all = &p->br->console->sessions;
	char cookie[CONSOLE_SECRET_LEN + 1];
	struct console_secret *s;

	switch (
	    console_login(all, m->secret, m->address, broker_now(), cookie)) {
	case CONSOLE_TOO_MANY:
		console_answer(p->br, (unsigned)p->slot, m->id, 429, 0,
		    S("too many wrong tokens from this address: wait a "
		      "minute"));
		return;
	case CONSOLE_WRONG:
		log_info("console: wrong token address=%.*s",
		    (int)MIN(m->address.n, 64), m->address.p);
		console_answer(p->br, (unsigned)p->slot, m->id, 401, 0,
		    S("this token is not valid: a token works once and for one "
		      "minute; make another one with pusherctl console"));
		return;
	case CONSOLE_LOGIN_OK:
		break;
	}
	s = console_session_find(all, str_of(cookie), broker_now());
	log_info("console: session %u begins app=%u read_only=%d "
		 "address=%.*s",
	    s->id, s->scope.app, s->scope.read_only, (int)MIN(m->address.n, 64),
	    m->address.p);
	put_session(p, m->id, s, cookie);
	explicit_bzero(cookie, sizeof(cookie));
}

/* ---- commands ---- */

/* The words, the scope and stdin, for the process that runs the command. */
static struct buf *
make_row(struct buf *words, const char *app, struct json in)
{
	struct json_writer w;

	json_writer_init(&w);
	json_object_open(&w);
	json_member_raw(&w, "words", buf_str(words));
	if (app != NULL)
		json_member_str(&w, "scope", str_of(app));
	if (in.kind == JSON_STRING)
		json_member_raw(&w, "stdin", in.raw);
	json_object_close(&w);
	return json_writer_take(&w);
}

static void
run(struct peer *p, const struct msg_console_ask *m, struct console_secret *s,
    struct json root)
{
	struct broker *br = p->br;
	const struct broker_app *a = apps_find(br, s->scope.app);
	struct console_right right = { .app = a == NULL ? NULL : a->app.id,
		.read_only = s->scope.read_only };
	struct json args = json_get(root, S("args"));
	const struct verb_rule *rule = NULL;
	char *name = json_dup(json_get(root, S("verb"))), why[256];
	unsigned status = 400;
	struct buf *words = NULL;

	if (name != NULL && br->inherit != NULL)
		rule = console_rule(br->inherit->rules, str_of(name));
	if (args.kind == JSON_NONE)
		args = (struct json){ JSON_OBJECT, S("{}") };
	if (rule == NULL)
		snprintf(why, sizeof(why), "there is no command \"%.64s\"",
		    name == NULL ? "" : name);
	else if (args.kind != JSON_OBJECT)
		snprintf(why, sizeof(why), "args has to be an object");
	else
		words = console_words(rule, args, &right, &status, why);
	if (words != NULL && !console_job_has_room(br, s)) {
		buf_unref(words);
		words = NULL;
		status = 429;
		snprintf(why, sizeof(why),
		    "too many commands at the same time: at most %d of a "
		    "session, %d of all apps and %d of all",
		    CONSOLE_JOBS_OF_SESSION, CONSOLE_JOBS_OF_APPS,
		    CONSOLE_JOBS);
	}
	if (rule != NULL && words == NULL) /* any number of times */
		log_note("console: refused: %s session=%u app=%s address=%.*s",
		    rule->name, s->id, right.app == NULL ? "" : right.app,
		    (int)MIN(m->address.n, 64), m->address.p);
	else if (rule != NULL && console_is_write(rule))
		log_info("console: %s session=%u app=%s address=%.*s",
		    rule->name, s->id, right.app == NULL ? "" : right.app,
		    (int)MIN(m->address.n, 64), m->address.p);
	free(name);
	if (words == NULL) {
		console_answer(
		    br, (unsigned)p->slot, m->id, status, 0, str_of(why));
		return;
	}
	console_job_begin(
	    p, m, s, make_row(words, right.app, json_get(root, S("stdin"))));
	buf_unref(words);
}

static void
on_command(
    struct peer *p, const struct msg_console_ask *m, struct console_secret *s)
{
	const char *why;
	struct json root;

	if (json_parse(m->body, &root, &why) == -1 || root.kind != JSON_OBJECT)
		console_answer(p->br, (unsigned)p->slot, m->id, 400, 0,
		    S("the body is not a JSON object"));
	else
		run(p, m, s, root);
}

int
console_on_ask(struct peer *p, const struct msg_console_ask *m)
{
	struct broker *br = p->br;
	struct console_secret *s = console_session_find(
	    &br->console->sessions, m->secret, broker_now());

	if (m->kind == CONSOLE_MINT) {
		on_mint(p, m);
		return 0;
	}
	if (m->kind == CONSOLE_LOGIN) {
		on_login(p, m);
		return 0;
	}
	/* The app may have been deleted meanwhile. */
	if (s == NULL ||
	    (s->scope.app != 0 && apps_find(br, s->scope.app) == NULL)) {
		console_answer(br, (unsigned)p->slot, m->id, 401, 0,
		    S("there is no session, or it is over: open a new URL of "
		      "pusherctl console"));
		return 0;
	}
	switch (m->kind) {
	case CONSOLE_SESSION:
		put_session(p, m->id, s, NULL);
		return 0;
	case CONSOLE_LOGOUT:
		console_job_end_all(br, s);
		explicit_bzero(s, sizeof(*s));
		console_answer(br, (unsigned)p->slot, m->id, 200, 0, S("{}"));
		return 0;
	case CONSOLE_VERB:
	case CONSOLE_STREAM:
		on_command(p, m, s);
		return 0;
	default:
		return -1;
	}
}

static void
forget_scope(
    struct broker *br, struct console_secret *v, size_t n, uint32_t app)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].scope.app != app)
			continue;
		console_job_end_all(br, &v[i]);
		explicit_bzero(&v[i], sizeof(v[i]));
	}
}

void
console_forget_app(struct broker *br, uint32_t app)
{
	struct console_sessions *s = &br->console->sessions;

	forget_scope(br, s->tokens, nitems(s->tokens), app);
	forget_scope(br, s->sessions, nitems(s->sessions), app);
}
