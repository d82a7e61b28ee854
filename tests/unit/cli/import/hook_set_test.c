/* SPDX-License-Identifier: MIT */
/* hook_set.c: equal webhooks of the same app are found, others are not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/import/hook_set.h"
#include "shared/base/base.h"

static struct webhook
hook(uint32_t app, const char *url)
{
	struct webhook h;
	char *why;

	webhook_init(&h);
	h.app = app;
	assert_int_equal(webhook_set(&h, "url", url, &why), 0);
	return h;
}

static void
set(struct webhook *h, const char *option, const char *value)
{
	char *why;

	assert_int_equal(webhook_set(h, option, value, &why), 0);
}

static void
finds(void **state)
{
	static const char *const differ[][2] = { { "events", "client_event" },
		{ "channel-prefix", "a" }, { "channel-suffix", "a" },
		{ "channel-glob", "a*" }, { "headers", "X-A: b" } };
	struct hook_set s = { 0 };
	struct webhook h = hook(1, "https://h.example/a");

	assert_false(hook_set_has(&s, &h));
	hook_set_add(&s, &h);
	assert_true(hook_set_has(&s, &h));
	h.app = 2;
	assert_false(hook_set_has(&s, &h));
	h.app = 1;
	h.num = 7; /* a row of the database has one */
	assert_true(hook_set_has(&s, &h));
	set(&h, "url", "https://h.example/b");
	assert_false(hook_set_has(&s, &h));
	webhook_clear(&h);
	for (size_t i = 0; i < nitems(differ); i++) {
		h = hook(1, "https://h.example/a");
		set(&h, differ[i][0], differ[i][1]);
		assert_false(hook_set_has(&s, &h));
		hook_set_add(&s, &h);
		assert_true(hook_set_has(&s, &h));
		webhook_clear(&h);
	}
	hook_set_clear(&s);
	h = hook(1, "https://h.example/a");
	assert_false(hook_set_has(&s, &h));
	webhook_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
