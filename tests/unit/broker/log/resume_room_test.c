/* SPDX-License-Identifier: MIT */
/* resume_room.c: which session makes room, and how long that takes to find. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "broker/log/resume_room.h"
#include "shared/base/base.h"

#define CAP 64000 /* rows; an address has a part of 1,000 */
#define PART (CAP / RESUME_ROOM_PARTS)
#define OTHERS 40000 /* addresses with one session each */
#define LARGE 2000   /* sessions of each of two addresses */
#define AGAIN 10000

static struct resume_room_entry entries[OTHERS + 2 * LARGE];

static void
enter(struct resume_room *room, size_t i, uint32_t peer)
{
	resume_room_enter(room, &entries[i], 1, peer);
}

static size_t
last(struct resume_room *room)
{
	return (size_t)(resume_room_last(room) - entries);
}

static void
the_address_with_most_above_its_part_gives_way(void **state)
{
	struct resume_room room = { .cap = CAP };

	assert_null(resume_room_last(&room));
	for (size_t i = 0; i < PART; i++)
		enter(&room, i + 1, 1);
	enter(&room, 0, 2);
	assert_int_equal(last(&room), 1); /* the longest of the app */
	enter(&room, PART + 1, 1);
	assert_int_equal(last(&room), 1);
	for (size_t i = 0; i < PART + 2; i++)
		enter(&room, PART + 2 + i, 3);
	assert_int_equal(last(&room), PART + 2);
	for (size_t i = 0; i < PART + 2; i++)
		resume_room_leave(&room, &entries[PART + 2 + i]);
	assert_int_equal(last(&room), 1);
	resume_room_leave(&room, &entries[1]);
	assert_int_equal(room.nlarge, 0);
	for (size_t i = 0; i <= PART + 1; i++)
		resume_room_leave(&room, &entries[i]);
	assert_null(resume_room_last(&room));
	resume_room_clear(&room);
}

/* Anybody can come from a network with that many addresses. */
static void
many_addresses_cost_nothing(void **state)
{
	struct resume_room room = { .cap = CAP };
	clock_t began;
	size_t i;

	for (i = 0; i < nitems(entries); i++)
		enter(&room, i, (uint32_t)(i < OTHERS ? i + 2 : i & 1));
	began = clock();
	for (unsigned n = 0; n < AGAIN; n++) {
		i = last(&room);
		assert_true(i >= OTHERS);
		resume_room_leave(&room, &entries[i]);
		enter(&room, i, n & 1);
	}
	/* Seconds pass when all addresses are looked at each time. */
	assert_true(clock() - began < CLOCKS_PER_SEC / 2);
	for (i = 0; i < nitems(entries); i++)
		resume_room_leave(&room, &entries[i]);
	resume_room_clear(&room);
}

/* How many clients of this app find room. */
static uint32_t
fill(struct resume_room *room, uint32_t app, bool shared)
{
	uint32_t n = 0;

	for (; resume_room_is_open(room, app, shared); n++)
		resume_room_attach(room, app);
	return n;
}

static void
no_app_has_all_sessions(void **state)
{
	struct resume_room room = { .cap = 1000 };

	(void)state;
	assert_int_equal(fill(&room, 1, false), 1000); /* it is alone */
	for (int i = 0; i < 1000; i++)
		resume_room_detach(&room, 1);
	assert_int_equal(fill(&room, 1, true), 750);
	assert_int_equal(resume_room_live(&room, 1), 750);
	assert_int_equal(fill(&room, 2, true), 188);
	assert_int_equal(fill(&room, 3, true), 47);
	assert_int_equal(fill(&room, 1, true), 0);
	/* Whoever may have three times what is left has room for a fourth. */
	assert_true(resume_room_is_open(&room, 4, true));
	for (int i = 0; i < 188; i++)
		resume_room_detach(&room, 2);
	assert_int_equal(fill(&room, 1, true), 0);
	assert_int_equal(fill(&room, 2, true), 153);
	resume_room_clear(&room);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_address_with_most_above_its_part_gives_way),
		cmocka_unit_test(many_addresses_cost_nothing),
		cmocka_unit_test(no_app_has_all_sessions),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
