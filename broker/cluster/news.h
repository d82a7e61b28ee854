/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_NEWS_H
#define BROKER_CLUSTER_NEWS_H

/*
 * Events that come a second time in the stream: a worker sends again what a
 * broker that has died had appended, but not acknowledged.  Redis writes into
 * the entry which they are, because a host whose broker is new may not have
 * read the first one, and has to decide as the others do.
 */

#include <stdbool.h>
#include <stdint.h>

#define NEWS_ORIGINS 128 /* workers; there are 64 at most at one time */

/* The last event of each worker; zeroed at first. */
struct news {
	struct {
		uint64_t origin, seq;
	} v[NEWS_ORIGINS];
	unsigned next; /* the oldest one */
};

/* Has this event of the worker not come yet?  From now on it has. */
bool news_is(struct news *, uint64_t origin, uint64_t seq);
/*
 * The same for the last event of each worker in this text of script_send:
 * ORIGIN in base 16, a blank, NUMBER, a blank.  Anything else ends it.
 */
void news_note(struct news *, const char *);

#endif
