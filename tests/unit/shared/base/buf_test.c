/* SPDX-License-Identifier: MIT */
/* buf.c: references, growing, and appending behind shared bytes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"

static void
references(void **state)
{
	struct buf *b = buf_from(S("a\0b"));

	(void)state;
	assert_int_equal(b->refs, 1);
	assert_int_equal(b->len, 3);
	assert_ptr_equal(buf_ref(b), b);
	assert_int_equal(b->refs, 2);
	buf_unref(b);
	assert_int_equal(b->refs, 1);
	assert_true(str_eq(buf_str(b), S("a\0b")));
	buf_unref(b);
	buf_unref(NULL);
	assert_int_equal(buf_str(NULL).n, 0);
	b = buf_from((struct str){ NULL, 0 });
	assert_int_equal(b->len, 0);
	buf_unref(b);
	b = buf_new(0);
	assert_int_equal(buf_room(b), 0);
	buf_unref(b);
}

static void
appending(void **state)
{
	struct buf *b = NULL;
	char want[3000];
	size_t i, moves = 0;
	uint32_t cap = 0;

	(void)state;
	for (i = 0; i < sizeof(want); i++) {
		want[i] = (char)(i * 7);
		if (i % 2 == 0)
			buf_putc(&b, want[i]);
		else
			buf_append(&b, str_make(&want[i], 1));
		moves += b->cap != cap;
		cap = b->cap;
	}
	assert_int_equal(b->len, sizeof(want));
	assert_memory_equal(b->data, want, sizeof(want));
	assert_true(moves < 8); /* geometric */
	buf_append(&b, (struct str){ NULL, 0 });
	assert_int_equal(b->len, sizeof(want));
	buf_unref(b);
}

static void
reserving(void **state)
{
	struct buf *b = NULL;
	char *p;

	(void)state;
	p = buf_reserve(&b, 10);
	assert_ptr_equal(p, b->data);
	assert_int_equal(b->len, 0);
	memset(p, 'x', 10);
	b->len += 10;
	p = buf_reserve(&b, 100000);
	assert_ptr_equal(p, b->data + 10);
	assert_true(buf_room(b) >= 100000);
	assert_memory_equal(b->data, "xxxxxxxxxx", 10);
	buf_unref(b);

	/* big sizes, up to the documented limit */
	b = buf_new((size_t)1 << 30);
	assert_int_equal(b->cap, (size_t)1 << 30);
	buf_unref(b);
	b = NULL;
	buf_reserve(&b, (size_t)20 << 20);
	b->len = 20u << 20;
	buf_reserve(&b, 1);
	assert_int_equal(b->cap, (size_t)40 << 20);
	buf_unref(b);
}

/* The maker of a buf writes behind len while others read the rest. */
static void
appending_behind_shared_bytes(void **state)
{
	struct buf *b = buf_new(16);
	struct buf *other;

	(void)state;
	buf_append(&b, S("12345678"));
	other = buf_ref(b);
	buf_append(&b, S("abcdefgh"));
	assert_ptr_equal(b, other);
	assert_memory_equal(other->data, "12345678abcdefgh", 16);
	buf_unref(b);
	buf_unref(other);
}

static void
formatting(void **state)
{
	struct buf *b = NULL;
	char *longer, *want;
	size_t n;

	(void)state;
	buf_printf(&b, "%s", "");
	assert_int_equal(b->len, 0);
	buf_printf(&b, "%d,%s;", 42, "x");
	assert_true(str_eq(buf_str(b), S("42,x;")));
	/* around the point where the text just fits */
	for (n = 0; n < 600; n++) {
		longer = xmalloc(n + 1);
		memset(longer, 'y', n);
		longer[n] = '\0';
		want = xasprintf("42,x;%s", longer);
		b->len = 5;
		buf_printf(&b, "%s", longer);
		assert_true(str_eq(buf_str(b), str_of(want)));
		free(longer);
		free(want);
	}
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(appending),
		cmocka_unit_test(reserving),
		cmocka_unit_test(appending_behind_shared_bytes),
		cmocka_unit_test(formatting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
