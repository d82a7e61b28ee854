/* SPDX-License-Identifier: MIT */
/* How the path of an upgrade names an app and a session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "shared/base/base.h"
#include "worker/session/session.h"

static void
the_forms_of_a_path(void **state)
{
	static const struct {
		const char *path, *key, *id; /* NULL: none */
	} rows[] = {
		{ "/app/k", "k", NULL },
		{ "/app//k", "k", NULL },
		{ "/app/a%62c", "abc", NULL },
		{ "/app/resume/0123/app/k", "k", "0123" },
		{ "/app/resume/0123//app/k", "k", "0123" },
		{ "/resume/0123/app/k", "k", "0123" },
		{ "/app/k;resume=0123", "k", "0123" },
		{ "/app/k%3Bresume=0123", "k", "0123" },
		{ "/app/k;resume=", "k", "" },
		{ "/app/resume/1/app/k;resume=2", "k", "1" },
		{ "/app/resume//app/k", "k", "" },
		{ "/app/resume/a/b/app/k", "k", "a/b" },
		{ "/app/resume/app/app/k", "k", "app" },
		{ "/app/resume", "resume", NULL },
		{ "/app/resume/k", NULL, NULL },
		{ "/resume/k", NULL, NULL },
		{ "/app/", NULL, NULL },
		{ "/app", NULL, NULL },
		{ "/", NULL, NULL },
		{ "/app/a/b", NULL, NULL },
		{ "/app/resume/0123/app/", NULL, "0123" },
	};
	char room[2 * SESSION_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct session_path p =
		    session_path(str_of(rows[i].path), room);

		if ((rows[i].key == NULL) != (p.key.p == NULL) ||
		    (rows[i].id == NULL) != (p.id.p == NULL) ||
		    !str_eq(p.key, str_of(rows[i].key)) ||
		    !str_eq(p.id, str_of(rows[i].id)))
			fail_msg("%s: key %.*s id %.*s", rows[i].path,
			    STR_ARG(p.key), STR_ARG(p.id));
	}
}

static void
a_long_key_is_none(void **state)
{
	char path[2048], room[2 * SESSION_KEY_MAX];
	struct session_path p;

	(void)state;
	memset(path, 'k', sizeof(path));
	memcpy(path, "/app/", 5);
	for (size_t n = 5 + SESSION_KEY_MAX + 1; n < sizeof(path); n += 97) {
		p = session_path(str_make(path, n), room);
		assert_non_null(p.key.p);
		assert_int_equal(p.key.n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_of_a_path),
		cmocka_unit_test(a_long_key_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
