/* SPDX-License-Identifier: MIT */
/* registry.c: channels, their counts by slot, lists of them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "broker/channel/registry.h"

static void
assert_name(const struct registry *r, const struct channel *c, const char *want)
{
	struct str name = registry_name(r, c);

	if (!str_eq(name, str_of(want)))
		fail_msg("%.*s is not %s", STR_ARG(name), want);
}

static void
a_channel_is_found_by_app_and_name(void **state)
{
	struct registry r;
	struct channel *a, *b;

	(void)state;
	registry_init(&r, 3, NULL);
	assert_null(registry_find(&r, 1, S("room")));
	a = registry_get(&r, 1, S("room"));
	b = registry_get(&r, 2, S("room"));
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(registry_get(&r, 1, S("room")), a);
	assert_ptr_equal(registry_find(&r, 2, S("room")), b);
	assert_null(registry_find(&r, 1, S("roo")));
	assert_null(registry_find(&r, 1, S("Room")));
	assert_name(&r, a, "room");
	registry_release(&r, a);
	registry_release(&r, b);
	assert_int_equal(r.channels.n, 0);
	assert_int_equal(r.apps.n, 0);
	registry_clear(&r);
}

static void
the_mask_says_which_slots_count(void **state)
{
	struct registry r;
	struct channel *c;

	(void)state;
	registry_init(&r, PROC_MAX_WORKERS, NULL);
	c = registry_get(&r, 1, S("room"));
	registry_enter(&r, c, 0);
	registry_enter(&r, c, 63);
	registry_enter(&r, c, 63);
	assert_true(c->slots == (UINT64_C(1) << 63 | 1));
	assert_int_equal(c->total, 3);
	assert_int_equal(r.nsubs[63], 2);
	assert_int_equal(r.noccupied, 1);
	assert_int_equal(registry_leave(&r, c, 5), -1);
	assert_int_equal(registry_leave(&r, c, 0), 0);
	assert_int_equal(registry_leave(&r, c, 0), -1);
	assert_true(c->slots == UINT64_C(1) << 63);
	registry_release(&r, c); /* still in use */
	assert_int_equal(registry_drop(&r, c, 63), 2);
	assert_int_equal(registry_drop(&r, c, 63), 0);
	assert_true(c->slots == 0 && c->total == 0);
	assert_int_equal(r.nsubs[63], 0);
	assert_int_equal(r.noccupied, 0);
	registry_release(&r, c);
	assert_int_equal(r.channels.n, 0);
	registry_clear(&r);
}

static void
anything_else_keeps_a_channel(void **state)
{
	struct registry r;
	struct channel *c;
	char thing;

	(void)state;
	registry_init(&r, 1, NULL);
	c = registry_get(&r, 1, S("cache-a"));
	c->cached = (void *)&thing;
	registry_release(&r, c);
	assert_ptr_equal(registry_find(&r, 1, S("cache-a")), c);
	assert_int_equal(r.noccupied, 0);
	c->cached = NULL;
	c->presence = (void *)&thing;
	registry_release(&r, c);
	c->presence = NULL;
	c->count_due = (void *)&thing;
	registry_release(&r, c);
	c->count_due = NULL;
	assert_int_equal(r.channels.n, 1);
	registry_release(&r, c);
	assert_int_equal(r.channels.n, 0);
	registry_clear(&r);
}

static void
hidden_channels_are_in_no_list(void **state)
{
	struct registry r;
	struct registry_cursor cur;
	struct channel *c;

	(void)state;
	registry_init(&r, 1, NULL);
	c = registry_get(&r, 1, S("#server-to-user-ada"));
	registry_enter(&r, c, 0);
	assert_true(c->hidden);
	assert_true(c->slots == 1);
	assert_int_equal(r.noccupied, 0);
	assert_int_equal(r.nsubs[0], 0);
	registry_cursor_open(&cur, registry_app_find(&r, 1));
	assert_null(registry_cursor_next(&cur));
	registry_cursor_close(&r, &cur);
	registry_leave(&r, c, 0);
	registry_release(&r, c);
	registry_clear(&r);
}

static struct channel *
enter(struct registry *r, uint32_t app, const char *name)
{
	struct channel *c = registry_get(r, app, str_of(name));

	registry_enter(r, c, 0);
	return c;
}

static void
leave(struct registry *r, struct channel *c)
{
	assert_int_equal(registry_leave(r, c, 0), 0);
	registry_release(r, c);
}

static void
a_cursor_survives_changes(void **state)
{
	struct registry r;
	struct registry_cursor cur, other;
	struct channel *a, *b, *c, *d;

	(void)state;
	registry_init(&r, 1, NULL);
	a = enter(&r, 1, "a");
	b = enter(&r, 1, "b");
	c = enter(&r, 1, "c");
	enter(&r, 2, "x");
	registry_cursor_open(&cur, registry_app_find(&r, 1));
	registry_cursor_open(&other, registry_app_find(&r, 1));
	assert_ptr_equal(registry_cursor_next(&cur), a);
	leave(&r, b); /* the next one */
	leave(&r, a); /* the last one seen */
	d = enter(&r, 1, "d");
	assert_ptr_equal(registry_cursor_next(&cur), c);
	assert_ptr_equal(registry_cursor_next(&cur), d);
	assert_null(registry_cursor_next(&cur));
	assert_ptr_equal(registry_cursor_next(&other), c);
	leave(&r, c);
	leave(&r, d); /* the app's last channel */
	assert_null(registry_cursor_next(&other));
	assert_non_null(registry_app_find(&r, 1));
	registry_cursor_close(&r, &cur);
	registry_cursor_close(&r, &other);
	assert_null(registry_app_find(&r, 1));
	registry_cursor_open(&cur, NULL);
	assert_null(registry_cursor_next(&cur));
	registry_cursor_close(&r, &cur);
	leave(&r, registry_find(&r, 2, S("x")));
	registry_clear(&r);
}

static void
many_channels(void **state)
{
	enum { N = 20000 };
	struct registry r;
	struct registry_cursor cur;
	char name[32];
	size_t n = 0;

	(void)state;
	registry_init(&r, 2, NULL);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "room-%d", i);
		enter(&r, 1, name);
	}
	assert_int_equal(r.noccupied, N);
	registry_cursor_open(&cur, registry_app_find(&r, 1));
	while (registry_cursor_next(&cur) != NULL)
		n++;
	registry_cursor_close(&r, &cur);
	assert_int_equal(n, N);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "room-%d", i);
		leave(&r, registry_find(&r, 1, str_of(name)));
	}
	assert_int_equal(r.channels.n, 0);
	registry_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_channel_is_found_by_app_and_name),
		cmocka_unit_test(the_mask_says_which_slots_count),
		cmocka_unit_test(anything_else_keeps_a_channel),
		cmocka_unit_test(hidden_channels_are_in_no_list),
		cmocka_unit_test(a_cursor_survives_changes),
		cmocka_unit_test(many_channels),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
