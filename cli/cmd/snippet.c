/* SPDX-License-Identifier: MIT */
/*
 * snippet.c: the text of each snippet.  Every credential is quoted by the rules
 * of its language, because a secret may have any character.  Nothing is looked
 * up here.
 */

#include "cli/cmd/snippet.h"

#include <stdlib.h>

#include "cli/cmd/cmd.h"
#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* text between these marks, a backslash before each of `escape`; free(3) it. */
static char *
quoted(const char *text, char mark, const char *escape)
{
	struct buf *b = NULL;
	char *s;

	buf_putc(&b, mark);
	for (; *text != '\0'; text++) {
		if (strchr(escape, *text) != NULL)
			buf_putc(&b, '\\');
		buf_putc(&b, *text);
	}
	buf_putc(&b, mark);
	s = str_dup(buf_str(b));
	buf_unref(b);
	return s;
}

/* For JavaScript and PHP. */
static char *
quote(const char *text)
{
	return quoted(text, '\'', "'\\");
}

/* For Go, Java and Python. */
static char *
quote_double(const char *text)
{
	return quoted(text, '"', "\"\\");
}

static char *
quote_ruby(const char *text)
{
	return quoted(text, '"', "\"\\#");
}

/* For a .env file, only if necessary. */
static char *
quote_env(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-./:";

	return text[strspn(text, safe)] == '\0' ? xstrdup(text)
						: quoted(text, '"', "\"\\$");
}

/* The option with which a client gets the events that it has missed. */
static const char *
resume_line(const struct snippet_values *v)
{
	if (!v->app->resume)
		return "";
	return "  // Missed events come after a reconnect; see "
	       "etc/doc/resume.md\n"
	       "  wsPath: '/app/resume/' + crypto.randomUUID(),\n";
}

/* The options of pusher-js behind the key, which Echo has, too. */
static void
write_options(struct buf **b, const struct snippet_values *v)
{
	buf_printf(b,
	    "  wsHost: '%s',\n"
	    "  %s: %u,\n"
	    "  forceTLS: %s,\n"
	    "  enabledTransports: ['%s'],\n"
	    "  cluster: 'local', // wanted by the library, not used\n"
	    "%s"
	    "});\n",
	    v->host, v->tls ? "wssPort" : "wsPort", v->port,
	    v->tls ? "true" : "false", v->tls ? "wss" : "ws", resume_line(v));
}

static void
write_pusher_js(struct buf **b, const struct snippet_values *v)
{
	char *key = quote(v->app->key);

	buf_printf(b,
	    "import Pusher from 'pusher-js';\n"
	    "\n"
	    "const pusher = new Pusher(%s, {\n",
	    key);
	write_options(b, v);
	buf_append(b,
	    S("pusher.subscribe('my-channel').bind('my-event', (data) => {\n"
	      "  console.log(data);\n"
	      "});\n"));
	free(key);
}

static void
write_echo(struct buf **b, const struct snippet_values *v)
{
	char *key = quote(v->app->key);

	buf_printf(b,
	    "import Echo from 'laravel-echo';\n"
	    "import Pusher from 'pusher-js';\n"
	    "\n"
	    "window.Pusher = Pusher;\n"
	    "window.Echo = new Echo({\n"
	    "  broadcaster: 'pusher',\n"
	    "  key: %s,\n",
	    key);
	write_options(b, v);
	buf_append(b,
	    S("window.Echo.channel('my-channel').listen('.my-event', (data) => "
	      "{\n"
	      "  console.log(data);\n"
	      "});\n"));
	free(key);
}

/* fmt: id, key, secret, host, port, a word that says whether TLS is used. */
#define SNIPPET(name, quote_with, on, off, ...) \
	static void name(struct buf **b, const struct snippet_values *v) \
	{ \
		char *id = quote_with(v->app->id); \
		char *key = quote_with(v->app->key); \
		char *secret = quote_with(v->app->secret); \
\
		buf_printf(b, __VA_ARGS__, id, key, secret, v->host, v->port, \
		    v->tls ? (on) : (off)); \
		free(id); \
		free(key); \
		free(secret); \
	}

SNIPPET(write_laravel, quote_env, "https", "http",
    "BROADCAST_CONNECTION=pusher\n"
    "PUSHER_APP_ID=%s\n"
    "PUSHER_APP_KEY=%s\n"
    "PUSHER_APP_SECRET=%s\n"
    "PUSHER_HOST=%s\n"
    "PUSHER_PORT=%u\n"
    "PUSHER_SCHEME=%s\n"
    "PUSHER_APP_CLUSTER=local\n")

SNIPPET(write_reverb, quote_env, "https", "http",
    "BROADCAST_CONNECTION=reverb\n"
    "REVERB_APP_ID=%s\n"
    "REVERB_APP_KEY=%s\n"
    "REVERB_APP_SECRET=%s\n"
    "REVERB_HOST=%s\n"
    "REVERB_PORT=%u\n"
    "REVERB_SCHEME=%s\n"
    "VITE_REVERB_APP_KEY=\"${REVERB_APP_KEY}\"\n"
    "VITE_REVERB_HOST=\"${REVERB_HOST}\"\n"
    "VITE_REVERB_PORT=\"${REVERB_PORT}\"\n"
    "VITE_REVERB_SCHEME=\"${REVERB_SCHEME}\"\n")

SNIPPET(write_node, quote, "true", "false",
    "const Pusher = require('pusher');\n"
    "\n"
    "const pusher = new Pusher({\n"
    "  appId: %s,\n"
    "  key: %s,\n"
    "  secret: %s,\n"
    "  host: '%s',\n"
    "  port: %u,\n"
    "  useTLS: %s,\n"
    "});\n"
    "pusher.trigger('my-channel', 'my-event', { hello: 'world' });\n")

static void
write_php(struct buf **b, const struct snippet_values *v)
{
	char *id = quote(v->app->id), *key = quote(v->app->key);
	char *secret = quote(v->app->secret);

	buf_printf(b,
	    "$pusher = new Pusher\\Pusher(%s, %s, %s, [\n"
	    "    'host' => '%s',\n"
	    "    'port' => %u,\n"
	    "    'scheme' => '%s',\n"
	    "    'useTLS' => %s,\n"
	    "]);\n"
	    "$pusher->trigger('my-channel', 'my-event', "
	    "['hello' => 'world']);\n",
	    key, secret, id, v->host, v->port, v->tls ? "https" : "http",
	    v->tls ? "true" : "false");
	free(id);
	free(key);
	free(secret);
}

SNIPPET(write_ruby, quote_ruby, "true", "false",
    "require 'pusher'\n"
    "\n"
    "pusher = Pusher::Client.new(\n"
    "  app_id: %s,\n"
    "  key: %s,\n"
    "  secret: %s,\n"
    "  host: '%s',\n"
    "  port: %u,\n"
    "  use_tls: %s,\n"
    ")\n"
    "pusher.trigger('my-channel', 'my-event', { hello: 'world' })\n")

SNIPPET(write_python, quote_double, "True", "False",
    "import pusher\n"
    "\n"
    "client = pusher.Pusher(\n"
    "    app_id=%s,  # this library takes digits only\n"
    "    key=%s,\n"
    "    secret=%s,\n"
    "    host='%s',\n"
    "    port=%u,\n"
    "    ssl=%s,\n"
    ")\n"
    "client.trigger('my-channel', 'my-event', {'hello': 'world'})\n")

SNIPPET(write_go, quote_double, "true", "false",
    "client := pusher.Client{ // github.com/pusher/pusher-http-go/v5\n"
    "    AppID:  %s,\n"
    "    Key:    %s,\n"
    "    Secret: %s,\n"
    "    Host:   \"%s:%u\",\n"
    "    Secure: %s,\n"
    "}\n"
    "err := client.Trigger(\"my-channel\", \"my-event\",\n"
    "    map[string]string{\"hello\": \"world\"})\n")

SNIPPET(write_java, quote_double, "true", "false",
    "Pusher pusher = new Pusher(%s, %s, %s); // com.pusher.rest\n"
    "pusher.setHost(\"%s:%u\");\n"
    "pusher.setEncrypted(%s);\n"
    "pusher.trigger(\"my-channel\", \"my-event\",\n"
    "    Collections.singletonMap(\"hello\", \"world\"));\n")

static void
write_publish(struct buf **b, const struct snippet_values *v)
{
	buf_printf(b,
	    "%s publish %s my-channel my-event '{\"hello\":\"world\"}'\n",
	    v->self, v->app->id);
}

static void
write_curl(struct buf **b, const struct snippet_values *v)
{
	char *secret = cmd_shell_quote(v->app->secret);

	buf_printf(b,
	    "body='{\"name\":\"my-event\",\"channel\":\"my-channel\","
	    "\"data\":\"{\\\"hello\\\":\\\"world\\\"}\"}'\n"
	    "md5=$(printf %%s \"$body\" | openssl md5 | sed 's/.* //')\n"
	    "path=/apps/%s/events\n"
	    "query=\"auth_key=%s&auth_timestamp=$(date +%%s)"
	    "&auth_version=1.0&body_md5=$md5\"\n"
	    "sign=$(printf 'POST\\n%%s\\n%%s' \"$path\" \"$query\" |\n"
	    "  openssl dgst -sha256 -hmac %s | sed 's/.* //')\n"
	    "curl -H 'Content-Type: application/json' -d \"$body\" \\\n"
	    "  \"%s://%s:%u$path?$query&auth_signature=$sign\"\n",
	    v->app->id, v->app->key, secret, v->tls ? "https" : "http", v->host,
	    v->port);
	free(secret);
}

const struct snippet snippets[] = {
	{ "pusher-js", "pusher-js (browser, Node.js)", write_pusher_js },
	{ "laravel-echo", "Laravel Echo (browser)", write_echo },
	{ "laravel-env", "Laravel (.env)", write_laravel },
	{ "reverb-env", "Laravel with the driver reverb (.env)", write_reverb },
	{ "node", "Node.js server library", write_node },
	{ "php", "PHP server library", write_php },
	{ "ruby", "Ruby server library", write_ruby },
	{ "python", "Python server library", write_python },
	{ "go", "Go server library", write_go },
	{ "java", "Java server library", write_java },
	{ "publish", "Next: publish an event from here", write_publish },
	{ "curl", "Or over HTTP, signed with openssl", write_curl },
};
const size_t nsnippets = nitems(snippets);
