/* SPDX-License-Identifier: MIT */
/* doctor_names.c: the search for near names, which goes on over many turns. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "broker/control/doctor.h"
#include "tests/unit/broker/links.h"

#define CHANNELS 1000

static void
enter(struct links *l, const char *name)
{
	registry_enter(
	    l->br.registry, registry_get(l->br.registry, 1, str_of(name)), 0);
}

static void
leave(struct links *l, const char *name)
{
	struct channel *c = registry_find(l->br.registry, 1, str_of(name));

	assert_non_null(c);
	registry_leave(l->br.registry, c, 0);
	registry_release(l->br.registry, c);
}

/* A doctor who is asked for orders-list, where nobody is. */
static struct doctor
ask(struct links *l)
{
	return (struct doctor){ .br = &l->br,
		.a = apps_find(&l->br, 1),
		.channel = S("orders-list"),
		.v = xcalloc(DOCTOR_FINDINGS, sizeof(struct doctor_finding)) };
}

static void
forget(struct doctor *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		buf_unref(d->v[i].text);
		buf_unref(d->v[i].seen);
		buf_unref(d->v[i].mend);
		free(d->v[i].app);
	}
	free(d->v);
}

/* Nobody waits for the channels of one app. */
static void
channels_are_compared_in_portions(void **state)
{
	struct links *l = links_new(NULL);
	struct doctor d = ask(l);
	struct doctor_search *s;
	unsigned turns = 1;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < CHANNELS; i++) {
		snprintf(name, sizeof(name), "some-other-%u", i);
		enter(l, name);
	}
	enter(l, "orders-listen"); /* near, but not so near */
	enter(l, "Orders.List");
	s = doctor_names_begin(&d);
	for (; doctor_names_go_on(s); turns++)
		;
	assert_in_range(turns, 8, 100);
	doctor_names_end(&d, s);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.v[0].kind, "channel_name");
	assert_non_null(
	    memmem(d.v[0].text->data, d.v[0].text->len, "on Orders.List.", 15));
	doctor_names_free(s);
	forget(&d);
	links_free(l);
}

static void
channels_come_and_go_meanwhile(void **state)
{
	struct links *l = links_new(NULL);
	struct doctor d = ask(l);
	struct doctor_search *s;

	(void)state;
	enter(l, "Orders.List");
	s = doctor_names_begin(&d);
	while (doctor_names_go_on(s))
		;
	leave(l, "Orders.List");
	doctor_names_end(&d, s);
	assert_int_equal(d.n, 1);
	assert_string_equal(d.v[0].kind, "empty");
	enter(l, "orders-list"); /* somebody is there by now */
	doctor_names_end(&d, s);
	assert_int_equal(d.n, 1);
	doctor_names_free(s);
	s = doctor_names_begin(&d); /* it ends before it is finished */
	doctor_names_free(s);
	doctor_names_free(NULL);
	forget(&d);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channels_are_compared_in_portions),
		cmocka_unit_test(channels_come_and_go_meanwhile),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
