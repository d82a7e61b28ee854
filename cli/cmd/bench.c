/* SPDX-License-Identifier: MIT */
/*
 * bench.c: `pusherctl bench SCENARIO`: reads the options, runs the load
 * generator, prints one record.  The app comes from the database, or, for
 * another server, from --app-id, --key and --secret-from.
 */

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/bench/peer.h"
#include "cli/client/tls_client.h"
#include "cli/cmd/bench.h"
#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

const struct cmd_option cmd_bench_options[] = {
	{ "host", "ADDRESS", "the server's address (127.0.0.1)" },
	{ "port", "PORT", "its port (that of the configuration; 6001)" },
	{ "tls", NULL, "use TLS; any certificate is accepted" },
	{ "app", "APP", "an app of the local database (demo)" },
	{ "app-id", "ID", "for another server: the app's id," },
	{ "key", "KEY", "its key," },
	{ "secret-from", "FILE|-", "and the file that holds its secret" },
	{ "clients", "N", "WebSocket connections (1000 or more)" },
	{ "channels", "N", "channels of all clients together (1 or more)" },
	{ "subscriptions", "N", "channels of one client (1)" },
	{ "publishers", "N", "HTTP connections that publish (1)" },
	{ "in-flight", "N",
	    "closed loop: publishes under way; of each client for "
	    "client-events, of each channel for presence (1)" },
	{ "rate", "N", "open loop: publishes per second" },
	{ "batch", "N", "events in one request (1)" },
	{ "size", "BYTES", "of an event's data (100)" },
	{ "at-once", "N", "connects or joins under way (400)" },
	{ "slow", "N", "clients that stop reading (slow: 100)" },
	{ "resume", NULL, "clients name sessions (the app needs resume=on)" },
	{ "sources", "N",
	    "source addresses 127.0.0.1, .2, ..., for a "
	    "server on this machine (8 for connect, stampede)" },
	{ "processes", "N", "of the load generator (1)" },
	{ "seconds", "S", "to measure (5)" },
	{ "pid", "PID", "the server's first process: adds CPU and memory" },
	{ NULL, NULL, NULL },
};

const char cmd_bench_help[] =
    "SCENARIO is one of:\n"
    "  connect        clients connect and disconnect\n"
    "  fanout         events over HTTP to many subscribers\n"
    "  publish        events over HTTP without subscribers\n"
    "  client-events  clients of a channel write to each other\n"
    "  presence       all members join; then some leave and come back\n"
    "  stampede       all clients drop and come back\n"
    "  resume         clients with sessions are cut off and come back\n"
    "  slow           fanout while some clients stop reading\n"
    "  idle           clients that do nothing\n"
    "\n"
    "The server may be any that speaks the Pusher protocol.  Each\n"
    "delivery is checked for order, loss and duplicates, and each\n"
    "member event for being right.  Without --rate the next event is\n"
    "sent when one has arrived (closed loop); with it events are sent at\n"
    "fixed times, and a latency counts from the intended time.\n"
    "\n"
    "The tool polls without sleeping, so that the server need not wake\n"
    "it; give it a core of its own (taskset).  `limit` shows whether\n"
    "it was the bottleneck.";

/* A whole number of an option: 0, or CMD_USAGE after a message. */
static int
get_number(const struct cmd *cmd, const char *name, uint64_t min, uint64_t max,
    uint32_t *out)
{
	const char *text = cmd_value(cmd, name);
	uint64_t v;

	if (text == NULL)
		return CMD_OK;
	if (str_to_u64(str_of(text), max, &v) == -1 || v < min)
		return cmd_usage(cmd, "--%s takes a number from %llu to %llu",
		    name, (unsigned long long)min, (unsigned long long)max);
	*out = (uint32_t)v;
	return CMD_OK;
}

static int
get_numbers(const struct cmd *cmd, struct bench_conf *b)
{
	uint32_t rate = 0, seconds = 5, pid = 0;
	const struct {
		const char *name;
		uint64_t min, max;
		uint32_t *out;
	} n[] = {
		{ "clients", 0, 1000000, &b->clients },
		{ "channels", 1, 1000000, &b->channels },
		{ "subscriptions", 0, 100000, &b->subscriptions },
		{ "publishers", 1, 1000, &b->publishers },
		{ "in-flight", 1, 10000, &b->in_flight },
		{ "rate", 1, 10000000, &rate },
		{ "batch", 1, 1000, &b->batch },
		{ "size", BENCH_DATA_MIN, 1000000, &b->size },
		{ "at-once", 1, 100000, &b->at_once },
		{ "slow", 0, 1000000, &b->slow },
		{ "sources", 1, 250, &b->sources },
		{ "processes", 1, BENCH_PROCESSES_MAX, &b->processes },
		{ "seconds", 1, 3600, &seconds },
		{ "pid", 1, INT32_MAX, &pid },
	};

	for (size_t i = 0; i < nitems(n); i++)
		if (get_number(cmd, n[i].name, n[i].min, n[i].max, n[i].out) !=
		    CMD_OK)
			return CMD_USAGE;
	b->rate = rate > 0 ? rate : b->rate;
	b->resume = b->resume || cmd_has(cmd, "resume");
	b->seconds = seconds;
	b->pid = (pid_t)pid;
	return CMD_OK;
}

/* Of the server of this configuration; of another host, the usual one. */
static char *
find_port(const struct cmd *cmd, const char *host)
{
	static const struct app any = { .tls_only = 0 };
	struct cmd_address at = { .host = NULL };
	unsigned port = 6001;

	if (host == NULL && cmd_find_address(cmd, &any, &at) == CMD_OK)
		port = at.port;
	free(at.host);
	return xasprintf("%u", port);
}

static int
get_server(const struct cmd *cmd, struct bench_conf *b)
{
	const char *host = cmd_value(cmd, "host"),
		   *port = cmd_value(cmd, "port");
	char *text = port != NULL ? xstrdup(port) : find_port(cmd, host),
	     *whole;
	int r;

	whole = xasprintf("%s:%s", host == NULL ? "127.0.0.1" : host, text);
	r = sock_addr_parse(str_of(whole), &b->server);
	free(whole);

	if (cmd_has(cmd, "tls"))
		b->tls = tls_client_ctx();
	b->host = host == NULL ? "127.0.0.1" : host;
	if (!str_starts(str_of(b->host), S("127.")))
		b->sources = 1; /* the others are of this machine only */
	free(text);
	return r == 0
	    ? CMD_OK
	    : cmd_usage(cmd, "--host takes an address, --port a port");
}

/* Credentials: of the named or only app here, or the given ones. */
static int
get_app(const struct cmd *cmd, struct bench_conf *b, struct app *app)
{
	const char *file = cmd_value(cmd, "secret-from"), *which;
	struct buf *secret;
	int r;

	if (file != NULL) {
		b->app_id = cmd_value(cmd, "app-id");
		b->key = cmd_value(cmd, "key");
		if (b->app_id == NULL || b->key == NULL)
			return cmd_usage(
			    cmd, "--secret-from needs --app-id and --key");
		if ((secret = cmd_read_file(file, 1024)) == NULL)
			return CMD_FAILED;
		while (secret->len > 0 &&
		    (unsigned char)secret->data[secret->len - 1] <= ' ')
			secret->len--;
		b->sign = sign_key_new(buf_str(secret));
		buf_unref(secret);
		return CMD_OK;
	}
	which = cmd_value(cmd, "app");
	r = cmd_read_app(cmd, which == NULL ? "demo" : which, app);
	if (r != CMD_OK)
		return r;
	b->app_id = app->id;
	b->key = app->key;
	b->sign = sign_key_new(str_of(app->secret));
	return CMD_OK;
}

/* Finds the scenario and takes over its defaults. */
static int
set_scenario(const struct cmd *cmd, struct bench_conf *b)
{
	const struct bench_scenario *s;
	struct buf *names = NULL;
	int r;

	for (s = bench_scenarios; s->name != NULL; s++) {
		if (strcmp(cmd->args[0], s->name) == 0) {
			*b = s->defaults;
			b->scenario = s;
			b->channels = MAX(b->channels, 1);
			b->in_flight = MAX(b->in_flight, 1);
			b->size = b->size == 0 ? 100 : b->size;
			b->batch = b->sources = b->processes = 1;
			b->sources = MAX(s->defaults.sources, 1);
			b->progress = isatty(STDERR_FILENO);
			buf_unref(names);
			return CMD_OK;
		}
		buf_printf(&names, "%s%s", names == NULL ? "" : ", ", s->name);
	}
	r = cmd_usage(cmd, "there is no scenario \"%s\"; there are %.*s",
	    cmd->args[0], STR_ARG(buf_str(names)));
	buf_unref(names);
	return r;
}

/* Options that exclude each other. */
static int
check(const struct cmd *cmd, struct bench_conf *b)
{
	bool groups = b->scenario->run == event_run,
	     members = b->scenario->run == presence_run;

	if (b->rate == 0 && b->publishers > 0)
		b->publishers = MAX(b->publishers, b->in_flight);
	if (b->scenario->defaults.clients == 0)
		b->clients = 0; /* publish: to nobody */
	if (b->subscriptions > b->channels)
		return cmd_usage(
		    cmd, "--subscriptions is more than --channels");
	if (!groups && !members)
		return CMD_OK;
	b->subscriptions = b->scenario->defaults.subscriptions;
	if (b->clients % b->channels != 0 || b->clients / b->channels < 2)
		return cmd_usage(cmd,
		    "%s needs two or more clients in each channel, the same "
		    "number in all",
		    b->scenario->name);
	if (groups && b->channels < b->processes)
		return cmd_usage(cmd, "--processes is more than --channels");
	if (members && b->in_flight >= b->clients / b->channels)
		return cmd_usage(
		    cmd, "--in-flight: a member of each channel must stay");
	return CMD_OK;
}

int
cmd_bench(struct cmd *cmd)
{
	struct bench_conf b = { 0 };
	struct bench_result *r = xcalloc(1, sizeof(*r));
	struct app app = { 0 };
	char *why;
	int code;

	if ((code = set_scenario(cmd, &b)) == CMD_OK &&
	    (code = get_numbers(cmd, &b)) == CMD_OK &&
	    (code = check(cmd, &b)) == CMD_OK &&
	    (code = get_server(cmd, &b)) == CMD_OK &&
	    (code = get_app(cmd, &b, &app)) == CMD_OK) {
		if (bench_run(&b, r, &why) == 0)
			bench_report(cmd->out, &b, r);
		else {
			code = cmd_fail("%s", why);
			free(why);
		}
		sign_key_free(b.sign);
	}
	SSL_CTX_free(b.tls);
	app_clear(&app);
	free(r);
	return code;
}
