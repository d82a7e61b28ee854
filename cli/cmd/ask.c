/* SPDX-License-Identifier: MIT */
/*
 * ask.c: sends the questions of the commands to the daemon, and prints its
 * answer as a record or a table.  It knows no verb but apps-changed.
 */

#include <stdarg.h>
#include <stdlib.h>

#include "cli/cmd/cluster_change.h"
#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/json/json_write.h"
#include "shared/net/ws_frame.h"

/* One member, of the type that the first byte of the key says. */
static void
put_argument(struct json_writer *w, const char *key, va_list *ap)
{
	const char *text;
	uint64_t n;

	if (*key == '#' && (n = va_arg(*ap, uint64_t)) != 0) {
		json_member_u64(w, key + 1, n);
	} else if (*key == '?' && va_arg(*ap, int) != 0) {
		json_member_bool(w, key + 1, true);
	} else if (*key == '=') {
		json_member_str(w, key + 1, va_arg(*ap, struct str));
	} else if (*key != '#' && *key != '?' &&
	    (text = va_arg(*ap, const char *)) != NULL) {
		json_member_str(w, key, str_of(text));
	}
}

struct buf *
cmd_args(const char *keys, ...)
{
	struct str rest = str_of(keys), name;
	struct json_writer w;
	char key[32];
	va_list ap;

	json_writer_init(&w);
	json_object_open(&w);
	va_start(ap, keys);
	while (rest.p != NULL) {
		name = str_cut(&rest, ' ');
		snprintf(key, sizeof(key), "%.*s", STR_ARG(name));
		put_argument(&w, key, &ap);
	}
	va_end(ap);
	json_object_close(&w);
	return json_writer_take(&w);
}

int
cmd_name_app(struct cmd *c, const char *which)
{
	return which == NULL ? CMD_OK : cmd_read_app(c, which, &c->app);
}

/* Names are chosen by others, and may contain terminal control sequences. */
static void
note_answer(const char *why)
{
	char *text = out_clean(str_of(why));

	cmd_note("%s", text);
	free(text);
}

static int
ask_with(const struct ctl_question *q, enum ctl_result *result)
{
	char *why;
	int r = CMD_FAILED;

	*result = CTL_REFUSED;
	if (!utf8_is_valid(q->args))
		return cmd_fail("an argument is not UTF-8");
	switch (*result = ctl_ask(q, &why)) {
	case CTL_DONE:
		r = CMD_OK;
		break;
	case CTL_ABSENT:
		r = CMD_NO_DAEMON;
		/* FALLTHROUGH */
	case CTL_REFUSED:
	case CTL_FAILED:
	case CTL_SILENT:
		note_answer(why);
		break;
	}
	free(why);
	return r;
}

/* As cmd_ask(); *result: how the question ended. */
static int
ask_ctl(const struct cmd *c, const char *verb, struct buf *args, ctl_row fn,
    void *arg, enum ctl_result *result)
{
	struct ctl_question q = { .path = c->conf->control_path,
		.scope = c->scope,
		.verb = verb,
		.args = args == NULL ? S("{}") : buf_str(args),
		.timeout_ms = MAX(c->slow_ms, CTL_TIMEOUT_MS),
		.on_row = fn,
		.arg = arg };
	int r = ask_with(&q, result);

	buf_unref(args);
	return r;
}

int
cmd_ask(const struct cmd *c, const char *verb, struct buf *args, ctl_row fn,
    void *arg)
{
	enum ctl_result result;

	return ask_ctl(c, verb, args, fn, arg, &result);
}

struct only {
	const struct cmd *c;
	const char *members;
	bool seen;
};

static void
on_only_row(void *arg, struct json row)
{
	struct only *o = arg;

	if (!o->seen)
		out_record(o->c->out, NULL, row, o->members);
	o->seen = true;
}

int
cmd_ask_one(const struct cmd *c, const char *verb, struct buf *args,
    const char *members)
{
	struct only o = { .c = c, .members = members };
	enum ctl_result result;
	int r = ask_ctl(c, verb, args, on_only_row, &o, &result);

	if (r == CMD_OK && !o.seen)
		r = cmd_fail("pusherd ran the command, but sent no result");
	/*
	 * The signal cannot be taken back: pusherd handles it when it
	 * continues.
	 */
	if (result == CTL_SILENT)
		cmd_note("pusherd may be stopped or busy; it has received the "
			 "%s and runs it when it continues",
		    verb);
	return r;
}

int
cmd_list(const struct cmd *c, const char *verb, struct buf *args,
    const char *order, const char *columns)
{
	int r;

	out_table_order(c->out, order);
	out_table_open(c->out, NULL, columns);
	r = cmd_ask(c, verb, args, out_row, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	return r;
}

int
cmd_watch(const struct cmd *c, const char *verb, struct buf *args, ctl_row fn,
    void *arg, const bool *stop)
{
	struct ctl_question q = { .path = c->conf->control_path,
		.scope = c->scope,
		.verb = verb,
		.args = buf_str(args),
		.on_row = fn,
		.arg = arg,
		.stop = stop };
	enum ctl_result result;
	int r = ask_with(&q, &result);

	buf_unref(args);
	return r;
}

int
cmd_tell_apps_changed(const struct cmd *c)
{
	struct ctl_question q = { .path = c->conf->control_path,
		.scope = c->scope,
		.verb = "apps-changed",
		.args = S("{}"),
		.timeout_ms = CTL_TIMEOUT_MS };
	enum ctl_result result;
	struct cmd_busy busy = { 0 };
	char *why, *text;
	int r = CMD_OK;

	/* Others write at the same time: the daemon reads when they have. */
	while ((result = ctl_ask(&q, &why)) == CTL_REFUSED &&
	    cmd_wait_busy(c, why, &busy))
		free(why);
	switch (result) {
	case CTL_DONE:
		r = cluster_change_tell(c);
		break;
	case CTL_ABSENT:
		cmd_note("pusherd is not running: takes effect when it starts");
		break;
	case CTL_REFUSED:
	case CTL_FAILED:
	case CTL_SILENT:
		text = out_clean(str_of(why));
		r = cmd_fail("written to %s, but pusherd did not confirm that "
			     "it has read it: %s",
		    c->conf->database, text);
		free(text);
		break;
	}
	free(why);
	return r;
}
