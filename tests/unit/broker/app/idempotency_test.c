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
#include "broker/core/budget.h"
#include "shared/proc/answer_table.h"
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
	SEND(l, slot, idem_store, .seq = ++l->seq[slot], .app = 1,
	    .key = str_of(key), .status = status, .body = str_of(body));
	links_turn(l);
}

static void
promise(struct links *l, unsigned slot, const char *key, const char *body)
{
	SEND(l, slot, idem_store, .seq = ++l->seq[slot], .app = 1,
	    .key = str_of(key), .provisional = 1, .status = 200,
	    .body = str_of(body));
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

/* With memory for all that may be kept, whatever this machine has. */
static void
have_memory(struct links *l)
{
	budget_set(l->br.budget, UINT64_C(16) << 30);
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
	have_memory(l);
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
	have_memory(l);
	SEND(l, 1, idem_begin, .id = 1, .app = 2, .key = S("theirs"));
	links_turn(l);
	EXPECT(l, 1, idem_result, IDEM_RESULT, &m);
	SEND(l, 1, idem_store, .seq = 1, .app = 2, .key = S("theirs"),
	    .status = 200, .body = S("{}"));
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
	have_memory(l);
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

/* The database was replaced: the number is another app's, with its own keys. */
static void
another_app_has_other_keys(void **state)
{
	struct links *l = links_new(NULL);
	struct said s;
	struct app a;

	(void)state;
	claim(l, 0, 1, "k");
	expect_idem_result(l, 0, 1, "k", 0, "");
	fulfil(l, 0, "k", 200, "{}");
	app_copy(&a, &apps_find(&l->br, 1)->app);
	free(a.id);
	a.id = xstrdup("other");
	apps_replace(&l->br, &a, 1);
	fulfil(l, 0, "late", 200, "{}");
	links_release_apps(l);
	fulfil(l, 0, "later", 200, "{}");
	apps_replace(&l->br, &a, 1);
	app_clear(&a);
	for (unsigned i = 0; i < 2 * LINKS; i++) /* of both apps */
		assert_true(links_next(l, i / 2, &s));
	assert_int_equal(l->br.idempotency->n, 0);
	assert_int_equal(l->br.idempotency->bytes, 0);
	claim(l, 1, 2, "k");
	expect_idem_result(l, 1, 2, "k", 0, "");
	links_free(l);
}

/* ---- the next broker ---- */

/* The broker dies, and another one begins with what it has left. */
static void
next_broker(struct links *l, struct answer_table *table)
{
	struct said s;

	broker_clear(&l->br);
	for (unsigned i = 0; i < LINKS; i++)
		close(l->fd[i]);
	links_next_broker(l, NULL, NULL);
	have_memory(l);
	links_app(l, 2, NULL);
	for (unsigned i = 0; i < LINKS; i++)
		assert_true(links_next(l, i, &s)); /* of the app */
	idempotency_recall(&l->br, table);
}

/* No worker sends anything again. */
static void
serve(struct links *l)
{
	for (unsigned i = 0; i < LINKS; i++)
		links_done(l, i, 0);
	links_turn(l);
}

static void
the_next_broker_repeats_it(void **state)
{
	struct answer_table *table = answer_table_map();
	struct links *l = links_new(NULL);

	(void)state;
	idempotency_recall(&l->br, table);
	claim(l, 0, 1, "done");
	fulfil(l, 0, "done", 202, "{}");
	claim(l, 1, 2, "promised");
	promise(l, 1, "promised", "short");
	claim(l, 1, 3, "replaced");
	promise(l, 1, "replaced", "short");
	fulfil(l, 1, "replaced", 200, "with counts");
	claim(l, 2, 4, "claimed");
	claim(l, 2, 5, "refused");
	fulfil(l, 2, "refused", 0, "");
	for (int i = 0; i < 3; i++) {
		next_broker(l, table);
		serve(l);
		assert_int_equal(l->br.idempotency->n, i == 0 ? 3 : 5);
		claim(l, 3, 6, "done");
		expect_idem_result(l, 3, 6, "done", 202, "{}");
		claim(l, 0, 7, "promised");
		expect_idem_result(l, 0, 7, "promised", 200, "short");
		claim(l, 0, 8, "replaced");
		expect_idem_result(l, 0, 8, "replaced", 200, "with counts");
		claim(l, 1, 9, "claimed");
		expect_idem_result(
		    l, 1, 9, "claimed", i == 0 ? 0 : 200, i == 0 ? "" : "2");
		fulfil(l, 1, "claimed", 200, "2");
		claim(l, 1, 10, "refused");
		expect_idem_result(
		    l, 1, 10, "refused", i == 0 ? 0 : 200, i == 0 ? "" : "3");
		fulfil(l, 1, "refused", 200, "3");
	}
	links_free(l);
}

/* What the old broker has not acknowledged, it may have handled or not. */
static void
answers_come_once_more(void **state)
{
	struct answer_table *table = answer_table_map();
	struct links *l = links_new(NULL);

	(void)state;
	idempotency_recall(&l->br, table);
	claim(l, 0, 1, "handled");
	promise(l, 0, "handled", "short");
	fulfil(l, 0, "handled", 200, "with counts");
	claim(l, 1, 2, "half");
	promise(l, 1, "half", "short");
	next_broker(l, table);
	links_done(l, 0, 3);
	links_done(l, 1, 2);
	links_done(l, 2, 2);
	links_done(l, 3, 0);
	l->seq[0] = l->seq[1] = l->seq[2] = 0;
	promise(l, 0, "handled", "short");
	fulfil(l, 0, "handled", 200, "with counts");
	promise(l, 1, "half", "short");
	fulfil(l, 1, "half", 200, "with counts");
	promise(l, 2, "none", "short");
	fulfil(l, 2, "none", 200, "with counts");
	/* Its client left before it could be told. */
	fulfil(l, 0, "gone", 0, "");
	claim(l, 3, 3, "handled");
	expect_idem_result(l, 3, 3, "handled", 200, "with counts");
	claim(l, 3, 4, "half");
	expect_idem_result(l, 3, 4, "half", 200, "with counts");
	claim(l, 3, 5, "none");
	expect_idem_result(l, 3, 5, "none", 200, "with counts");
	claim(l, 3, 6, "gone");
	expect_idem_result(l, 3, 6, "gone", 0, "");
	links_free(l);
}

static uint32_t
put(struct answer_table *table, const char *key, const char *owner, double age)
{
	struct answer a = { .owner = hash_sip13(0, 0, 0, str_of(owner)),
		.at = broker_now() - age,
		.app = 1,
		.status = 200,
		.key = str_of(key),
		.body = S("{}") };

	return answer_table_put(table, &a);
}

static void
only_what_still_counts_is_recalled(void **state)
{
	struct answer_table *table = answer_table_map();
	struct links *l = links_new(NULL);
	size_t n;

	(void)state;
	put(table, "old", "app1", 119.5);
	put(table, "older", "app1", 200);
	put(table, "of the future", "app1", -1000);
	put(table, "of another app", "app2", 1);
	put(table, "", "app1", 1);
	next_broker(l, table);
	serve(l);
	assert_int_equal(l->br.idempotency->n, 3);
	idempotency_expire(&l->br);
	assert_int_equal(l->br.idempotency->n, 2);
	claim(l, 0, 1, "old");
	expect_idem_result(l, 0, 1, "old", 200, "{}");
	claim(l, 0, 2, "of another app");
	expect_idem_result(l, 0, 2, "of another app", 0, "");
	links_wait(l, 1);
	idempotency_expire(&l->br);
	claim(l, 0, 3, "old");
	expect_idem_result(l, 0, 3, "old", 0, "");
	free(answer_table_rows(table, &n));
	assert_int_equal(n, 1);
	links_free(l);
}

/* An app that floods loses its own answers, here and for the next broker. */
static void
a_flood_is_recalled_within_the_bounds(void **state)
{
	enum { N = 70000 };
	struct answer_table *table = answer_table_map();
	struct links *l = links_new(NULL);
	struct msg_idem_result r;
	char key[16];
	size_t n;

	(void)state;
	have_memory(l);
	links_app(l, 2, NULL);
	idempotency_recall(&l->br, table);
	for (unsigned i = 0; i < N; i++) {
		struct msg_idem_store m = {
			.app = i == 10 ? 2 : 1, .status = 200, .body = S("{}")
		};

		snprintf(key, sizeof(key), "k%u", i);
		m.key = str_of(key);
		assert_int_equal(idempotency_on_store(l->br.peers[0], &m), 0);
	}
	free(answer_table_rows(table, &n));
	assert_int_equal(n, ANSWERS_MAX);
	next_broker(l, table);
	assert_int_equal(l->br.idempotency->n, ANSWERS_MAX);
	serve(l);
	SEND(l, 0, idem_begin, .id = 1, .app = 2, .key = S("k10"));
	links_turn(l);
	EXPECT(l, 0, idem_result, IDEM_RESULT, &r);
	assert_int_equal(r.status, 200);
	claim(l, 0, 2, "k11");
	expect_idem_result(l, 0, 2, "k11", 0, "");
	claim(l, 0, 3, "k69999");
	expect_idem_result(l, 0, 3, "k69999", 200, "{}");
	links_free(l);
}

/* A small server keeps fewer of them, however short they are. */
static void
little_memory_has_few_keys(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_idem_store m = { .app = 1, .status = 200, .body = S("{}") };
	char key[16];

	(void)state;
	budget_set(l->br.budget, 128 << 20);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%u", i);
		m.key = str_of(key);
		assert_int_equal(idempotency_on_store(l->br.peers[0], &m), 0);
	}
	assert_in_range(l->br.idempotency->n * 400,
	    budget_max(l->br.budget) / 10, budget_max(l->br.budget) / 8);
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
		cmocka_unit_test(little_memory_has_few_keys),
		cmocka_unit_test(another_app_has_other_keys),
		cmocka_unit_test(the_next_broker_repeats_it),
		cmocka_unit_test(answers_come_once_more),
		cmocka_unit_test(only_what_still_counts_is_recalled),
		cmocka_unit_test(a_flood_is_recalled_within_the_bounds),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
