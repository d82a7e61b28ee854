/* SPDX-License-Identifier: MIT */
/*
 * doctor.c: `pusherctl doctor`: asks the broker for failures, and prints each
 * finding with its evidence and its remedy, the most probable first.
 */

#include "cli/cmd/doctor.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/base/utf8.h"
#include "shared/base/xmalloc.h"

const struct cmd_option cmd_doctor_options[] = {
	{ "channel", "C", "check whether events of this channel arrive" },
	{ "url", "URL",
	    "also check the public address: https://ws.example.com" },
	{ NULL, NULL, NULL },
};

static const char columns[] = "app kind finding seen mend";

static unsigned printed;

/* Lines that fit the terminal, of at most 80 places, each after the indent. */
static void
put_wrapped(
    const struct cmd *c, struct buf **b, const char *label, const char *text)
{
	size_t places = out_width(c->out), n, width;
	const char *p = text;

	width = MAX(MIN(places == 0 ? 80 : places, 80), 30) - 9;
	for (int line = 0; *p != '\0'; line++) {
		n = strlen(p);
		if (n > width) {
			n = width;
			while (n > 0 && p[n] != ' ')
				n--;
			if (n == 0)
				n = utf8_cut(str_of(p), width).n;
		}
		buf_printf(b, "  %-6s %.*s\n", line == 0 ? label : "",
		    (int)str_trim(str_make(p, n)).n, p);
		p += n;
		while (*p == ' ')
			p++;
	}
}

/* The commands in a remedy, as they work here; free(3) it. */
static char *
with_self(const struct cmd *c, const char *mend)
{
	static const char name[] = "pusherctl ";
	struct buf *b = NULL;
	const char *at;
	char *text;

	while ((at = strstr(mend, name)) != NULL) {
		buf_printf(&b, "%.*s%s ", (int)(at - mend), mend, c->self);
		mend = at + sizeof(name) - 1;
	}
	buf_append(&b, str_of(mend));
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

void
doctor_put(struct cmd *c, const struct doctor_row *r)
{
	struct buf *b = NULL;
	char *title, *mend;

	if (out_is_json(c->out)) {
		out_table_open(c->out, "findings", columns);
		out_row_open(c->out);
		out_text(c->out, "app", r->app);
		out_text(c->out, "kind", r->kind);
		out_text(c->out, "finding", r->finding);
		out_text(c->out, "seen", r->seen);
		out_text(c->out, "mend", r->mend);
		out_row_close(c->out);
		return;
	}
	title = r->app == NULL || c->nargs > 0
	    ? xasprintf("%u", ++printed)
	    : xasprintf("%u (app %s)", ++printed, r->app);
	put_wrapped(c, &b, "", r->finding);
	put_wrapped(c, &b, "seen", r->seen);
	mend = with_self(c, r->mend);
	put_wrapped(c, &b, "mend", mend);
	free(mend);
	out_block(c->out, "finding", title, buf_str(b));
	free(title);
	buf_unref(b);
}

struct answer {
	struct cmd *c;
	uint64_t seconds, connections, channels, events_5_minutes, events_hour;
};

static void
on_row(void *arg, struct json row)
{
	struct answer *a = arg;
	char *app = json_dup(json_get(row, S("app")));
	char *kind = json_dup(json_get(row, S("kind")));
	char *finding = json_dup(json_get(row, S("finding")));
	char *seen = json_dup(json_get(row, S("seen")));
	char *mend = json_dup(json_get(row, S("mend")));

	if (str_eq(json_get(row, S("type")).raw, S("\"finding\""))) {
		if (finding != NULL && seen != NULL && mend != NULL)
			doctor_put(a->c,
			    &(struct doctor_row){
				app, kind, finding, seen, mend });
	} else {
		a->seconds = row_u64(row, "seconds");
		a->connections = row_u64(row, "connections");
		a->channels = row_u64(row, "channels");
		a->events_5_minutes = row_u64(row, "events_5_minutes");
		a->events_hour = row_u64(row, "events_hour");
	}
	free(app);
	free(kind);
	free(finding);
	free(seen);
	free(mend);
}

/* There are no findings. */
static void
put_nothing(const struct answer *a, const char *steps)
{
	struct cmd *c = a->c;
	struct buf *b = NULL;
	char *text = xasprintf(
	    "Looked at the refused requests, subscriptions and clients, and "
	    "at events without a subscriber, of the last %llu s%s%s.  "
	    "Connections now: %llu; channels: %llu.  Events published in the "
	    "last 5 minutes: %llu; in the last hour: %llu.",
	    (unsigned long long)a->seconds, steps == NULL ? "" : "; and ",
	    steps == NULL ? "" : steps, (unsigned long long)a->connections,
	    (unsigned long long)a->channels,
	    (unsigned long long)a->events_5_minutes,
	    (unsigned long long)a->events_hour);

	put_wrapped(c, &b, "", text);
	free(text);
	text = xasprintf("%sPublish an event while you watch: %s tail%s%s%s",
	    a->events_5_minutes == 0
		? "If there should have been events, look at the log and the "
		  "queue worker of the application.  "
		: "",
	    c->self, c->nargs > 0 ? " " : "", c->nargs > 0 ? c->args[0] : "",
	    cmd_has(c, "url")
		? ""
		: "; and check the public address: --url https://...");
	put_wrapped(c, &b, "next", text);
	out_block(c->out, "nothing", "nothing wrong found", buf_str(b));
	free(text);
	buf_unref(b);
}

static void
put_looked(struct answer *a, const char *steps)
{
	struct out *o = a->c->out;

	if (out_is_json(o)) {
		out_table_open(o, "findings", columns);
		out_record_open(o, "looked");
		out_num(o, "seconds", a->seconds);
		out_num(o, "connections", a->connections);
		out_num(o, "channels", a->channels);
		out_num(o, "events_5_minutes", a->events_5_minutes);
		out_num(o, "events_hour", a->events_hour);
		out_text(o, "url", steps);
		out_record_close(o);
	} else if (printed == 0) {
		put_nothing(a, steps);
	} else if (steps != NULL) {
		out_block(o, "url", "the public address", str_of(steps));
	}
}

int
cmd_doctor(struct cmd *c)
{
	const char *url = cmd_value(c, "url");
	const char *channel = cmd_value(c, "channel");
	struct answer a = { .c = c };
	char *steps = NULL;
	int r;

	if ((url != NULL || channel != NULL) && c->nargs == 0)
		return cmd_usage(c, "--url and --channel need an APP");
	if ((r = cmd_name_app(c, c->args[0])) != CMD_OK)
		return r;
	printed = 0;
	out_group_open(c->out);
	if (url != NULL)
		r = doctor_url(c, url, &steps);
	if (r == CMD_OK)
		r = cmd_ask(c, "doctor",
		    cmd_args("app channel", c->app.id, channel), on_row, &a);
	if (r == CMD_OK)
		put_looked(&a, steps);
	else
		out_drop(c->out);
	out_group_close(c->out);
	free(steps);
	return r;
}
