/* SPDX-License-Identifier: MIT */
/*
 * cmd_bench.c: `pusherctl bench SCENARIO`: reads the options, runs the load
 * generator, prints one record.  The app comes from the database, or, for
 * another server, from --app-id, --key and --secret-from.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench.h"
#include "cli/cmd.h"
#include "cli/cmd_bench.h"
#include "shared/base.h"
#include "shared/buf.h"
#include "shared/xmalloc.h"

const struct cmd_option cmd_bench_options[] = {
	{ "host", "ADDRESS", "the server's address (127.0.0.1)" },
	{ "port", "PORT", "its port (6001)" },
	{ "app", "APP", "an app of the local database (the only one)" },
	{ "app-id", "ID", "for another server: the app's id," },
	{ "key", "KEY", "its key," },
	{ "secret-from", "FILE|-", "and the file that holds its secret" },
	{ "clients", "N", "subscribers (1000; 0 for publish)" },
	{ "channels", "N", "that they are spread over (1)" },
	{ "publishers", "N", "HTTP connections that publish (1)" },
	{ "in-flight", "N", "closed loop: publishes under way (1)" },
	{ "rate", "N", "open loop: publishes per second" },
	{ "batch", "N", "events in one request (1)" },
	{ "size", "BYTES", "of an event's data (100)" },
	{ "seconds", "S", "to measure (5)" },
	{ "pid", "PID", "the server's master: adds its CPU and memory" },
	{ NULL, NULL, NULL },
};

static const char *const scenarios[] = { "connect", "fanout", "publish",
	"idle" };

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
		{ "publishers", 1, 1000, &b->publishers },
		{ "in-flight", 1, 10000, &b->in_flight },
		{ "rate", 1, 10000000, &rate },
		{ "batch", 1, 1000, &b->batch },
		{ "size", 20, 1000000, &b->size },
		{ "seconds", 1, 3600, &seconds },
		{ "pid", 1, INT32_MAX, &pid },
	};

	for (size_t i = 0; i < nitems(n); i++)
		if (get_number(cmd, n[i].name, n[i].min, n[i].max, n[i].out) !=
		    CMD_OK)
			return CMD_USAGE;
	b->rate = rate;
	b->seconds = seconds;
	b->pid = (pid_t)pid;
	return CMD_OK;
}

static int
get_server(const struct cmd *cmd, struct bench_conf *b)
{
	const char *host = cmd_value(cmd, "host"),
		   *port = cmd_value(cmd, "port");
	char *text = xasprintf("%s:%s", host == NULL ? "127.0.0.1" : host,
	    port == NULL ? "6001" : port);
	int r = sock_addr_parse(str_of(text), &b->server);

	b->host = host == NULL ? "127.0.0.1" : host;
	free(text);
	return r == 0
	    ? CMD_OK
	    : cmd_usage(cmd, "--host takes an address, --port a port");
}

/* Credentials: the named or only app here, or those that were given. */
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

/* "12345" of a value that is no whole number. */
static void
put_micros(struct out *o, const char *key, uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", (double)ns / 1000);
	out_text(o, key, text);
}

static void
put_rate(struct out *o, const char *key, double n, double seconds)
{
	out_num(o, key, seconds > 0 ? (uint64_t)(n / seconds) : 0);
}

static void
put_server(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	uint64_t work = r->delivered != 0 ? r->delivered : r->published;

	if (b->pid == 0)
		return;
	put_micros(o, "server_cpu_us_each",
	    work == 0 ? 0 : (uint64_t)(r->server_cpu * 1e9 / (double)work));
	put_rate(o, "server_cpu_percent", r->server_cpu * 100, r->seconds);
	out_bytes(o, "server_memory", r->server_pss);
	if (b->clients > 0)
		out_num(
		    o, "server_bytes_per_client", r->server_pss / b->clients);
}

static void
print(struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	out_record_open(o, NULL);
	out_text(o, "scenario", b->scenario);
	out_num(o, "clients", b->clients);
	out_num(o, "channels", b->channels);
	out_text(o, "loop", b->rate > 0 ? "open" : "closed");
	if (b->clients > 0)
		put_rate(
		    o, "connects_per_second", b->clients, r->connect_seconds);
	if (b->publishers > 0) {
		put_rate(o, "published_per_second", (double)r->published,
		    r->seconds);
		put_rate(o, "delivered_per_second", (double)r->delivered,
		    r->seconds);
		out_num(o, "refused", r->refused);
		out_num(o, "lost", r->lost);
		out_num(o, "duplicate", r->duplicate);
		out_num(o, "out_of_order", r->disorder);
		put_micros(o, "p50_us", histogram_at(&r->latency, 0.5));
		put_micros(o, "p99_us", histogram_at(&r->latency, 0.99));
		put_micros(o, "p999_us", histogram_at(&r->latency, 0.999));
		put_micros(o, "max_us", r->latency.max);
		put_rate(o, "tool_cpu_percent", r->tool_cpu * 100, r->seconds);
	}
	put_server(o, b, r);
	out_record_close(o);
}

/* What a scenario is, in terms of clients and publishers. */
static int
set_scenario(const struct cmd *cmd, struct bench_conf *b)
{
	size_t i;

	for (i = 0; i < nitems(scenarios); i++)
		if (strcmp(cmd->args[0], scenarios[i]) == 0)
			break;
	if (i == nitems(scenarios))
		return cmd_usage(cmd,
		    "there is no scenario \"%s\"; there are "
		    "connect, fanout, publish, idle",
		    cmd->args[0]);
	b->scenario = scenarios[i];
	if (strcmp(b->scenario, "publish") == 0)
		b->clients = 0;
	if (strcmp(b->scenario, "connect") == 0 ||
	    strcmp(b->scenario, "idle") == 0)
		b->publishers = 0;
	return CMD_OK;
}

int
cmd_bench(struct cmd *cmd)
{
	struct bench_conf b = { .clients = 1000,
		.channels = 1,
		.publishers = 1,
		.in_flight = 1,
		.batch = 1,
		.size = 100,
		.progress = isatty(STDERR_FILENO) };
	struct bench_result *r = xcalloc(1, sizeof(*r));
	struct app app;
	char *why;
	int code;

	app_init(&app);
	if ((code = get_numbers(cmd, &b)) == CMD_OK &&
	    (code = set_scenario(cmd, &b)) == CMD_OK &&
	    (code = get_server(cmd, &b)) == CMD_OK &&
	    (code = get_app(cmd, &b, &app)) == CMD_OK) {
		if (b.in_flight > b.publishers && b.rate == 0 &&
		    b.publishers > 0)
			b.publishers = b.in_flight;
		if (bench_run(&b, r, &why) == 0)
			print(cmd->out, &b, r);
		else {
			code = cmd_fail("%s", why);
			free(why);
		}
		sign_key_free(b.sign);
	}
	app_clear(&app);
	free(r);
	return code;
}
