/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_USER_SIGNINS_H
#define TESTS_UNIT_BROKER_USER_SIGNINS_H

/* Sign-ins and what watchers are told.  Include it behind cmocka.h. */

#include <stdio.h>

#include "broker/user/user.h"
#include "broker/user/watchlist.h"
#include "tests/unit/broker/links.h"

#define CHANGES(events) \
	"{\"event\":\"pusher_internal:watchlist_events\",\"data\":" \
	"\"{\\\"events\\\":[" events "]}\"}"
#define CHANGE(name, ids) \
	"{\\\"name\\\":\\\"" name "\\\",\\\"user_ids\\\":[" ids "]}"
#define ID(id) "\\\"" id "\\\""

static inline void
sign_in(struct links *l, unsigned slot, uint64_t sid, const char *user,
    const char *watchlist, const char *want)
{
	struct msg_signin_done done;

	SEND(l, slot, signin, .app = 1, .sid = sid, .user_id = str_of(user),
	    .watchlist = str_of(watchlist));
	EXPECT(l, slot, signin_done, SIGNIN_DONE, &done);
	assert_true(done.sid == sid);
	assert_frames(done.frames, want);
}

static inline void
sign_out(struct links *l, unsigned slot, uint64_t sid, const char *user)
{
	SEND(l, slot, signout, .app = 1, .sid = sid, .user_id = str_of(user));
	links_turn(l);
}

static inline void
assert_watchlist_event(
    struct links *l, unsigned slot, uint64_t sid, const char *want)
{
	struct msg_watchlist_event m;

	EXPECT(l, slot, watchlist_event, WATCHLIST_EVENT, &m);
	assert_true(m.sid == sid);
	assert_frames(m.frames, want);
}

#endif
