/* SPDX-License-Identifier: MIT */
/*
 * A broker, an honest worker, and others that have been taken over: they may
 * send any message with any content, die and come back.  The honest one keeps
 * its link, its channels and its members, and when all have gone nothing is
 * left.  Now and then the broker dies: the next one hears from the honest one
 * what there was, and lies from the others.  Input: steps of the hostile
 * workers.
 */

#include "tests/fuzz/fuzz.h"

#include "broker/channel/registry.h"
#include "broker/user/user.h"
#include "shared/proc/event_order.h"
#include "tests/fuzz/honest.h"
#include "tests/fuzz/messages.h"

#define SILENT 2  /* has no clients */
#define HOSTILE 2 /* slots 0 and 1 */

static const char *const settings[] = { "max_presence_members", "5",
	"max_connections", "4", "subscription_count", "on", NULL };

static const uint64_t numbers[] = { 1, 2, 3, 0x100000001, 0x100000002, 77,
	UINT64_MAX, UINT32_MAX };
static const struct str texts[] = {
	{ "room", 4 }, { "presence-x", 10 }, { "cache-c", 7 },
	{ "presence-cache-y", 16 }, { "ann", 3 }, { "bob", 3 },
	{ "#hidden", 7 }, { "{\"n\":1}", 7 }, { "[\"ann\",\"bob\"]", 13 },
	{ "3 room\n7 presence-x\n", 20 }, { "presence-", 9 },
	{ "\x81\x02{}", 4 }, { NULL, 0 }, /* the build */
};

static void
hear(struct links *l, unsigned slot)
{
	if (l->fd[slot] == -1)
		return;
	links_read(l, slot);
	if (l->in[slot] != NULL)
		l->in[slot]->len = 0;
	l->at[slot] = 0;
}

/* Raw: not one of the workers that said HELLO properly. */
static void
reconnect(struct links *l, unsigned slot, bool hello)
{
	int fds[2];

	if (l->fd[slot] != -1)
		links_kill(l, slot);
	if (hello) {
		links_hello(l, slot, slot + 1);
		return;
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[0]), 0);
	peer_accept(&l->br, fds[0]);
	l->fd[slot] = fds[1];
}

static void
say(struct links *l, unsigned slot, struct input *in)
{
	struct str known[nitems(texts)];
	struct words words = { numbers, nitems(numbers), known, nitems(known) };
	struct buf *b = NULL;

	memcpy(known, texts, sizeof(texts));
	known[nitems(texts) - 1] = str_of(proc_build_id());
	message_make(in, FROM_WORKER, &words, &b);
	(void)!send(l->fd[slot], b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_unref(b);
}

static void
replay(struct links *l, uint64_t sid, const char *channel, const char *user)
{
	SEND(l, HONEST, sub, .app = 1, .sid = sid, .ref = (uint32_t)sid,
	    .stamp = sid, .channel = str_of(channel), .user_id = str_of(user));
}

static void
replace_broker(struct links *l)
{
	struct event_order *event_order = l->br.event_order;

	for (unsigned i = 0; i < LINKS; i++)
		if (l->fd[i] != -1)
			close(l->fd[i]);
	broker_clear(&l->br);
	links_next_broker(l, settings, event_order);
	replay(l, 9001, "room", "");
	replay(l, 9002, "presence-x", "honest");
	SEND(l, HONEST, resync_done, .seq = 0);
	SEND(l, SILENT, resync_done, .seq = 0);
}

/* Its patience is at an end: for the replays, then for the backlogs. */
static void
end_resync(struct links *l)
{
	links_turn(l);
	l->br.resync->began -= RESYNC_MAX; /* also with one that still sends */
	for (int i = 0; i < 2 * RESYNC_TICKS && resync_is_on(&l->br); i++)
		ev_invoke(l->br.loop, &l->br.resync->timer, EV_TIMER);
	assert_false(resync_is_on(&l->br));
	links_turn(l);
}

static void
step(struct links *l, struct input *in)
{
	uint8_t op = input_u8(in);
	unsigned slot = op % HOSTILE;

	if (op < 0xf0)
		say(l, slot, in);
	else if (op < 0xf4)
		reconnect(l, slot, true);
	else if (op < 0xf8)
		reconnect(l, slot, false);
	else if (op == 0xf8)
		replace_broker(l);
	else if (op == 0xf9)
		end_resync(l);
	links_turn(l);
	hear(l, slot);
	hear(l, HONEST);
}

static void
check_empty(struct links *l)
{
	struct hash_node *n;

	HASH_FOREACH(n, &l->br.registry->channels) {
		struct channel *c = container_of(n, struct channel, node);

		assert_int_equal(c->total, 0);
		assert_true(c->cached != NULL ||
		    presence_count(c->presence) > 0 || c->count_due != NULL);
	}
	assert_int_equal(l->br.users->by_sid.n, 0);
	assert_int_equal(apps_find(&l->br, 1)->nconns, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct event_order *event_order;
	struct input in = { p, n };
	struct links *l;

	fuzz_start();
	if (event_order == NULL)
		event_order = event_order_map();
	l = links_new(settings);
	l->br.event_order = event_order;
	honest_enter(l);
	for (int i = 0; i < 200 && in.n > 0; i++)
		step(l, &in);
	end_resync(l);
	honest_check(l);
	for (unsigned i = 0; i < LINKS; i++)
		if (l->fd[i] != -1)
			links_kill(l, i);
	check_empty(l);
	links_free(l);
	return 0;
}
