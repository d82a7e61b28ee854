/* SPDX-License-Identifier: MIT */
/*
 * pusherctl and a broker that has been taken over: it answers the real
 * commands with any rows, ends and bytes.  No command crashes or
 * waits, none writes a control byte to the terminal (on stdout or
 * stderr), and what -j prints of a success is JSON.  Input: the command, the
 * style of the output, the length of the pieces; then rows.
 */

#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "cli/commands.h"
#include "shared/app/appdb.h"
#include "shared/json/json_write.h"
#include "shared/net/sock.h"
#include "shared/net/ws_frame.h"
#include "tests/fuzz/messages.h"

#define MESSAGES_MAX 60

static const struct {
	const char *verb;
	int n;
	const char *argv[4];
} calls[] = {
	{ "status", 0, { NULL } },
	{ "stats", 0, { NULL } },
	{ "stats", 1, { "77" } },
	{ "stats", 1, { "--minutes=5" } },
	{ "stats", 2, { "77", "--hours=2" } },
	{ "closes", 0, { NULL } },
	{ "config", 0, { NULL } },
	{ "config", 1, { "workers" } },
	{ "channels", 0, { NULL } },
	{ "channels", 2, { "77", "--prefix=r" } },
	{ "channel", 2, { "77", "presence-room" } },
	{ "channel purge-cache", 2, { "77", "cache-a" } },
	{ "connections list", 0, { NULL } },
	{ "connections list", 2, { "--sort=queued", "--limit=3" } },
	{ "connections show", 1, { "1.2" } },
	{ "connections kill", 1, { "1.2" } },
	{ "connections kill", 2, { "--app=77", "--yes" } },
	{ "users list", 0, { NULL } },
	{ "users show", 2, { "77", "ann" } },
	{ "users kick", 2, { "77", "ann" } },
	{ "publish", 4, { "77", "room", "e", "{}" } },
	{ "tail", 0, { NULL } },
	{ "tail", 2, { "--events=a*", "--limit=3" } },
	{ "tail", 3, { "77", "room", "--grep=x" } },
	{ "app set", 2, { "77", "max_connections=5" } },
	{ "reload", 0, { NULL } },
	{ "drain", 1, { "--time=1" } },
	{ "log-level", 1, { "debug" } },
};

/* Members of rows, and values that mean something in them. */
static const char *const keys[] = { "type", "app", "channel", "subscriptions",
	"state", "data", "what", "user", "uptime", "socket_id", "queued", "pid",
	"deliveries", "connections", "channels", "address", "workers", "worker",
	"waiting", "version", "users", "used", "unit", "trouble", "time_ms",
	"slot", "reason", "purged", "on", "missed", "message", "memory",
	"limit", "idle", "frame", "events", "event", "dropped", "descriptors",
	"dead", "connections_limit", "code", "cached", "bytes_in", "apps",
	"age", "bytes", "ttl", "info", "watchers", "closed", "time", "lives",
	"seconds", "refused", "option", "value", "origin", "name", "ms",
	"needs_restart", "drain_ms", "level", "was", "cpu_us", "turn_max_us",
	"channels_not_shown", "user_id", "server", "up", "count", "reload" };
static const char *const values[] = { "\"server\"", "\"worker\"", "\"app\"",
	"\"channel\"", "\"member\"", "\"limit\"", "\"webhooks\"", "\"code\"",
	"\"lifetime\"", "\"up\"", "\"down\"", "\"stuck\"", "\"bytes\"", "null",
	"true", "false", "0", "18446744073709551615", "18446744073709551616",
	"-1", "1e400", "\"\\u001b[2J\"", "\"\\ud800\"", "\"\\u0000\"",
	"\"\\u009b\"", "[]", "{}",
	"{\"event\":\"a\",\"data\":\"\\u0007\",\"channel\":\"c\"}",
	"[{\"channel\":\"a\",\"on\":true},1]",
	"{\"bytes\":1,\"age\":2,\"ttl\":3}", "\"workers\"", "\"user\"" };

struct broker {
	int listener;
	struct str bytes;
	size_t piece;
};

static struct conf conf;
static char dir[] = "/tmp/pusherctl-fuzz-XXXXXX";
static char path[64], database[64];

/* ---- the place ---- */

static void
remove_place(void)
{
	unlink(path);
	unlink(database);
	rmdir(dir);
	conf_clear(&conf);
}

static int
make_place(void)
{
	struct appdb *db;
	struct app app;
	char *why;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	snprintf(database, sizeof(database), "%s/apps.db", dir);
	fd = sock_listen_unix(path, 0600);
	assert_int_not_equal(fd, -1);
	/* Blocking: only the thread accepts. */
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	conf_init(&conf);
	free(conf.database);
	free(conf.control_path);
	conf.database = xstrdup(database);
	conf.control_path = xstrdup(path);
	db = appdb_open(database, APPDB_CREATE, &why);
	assert_non_null(db);
	app_init(&app);
	app.id = xstrdup("77");
	app.key = xstrdup("key");
	app.secret = xstrdup("secret");
	app.name = xstrdup("demo");
	assert_int_equal(appdb_insert(db, &app), 0);
	app_clear(&app);
	appdb_close(db);
	atexit(remove_place);
	return fd;
}

/* ---- the broker ---- */

static void
say(int fd, const struct broker *b)
{
	struct str s = b->bytes;
	ssize_t n;

	while (s.n > 0) {
		n = send(fd, s.p, MIN(s.n, b->piece), MSG_NOSIGNAL);
		if (n <= 0)
			return;
		s = str_from(s, (size_t)n);
	}
}

/* Answers everybody alike, until somebody says nothing. */
static void *
serve(void *arg)
{
	const struct broker *b = arg;
	char bytes[4096];
	bool more = true;
	int fd;

	while (more) {
		fd = accept(b->listener, NULL, NULL);
		assert_int_not_equal(fd, -1);
		more = recv(fd, bytes, sizeof(bytes), 0) > 0;
		if (more)
			say(fd, b);
		shutdown(fd, SHUT_WR);
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			continue;
		close(fd);
	}
	return NULL;
}

static void
put_row(struct buf **b, struct str json)
{
	struct msg_ctl_row m = { .json = json };

	msg_ctl_row_put(buf_reserve(b, msg_ctl_row_size(&m)), &m);
	(*b)->len += (uint32_t)msg_ctl_row_size(&m);
}

/* An object of members that the commands look for. */
static void
make_row(struct input *in, struct buf **b)
{
	struct buf *row = buf_from(S("{"));
	unsigned n = input_u8(in) % 24;
	uint8_t v;

	for (unsigned i = 0; i < n && in->n > 0; i++) {
		buf_printf(&row, "%s\"%s\":", i == 0 ? "" : ",",
		    keys[input_u8(in) % nitems(keys)]);
		v = input_u8(in);
		if (v < 0x20)
			buf_append(&row, input_bytes(in, v));
		else if (v < 0x80)
			buf_printf(&row, "%u", (unsigned)v * v * v);
		else
			buf_append(&row, str_of(values[v % nitems(values)]));
	}
	buf_append(&row, S("}"));
	put_row(b, buf_str(row));
	buf_unref(row);
}

static void
make_message(struct input *in, struct buf **b)
{
	struct words words = { NULL, 0, NULL, 0 };
	struct msg_ctl_end end;
	uint8_t op = input_u8(in);

	if (op < 0xa0) {
		make_row(in, b);
	} else if (op < 0xd0) {
		put_row(b, input_str(in));
	} else if (op < 0xe8) {
		end.code = op & 3;
		end.text = input_str(in);
		msg_ctl_end_put(buf_reserve(b, msg_ctl_end_size(&end)), &end);
		(*b)->len += (uint32_t)msg_ctl_end_size(&end);
	} else if (op < 0xf4) {
		message_make(in, FROM_BROKER, &words, b);
	} else {
		buf_append(b, input_str(in));
	}
}

/* ---- pusherctl ---- */

static const struct cmd_verb *
find(const char *name)
{
	for (size_t i = 0; i < commands_n; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	fail_msg("there is no command %s", name);
}

static int
run(struct cmd *c, size_t which)
{
	char *argv[nitems(calls[0].argv)];
	int r, n = calls[which].n;

	for (int i = 0; i < n; i++)
		argv[i] = xstrdup(calls[which].argv[i]);
	c->verb = find(calls[which].verb);
	r = cmd_parse(c, n, argv);
	assert_int_equal(r, CMD_OK);
	r = c->verb->run(c);
	cmd_clear(c);
	for (int i = 0; i < n; i++)
		free(argv[i]);
	return r;
}

/* Nothing that steers a terminal; what is coloured is coloured by us. */
static void
check_clean(const char *text, size_t n)
{
	assert_true(utf8_is_valid(str_make(text, n)));
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ||
		    (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0))
			fail_msg("control byte %02x in: %s", c, text);
	}
}

/* One JSON text in each line. */
static void
check_json(struct str all)
{
	struct str line;
	struct json v;
	const char *err;

	while (all.n > 0) {
		line = str_cut(&all, '\n');
		if (json_parse(line, &v, &err) == -1)
			fail_msg("%s: %.*s", err, STR_ARG(line));
	}
}

static void
call(size_t which, enum out_style style)
{
	struct cmd c = { .self = "pusherctl", .conf = &conf };
	FILE *real_out = stdout, *real_err = stderr;
	char *out, *err;
	size_t nout, nerr;
	int r;

	stdout = open_memstream(&out, &nout);
	stderr = open_memstream(&err, &nerr);
	assert_true(stdout != NULL && stderr != NULL);
	c.json = style == OUT_JSON;
	c.out = out_new(stdout, style, false);
	r = run(&c, which);
	out_finish(c.out);
	out_free(c.out);
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	assert_true(r >= CMD_OK && r <= CMD_NO_DAEMON);
	assert_true(nerr > 0 || r == CMD_OK);
	check_clean(err, nerr);
	if (style == OUT_JSON)
		check_json(str_make(out, nout));
	else
		check_clean(out, nout);
	free(out);
	free(err);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int listener = -1;
	struct input in = { p, n };
	size_t which = input_u8(&in) % nitems(calls);
	enum out_style style = (enum out_style)(input_u8(&in) % 3);
	struct broker b = { .piece = input_u16(&in) + 1 };
	struct buf *bytes = NULL;
	pthread_t thread;
	int fd;

	fuzz_start();
	if (listener == -1)
		listener = make_place();
	for (int i = 0; i < MESSAGES_MAX && in.n > 0; i++)
		make_message(&in, &bytes);
	b.listener = listener;
	b.bytes = buf_str(bytes);
	assert_int_equal(pthread_create(&thread, NULL, serve, &b), 0);
	call(which, style);
	fd = sock_connect_unix(path);
	assert_int_not_equal(fd, -1);
	shutdown(fd, SHUT_WR);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fd);
	buf_unref(bytes);
	return 0;
}
