/* SPDX-License-Identifier: MIT */
/*
 * snippets.c: `pusherctl app snippets`: the address of this server, and the
 * snippets filled in.  The address is the one that the running daemon wrote
 * into runtime_dir/listen (port 0 may have become another), else that of the
 * configuration.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/client/tls_client.h"
#include "cli/cmd/cmd.h"
#include "cli/cmd/snippet.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/net/listen_spec.h"
#include "shared/net/sock.h"

#define LISTEN_FILE_MAX 65536

/* How little a client can do with this listener; the lowest is best. */
static unsigned
rank(const struct listen_spec *l, bool tls)
{
	return (l->proxy_protocol ? 2u : 0u) + (l->tls != tls ? 1u : 0u);
}

/* The best listener for clients, or -1. */
static ssize_t
find_public(const struct conf *conf, bool tls)
{
	const struct listen_spec *all = conf->listeners;
	ssize_t best = -1;

	for (size_t i = 0; i < conf->nlisteners; i++)
		if (all[i].role == LISTEN_PUBLIC &&
		    !listen_spec_is_unix(&all[i]) &&
		    (best == -1 || rank(&all[i], tls) < rank(&all[best], tls)))
			best = (ssize_t)i;
	return best;
}

/* The address of listener i of the daemon: 0, or -1. */
static int
daemon_address(const struct conf *conf, size_t i, struct sock_addr *a)
{
	char *path = xasprintf("%s/listen", conf->runtime_dir);
	struct buf *b = NULL;
	struct str rest;
	int r = -1;

	if (access(path, R_OK) == 0)
		b = cmd_read_file(path, LISTEN_FILE_MAX);
	if (b != NULL) {
		rest = buf_str(b);
		while (i-- > 0 && rest.p != NULL)
			str_cut(&rest, '\n');
		if (rest.p != NULL)
			r = sock_addr_parse(str_trim(str_cut(&rest, '\n')), a);
	}
	buf_unref(b);
	free(path);
	return r;
}

/*
 * The address as a program on this machine uses it in a URL; the address of all
 * interfaces becomes that of the loopback.  free(3) it.
 */
static char *
url_host(const struct sock_addr *a, unsigned *port)
{
	char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in;
	const struct sockaddr_in6 *in6;

	if (a->ss.ss_family == AF_INET6) {
		in6 = (const void *)&a->ss;
		*port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
			return xstrdup("[::1]");
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		return xasprintf("[%s]", text);
	}
	in = (const void *)&a->ss;
	*port = ntohs(in->sin_port);
	if (in->sin_addr.s_addr == htonl(INADDR_ANY))
		return xstrdup("127.0.0.1");
	inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	return xstrdup(text);
}

int
cmd_find_address(
    const struct cmd *c, const struct app *app, struct cmd_address *at)
{
	ssize_t i = find_public(c->conf, app->tls_only);
	struct sock_addr a;

	*at = (struct cmd_address){ 0 };
	if (i == -1)
		return cmd_fail("the configuration has no address for clients");
	if (daemon_address(c->conf, (size_t)i, &a) == -1)
		a = c->conf->listeners[i].addr;
	at->tls = c->conf->listeners[i].tls;
	at->host = url_host(&a, &at->port);
	if (at->port != 0)
		return CMD_OK;
	cmd_note("the port is chosen when pusherd starts: start it first");
	return CMD_NO_DAEMON;
}

struct only {
	size_t n;
	char *id; /* of the first */
};

static int
note_app(void *arg, const struct app *a)
{
	struct only *only = arg;

	if (only->n++ == 0)
		only->id = xstrdup(a->id);
	return 0;
}

/* The named app, or the first one. */
static int
find_app(const struct cmd *c, struct app *a)
{
	struct only only = { .n = 0 };
	struct appdb *db = cmd_open_db(c, APPDB_READ);
	int r;

	if (db == NULL)
		return CMD_FAILED;
	if (c->nargs > 0)
		r = cmd_find_app(c, db, c->args[0], a);
	else if (appdb_each(db, note_app, &only) == -1)
		r = cmd_fail("%s", appdb_error(db));
	else if (only.n == 0)
		r = cmd_fail(
		    "there is no app; to make one: %s app create", c->self);
	else
		r = cmd_find_app(c, db, only.id, a);
	if (only.n > 1)
		cmd_note("there are %zu apps: this is the first", only.n);
	free(only.id);
	appdb_close(db);
	return r;
}

static void
put_snippets(struct out *o, const struct snippet_values *v)
{
	struct buf *b;
	size_t i;

	out_group_open(o);
	out_record_open(o, "app");
	out_text(o, "id", v->app->id);
	out_text(o, "key", v->app->key);
	out_text(o, "secret", v->app->secret);
	out_text(o, "host", v->host);
	out_num(o, "port", v->port);
	out_bool(o, "tls", v->tls);
	out_record_close(o);
	for (i = 0; i < nsnippets; i++) {
		b = buf_new(1024);
		snippets[i].write(&b, v);
		out_block(o, snippets[i].key, snippets[i].title, buf_str(b));
		buf_unref(b);
	}
	out_group_close(o);
}

/* A certificate is for a name, which clients must ask for. */
static void
name_host(const struct conf *conf, struct cmd_address *at)
{
	struct tls_client t;
	char *why = NULL;

	if (tls_client_init(&t, conf, &why) == -1)
		cmd_note("%s: put the host name in by hand", why);
	if (t.name != NULL) {
		free(at->host);
		at->host = xstrdup(t.name);
	}
	tls_client_clear(&t);
	free(why);
}

int
cmd_app_snippets(struct cmd *c)
{
	struct snippet_values v = { .self = c->self };
	struct app a = { .id = NULL };
	struct cmd_address at;
	int r = find_app(c, &a);

	if (r != CMD_OK)
		return r;
	v.app = &a;
	r = cmd_find_address(c, &a, &at);
	if (r == CMD_OK && at.tls)
		name_host(c->conf, &at);
	v.host = at.host;
	v.port = at.port;
	v.tls = at.tls;
	if (r == CMD_OK)
		put_snippets(c->out, &v);
	free(at.host);
	app_clear(&a);
	return r;
}
