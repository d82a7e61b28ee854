/* SPDX-License-Identifier: MIT */
/* reply_test.c: answers that Redis gives, and some that it does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "broker/cluster/reply.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define AFTER "20-3"

/*
 * The answer in short: a word is a text, "'" an empty one, "#7" a number, "_"
 * nothing, "+" a status, "-" an error, "[ a b ]" an array.
 */
static const char *
put(char **wire, const char *p)
{
	char *inner = xstrdup(""), *old = *wire;
	size_t n = 0, len;

	p += strspn(p, " ");
	len = strcspn(p, " ");
	if (*p == '[') {
		for (p++; p[strspn(p, " ")] != ']'; n++)
			p = put(&inner, p);
		*wire = xasprintf("%s*%zu\r\n%s", old, n, inner);
		p += strspn(p, " ") + 1;
	} else {
		if (*p == '#')
			*wire =
			    xasprintf("%s:%.*s\r\n", old, (int)len - 1, p + 1);
		else if (*p == '_')
			*wire = xasprintf("%s*-1\r\n", old);
		else if (len == 1 && (*p == '+' || *p == '-'))
			*wire = xasprintf("%s%cOK\r\n", old, *p);
		else if (*p == '\'')
			*wire = xasprintf("%s$0\r\n\r\n", old);
		else
			*wire = xasprintf(
			    "%s$%zu\r\n%.*s\r\n", old, len, (int)len, p);
		p += len;
	}
	free(inner);
	free(old);
	return p;
}

static bool
is_valid(enum engine_call call, const char *text)
{
	redisReader *reader = redisReaderCreate();
	char *wire = xstrdup("");
	void *r = NULL;
	bool valid;

	put(&wire, text);
	assert_int_equal(redisReaderFeed(reader, wire, strlen(wire)), REDIS_OK);
	assert_int_equal(redisReaderGetReply(reader, &r), REDIS_OK);
	assert_non_null(r);
	valid = reply_is_valid(call, r, AFTER);
	freeReplyObject(r);
	redisReaderFree(reader);
	free(wire);
	return valid;
}

struct answer {
	enum engine_call call;
	const char *text;
};

static void
redis_gives_these(void **state)
{
	static const struct answer v[] = {
		{ ENGINE_JOIN, "[ ok 5-0 7 ' ' ab ' ]" },
		{ ENGINE_JOIN, "[ ok 5-0 7 4-1 6 ab logs b 00ff c 01 ]" },
		{ ENGINE_JOIN, "[ taken host:1 ]" },
		{ ENGINE_JOIN, "[ format 12 ]" },
		{ ENGINE_JOIN, "-" },
		{ ENGINE_BEAT, "[ ok 7 kept ab a 5999 ]" },
		{ ENGINE_BEAT, "[ ok 7 lost ' a 5999 b -2 ]" },
		{ ENGINE_BEAT, "[ fenced 0 kept ]" },
		{ ENGINE_SEND, "ok" },
		{ ENGINE_SEND, "known" },
		{ ENGINE_SEND, "fenced" },
		{ ENGINE_WAIT, "#0" },
		{ ENGINE_LEAVE, "ok" },
		{ ENGINE_LEAVE, "fenced" },
		{ ENGINE_APPS, "[ 7 ' ' ]" },
		{ ENGINE_APPS, "[ 7 ' ' 42 {} 43 ' ]" },
		{ ENGINE_APPS, "[ 7 42 {} ]" },
		{ ENGINE_APP_SET, "0" },
		{ ENGINE_APP_SET, "fenced" },
		{ ENGINE_STORE, "+" },
		{ ENGINE_STORED, "[ 99 ' ]" },
		{ ENGINE_READ, "_" },
		{ ENGINE_READ, "[ [ s [ ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ 20-4 [ n 1 ] ] [ 21-0 [ ] ] ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ 20-4 _ ] ] ] ]" }, /* a stranger's */
		{ ENGINE_READ, "-" },
		{ ENGINE_LOGIN, "+" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(v); i++)
		if (!is_valid(v[i].call, v[i].text))
			fail_msg("%s", v[i].text);
}

static void
redis_does_not_give_these(void **state)
{
	static const struct answer v[] = {
		{ ENGINE_JOIN, "[ ]" },
		{ ENGINE_JOIN, "_" },
		{ ENGINE_JOIN, "ok" },
		{ ENGINE_JOIN, "[ ok ]" },
		{ ENGINE_JOIN, "[ taken ]" },
		{ ENGINE_JOIN, "[ no 1 ]" },
		{ ENGINE_JOIN, "[ ok 5-0 0 ' ' ab ' ]" },
		{ ENGINE_JOIN, "[ ok 5 7 ' ' ab ' ]" },
		{ ENGINE_JOIN, "[ ok x-0 7 ' ' ab ' ]" },
		{ ENGINE_JOIN, "[ ok 5-0 7 4-1 ' ab ' ]" },
		{ ENGINE_JOIN, "[ ok 5-0 7 ' 6 ab ' ]" },
		{ ENGINE_JOIN, "[ ok 5-0 7 ' ' ab ' b ]" },
		{ ENGINE_JOIN, "[ ok 5-0 7 ' ' ab #1 ]" },
		{ ENGINE_BEAT, "[ ]" },
		{ ENGINE_BEAT, "#1" },
		{ ENGINE_BEAT, "[ ok 7 kept ]" },
		{ ENGINE_BEAT, "[ ok ' kept ab ]" },
		{ ENGINE_BEAT, "[ ok -7 kept ab ]" },
		{ ENGINE_BEAT, "[ ok 7 no ab ]" },
		{ ENGINE_BEAT, "[ no 7 kept ab ]" },
		{ ENGINE_BEAT, "[ ok 7 kept ab a ]" },
		{ ENGINE_BEAT, "[ ok 7 kept ab [ ] 1 ]" },
		{ ENGINE_SEND, "+" },
		{ ENGINE_SEND, "[ ok ]" },
		{ ENGINE_SEND, "_" },
		{ ENGINE_WAIT, "0" },
		{ ENGINE_WAIT, "#-1" },
		{ ENGINE_LEAVE, "#1" },
		{ ENGINE_APPS, "[ ]" },
		{ ENGINE_APPS, "[ x ' ' ]" },
		{ ENGINE_APPS, "[ 7 42 ]" },
		{ ENGINE_APPS, "[ 7 42 _ ]" },
		{ ENGINE_APP_SET, "no" },
		{ ENGINE_APP_SET, "[ 1 ]" },
		{ ENGINE_STORE, "#1" },
		{ ENGINE_STORED, "[ 99 ]" },
		{ ENGINE_STORED, "[ x ' ]" },
		{ ENGINE_STORED, "99" },
		{ ENGINE_READ, "[ ]" },
		{ ENGINE_READ, "s" },
		{ ENGINE_READ, "[ s ]" },
		{ ENGINE_READ, "[ [ s ] ]" },
		{ ENGINE_READ, "[ [ s x ] ]" },
		{ ENGINE_READ, "[ [ s [ ] ] [ t [ ] ] ]" },
		{ ENGINE_READ, "[ [ s [ 20-4 ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ 20-4 ] ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ x [ ] ] ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ #20 [ ] ] ] ] ]" },
		/* not behind the one before */
		{ ENGINE_READ, "[ [ s [ [ 20-3 [ ] ] ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ 19-9 [ ] ] ] ] ]" },
		{ ENGINE_READ, "[ [ s [ [ 20-4 [ ] ] [ 20-4 [ ] ] ] ] ]" },
	};

	(void)state;
	for (size_t i = 0; i < nitems(v); i++)
		if (is_valid(v[i].call, v[i].text))
			fail_msg("%s", v[i].text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_gives_these),
		cmocka_unit_test(redis_does_not_give_these),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
