/* SPDX-License-Identifier: MIT */
/*
 * console_args.c: may this session run this command, and with which words?  The
 * rules are those of pusherctl's table: arguments have the names of the
 * command's help, so that a new command needs nothing here.  Arguments come
 * from a browser.  Must never let a word become an option, a file of this
 * machine be read, or an app be named other than the session's.
 */

#include "broker/control/console_args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_write.h"

#define WHY_MAX 256
#define WORDS_MAX 1000

struct building {
	const struct verb_rule *rule;
	struct json args;
	const struct console_right *right;
	struct json_writer w;
	unsigned nwords;
	unsigned *status;
	char *why;
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct building *b, unsigned status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, WHY_MAX, fmt, ap);
	va_end(ap);
	*b->status = status;
	return false;
}

const struct verb_rule *
console_rule(const struct verb_rule *rules, struct str name)
{
	for (; rules != NULL && rules->name != NULL; rules++)
		if (str_eq(name, str_of(rules->name)))
			return rules;
	return NULL;
}

bool
console_is_write(const struct verb_rule *r)
{
	return r->access == VERB_SERVER_WRITE || r->access == VERB_APP_WRITE ||
	    r->access == VERB_OBJECT_WRITE;
}

/* ---- names of arguments ---- */

/* "[APP" -> "app", "option=value..." -> "option" */
static struct str
argument_name(struct str word, char out[32])
{
	size_t n = 0;

	for (size_t i = 0; i < word.n && n < 31; i++) {
		char ch = word.p[i];

		if (ch == '[')
			continue;
		if (ch >= 'A' && ch <= 'Z')
			ch = (char)(ch - 'A' + 'a');
		if (ch != '_' && (ch < 'a' || ch > 'z'))
			break;
		out[n++] = ch;
	}
	return str_make(out, n);
}

static bool
has_argument(const struct verb_rule *r, struct str name)
{
	struct str rest = str_of(r->args), word;
	char room[32];

	while (rest.p != NULL) {
		word = str_cut(&rest, ' ');
		if (word.n > 0 && str_eq(argument_name(word, room), name))
			return true;
	}
	return false;
}

static const struct cmd_option *
find_option(const struct verb_rule *r, struct str name)
{
	for (const struct cmd_option *o = r->options;
	     o != NULL && o->name != NULL; o++)
		if (str_eq(str_of(o->name), name))
			return o;
	return NULL;
}

/* ---- words ---- */

/* Adds one word: first its option, then the value; FILE can only be "-". */
static bool
put_word(struct building *b, struct str before, struct json v, bool is_file)
{
	char *tmp = NULL, *all;
	struct str s = v.raw;

	if (v.kind == JSON_TRUE || v.kind == JSON_FALSE)
		s = v.kind == JSON_TRUE ? S("on") : S("off");
	else if (v.kind == JSON_STRING && json_string(v, &s, &tmp) == -1)
		s = str_make("\0", 1);
	else if (v.kind != JSON_STRING && v.kind != JSON_NUMBER)
		return refuse(
		    b, 400, "an argument is neither a text nor a number");
	if (str_find(s, '\0') != -1 || ++b->nwords > WORDS_MAX) {
		free(tmp);
		return refuse(b, 400,
		    "an argument has a zero byte or an incomplete character, "
		    "or "
		    "there are more than %d",
		    WORDS_MAX);
	}
	if (is_file && !str_eq(s, S("-"))) {
		free(tmp);
		return refuse(b, 400,
		    "the console reads no files of the server: give \"-\", and "
		    "the content as \"stdin\"");
	}
	all = xmalloc(before.n + s.n + 1);
	memcpy(all, before.p, before.n);
	memcpy(all + before.n, s.p, s.n);
	json_put_str(&b->w, str_make(all, before.n + s.n));
	free(all);
	free(tmp);
	return true;
}

/*
 * Adds a value, each element of an array, or each member of an object as
 * name=value.
 */
static bool
put_values(struct building *b, struct str before, struct json v, bool is_file)
{
	struct json e, key;
	char *name, word[160];
	size_t pos = 0;
	bool good = true;

	if (v.kind == JSON_ARRAY) {
		while (good && json_next(v, &pos, &e))
			good = put_word(b, before, e, is_file);
		return good;
	}
	if (v.kind != JSON_OBJECT)
		return put_word(b, before, v, is_file);
	while (good && json_next_member(v, &pos, &key, &e)) {
		name = json_dup(key);
		if (name == NULL || strlen(name) + before.n > 128)
			good = refuse(b, 400, "a name is too long");
		else {
			snprintf(word, sizeof(word), "%.*s%s=", STR_ARG(before),
			    name);
			good = put_word(b, str_of(word), e, is_file);
		}
		free(name);
	}
	return good;
}

/*
 * Options that show secrets or make the server connect to an address: they need
 * the right to change the whole server, whatever the command needs.
 */
static bool
is_guarded(const struct cmd_option *o)
{
	static const char *const names[] = { "reveal", "url" };

	for (size_t i = 0; i < nitems(names); i++)
		if (str_eq(str_of(o->name), str_of(names[i])))
			return true;
	return false;
}

static bool
put_option(struct building *b, const struct cmd_option *o, struct json v)
{
	char before[64];

	if (v.kind == JSON_NULL || (v.kind == JSON_FALSE && o->arg == NULL))
		return true;
	if (is_guarded(o) && (b->right->app != NULL || b->right->read_only))
		return refuse(b, 403,
		    "\"%s\" needs a session that may change the whole server",
		    o->name);
	if (o->arg == NULL) {
		if (v.kind != JSON_TRUE)
			return refuse(
			    b, 400, "\"%s\" is true or false", o->name);
		snprintf(before, sizeof(before), "--%s", o->name);
		json_put_str(&b->w, str_of(before));
		return true;
	}
	snprintf(before, sizeof(before), "--%s=", o->name);
	return put_values(
	    b, str_of(before), v, str_starts(str_of(o->arg), S("FILE")));
}

/* Adds every member that is an option; an unknown member is an error. */
static bool
put_options(struct building *b)
{
	const struct cmd_option *o;
	struct json key, v;
	bool good = true;
	size_t pos = 0;
	struct str name;
	char *tmp = NULL;

	while (good && json_next_member(b->args, &pos, &key, &v)) {
		if (json_string(key, &name, &tmp) == -1)
			good = refuse(b, 400, "a name is no text");
		else if ((o = find_option(b->rule, name)) != NULL)
			good = put_option(b, o, v);
		else if (!has_argument(b->rule, name))
			good = refuse(b, 400,
			    "\"%s\" takes no \"%.*s\": it takes %s%s",
			    b->rule->name, (int)MIN(name.n, 64), name.p,
			    *b->rule->args == '\0' ? "options only"
						   : b->rule->args,
			    b->rule->options != NULL ? " and its options" : "");
	}
	free(tmp);
	return good;
}

/* The arguments in their order; one that is missing must be the last. */
static bool
put_arguments(struct building *b)
{
	struct str rest = str_of(b->rule->args), word, name, gap = S("");
	char room[32];
	struct json v;

	json_put_str(&b->w, S("--"));
	while (rest.p != NULL) {
		word = str_cut(&rest, ' ');
		if (word.n == 0)
			continue;
		name = argument_name(word, room);
		v = json_get(b->args, name);
		if (v.kind == JSON_NONE && str_eq(name, S("app")) &&
		    b->right->app != NULL) {
			json_put_str(&b->w, str_of(b->right->app));
			continue;
		}
		if (v.kind == JSON_NONE || v.kind == JSON_NULL) {
			gap = word;
			continue;
		}
		if (gap.n > 0)
			return refuse(b, 400, "%.*s is missing", STR_ARG(gap));
		if (!put_values(b, S(""), v,
			str_starts(name, S("file")) ||
			    str_find(word, '|') != -1))
			return false;
	}
	return true;
}

/* ---- the scope ---- */

static bool
is_allowed(struct building *b)
{
	const struct verb_rule *r = b->rule;
	const struct console_right *right = b->right;
	struct json app = json_get(b->args, S("app"));
	char *id;
	bool own;

	if (r->access == VERB_TERMINAL)
		return refuse(b, 403, "\"%s\" is for a terminal", r->name);
	if (right->read_only && console_is_write(r))
		return refuse(b, 403,
		    "\"%s\" changes something, and this session may only read",
		    r->name);
	if (right->app == NULL)
		return true;
	if (r->access == VERB_SERVER_READ || r->access == VERB_SERVER_WRITE)
		return refuse(b, 403,
		    "\"%s\" is about the whole server, and this session is for "
		    "the app %s only",
		    r->name, right->app);
	if (app.kind == JSON_NONE)
		return true;
	id = json_dup(app);
	own = id != NULL && str_eq(str_of(id), str_of(right->app));
	free(id);
	return own ||
	    refuse(b, 403, "this session is for the app %s only", right->app);
}

struct buf *
console_words(const struct verb_rule *rule, struct json args,
    const struct console_right *right, unsigned *status, char why[WHY_MAX])
{
	struct building b = { .rule = rule,
		.args = args,
		.right = right,
		.status = status,
		.why = why };
	struct str rest = str_of(rule->name);

	if (!is_allowed(&b))
		return NULL;
	json_writer_init(&b.w);
	json_array_open(&b.w);
	while (rest.p != NULL)
		json_put_str(&b.w, str_cut(&rest, ' '));
	if (!put_options(&b) || !put_arguments(&b)) {
		json_writer_drop(&b.w);
		return NULL;
	}
	json_array_close(&b.w);
	return json_writer_take(&b.w);
}
