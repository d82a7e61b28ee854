/* SPDX-License-Identifier: MIT */
/*
 * top.c: `pusherctl top`: rates of the server, its workers and its busiest
 * apps, from two readings of the daemon's counters (top_rates.c).  On a
 * terminal it runs until q or Ctrl-C, on a screen of its own, and keys choose
 * the order of the apps; into a pipe, and with -j, it is one snapshot.  Must
 * always restore the terminal, and never write more lines or longer ones than
 * it has.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd/stats.h"
#include "cli/cmd/top_rates.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define APPS_SHOWN 20 /* in a pipe */
#define LINES_FIXED 8 /* of the screen, besides workers and apps */

const struct cmd_option cmd_top_options[] = {
	{ "interval", "SECONDS", "between two readings (2; 1 into a pipe)" },
	{ NULL, NULL, NULL },
};

/* The orders of apps, and their keys. */
enum order {
	BY_TRAFFIC,
	BY_CONNECTIONS,
	BY_SUBSCRIPTIONS,
	BY_IN,
	BY_OUT,
	BY_PUBLISHED,
	BY_API,
	BY_NAME,
	NORDERS
};
static const struct {
	char key;
	const char *name;
} orders[NORDERS] = {
	[BY_TRAFFIC] = { 't', "traffic" },
	[BY_CONNECTIONS] = { 'c', "connections" },
	[BY_SUBSCRIPTIONS] = { 's', "subscriptions" },
	[BY_IN] = { 'i', "in" },
	[BY_OUT] = { 'o', "out" },
	[BY_PUBLISHED] = { 'p', "published" },
	[BY_API] = { 'a', "api" },
	[BY_NAME] = { 'n', "name" },
};

struct screen {
	struct cmd *c;
	struct top top;
	enum order order;
	bool reverse;
};

static volatile sig_atomic_t stopped, resized;

static void
on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		stopped = 1;
}

/* ---- writing ---- */

static void
put_rates(const struct top *t, struct out *o, const struct top_line *l)
{
	out_num(o, "in_per_s", top_rate(t, l, TOP_IN));
	out_num(o, "out_per_s", top_rate(t, l, TOP_OUT));
	out_bytes(o, "bytes_in_per_s", top_rate(t, l, TOP_BYTES_IN));
	out_bytes(o, "bytes_out_per_s", top_rate(t, l, TOP_BYTES_OUT));
	out_num(o, "published_per_s", top_rate(t, l, TOP_PUBLISHED));
	out_num(o, "api_per_s", top_rate(t, l, TOP_API));
}

static void
put_server(const struct top *t, struct out *o, const struct top_line *l)
{
	out_record_open(o, "server");
	out_num(o, "connections", l->connections);
	out_num(o, "subscriptions", l->subscriptions);
	put_rates(t, o, l);
	out_num(o, "cpu_percent", top_rate(t, l, TOP_CPU) / 10000);
	out_record_close(o);
}

static void
put_workers(const struct top *t, struct out *o, size_t max)
{
	size_t i;

	out_table_order(o,
	    "worker state connections out_per_s cpu_percent bytes_out_per_s "
	    "queued in_per_s memory turn_max_ms published_per_s api_per_s");
	out_table_open(o, "workers",
	    "worker state connections in_per_s out_per_s bytes_in_per_s "
	    "bytes_out_per_s published_per_s api_per_s cpu_percent memory "
	    "queued turn_max_ms");
	for (i = 0; i < t->now.n && max > 0; i++) {
		const struct top_line *l = &t->now.v[i];

		if (l->kind != TOP_WORKER)
			continue;
		max--;
		out_row_open(o);
		out_text(o, "worker", l->name);
		out_state(o, "state", l->up ? "up" : "down", l->up);
		out_num(o, "connections", l->connections);
		put_rates(t, o, l);
		out_num(o, "cpu_percent", top_rate(t, l, TOP_CPU) / 10000);
		out_bytes(o, "memory", l->memory);
		out_bytes(o, "queued", l->queued);
		out_num(o, "turn_max_ms", l->turn_max / 1000);
		out_row_close(o);
	}
	out_table_close(o);
}

struct busy {
	const struct top_line *l;
	uint64_t by, messages;
	bool by_name, reverse;
};

static int
compare(const void *x, const void *y)
{
	const struct busy *a = x, *b = y;
	int r = strcmp(a->l->name, b->l->name);

	if (a->by_name && strcmp(a->l->label, b->l->label) != 0)
		r = strcmp(a->l->label, b->l->label);
	else if (a->by != b->by)
		r = a->by < b->by ? 1 : -1;
	else if (a->messages != b->messages)
		r = a->messages < b->messages ? 1 : -1;
	else if (a->l->connections != b->l->connections)
		r = a->l->connections < b->l->connections ? 1 : -1;
	return a->reverse ? -r : r;
}

static uint64_t
weight(const struct screen *s, const struct top_line *l)
{
	const struct top *t = &s->top;

	switch (s->order) {
	case BY_CONNECTIONS:
		return l->connections;
	case BY_SUBSCRIPTIONS:
		return l->subscriptions;
	case BY_IN:
		return top_rate(t, l, TOP_IN);
	case BY_OUT:
		return top_rate(t, l, TOP_OUT);
	case BY_PUBLISHED:
		return top_rate(t, l, TOP_PUBLISHED);
	case BY_API:
		return top_rate(t, l, TOP_API);
	case BY_NAME:
		return 0;
	default:
		return top_rate(t, l, TOP_BYTES_IN) +
		    top_rate(t, l, TOP_BYTES_OUT);
	}
}

/* The first apps of the order, at most so many. */
static void
put_apps(const struct screen *s, struct out *o, size_t max)
{
	static const char
	    columns[] =
		"app name connections subscriptions in_per_s out_per_s "
		"bytes_in_per_s bytes_out_per_s published_per_s api_per_s",
	    pipe_columns[] = "app connections subscriptions in_per_s out_per_s "
			     "bytes_in_per_s bytes_out_per_s published_per_s "
			     "api_per_s";
	bool named = out_is_json(o) || out_is_terminal(o);
	const struct top *t = &s->top;
	struct busy *v = xcalloc(MAX(t->now.n, 1), sizeof(*v));
	size_t i, n = 0;

	for (i = 0; i < t->now.n; i++) {
		const struct top_line *l = &t->now.v[i];

		if (l->kind == TOP_APP)
			v[n++] = (struct busy){ l, weight(s, l),
				top_rate(t, l, TOP_IN) +
				    top_rate(t, l, TOP_OUT),
				s->order == BY_NAME, s->reverse };
	}
	qsort(v, n, sizeof(*v), compare);
	out_table_order(o,
	    "app name connections out_per_s published_per_s bytes_out_per_s "
	    "in_per_s subscriptions api_per_s");
	out_table_open(o, "apps", named ? columns : pipe_columns);
	for (i = 0; i < n && i < max; i++) {
		out_row_open(o);
		out_text(o, "app", v[i].l->name);
		if (named)
			out_text(o, "name", v[i].l->label);
		out_num(o, "connections", v[i].l->connections);
		out_num(o, "subscriptions", v[i].l->subscriptions);
		put_rates(t, o, v[i].l);
		out_row_close(o);
	}
	out_table_close(o);
	free(v);
}

static void
put_all(const struct screen *s, struct out *o)
{
	size_t i;

	out_group_open(o);
	for (i = 0; i < s->top.now.n; i++)
		if (s->top.now.v[i].kind == TOP_SERVER)
			put_server(&s->top, o, &s->top.now.v[i]);
	put_workers(&s->top, o, SIZE_MAX);
	put_apps(s, o, APPS_SHOWN);
	out_group_close(o);
}

/* ---- the screen ---- */

static struct winsize
screen_size(void)
{
	struct winsize size = { .ws_row = 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_row == 0)
		size.ws_row = 24;
	if (size.ws_col == 0)
		size.ws_col = 80;
	return size;
}

/* One line of ASCII, cut at the edge. */
static void
put_cut(struct buf *line, unsigned columns, const char *end)
{
	fprintf(
	    stdout, "%.*s%s", (int)MIN(line->len, columns), line->data, end);
	buf_unref(line);
}

/* "1.2k", as in tables. */
static void
add_number(
    struct buf **b, const char *before, uint64_t n, bool bytes, const char *end)
{
	char *text = out_short(n, bytes);

	buf_printf(b, "%s%s%s", before, text, end);
	free(text);
}

static void
draw_title(const struct screen *s, unsigned columns)
{
	const struct top_line *l = NULL;
	struct buf *a = NULL, *b = NULL;
	time_t t = time(NULL);
	char clock[32] = "";
	struct tm tm;
	size_t i;

	for (i = 0; i < s->top.now.n && l == NULL; i++)
		if (s->top.now.v[i].kind == TOP_SERVER)
			l = &s->top.now.v[i];
	if (localtime_r(&t, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	buf_printf(&a, "pusherctl top  %s", clock);
	if (l != NULL && l->uptime > 0)
		buf_printf(&a, "  up %llud %02llu:%02llu",
		    (unsigned long long)(l->uptime / 86400),
		    (unsigned long long)(l->uptime / 3600 % 24),
		    (unsigned long long)(l->uptime / 60 % 60));
	buf_printf(&a, "  workers %zu  apps %zu",
	    top_count(&s->top, TOP_WORKER), top_count(&s->top, TOP_APP));
	put_cut(a, columns, "\n");
	a = NULL;
	if (l == NULL) {
		fputs("\n\n", stdout);
		return;
	}
	add_number(&a, "connections ", l->connections, false, "  ");
	add_number(&a, "subscriptions ", l->subscriptions, false, "  ");
	add_number(
	    &a, "cpu ", top_rate(&s->top, l, TOP_CPU) / 10000, false, "%");
	put_cut(a, columns, "\n");
	add_number(&b, "in ", top_rate(&s->top, l, TOP_IN), false, "/s ");
	add_number(&b, "", top_rate(&s->top, l, TOP_BYTES_IN), true, "/s  ");
	add_number(&b, "out ", top_rate(&s->top, l, TOP_OUT), false, "/s ");
	add_number(&b, "", top_rate(&s->top, l, TOP_BYTES_OUT), true, "/s  ");
	add_number(&b, "published ", top_rate(&s->top, l, TOP_PUBLISHED), false,
	    "/s  ");
	add_number(&b, "api ", top_rate(&s->top, l, TOP_API), false, "/s");
	put_cut(b, columns, "\n\n");
}

static void
draw_keys(const struct screen *s, unsigned columns, size_t hidden)
{
	struct buf *b = NULL;

	buf_printf(&b, "q ends  by %s%s", orders[s->order].name,
	    s->reverse ? ", reversed" : "");
	if (hidden > 0)
		buf_printf(&b, "  (%zu workers more)", hidden);
	buf_append(&b, S("  keys:"));
	for (size_t i = 0; i < nitems(orders); i++)
		buf_printf(&b, " %c", orders[i].key);
	buf_append(&b, S(" r(everse)"));
	put_cut(b, columns - 1, "");
}

static void
draw(const struct screen *s)
{
	struct winsize size = screen_size();
	struct out *o = out_new_for(stdout, false);
	size_t room = size.ws_row > LINES_FIXED + 2
	    ? (size_t)size.ws_row - LINES_FIXED
	    : 2;
	size_t workers = top_count(&s->top, TOP_WORKER);
	size_t shown = MIN(workers, MAX(room / 2, 1));

	fputs("\033[H\033[J", stdout);
	draw_title(s, size.ws_col);
	out_set_width(o, size.ws_col);
	out_set_live(o);
	out_group_open(o);
	put_workers(&s->top, o, shown);
	put_apps(s, o, room - shown);
	out_group_close(o);
	out_finish(o);
	out_free(o);
	draw_keys(s, size.ws_col, workers - shown);
	fflush(stdout);
}

/* Handles a key: false when it ends the command. */
static bool
on_key(struct screen *s, char key)
{
	if (key == 'q')
		return false;
	if (key == 'r')
		s->reverse = !s->reverse;
	for (size_t i = 0; i < nitems(orders); i++)
		if (orders[i].key == key)
			s->order = (enum order)i;
	return true;
}

/*
 * Waits; false at the end.  s: draws again after a key and when the size has
 * changed; NULL: there is no screen.
 */
static bool
wait_seconds(struct screen *s, uint64_t seconds)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	double end = clock_seconds(CLOCK_MONOTONIC) + (double)seconds;
	bool keys = isatty(STDIN_FILENO) == 1;
	int r = 0, left;
	char key;

	while (!stopped &&
	    (left = (int)((end - clock_seconds(CLOCK_MONOTONIC)) * 1000)) > 0) {
		r = poll(&p, keys ? 1 : 0, left);
		if (r == 1) {
			if (read(STDIN_FILENO, &key, 1) != 1)
				return false;
			if (s == NULL && key == 'q')
				return false;
			if (s != NULL && !on_key(s, key))
				return false;
		}
		if (s != NULL && (r == 1 || resized))
			draw(s);
		resized = 0;
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
	proc_signal(SIGWINCH, on_signal);
	if (keys) {
		raw = was;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l", stdout);
	r = top_read(&s->top, s->c);
	while (r == CMD_OK) {
		draw(s);
		if (!wait_seconds(s, s->top.before.at == 0 ? 1 : interval))
			break;
		r = top_read(&s->top, s->c);
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
	bool live = !out_is_json(c->out) && out_can_draw(STDOUT_FILENO);
	uint64_t interval;
	int r;

	r = cmd_stats_count(c, "interval", live ? 2 : 1, 3600, &interval);
	if (r != CMD_OK)
		return r;
	if (live) {
		r = show_live(&s, interval);
	} else {
		r = top_read(&s.top, c);
		if (r == CMD_OK && wait_seconds(NULL, interval))
			r = top_read(&s.top, c);
		if (r == CMD_OK)
			put_all(&s, c->out);
	}
	top_clear(&s.top);
	return r;
}
