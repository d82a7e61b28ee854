/* SPDX-License-Identifier: MIT */
/* info.c: lists of attributes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "shared/ipc/ipc_msg.h"
#include "worker/api/info.h"

static void
test_info(void **state)
{
	static const struct {
		const char *list;
		int result;
		uint32_t info;
		const char *unknown;
	} infos[] = {
		{ "", 0, 0, NULL },
		{ "user_count", 0, INFO_USER_COUNT, NULL },
		{ "user_count,subscription_count,cache", 0, 7, NULL },
		{ " cache , ,user_count", 0, INFO_CACHE | INFO_USER_COUNT,
		    NULL },
		{ "cache,cache", 0, INFO_CACHE, NULL },
		{ "cache,User_count", -1, INFO_CACHE, "User_count" },
		{ "user_counts", -1, 0, "user_counts" },
	};

	for (size_t i = 0; i < nitems(infos); i++) {
		uint32_t info = 0;
		struct str unknown = S("");

		assert_int_equal(
		    api_info_add(str_of(infos[i].list), &info, &unknown),
		    infos[i].result);
		assert_int_equal(info, infos[i].info);
		if (infos[i].unknown != NULL)
			assert_true(str_eq(unknown, str_of(infos[i].unknown)));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
