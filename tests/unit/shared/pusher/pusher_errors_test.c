/* SPDX-License-Identifier: MIT */
/* pusher_errors.def against the vectors close_code. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/net/ws_frame.h"
#include "shared/pusher/pusher_errors.h"
#include "tests/unit/shared/vectors.h"

/* The reaction of pusher-js in the vector, in our words. */
static enum pusher_reaction
reaction_of(struct str action)
{
	if (str_eq(action, S("pusher-js retries over TLS only")))
		return PUSHER_CLIENTS_TLS;
	if (str_eq(action, S("backoff")))
		return PUSHER_CLIENTS_BACKOFF;
	if (str_eq(action, S("retry")))
		return PUSHER_CLIENTS_NOW;
	assert_true(str_starts(action, S("refused")) ||
	    str_eq(action, S("same as 4301")));
	return PUSHER_CLIENTS_STAY;
}

static void
close_code_vectors(void **state)
{
	const struct pusher_error_info *info;
	struct vectors vs;
	struct json v;
	struct str action;
	unsigned n = 0, ours = 0;
	uint64_t code;
	char *mem;

	vectors_open(&vs);
	for (; vectors_next(&vs, "close_code", &v); n++) {
		assert_int_equal(
		    json_u64(json_get(json_get(v, S("input")), S("code")),
			UINT32_MAX, &code),
		    0);
		info = pusher_error_find((unsigned)code);
		if (code < 4000) {
			/* Those of RFC 6455 are not in the list. */
			assert_null(info);
			continue;
		}
		assert_non_null(info);
		ours++;
		action = vector_text(
		    json_get(v, S("expect")), "pusher_js_action", &mem);
		assert_int_equal(info->clients, reaction_of(action));
		free(mem);
		/* 4301 and 4302 are said, never closed with. */
		assert_int_equal(info->closes, code < 4300);
	}
	vectors_close(&vs);
	assert_int_equal(n, 22);
	assert_int_equal(ours, 15);
}

/* The class of a code decides what clients do (protocol 7, ranges). */
static void
codes_are_in_their_class(void **state)
{
	const struct pusher_error_info *info;
	unsigned code, n = 0;

	for (code = 0; code < 6000; code++) {
		if ((info = pusher_error_find(code)) == NULL) {
			assert_int_equal(pusher_error_text(code).n, 0);
			continue;
		}
		n++;
		assert_int_equal(info->code, code);
		assert_true(ws_close_code_is_valid(code));
		assert_true(info->text.n > 0 && info->text.n <= 123);
		assert_true(str_eq(pusher_error_text(code), info->text));
		if (code == 4000)
			assert_int_equal(info->clients, PUSHER_CLIENTS_TLS);
		else if (code < 4100 || code >= 4300)
			assert_int_equal(info->clients, PUSHER_CLIENTS_STAY);
		else if (code < 4200)
			assert_int_equal(info->clients, PUSHER_CLIENTS_BACKOFF);
		else
			assert_int_equal(info->clients, PUSHER_CLIENTS_NOW);
	}
	assert_int_equal(n, 15);
	assert_int_equal(PUSHER_APP_UNKNOWN, 4001);
	assert_int_equal(PUSHER_CLIENT_EVENT_RATE, 4301);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_code_vectors),
		cmocka_unit_test(codes_are_in_their_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
