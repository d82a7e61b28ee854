/* SPDX-License-Identifier: MIT */
/* import.c, soketi.c: soketi's apps, field by field. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/import/import.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define CREDS "\"id\":\"a\",\"key\":\"k\",\"secret\":\"0123456789abcdef\""

static const struct import_note *
find_note(const struct import_app *a, const char *field)
{
	size_t i;

	for (i = a->nnotes; i-- > 0;)
		if (strcmp(a->notes[i].field, field) == 0)
			return &a->notes[i];
	return NULL;
}

/* One member beside the credentials, and what becomes of it. */
static const struct {
	const char *name, *value;
	enum import_result result;
	const char *note; /* or a part of it, of an error */
} members[] = {
	{ "enabled", "true", IMPORT_MAPPED, "enabled=on" },
	{ "enabled", "0", IMPORT_MAPPED, "enabled=off" },
	{ "Enabled", "\"false\"", IMPORT_MAPPED, "enabled=off" },
	{ "enabled", "2", IMPORT_ERROR, "true or false" },
	{ "enabled", "[]", IMPORT_ERROR, "true or false" },
	{ "name", "\"B\\u00fcro\"", IMPORT_MAPPED, "name=B\xc3\xbcro" },
	{ "name", "\"a\\nb\"", IMPORT_ERROR, "control characters" },
	{ "name", "\"a\\u0000b\"", IMPORT_ERROR, "not a text" },
	{ "name", "\"\\ud800\"", IMPORT_ERROR, "not a text" },
	{ "enableClientMessages", "true", IMPORT_MAPPED, "client_events=on" },
	{ "enable_client_messages", "\"1\"", IMPORT_MAPPED,
	    "client_events=on" },
	{ "EnableClientMessages", "false", IMPORT_MAPPED, "client_events=off" },
	{ "enableClientMessages", "null", IMPORT_IGNORED,
	    "null: the default of pusherd stays" },
	{ "enableClientMessages", "\"yes\"", IMPORT_ERROR, "true or false" },
	{ "maxConnections", "-1", IMPORT_MAPPED, "max_connections=0" },
	{ "max_connections", "\"-1\"", IMPORT_MAPPED, "max_connections=0" },
	{ "maxConnections", "\"200\"", IMPORT_MAPPED, "max_connections=200" },
	{ "maxConnections", "4294967295", IMPORT_MAPPED,
	    "max_connections=4294967295" },
	{ "maxConnections", "4294967296", IMPORT_ERROR, "4294967295" },
	{ "maxConnections", "-2", IMPORT_ERROR, "max_connections" },
	{ "maxConnections", "1.5", IMPORT_ERROR, "max_connections" },
	{ "maxConnections", "1e3", IMPORT_ERROR, "max_connections" },
	{ "maxConnections", "true", IMPORT_ERROR, "must be a number" },
	{ "maxBackendEventsPerSecond", "100", IMPORT_MAPPED,
	    "max_backend_events_per_second=100" },
	{ "max_backend_events_per_sec", "-1", IMPORT_MAPPED,
	    "max_backend_events_per_second=0" },
	{ "maxClientEventsPerSecond", "-1", IMPORT_MAPPED,
	    "max_client_events_per_second=0" },
	{ "max_client_events_per_sec", "1000001", IMPORT_ERROR, "1000000" },
	{ "max_read_req_per_sec", "5", IMPORT_MAPPED,
	    "max_read_requests_per_second=5" },
	{ "maxPresenceMembersPerChannel", "50", IMPORT_MAPPED,
	    "max_presence_members=50" },
	{ "maxPresenceMembersPerChannel", "-1", IMPORT_ERROR,
	    "max_presence_members" },
	{ "maxPresenceMembersPerChannel", "0", IMPORT_ERROR,
	    "max_presence_members" },
	{ "maxPresenceMemberSizeInKb", "2", IMPORT_MAPPED,
	    "max_presence_member_bytes=2048" },
	{ "maxPresenceMemberSizeInKb", "\"0.5\"", IMPORT_MAPPED,
	    "max_presence_member_bytes=512" },
	{ "maxPresenceMemberSizeInKb", "0.0001", IMPORT_ERROR,
	    "max_presence_member_bytes" },
	{ "maxEventPayloadInKb", "100", IMPORT_MAPPED,
	    "max_event_bytes=102400" },
	{ "maxEventPayloadInKb", "1024", IMPORT_MAPPED,
	    "max_event_bytes=1048576" },
	{ "maxEventPayloadInKb", "1025", IMPORT_ERROR, "1048576" },
	{ "maxEventPayloadInKb", "1e300", IMPORT_ERROR, "must be a number" },
	{ "maxEventPayloadInKb", "\"inf\"", IMPORT_ERROR, "must be a number" },
	{ "maxEventPayloadInKb", "\"0x10\"", IMPORT_ERROR, "must be a number" },
	{ "maxEventPayloadInKb", "\"\"", IMPORT_ERROR, "must be a number" },
	{ "maxChannelNameLength", "200", IMPORT_MAPPED,
	    "max_channel_name_length=200" },
	{ "maxChannelNameLength", "201", IMPORT_ERROR, "200" },
	{ "maxEventChannelsAtOnce", "100", IMPORT_MAPPED,
	    "max_event_channels=100" },
	{ "maxEventNameLength", "200", IMPORT_MAPPED,
	    "max_event_name_length=200" },
	{ "maxEventBatchSize", "10", IMPORT_MAPPED, "max_batch_events=10" },
	{ "enableUserAuthentication", "false", IMPORT_IGNORED,
	    "users may always sign in" },
	{ "webhooks", "[]", IMPORT_IGNORED, "there are none" },
	{ "webhooks", "\"[]\"", IMPORT_IGNORED, "there are none" },
	{ "webhooks", "\"\"", IMPORT_IGNORED, "there are none" },
	{ "webhooks", "{}", IMPORT_ERROR, "a list of objects with url" },
	{ "webhooks", "\"[{\"", IMPORT_ERROR, "a list of objects with url" },
	{ "webhooks", "7", IMPORT_ERROR, "a list of objects with url" },
	{ "hasSomething", "1", IMPORT_IGNORED,
	    "no such field in soketi, or not used by it" },
	{ "MAXCONNECTIONS", "1", IMPORT_IGNORED,
	    "no such field in soketi, or not used by it" },
	{ "", "1", IMPORT_IGNORED,
	    "no such field in soketi, or not used by it" },
};

static void
each_field(void **state)
{
	const struct import_note *n;
	struct import im;
	char *text, *why = NULL;
	size_t i;

	for (i = 0; i < nitems(members); i++) {
		text = xasprintf("[{" CREDS ",\"%s\":%s}]", members[i].name,
		    members[i].value);
		assert_int_equal(import_soketi(str_of(text), &im, &why), 0);
		assert_int_equal(im.napps, 1);
		n = find_note(&im.apps[0], members[i].name);
		assert_non_null(n);
		if (n->result != members[i].result)
			fail_msg("%s: %s", text, n->note);
		if (n->result == IMPORT_ERROR)
			assert_non_null(strstr(n->note, members[i].note));
		else
			assert_string_equal(n->note, members[i].note);
		assert_int_equal(im.nerrors, n->result == IMPORT_ERROR);
		import_clear(&im);
		free(text);
	}
}

#define HOOK "\"url\":\"https://a.b/c\""

/* One webhook, the last note about it, and how many are taken. */
static const struct {
	const char *text, *field;
	enum import_result result;
	const char *note; /* a part of it */
	size_t taken;
} hooks[] = {
	{ "{" HOOK "}", "webhooks[0]", IMPORT_MAPPED,
	    "webhook=https://a.b/c events=all", 1 },
	{ "{" HOOK ",\"event_types\":[\"member_added\",\"cache_miss\"],"
	  "\"filter\":{\"channel_name_starts_with\":\"p-\","
	  "\"channel_name_ends_with\":\"-s\"},"
	  "\"headers\":{\"X-A\":\"hidden\",\"X-B\":2}}",
	    "webhooks[0]", IMPORT_MAPPED,
	    "webhook=https://a.b/c events=member_added,cache_miss "
	    "channel-prefix=p- channel-suffix=-s headers=X-A,X-B",
	    1 },
	{ "{" HOOK ",\"filter\":null,\"headers\":{}}", "webhooks[0]",
	    IMPORT_MAPPED, "events=all", 1 },
	{ "{" HOOK ",\"event_types\":[\"other\",\"\",\",\",7,"
	  "\"member_added\"]}",
	    "webhooks[0]", IMPORT_MAPPED, "events=member_added", 1 },
	{ "{" HOOK ",\"event_types\":[\"other\"]}", "webhooks[0].event_types",
	    IMPORT_IGNORED, "asks for no event: the webhook is omitted", 0 },
	{ "{" HOOK ",\"event_types\":[]}", "webhooks[0].event_types",
	    IMPORT_IGNORED, "asks for no event", 0 },
	{ "{" HOOK ",\"event_types\":\"x\"}", "webhooks[0].event_types",
	    IMPORT_ERROR, "a list of names", 0 },
	{ "{" HOOK ",\"filter\":{\"channel_pattern\":\"^a\"}}",
	    "webhooks[0].channel_pattern", IMPORT_IGNORED, "omitted", 0 },
	{ "{" HOOK ",\"filter\":{\"foo\":1}}", "webhooks[0].foo",
	    IMPORT_IGNORED, "omitted", 0 },
	{ "{" HOOK ",\"filter\":[]}", "webhooks[0].filter", IMPORT_ERROR,
	    "an object", 0 },
	{ "{" HOOK ",\"headers\":{\"Content-Type\":\"hidden\"}}",
	    "webhooks[0].headers", IMPORT_IGNORED,
	    "the header \"Content-Type\" is one that pusherd sets itself", 1 },
	{ "{" HOOK ",\"headers\":{\"X\":\"hidden\\r\\nY: z\"}}",
	    "webhooks[0].headers", IMPORT_IGNORED, "control or non-ASCII", 1 },
	{ "{" HOOK ",\"retry\":{\"max\":1}}", "webhooks[0].retry",
	    IMPORT_IGNORED, "pusherd has no counterpart", 1 },
	{ "{\"lambda_function\":\"f\",\"event_types\":[\"member_added\"]}",
	    "webhooks[0].lambda_function", IMPORT_IGNORED, "AWS Lambda", 0 },
	{ "{\"url\":\"ftp://a\"}", "webhooks[0].url", IMPORT_ERROR,
	    "must begin with http", 0 },
	{ "{\"url\":1}", "webhooks[0].url", IMPORT_ERROR, "must begin", 0 },
	{ "{\"url\":[]}", "webhooks[0].url", IMPORT_ERROR, "a text", 0 },
	{ "{}", "webhooks[0]", IMPORT_ERROR, "url is missing", 0 },
	{ "7", "webhooks[0]", IMPORT_ERROR, "an object with url", 0 },
	{ "{" HOOK "},{" HOOK "}", "webhooks[1]", IMPORT_IGNORED,
	    "has the same one already", 1 },
};

static void
c10_each_webhook(void **state)
{
	const struct import_note *n;
	struct import im;
	char *text, *why = NULL;

	for (size_t i = 0; i < nitems(hooks); i++) {
		text =
		    xasprintf("[{" CREDS ",\"webhooks\":[%s]}]", hooks[i].text);
		assert_int_equal(import_soketi(str_of(text), &im, &why), 0);
		n = find_note(&im.apps[0], hooks[i].field);
		if (n == NULL || n->result != hooks[i].result ||
		    strstr(n->note, hooks[i].note) == NULL)
			fail_msg("%s: %s", text, n == NULL ? "-" : n->note);
		assert_int_equal(
		    im.napps > 0 ? im.apps[0].nhooks : 0, hooks[i].taken);
		assert_int_equal(
		    im.nerrors > 0, hooks[i].result == IMPORT_ERROR);
		for (size_t k = 0; k < im.apps[0].nnotes; k++) {
			n = &im.apps[0].notes[k];
			assert_null(strstr(n->note, "hidden"));
			assert_null(strstr(n->value, "hidden"));
		}
		import_clear(&im);
		free(text);
	}
}

static void
a_whole_app(void **state)
{
	static const char text[] =
	    "{\"port\":6001,\"appManager.array.apps\":[{" CREDS
	    ",\"maxConnections\":7,\"enabled\":false,"
	    "\"enableClientMessages\":true,\"maxEventPayloadInKb\":20}]}";
	const struct import_note *n;
	const struct app *a;
	struct import im;
	char *why = NULL;

	assert_int_equal(import_soketi(str_of(text), &im, &why), 0);
	assert_int_equal(im.nerrors, 0);
	a = &im.apps[0].app;
	assert_string_equal(a->id, "a");
	assert_string_equal(a->key, "k");
	assert_string_equal(a->secret, "0123456789abcdef");
	assert_string_equal(a->name, "");
	assert_int_equal(a->enabled, 0);
	assert_int_equal(a->client_events, 1);
	assert_int_equal(a->max_connections, 7);
	assert_int_equal(a->max_event_bytes, 20480);
	assert_int_equal(a->max_batch_events, 10);
	/* A secret is never shown whole. */
	n = find_note(&im.apps[0], "secret");
	assert_non_null(n);
	assert_string_equal(n->value, "0123\xe2\x80\xa6");
	assert_string_equal(n->note, "secret=0123\xe2\x80\xa6");
	/* Values that soketi does not limit, and we do. */
	n = find_note(&im.apps[0], "maxClientEventsPerSecond");
	assert_non_null(n);
	assert_int_equal(n->result, IMPORT_DEFAULT);
	assert_string_equal(
	    n->note, "max_client_events_per_second=10 (soketi: no limit)");
	import_clear(&im);
}

static void
credentials(void **state)
{
	static const struct {
		const char *text;
		size_t errors;
	} t[] = {
		{ "[{" CREDS "}]", 0 },
		{ "[{\"AppId\":1,\"AppKey\":2,\"AppSecret\":\"s\"}]", 0 },
		{ "[{}]", 3 },
		{ "[1]", 1 },
		{ "[[],{}]", 4 },
		{ "[{\"id\":null,\"key\":\"k\",\"secret\":\"s\"}]", 1 },
		{ "[{\"id\":\"a/b\",\"key\":\"k\",\"secret\":\"s\"}]", 1 },
		{ "[{\"id\":\"a\",\"key\":\"k:k\",\"secret\":\"s\"}]", 1 },
		{ "[{\"id\":\"\",\"key\":\"\",\"secret\":\"\"}]", 3 },
		{ "[{\"id\":{},\"key\":[],\"secret\":true}]", 3 },
		/* One field under two spellings, and twice. */
		{ "[{" CREDS ",\"AppId\":\"b\"}]", 1 },
		{ "[{" CREDS ",\"key\":\"l\"}]", 1 },
		/* Apps of one file that have the same id, key, both. */
		{ "[{" CREDS "},{\"id\":\"a\",\"key\":\"l\",\"secret\":\"s\"}]",
		    1 },
		{ "[{" CREDS "},{\"id\":\"b\",\"key\":\"k\",\"secret\":\"s\"}]",
		    1 },
		{ "[{" CREDS "},{" CREDS "}]", 1 },
	};
	struct import im;
	char *why = NULL;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		assert_int_equal(
		    import_soketi(str_of(t[i].text), &im, &why), 0);
		if (im.nerrors != t[i].errors)
			fail_msg("%s: %zu errors", t[i].text, im.nerrors);
		import_clear(&im);
	}
}

static void
texts(void **state)
{
	static const struct {
		const char *text;
		int result;
		size_t apps;
	} t[] = {
		{ "[]", 0, 0 },
		{ "{\"appManager\":{\"array\":{\"apps\":[{" CREDS "}]}}}", 0,
		    1 },
		{ "{\"apps\":[{" CREDS "}]}", 0, 1 },
		{ "", -1, 0 },
		{ "[", -1, 0 },
		{ "[{" CREDS "}", -1, 0 },
		{ "{}", -1, 0 },
		{ "\"apps\"", -1, 0 },
		{ "{\"apps\":{}}", -1, 0 },
		{ "{\"appManager\":[]}", -1, 0 },
	};
	struct import im;
	char *why;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		why = NULL;
		assert_int_equal(
		    import_soketi(str_of(t[i].text), &im, &why), t[i].result);
		if (t[i].result == 0) {
			assert_int_equal(im.napps, t[i].apps);
			import_clear(&im);
		} else {
			assert_non_null(why);
		}
		free(why);
	}
}

static void
too_many(void **state)
{
	size_t napps = 10001, i;
	char *text = xmalloc(napps * 3 + 3), *p = text, *why = NULL;
	struct import im;

	*p++ = '[';
	for (i = 0; i < napps; i++) {
		*p++ = '1';
		*p++ = ',';
	}
	p[-1] = ']';
	assert_int_equal(
	    import_soketi(str_make(text, (size_t)(p - text)), &im, &why), -1);
	assert_string_equal(why, "more than 10000 apps");
	assert_int_equal(im.napps, 0);
	free(why);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field),
		cmocka_unit_test(c10_each_webhook),
		cmocka_unit_test(a_whole_app),
		cmocka_unit_test(credentials),
		cmocka_unit_test(texts),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
