/* SPDX-License-Identifier: MIT */
/* The sentences for names and sizes of events. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/pusher/event_rules.h"

static void
each_names_limit_value_and_setting(void **state)
{
	struct event_rule r;

	assert_null(event_rule_channel(&r, S("a@b"), 3, 8));
	assert_null(event_rule_channel(&r, S("#server-to-user-u"), 3, 8));
	assert_null(event_rule_name(&r, S("\xc3\xa4\xc3\xa4"), 2));
	assert_null(event_rule_length(&r, S("pusher:x"), 8));
	assert_null(event_rule_data(&r, 7, 7));
	assert_string_equal(event_rule_channel(&r, S("abcd"), 3, 8),
	    "a channel name is 1 to 3 (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ; (this one has 4)");
	assert_string_equal(event_rule_channel(&r, S("a:b"), 3, 8),
	    "a channel name is 1 to 3 (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ; (this one has \":\")");
	/* Neither control characters nor parts of UTF-8. */
	assert_string_equal(event_rule_channel(&r, S("a\n"), 3, 8),
	    "a channel name is 1 to 3 (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ;");
	assert_string_equal(event_rule_channel(&r, S("\xc3\xa4"), 3, 8),
	    "a channel name is 1 to 3 (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ;");
	assert_string_equal(
	    event_rule_channel(&r, S("#server-to-user-u"), 20, 0),
	    "a channel name is 1 to 20 (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ; (this one has \"#\")");
	assert_string_equal(event_rule_user(&r, S("abc"), 2),
	    "the id of a user is 1 to 2 (max_user_id_length) characters of "
	    "UTF-8 without control characters; this one is too long (3)");
	assert_string_equal(event_rule_name(&r, S("abc"), 2),
	    "the name of an event is 1 to 2 (max_event_name_length) "
	    "characters; this one has 3");
	assert_non_null(strstr(
	    event_rule_name(&r, S("pusher_internal:x"), 99), "begins with"));
	assert_string_equal(event_rule_data(&r, 8, 7),
	    "data has 8 bytes: at most 7 (max_event_bytes)");
	/* The longest of them fits. */
	assert_non_null(strstr(event_rule_user(&r, S("\377"), UINT32_MAX),
	    "this one is not valid UTF-8"));
	assert_non_null(
	    strstr(event_rule_channel(&r, S(""), UINT32_MAX, 0), "has 0"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_names_limit_value_and_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
