/* SPDX-License-Identifier: MIT */
/* cache.c: the last event of cache channels, its end, the bound. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "tests/unit/broker/links.h"

#define CONFIRMED(channel) \
	"{\"event\":\"pusher_internal:subscription_succeeded\"," \
	"\"channel\":\"" channel "\",\"data\":\"{}\"}"
#define MISS(channel) \
	"{\"event\":\"pusher:cache_miss\",\"channel\":\"" channel \
	"\",\"data\":\"{}\"}"

/* The event that a new subscriber of the channel gets. */
static void
assert_told(struct links *l, const char *channel, const char *want)
{
	static uint64_t sid;
	struct msg_sub_done done;

	sid++;
	SEND(l, 0, sub, .app = 1, .sid = sid, .channel = str_of(channel));
	EXPECT(l, 0, sub_done, SUB_DONE, &done);
	assert_frames(done.frames, want);
	SEND(l, 0, unsub, .app = 1, .sid = sid, .channel = str_of(channel));
	links_turn(l);
}

static struct buf *
event(const char *channel, const char *data_raw)
{
	struct buf *b = NULL;

	frame_event(&b, S("e"), str_of(channel), str_of(data_raw),
	    (struct str){ NULL, 0 });
	return b;
}

static void
put(struct links *l, const char *channel, const char *data_raw)
{
	struct buf *b = event(channel, data_raw);

	links_event(l, 1, channel, buf_str(b), EVENT_CACHE);
	links_turn(l);
	buf_unref(b);
}

static void
the_last_event_is_kept(void **state)
{
	struct links *l = links_new(NULL);
	struct msg_sub_done done;
	struct buf *live, *want = NULL;

	(void)state;
	assert_told(l, "cache-a", CONFIRMED("cache-a") " " MISS("cache-a"));
	put(l, "cache-a", "\"1\"");
	put(l, "cache-a", "\"\\u00e9 \\/\"");
	assert_int_equal(l->br.cache->n, 1);
	/* byte for byte what was live, also when nobody was there */
	live = event("cache-a", "\"\\u00e9 \\/\"");
	frame_subscribed(&want, S("cache-a"));
	buf_append(&want, buf_str(live));
	SEND(l, 0, sub, .app = 1, .sid = 99, .channel = S("cache-a"));
	EXPECT(l, 0, sub_done, SUB_DONE, &done);
	assert_bytes(done.frames, buf_str(want));
	buf_unref(live);
	buf_unref(want);
	assert_told(l, "private-cache-b",
	    CONFIRMED("private-cache-b") " " MISS("private-cache-b"));
	assert_told(l, "private-encrypted-cache-b",
	    CONFIRMED("private-encrypted-cache-b") " " MISS(
		"private-encrypted-cache-b"));
	assert_told(l, "my-cache-c", CONFIRMED("my-cache-c"));
	links_free(l);
}

static void
client_events_and_other_apps_do_not_count(void **state)
{
	struct links *l = links_new(NULL);
	struct said s;

	(void)state;
	links_event(l, 1, "private-cache-a", S("frame"), EVENT_CLIENT);
	SEND(l, 1, event, .origin = 2, .seq = ++l->seq[1], .app = 7,
	    .flags = EVENT_CACHE, .channel = S("cache-a"), .frame = S("frame"));
	links_turn(l);
	assert_int_equal(l->br.cache->n, 0);
	links_app(l, 2, NULL);
	while (links_next(l, 0, &s))
		assert_int_equal(s.type, IPC_APP_SET);
	SEND(l, 1, event, .origin = 2, .seq = ++l->seq[1], .app = 2,
	    .flags = EVENT_CACHE, .channel = S("cache-a"), .frame = S("frame"));
	assert_told(l, "cache-a", CONFIRMED("cache-a") " " MISS("cache-a"));
	assert_int_equal(l->br.cache->n, 1);
	cache_purge_app(&l->br, 2);
	assert_int_equal(l->br.cache->n, 0);
	assert_int_equal(l->br.registry->channels.n, 0);
	links_free(l);
}

static void
it_ends_with_its_time(void **state)
{
	static const char *const settings[] = { "cache_ttl", "1", NULL };
	struct links *l = links_new(settings);

	(void)state;
	put(l, "cache-a", "\"1\"");
	links_wait(l, 1.05);
	assert_told(l, "cache-a", CONFIRMED("cache-a") " " MISS("cache-a"));
	cache_sweep(&l->br);
	assert_int_equal(l->br.cache->n, 0);
	assert_int_equal(l->br.cache->shares.held, 0);
	assert_int_equal(l->br.registry->channels.n, 0);
	links_free(l);
}

static void
the_least_recently_used_goes_first(void **state)
{
	struct links *l = links_new(NULL);
	uint64_t one;

	(void)state;
	put(l, "cache-0", "\"0\"");
	one = l->br.cache->shares.held;
	l->conf.cache_memory = 3 * one;
	put(l, "cache-1", "\"1\"");
	put(l, "cache-2", "\"2\"");
	assert_int_equal(l->br.cache->n, 3);
	links_sub(l, 0, 1000, "cache-0", ""); /* used: 1 is the oldest now */
	put(l, "cache-3", "\"3\"");
	assert_int_equal(l->br.cache->n, 3);
	assert_null(registry_find(l->br.registry, 1, S("cache-1")));
	assert_told(l, "cache-1", CONFIRMED("cache-1") " " MISS("cache-1"));
	assert_told(l, "cache-0",
	    CONFIRMED("cache-0") " {\"event\":\"e\",\"channel\":\"cache-0\","
				 "\"data\":\"0\"}");
	l->conf.cache_memory = one - 1; /* does not fit at all */
	put(l, "cache-4", "\"4\"");
	assert_int_equal(l->br.cache->n, 0);
	assert_int_equal(l->br.cache->shares.held, 0);
	links_free(l);
}

static void
sweeping_goes_round(void **state)
{
	struct msg_event m = { .app = 1, .frame = S("frame") };
	struct links *l = links_new(NULL);
	char name[32];

	(void)state;
	cache_sweep(&l->br);
	for (int i = 0; i < 12000; i++) {
		snprintf(name, sizeof(name), "cache-%d", i);
		m.channel = str_of(name);
		cache_put(&l->br, &m);
		if (i % 3 == 0)
			registry_find(l->br.registry, 1, str_of(name))
			    ->cached->due = 0;
	}
	cache_sweep(&l->br);
	cache_purge(&l->br, registry_find(l->br.registry, 1, S("cache-5002")));
	for (int i = 0; i < 4; i++)
		cache_sweep(&l->br);
	assert_int_equal(l->br.cache->n, 8000 - 1);
	links_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_event_is_kept),
		cmocka_unit_test(client_events_and_other_apps_do_not_count),
		cmocka_unit_test(it_ends_with_its_time),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(sweeping_goes_round),
	};

	hash_seed();
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
