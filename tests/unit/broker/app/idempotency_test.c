/* SPDX-License-Identifier: MIT */
/* idempotency.c: idempotency keys: who has one, who waits, who gets the answer.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "broker/app/idempotency.h"
#include "tests/unit/broker/links.h"

static void
claim(struct links *l, unsigned slot, uint64_t id, const char *key)
{
	SEND(l, slot, idem_begin, .id = id, .app = 1, .key = str_of(key));
	links_turn(l);
}

static void
fulfil(struct links *l, unsigned slot, const char *key, uint32_t status,
    const char *body)
{
	SEND(l, slot, idem_store, .app = 1, .key = str_of(key),
	    .status = status, .body = str_of(body));
	links_turn(l);
}

static void
promise(struct links *l, unsigned slot, const char *key, const char *body)
{
	SEND(l, slot, idem_store, .app = 1, .key = str_of(key),
	    .provisional = 1, .status = 200, .body = str_of(body));
	links_turn(l);
}

static void
expect_idem_result(struct links *l, unsigned slot, uint64_t id, const char *key,
    uint32_t status, const char *body)
{
	struct msg_idem_result m;

	EXPECT(l, slot, idem_result, IDEM_RESULT, &m);
	assert_true(m.id == id && m.app == 1);
	assert_int_equal(m.status, status);
	assert_bytes(m.key, str_of(key));
	assert_bytes(m.body, str_of(body));
}

static void
the_answer_is_repeated(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	claim(l, 0, 1, "k");
	expect_idem_result(l, 0, 1, "k", 0, "");
	claim(l, 1, 2, "k"); /* waits */
	claim(l, 0, 3, "other");
	expect_idem_result(l, 0, 3, "other", 0, "");
	expect_nothing(l, 1);
	fulfil(l, 0, "k", 200, "{}");
	expect_idem_result(l, 1, 2, "k", 200, "{}");
	claim(l, 2, 4, "k");
	expect_idem_result(l, 2, 4, "k", 200, "{}");
	links_free(l);
}

/* A refusal, a worker that has forgotten who asked, one that dies. */
static void
a_key_without_an_answer_is_passed_on(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	claim(l, 0, 1, "k");
	expect_idem_result(l, 0, 1, "k", 0, "");
	claim(l, 1, 2, "k");
	claim(l, 2, 3, "k");
	fulfil(l, 0, "k", 0, "");
	expect_idem_result(l, 1, 2, "k", 0, "");
	expect_nothing(l, 2);
	fulfil(l, 0, "k", 200, "late"); /* it is not its own any more */
	expect_nothing(l, 2);
	links_kill(l, 1);
	expect_idem_result(l, 2, 3, "k", 0, "");
	fulfil(l, 2, "k", 0, "");
	assert_int_equal(l->br.idempotency->n, 0);
	assert_int_equal(l->br.idempotency->bytes, 0);
	claim(l, 0, 4, "k");
	expect_idem_result(l, 0, 4, "k", 0, "");
	links_free(l);
}

/* A request that has been done is not done again, whoever goes. */
static void
a_promise_is_kept(void **state)
{
	struct links *l = links_new(NULL);

	(void)state;
	claim(l, 0, 1, "a");
	expect_idem_result(l, 0, 1, "a", 0, "");
	claim(l, 1, 2, "a");
	promise(l, 0, "a", "short");
	expect_nothing(l, 1); /* there may be a better one */
	fulfil(l, 0, "a", 200, "with counts");
	expect_idem_result(l, 1, 2, "a", 200, "with counts");
	claim(l, 0, 3, "b");
	expect_idem_result(l, 0, 3, "b", 0, "");
	claim(l, 1, 4, "b");
	promise(l, 0, "b", "short");
	fulfil(l, 0, "b", 0, "");
	expect_idem_result(l, 1, 4, "b", 200, "short");
	claim(l, 2, 5, "c");
	expect_idem_result(l, 2, 5, "c", 0, "");
	promise(l, 2, "c", "short");
	claim(l, 1, 6, "c");
	links_kill(l, 2);
	expect_idem_result(l, 1, 6, "c", 200, "short");
	claim(l, 1, 7, "c");
	expect_idem_result(l, 1, 7, "c", 200, "short");
	assert_int_equal(l->br.idempotency->n, 3);
	assert_int_equal(l->br.idempotency->bytes, 3 + 11 + 5 + 5);
	links_free(l);
}

/* 65,536 keys, and no more memory than that takes. */
static void
the_oldest_make_room(void **state)
{
	enum { N = 65536 };
	struct links *l = links_new(NULL);
	struct said s;
	char key[16];

	(void)state;
	for (unsigned i = 0; i < N + 100; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		claim(l, 0, i, key);
		assert_true(links_next(l, 0, &s));
		if (l->at[0] > 1 << 20) { /* forget what has been read */
			assert_int_equal(l->at[0], l->in[0]->len);
			l->at[0] = l->in[0]->len = 0;
		}
	}
	assert_int_equal(l->br.idempotency->n, N);
	claim(l, 1, 1, "k0");
	expect_idem_result(l, 1, 1, "k0", 0, "");
	claim(l, 1, 2, "k1000"); /* still somebody's */
	expect_nothing(l, 1);
	links_free(l);
}

/* Another app's keys stay, however many the first one has. */
static void
s7_only_the_largest_app_loses_keys(void **state)
{
	enum { N = 65536 };
	struct links *l = links_new(NULL);
	struct msg_idem_result m;
	struct said s;
	char key[16];

	(void)state;
	SEND(l, 1, idem_begin, .id = 1, .app = 2, .key = S("theirs"));
	links_turn(l);
	EXPECT(l, 1, idem_result, IDEM_RESULT, &m);
	SEND(l, 1, idem_store, .app = 2, .key = S("theirs"), .status = 200,
	    .body = S("{}"));
	for (unsigned i = 0; i < N + 100; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		claim(l, 0, i, key);
		assert_true(links_next(l, 0, &s));
		if (l->at[0] > 1 << 20) { /* forget what has been read */
			assert_int_equal(l->at[0], l->in[0]->len);
			l->at[0] = l->in[0]->len = 0;
		}
	}
	SEND(l, 1, idem_begin, .id = 2, .app = 2, .key = S("theirs"));
	links_turn(l);
	EXPECT(l, 1, idem_result, IDEM_RESULT, &m);
	assert_int_equal(m.status, 200);
	links_free(l);
}

static void
answers_make_room_too(void **state)
{
	enum { BIG = 1 << 20 };
	struct links *l = links_new(NULL);
	char *body = xmalloc(BIG), key[16];
	struct said s;

	(void)state;
	memset(body, 'x', BIG - 1);
	body[BIG - 1] = 0;
	for (unsigned i = 0; i < 40; i++) {
		struct msg_idem_store m = { .app = 1,
			.key = str_of(key),
			.status = 200,
			.body = str_of(body) };

		snprintf(key, sizeof(key), "k%u", i);
		m.key = str_of(key);
		claim(l, 0, i, key);
		assert_true(links_next(l, 0, &s));
		assert_int_equal(idempotency_on_store(l->br.peers[0], &m), 0);
		assert_true(l->br.idempotency->bytes < 18 << 20);
	}
	assert_in_range(l->br.idempotency->n, 15, 18);
	free(body);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_is_repeated),
		cmocka_unit_test(a_key_without_an_answer_is_passed_on),
		cmocka_unit_test(a_promise_is_kept),
		cmocka_unit_test(the_oldest_make_room),
		cmocka_unit_test(s7_only_the_largest_app_loses_keys),
		cmocka_unit_test(answers_make_room_too),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
