/* SPDX-License-Identifier: MIT */
/* console_args.c: which words a request becomes, and which scope may. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "broker/control/console_args.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

static const struct cmd_option options[] = {
	{ "limit", "N", "" },
	{ "reveal", NULL, "" },
	{ "yes", NULL, "" },
	{ "set", "option=value", "" },
	{ "from", "FILE|-", "" },
	{ NULL, NULL, NULL },
};

static const struct verb_rule rules[] = {
	{ "status", "", "", NULL, VERB_SERVER_READ },
	{ "app set", "APP option=value...", "", NULL, VERB_SERVER_WRITE },
	{ "app show", "APP", "", options, VERB_APP_READ },
	{ "tail", "[APP [CHANNEL]]", "", options, VERB_APP_READ },
	{ "publish", "APP CHANNEL EVENT DATA", "", options, VERB_APP_WRITE },
	{ "kill", "[SOCKET_ID]", "", options, VERB_OBJECT_WRITE },
	{ "import", "FILE|-", "", options, VERB_SERVER_WRITE },
	{ "bench", "SCENARIO", "", NULL, VERB_TERMINAL },
	{ NULL, NULL, NULL, NULL, VERB_TERMINAL },
};

static const struct console_right all = { NULL, false }, look = { NULL, true },
				  one = { "3", false },
				  look_one = { "3", true };

/* The words, or "403"; free(3) it. */
static char *
words(const char *verb, const char *args, const struct console_right *right)
{
	const struct verb_rule *r = console_rule(rules, str_of(verb));
	unsigned status = 0;
	const char *err;
	struct json v;
	char why[256] = "", *out;
	struct buf *b;

	assert_non_null(r);
	assert_int_equal(json_parse(str_of(args), &v, &err), 0);
	b = console_words(r, v, right, &status, why);
	if (b == NULL) {
		assert_true(*why != '\0');
		return xasprintf("%u", status);
	}
	out = str_dup(buf_str(b));
	buf_unref(b);
	return out;
}

static void
each_request_becomes_its_words(void **state)
{
	static const struct {
		const char *verb, *args;
		const struct console_right *right;
		const char *want;
	} t[] = {
		{ "status", "{}", &all, "[\"status\",\"--\"]" },
		{ "status", "{}", &look, "[\"status\",\"--\"]" },
		{ "status", "{}", &one, "403" },
		{ "status", "{\"x\":1}", &all, "400" },
		{ "bench", "{\"scenario\":\"idle\"}", &all, "403" },
		{ "app set", "{\"app\":\"a\",\"option\":{\"x\":true,\"y\":5}}",
		    &all, "[\"app\",\"set\",\"--\",\"a\",\"x=on\",\"y=5\"]" },
		{ "app set", "{\"app\":\"a\",\"option\":[\"x=1\",\"y=2\"]}",
		    &all, "[\"app\",\"set\",\"--\",\"a\",\"x=1\",\"y=2\"]" },
		{ "app set", "{\"app\":\"3\"}", &one, "403" },
		{ "app set", "{\"app\":\"a\"}", &look, "403" },
		{ "app show", "{}", &one, "[\"app\",\"show\",\"--\",\"3\"]" },
		{ "app show", "{\"app\":\"3\"}", &one,
		    "[\"app\",\"show\",\"--\",\"3\"]" },
		{ "app show", "{\"app\":\"4\"}", &one, "403" },
		{ "app show", "{\"app\":3}", &one, "403" },
		{ "app show", "{\"app\":[\"3\",\"4\"]}", &one, "403" },
		{ "app show", "{\"app\":\"3\",\"app\":\"4\"}", &one, "403" },
		{ "app show", "{\"app\":\"\\u0033\"}", &one,
		    "[\"app\",\"show\",\"--\",\"3\"]" },
		{ "app show", "{\"app\":null}", &one, "403" },
		{ "app show", "{\"app\":\"a\",\"reveal\":true}", &all,
		    "[\"app\",\"show\",\"--reveal\",\"--\",\"a\"]" },
		{ "app show", "{\"app\":\"a\",\"reveal\":true}", &look, "403" },
		{ "app show", "{\"reveal\":true}", &one, "403" },
		{ "app show", "{\"app\":\"a\",\"reveal\":false}", &look,
		    "[\"app\",\"show\",\"--\",\"a\"]" },
		{ "tail", "{\"channel\":\"c\"}", &all, "400" },
		{ "tail", "{\"channel\":\"c\"}", &look_one,
		    "[\"tail\",\"--\",\"3\",\"c\"]" },
		{ "tail", "{\"limit\":5}", &look,
		    "[\"tail\",\"--limit=5\",\"--\"]" },
		{ "tail", "{\"limit\":\"--yes\"}", &look,
		    "[\"tail\",\"--limit=--yes\",\"--\"]" },
		{ "tail", "{\"limit\":true}", &look,
		    "[\"tail\",\"--limit=on\",\"--\"]" },
		{ "tail", "{\"yes\":1}", &look, "400" },
		{ "tail", "{\"yes=1\":true}", &look, "400" },
		{ "publish",
		    "{\"channel\":\"--yes\",\"event\":\"-j\",\"data\":\"\"}",
		    &one, "[\"publish\",\"--\",\"3\",\"--yes\",\"-j\",\"\"]" },
		{ "publish", "{}", &look_one, "403" },
		{ "publish", "{\"channel\":\"a\\u0000b\"}", &one, "400" },
		{ "publish", "{\"channel\":\"\\ud800\"}", &one, "400" },
		{ "publish", "{\"channel\":{\"a\":{}}}", &one, "400" },
		{ "kill", "{\"socket_id\":\"1.1\"}", &one,
		    "[\"kill\",\"--\",\"1.1\"]" },
		{ "kill", "{\"socket_id\":\"1.1\"}", &look_one, "403" },
		{ "kill", "{\"app\":\"4\"}", &one, "403" },
		{ "import", "{\"file\":\"-\"}", &all,
		    "[\"import\",\"--\",\"-\"]" },
		{ "import", "{\"file\":\"/etc/passwd\"}", &all, "400" },
		{ "import", "{\"file\":[\"-\",\"/etc/passwd\"]}", &all, "400" },
		{ "import", "{\"file\":\"-\",\"from\":\"/etc/x\"}", &all,
		    "400" },
	};

	for (size_t i = 0; i < nitems(t); i++) {
		char *got = words(t[i].verb, t[i].args, t[i].right);

		if (strcmp(got, t[i].want) != 0)
			fail_msg("%s %s: %s", t[i].verb, t[i].args, got);
		free(got);
	}
	assert_null(console_rule(rules, S("app")));
	assert_null(console_rule(rules, S("")));
	assert_null(console_rule(NULL, S("status")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_becomes_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
