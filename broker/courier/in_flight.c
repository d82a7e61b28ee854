/* SPDX-License-Identifier: MIT */
/*
 * in_flight.c: bounds the requests in progress, so that an app with many
 * endpoints that do not answer takes neither all threads and descriptors of the
 * process nor the room of other apps.  Owns struct in_flight.  Knows nothing of
 * requests.
 */

#include "broker/courier/in_flight.h"

void
in_flight_init(struct in_flight *f)
{
	*f = (struct in_flight){ .n = 0 };
	list_init(&f->held);
}

bool
in_flight_has_room(const struct in_flight *f, uint32_t app, bool fails)
{
	const struct share *s = shares_find(&f->by_app, app);

	return shares_has_room((s == NULL ? 0 : s->bytes) + 1, f->n,
	    fails ? IN_FLIGHT_MAX / 2 : IN_FLIGHT_MAX);
}

void
in_flight_begin(struct in_flight *f, uint32_t app)
{
	shares_add(&f->by_app, shares_get(&f->by_app, app), 1);
	f->n++;
}

void
in_flight_end(struct in_flight *f, uint32_t app)
{
	shares_sub(&f->by_app, shares_get(&f->by_app, app), 1);
	f->n--;
}

void
in_flight_clear(struct in_flight *f)
{
	shares_clear(&f->by_app);
}
