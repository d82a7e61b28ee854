/* SPDX-License-Identifier: MIT */
/*
 * event_line.c: prints events one by one: for people a line with the time, for
 * programs one JSON object a line.  Every line is flushed, because its reader
 * waits for it.  Bytes from outside never reach a terminal unescaped.
 */

#include "cli/cmd/event_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "shared/base/glob.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

int
event_filter_init(struct event_filter *f, const struct cmd *c)
{
	const char *grep = cmd_value(c, "grep"), *limit = cmd_value(c, "limit");
	char why[128];
	int r;

	*f = (struct event_filter){ .events = cmd_value(c, "events") };
	if (limit != NULL &&
	    (str_to_u64(str_of(limit), UINT32_MAX, &f->limit) == -1 ||
		f->limit == 0))
		return cmd_usage(c, "--limit takes a number above 0");
	if (grep == NULL)
		return CMD_OK;
	r = regcomp(&f->grep, grep, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &f->grep, why, sizeof(why));
		return cmd_usage(c,
		    "--grep: \"%s\" is not a regular expression: %s", grep,
		    why);
	}
	f->has_grep = true;
	return CMD_OK;
}

void
event_filter_clear(struct event_filter *f)
{
	if (f->has_grep)
		regfree(&f->grep);
	f->has_grep = false;
}

static bool
is_named(const struct event_filter *f, struct str event)
{
	struct str rest = str_of(f->events);

	if (f->events == NULL)
		return true;
	while (rest.p != NULL)
		if (glob_matches(str_trim(str_cut(&rest, ',')), event))
			return true;
	return false;
}

/* The expression sees the name, a blank, and the data. */
static bool
matches(const struct event_filter *f, struct str event, struct str data)
{
	char *text;
	bool found;

	if (!is_named(f, event))
		return false;
	if (!f->has_grep)
		return true;
	text = xasprintf("%.*s %.*s", STR_ARG(event), STR_ARG(data));
	found = regexec(&f->grep, text, 0, NULL, 0) == 0;
	free(text);
	return found;
}

/* The text of a member of the frame; an object as its JSON. */
static struct str
text_of(struct json v, char **tmp)
{
	struct str s = v.raw;

	if (v.kind == JSON_NONE)
		return S("");
	if (v.kind == JSON_STRING && json_string(v, &s, tmp) == -1)
		s = v.raw;
	return s;
}

static void
put_member(struct json_writer *w, const char *key, struct str s)
{
	if (s.p == NULL)
		return;
	json_member_str(w, key, s);
}

static void
put_json(const struct event_line *l, struct str channel, struct str event,
    struct json user)
{
	struct json data = json_get(l->frame, S("data"));
	struct json_writer w;
	struct buf *b;

	json_writer_init(&w);
	json_object_open(&w);
	json_member_u64(&w, "time_ms", l->time_ms);
	if (l->pos != 0)
		json_member_u64(&w, "pos", l->pos);
	put_member(&w, "kind", l->kind);
	put_member(&w, "app", l->app);
	put_member(&w, "channel", channel);
	put_member(&w, "event", event);
	if (user.kind == JSON_STRING)
		json_member_raw(&w, "user_id", user.raw);
	json_key(&w, "data");
	if (data.kind == JSON_NONE)
		json_put_null(&w);
	else
		json_put_raw(&w, data.raw);
	json_object_close(&w);
	b = json_writer_take(&w);
	printf("%.*s\n", STR_ARG(buf_str(b)));
	buf_unref(b);
}

static void
put_text(const struct event_line *l, struct str channel, struct str event,
    struct str data)
{
	time_t seconds = (time_t)(l->time_ms / 1000);
	char *c = out_clean(channel), *e = out_clean(event),
	     *d = out_clean(data), *a = out_clean(l->app);
	char when[16] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm) != NULL)
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%s.%03u %s%s%s %s %s\n", when, (unsigned)(l->time_ms % 1000), a,
	    *a == '\0' ? "" : " ", *c == '\0' ? "-" : c, e, d);
	free(a);
	free(c);
	free(e);
	free(d);
}

void
event_line_put(struct event_filter *f, const struct event_line *l, bool json)
{
	struct json frame = l->frame, name = json_get(frame, S("channel"));
	struct str event, data, channel = l->channel;
	char *tmp[3] = { NULL, NULL, NULL };

	event = text_of(json_get(frame, S("event")), &tmp[0]);
	data = text_of(json_get(frame, S("data")), &tmp[1]);
	if (name.kind == JSON_STRING)
		channel = text_of(name, &tmp[2]);
	if (!f->done && matches(f, event, data)) {
		if (json)
			put_json(
			    l, channel, event, json_get(frame, S("user_id")));
		else
			put_text(l, channel, event, data);
		fflush(stdout);
		/* An error: there is no reader any more. */
		f->done = ++f->n == f->limit || ferror(stdout) != 0;
	}
	for (size_t i = 0; i < 3; i++)
		free(tmp[i]);
}
