/* SPDX-License-Identifier: MIT */
/*
 * outbox_share_test.c: the endpoint that fills the outbox loses its own rows,
 * in the right order, and the work for it does not grow with the outbox.
 */

#include "shared/app/outbox_db.h"
#include "shared/pusher/webhook.h"
#include "tests/unit/shared/app/outbox_place.h"

static struct outbox_row
put(struct outbox *o, uint32_t endpoint, uint32_t kind)
{
	struct outbox_row r = { .endpoint = endpoint,
		.app = 1,
		.kind = kind,
		.count = 1,
		.channel = S("room"),
		.events = S("event"),
		.owner = S("0123456789abcdef0123456789abcdef/app") };

	assert_int_equal(outbox_put(o, &r), 0);
	return r;
}

static void
put_dead(struct outbox *o, uint32_t endpoint, uint64_t *id)
{
	struct outbox_row r = put(o, endpoint, WEBHOOK_OCCUPIED);

	r.state = OUTBOX_DEAD;
	assert_int_equal(outbox_failed(o, &r), 0);
	*id = r.id;
}

static void
add_dropped(void *arg, const struct outbox_health *h)
{
	*(uint64_t *)arg += h->dropped;
}

/* Dead rows, then client events and counts, then the others, by age. */
static void
the_largest_loses_its_least_important_rows(void **state)
{
	struct outbox *o = ((struct place *)*state)->o;
	struct outbox_holder h;
	struct outbox_counts n;
	uint64_t want[5], ids[8], dropped = 0;

	put(o, 2, WEBHOOK_CLIENT_EVENT);
	want[3] = put(o, 1, WEBHOOK_OCCUPIED).id;
	want[1] = put(o, 1, WEBHOOK_CLIENT_EVENT).id;
	want[4] = put(o, 1, WEBHOOK_VACATED).id;
	want[2] = put(o, 1, WEBHOOK_COUNT).id;
	put_dead(o, 1, &want[0]);
	put(o, 2, WEBHOOK_OCCUPIED);
	assert_int_equal(outbox_largest(o, false, &h), 0);
	assert_int_equal(h.endpoint, 1);
	assert_int_equal(h.rows, 5);
	assert_int_equal(h.bytes, 25);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(outbox_yield(o, 1, 1, ids), 1);
		assert_int_equal(ids[0], want[i]);
	}
	outbox_count(o, &n);
	assert_int_equal(n.dead, 0);
	assert_int_equal(n.waiting, 4);
	assert_int_equal(n.bytes, 20);
	assert_int_equal(outbox_yield(o, 1, 8, ids), 2);
	assert_memory_equal(ids, want + 3, 2 * sizeof(*ids));
	assert_int_equal(outbox_yield(o, 1, 8, ids), 0);
	assert_int_equal(outbox_largest(o, true, &h), 0);
	assert_int_equal(h.endpoint, 2);
	assert_int_equal(outbox_recount(o), 0); /* the same as without it */
	outbox_count(o, &n);
	assert_int_equal(n.waiting, 2);
	assert_int_equal(n.bytes, 10);
	assert_int_equal(
	    outbox_each_health(
		o, "0123456789abcdef0123456789abcdef", add_dropped, &dropped),
	    0);
	assert_int_equal(dropped, 5);
}

static int
count_work(void *arg)
{
	++*(unsigned *)arg;
	return 0;
}

/* Instructions of SQLite, in tens, for the drop of ten rows among n more. */
static unsigned
work_among(struct outbox *o, unsigned n)
{
	uint64_t ids[10];
	unsigned work = 0;

	for (unsigned i = 0; i < n; i++)
		put(o, 1, i % 8);
	assert_int_equal(outbox_commit(o), 0);
	sqlite3_progress_handler(o->db, 10, count_work, &work);
	assert_int_equal(outbox_yield(o, 1, nitems(ids), ids), nitems(ids));
	sqlite3_progress_handler(o->db, 0, NULL, NULL);
	return work;
}

static void
the_work_does_not_grow_with_the_outbox(void **state)
{
	struct outbox *o = ((struct place *)*state)->o;
	unsigned small = work_among(o, 100);

	assert_in_range(work_among(o, 10000), 1, small * 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_largest_loses_its_least_important_rows),
		TEST(the_work_does_not_grow_with_the_outbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
