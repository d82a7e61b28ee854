/* SPDX-License-Identifier: MIT */
/* entry_test.c: an entry is read as it was written; a damaged one is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/cluster/entry.h"
#include "shared/base/base.h"

static const struct msg_sub sub = {
	.app = 7, .sid = 9, .ref = 3, .channel = { "room", 4 }
};

static void
expect_type(struct buf *b, uint32_t *at, struct ipc_in *in, uint32_t type)
{
	assert_int_equal(entry_next(b, at, in), 1);
	assert_int_equal(in->type, type);
}

/* An entry names the host and the app only when they change. */
static void
test_round(void **state)
{
	struct entry e = { 0 };
	struct msg_host_from from;
	struct msg_host_app app;
	struct msg_sub m;
	struct ipc_in in;
	uint32_t at = 0;

	for (int i = 0; i < 2; i++) {
		entry_from(&e, 5, 77);
		entry_app(&e, 7, S("id"));
		entry_put_sub(&e, &sub);
	}
	entry_from(&e, 5, 78); /* its successor */
	expect_type(e.b, &at, &in, IPC_HOST_FROM);
	assert_int_equal(msg_host_from_get(&from, in.body), 0);
	assert_int_equal(from.slot, 5);
	assert_int_equal(from.origin, 77);
	expect_type(e.b, &at, &in, IPC_HOST_APP);
	assert_int_equal(msg_host_app_get(&app, in.body), 0);
	assert_int_equal(app.app, 7);
	assert_true(str_eq(app.id, S("id")));
	for (int i = 0; i < 2; i++) {
		expect_type(e.b, &at, &in, IPC_SUB);
		assert_int_equal(msg_sub_get(&m, in.body), 0);
		assert_int_equal(m.sid, 9);
		assert_true(str_eq(m.channel, S("room")));
	}
	expect_type(e.b, &at, &in, IPC_HOST_FROM);
	assert_int_equal(entry_next(e.b, &at, &in), 0);
	buf_unref(e.b);
}

static void
test_add(void **state)
{
	struct entry e = { 0 }, copy = { 0 };

	entry_put_sub(&e, &sub);
	entry_add(&copy, buf_str(e.b));
	assert_true(str_eq(buf_str(copy.b), buf_str(e.b)));
	buf_unref(copy.b);
	buf_unref(e.b);
}

/* Wherever an entry is cut: what is whole is read, the rest is refused. */
static void
test_cut(void **state)
{
	struct entry e = { 0 };
	struct ipc_in in;
	uint32_t first, at;

	entry_put_sub(&e, &sub);
	first = e.b->len;
	entry_put_sub(&e, &sub);
	for (uint32_t n = 1; n < 2 * first; n++) {
		struct buf *b = buf_from(str_make(e.b->data, n));

		at = 0;
		if (n >= first)
			expect_type(b, &at, &in, IPC_SUB);
		assert_int_equal(entry_next(b, &at, &in), n == first ? 0 : -1);
		buf_unref(b);
	}
	buf_unref(e.b);
}

static void
test_bad_length(void **state)
{
	static const uint32_t lengths[] = { 0, 3, 9, UINT32_MAX - 3,
		UINT32_MAX };
	char bytes[12] = { 0 };
	struct ipc_in in;

	for (size_t i = 0; i < nitems(lengths); i++) {
		struct buf *b;
		uint32_t at = 0;

		memcpy(bytes, &lengths[i], sizeof(lengths[i]));
		b = buf_from(str_make(bytes, sizeof(bytes)));
		assert_int_equal(entry_next(b, &at, &in), -1);
		buf_unref(b);
	}
}

static void
test_set_app(void **state)
{
	struct msg_host_from from = { .slot = 1, .origin = 2 };
	struct entry e = { 0 };
	struct msg_sub m;
	struct ipc_in in;
	uint32_t at = 0;

	entry_put_sub(&e, &sub);
	entry_put_host_from(&e, &from);
	expect_type(e.b, &at, &in, IPC_SUB);
	assert_int_equal(entry_set_app(&in, 4711), 0);
	assert_int_equal(msg_sub_get(&m, in.body), 0);
	assert_int_equal(m.app, 4711);
	assert_int_equal(m.sid, 9);
	assert_true(str_eq(m.channel, S("room")));
	in.len = IPC_HEAD; /* it has no fields */
	assert_int_equal(entry_set_app(&in, 1), -1);
	expect_type(e.b, &at, &in, IPC_HOST_FROM);
	assert_int_equal(entry_set_app(&in, 1), -1);
	buf_unref(e.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_bad_length),
		cmocka_unit_test(test_set_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
