/* SPDX-License-Identifier: MIT */
/*
 * cmd_top.c: `pusherctl top`: rates of the server, its workers and its busiest
 * apps, from two readings of the daemon's counters.  On a terminal it goes on
 * until q or Ctrl-C, on a screen of its own; into a pipe, and with -j, it is
 * one snapshot.
 *
 * The daemon counts anyway: nobody watching costs nothing.  Must always leave
 * the terminal as it was.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd_stats.h"
#include "shared/base.h"
#include "shared/proc.h"
#include "shared/xmalloc.h"

#define APPS_MAX 1000
#define APPS_SHOWN 20  /* in a pipe */
#define LINES_OTHER 12 /* of the screen, besides workers and apps */
#define NAME_MAX_BYTES 128

const struct cmd_option cmd_top_options[] = {
	{ "interval", "SECONDS", "between two readings (2; 1 into a pipe)" },
	{ NULL, NULL, NULL },
};

enum kind { SERVER, WORKER, APP };

/* What rates are made of, and what is shown as it is. */
enum field { IN, OUT, BYTES_IN, BYTES_OUT, PUBLISHED, API, CPU, NRATES };

struct line {
	enum kind kind;
	char name[NAME_MAX_BYTES];
	uint64_t connections, subscriptions, queued, memory, turn_max, up;
	uint64_t counters[NRATES];
};

struct reading {
	struct line *v;
	size_t n, cap;
	double at; /* seconds */
};

struct screen {
	struct cmd *c;
	struct reading before, now;
	bool live;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int sig)
{
	UNUSED(sig);
	stopped = 1;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- reading ---- */

static struct line *
add(struct reading *r)
{
	if (r->n == r->cap) {
		r->cap = r->cap == 0 ? 32 : r->cap * 2;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->n] = (struct line){ .kind = SERVER };
	return &r->v[r->n++];
}

/* The text of a member, cut, without what could steer a terminal. */
static void
copy_text(char out[NAME_MAX_BYTES], struct json v)
{
	struct str s = v.raw;

	if (v.kind == JSON_STRING)
		s = str_make(s.p + 1, s.n - 2);
	snprintf(out, NAME_MAX_BYTES, "%.*s", (int)MIN(s.n, 100), s.p);
}

static void
on_row(void *arg, struct json row)
{
	static const struct {
		struct str type;
		const char *key;
	} kinds[] = { { { "\"server\"", 8 }, "server" },
		{ { "\"worker\"", 8 }, "worker" },
		{ { "\"app\"", 5 }, "app" } };
	struct str type = json_get(row, S("type")).raw;
	enum kind kind = SERVER;
	struct line *l;

	while (kind <= APP && !str_eq(type, kinds[kind].type))
		kind++;
	if (kind > APP)
		return;
	l = add(arg);
	l->kind = kind;
	copy_text(l->name, json_get(row, str_of(kinds[kind].key)));
	l->connections = cmd_stats_number(row, "connections");
	l->subscriptions = cmd_stats_number(row, "subscriptions");
	l->queued = cmd_stats_number(row, "queued") +
	    cmd_stats_number(row, "to_broker") +
	    cmd_stats_number(row, "blocked_bytes");
	l->memory = cmd_stats_number(row, "memory");
	l->turn_max = cmd_stats_number(row, "turn_max_us");
	l->up = cmd_stats_number(row, "up");
	l->counters[IN] = cmd_stats_number(row, "messages_in");
	l->counters[OUT] = cmd_stats_number(row, "messages_out");
	l->counters[BYTES_IN] = cmd_stats_number(row, "bytes_in");
	l->counters[BYTES_OUT] = cmd_stats_number(row, "bytes_out");
	l->counters[PUBLISHED] = cmd_stats_number(row, "events_api") +
	    cmd_stats_number(row, "events_client") +
	    cmd_stats_number(row, "events_ctl");
	l->counters[API] = cmd_stats_number(row, "api_2xx") +
	    cmd_stats_number(row, "api_4xx") + cmd_stats_number(row, "api_5xx");
	l->counters[CPU] = cmd_stats_number(row, "cpu_us");
}

static int
take_reading(struct screen *s)
{
	struct buf *args = cmd_stats_args(NULL, APPS_MAX, false);
	struct reading old = s->before;
	int r;

	s->before = s->now;
	s->now = old;
	s->now.n = 0;
	r = cmd_ask(s->c, "stats", buf_str(args), on_row, &s->now);
	s->now.at = now();
	buf_unref(args);
	return r;
}

/* How much a counter has grown in a second. */
static uint64_t
rate(const struct screen *s, const struct line *l, enum field f)
{
	double seconds = s->now.at - s->before.at;
	size_t i;

	for (i = 0; i < s->before.n; i++) {
		const struct line *b = &s->before.v[i];

		if (b->kind != l->kind || strcmp(b->name, l->name) != 0)
			continue;
		if (b->counters[f] > l->counters[f] || seconds <= 0)
			return 0; /* the broker is another one */
		return (uint64_t)((double)(l->counters[f] - b->counters[f]) /
			seconds +
		    0.5);
	}
	return 0;
}

/* ---- writing ---- */

static void
put_rates(const struct screen *s, struct out *o, const struct line *l)
{
	out_num(o, "in_per_s", rate(s, l, IN));
	out_num(o, "out_per_s", rate(s, l, OUT));
	out_bytes(o, "bytes_in_per_s", rate(s, l, BYTES_IN));
	out_bytes(o, "bytes_out_per_s", rate(s, l, BYTES_OUT));
	out_num(o, "published_per_s", rate(s, l, PUBLISHED));
	out_num(o, "api_per_s", rate(s, l, API));
}

static void
put_server(const struct screen *s, struct out *o, const struct line *l)
{
	out_record_open(o, "server");
	out_num(o, "connections", l->connections);
	out_num(o, "subscriptions", l->subscriptions);
	put_rates(s, o, l);
	out_num(o, "cpu_percent", rate(s, l, CPU) / 10000);
	out_record_close(o);
}

static void
put_workers(const struct screen *s, struct out *o)
{
	static const char *const keys[] = { "worker", "state", "connections",
		"in_per_s", "out_per_s", "bytes_in_per_s", "bytes_out_per_s",
		"published_per_s", "api_per_s", "cpu_percent", "memory",
		"queued", "turn_max_ms" };
	size_t i;

	out_table_open(o, "workers", keys, nitems(keys));
	for (i = 0; i < s->now.n; i++) {
		const struct line *l = &s->now.v[i];

		if (l->kind != WORKER)
			continue;
		out_row_open(o);
		out_text(o, "worker", l->name);
		out_state(o, "state", l->up ? "up" : "down", l->up);
		out_num(o, "connections", l->connections);
		put_rates(s, o, l);
		out_num(o, "cpu_percent", rate(s, l, CPU) / 10000);
		out_bytes(o, "memory", l->memory);
		out_bytes(o, "queued", l->queued);
		out_num(o, "turn_max_ms", l->turn_max / 1000);
		out_row_close(o);
	}
	out_table_close(o);
}

struct busy {
	const struct line *l;
	uint64_t bytes, messages;
};

static int
by_traffic(const void *x, const void *y)
{
	const struct busy *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	if (a->messages != b->messages)
		return a->messages < b->messages ? 1 : -1;
	if (a->l->connections != b->l->connections)
		return a->l->connections < b->l->connections ? 1 : -1;
	return strcmp(a->l->name, b->l->name);
}

/* The busiest apps first, at most so many. */
static void
put_apps(const struct screen *s, struct out *o, size_t max)
{
	static const char *const keys[] = { "app", "connections",
		"subscriptions", "in_per_s", "out_per_s", "bytes_in_per_s",
		"bytes_out_per_s", "published_per_s", "api_per_s" };
	struct busy *v = xcalloc(MAX(s->now.n, 1), sizeof(*v));
	size_t i, n = 0;

	for (i = 0; i < s->now.n; i++) {
		const struct line *l = &s->now.v[i];

		if (l->kind != APP)
			continue;
		v[n++] = (struct busy){ l,
			rate(s, l, BYTES_IN) + rate(s, l, BYTES_OUT),
			rate(s, l, IN) + rate(s, l, OUT) };
	}
	qsort(v, n, sizeof(*v), by_traffic);
	out_table_open(o, "apps", keys, nitems(keys));
	for (i = 0; i < n && i < max; i++) {
		out_row_open(o);
		out_text(o, "app", v[i].l->name);
		out_num(o, "connections", v[i].l->connections);
		out_num(o, "subscriptions", v[i].l->subscriptions);
		put_rates(s, o, v[i].l);
		out_row_close(o);
	}
	out_table_close(o);
	free(v);
}

static void
put_all(const struct screen *s, struct out *o, size_t apps)
{
	size_t i;

	out_group_open(o);
	for (i = 0; i < s->now.n; i++)
		if (s->now.v[i].kind == SERVER)
			put_server(s, o, &s->now.v[i]);
	put_workers(s, o);
	put_apps(s, o, apps);
	out_group_close(o);
}

/* ---- the screen ---- */

/* App rows that fit. */
static size_t
room(const struct screen *s)
{
	struct winsize size = { .ws_row = 24 };
	size_t used = LINES_OTHER, i;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_row == 0)
		size.ws_row = 24;
	for (i = 0; i < s->now.n; i++)
		used += s->now.v[i].kind == WORKER;
	return size.ws_row > used + 1 ? size.ws_row - used : 1;
}

static void
draw(const struct screen *s)
{
	struct out *o = out_new_for(stdout, false);

	fputs("\033[H\033[J", stdout);
	put_all(s, o, room(s));
	out_finish(o);
	out_free(o);
	fputs("\nq ends", stdout);
	fflush(stdout);
}

/* Waits; false when it shall end. */
static bool
wait_seconds(uint64_t seconds)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	double end = now() + (double)seconds;
	int r = 0, left;
	char key;

	while (!stopped && (left = (int)((end - now()) * 1000)) > 0) {
		r = poll(&p, isatty(STDIN_FILENO) ? 1 : 0, left);
		if (r == 1 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
			return false;
	}
	return !stopped;
}

static int
show_live(struct screen *s, uint64_t interval)
{
	struct termios was, raw;
	bool keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
	int r;

	proc_signal(SIGINT, on_signal);
	proc_signal(SIGTERM, on_signal);
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout);
	r = take_reading(s);
	while (r == CMD_OK) {
		draw(s);
		if (!wait_seconds(s->before.at == 0 ? 1 : interval))
			break;
		r = take_reading(s);
	}
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return r;
}

int
cmd_top(struct cmd *c)
{
	struct screen s = { .c = c };
	bool live = !out_is_json(c->out) && isatty(STDOUT_FILENO);
	uint64_t interval;
	int r;

	r = cmd_stats_count(c, "interval", live ? 2 : 1, 3600, &interval);
	if (r != CMD_OK)
		return r;
	if (live) {
		r = show_live(&s, interval);
	} else {
		r = take_reading(&s);
		if (r == CMD_OK && wait_seconds(interval))
			r = take_reading(&s);
		if (r == CMD_OK)
			put_all(&s, c->out, APPS_SHOWN);
	}
	free(s.before.v);
	free(s.now.v);
	return r;
}
