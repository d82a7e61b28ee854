/* SPDX-License-Identifier: MIT */
/*
 * Channels and members, against a model that is only arrays: three workers
 * subscribe and unsubscribe, die and come back.  After every step the broker
 * has the model's counts and members, in the order of joining; and a fourth
 * worker that is in every channel has heard of exactly those who came first
 * or left last.  Input: two bytes for each step.
 */

#include "tests/fuzz/fuzz.h"

#include "broker/channel/presence.h"
#include "broker/channel/registry.h"
#include "tests/unit/broker/links.h"

#define CHANNELS 4
#define USERS 4
#define WATCHER 3
#define SUBS 256

static const char *const channels[CHANNELS] = { "room", "presence-x",
	"presence-y", "private-a" };
static const char *const users[USERS] = { "u0", "u1", "u2", "u3" };

/* One subscription, in the order in which they were made. */
struct entry {
	unsigned slot, channel, user;
	uint64_t sid;
};

/* How often somebody came or left. */
struct news {
	int added[CHANNELS][USERS], removed[CHANNELS][USERS];
};

struct model {
	struct entry v[SUBS];
	size_t n;
	uint64_t next_sid;
	struct news want, heard; /* by the watcher, in one step */
};

static bool
is_presence(unsigned channel)
{
	return channel == 1 || channel == 2;
}

static unsigned
count(const struct model *m, unsigned channel, int slot, int user)
{
	unsigned n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->v[i].channel == channel &&
		    (slot == -1 || m->v[i].slot == (unsigned)slot) &&
		    (user == -1 || m->v[i].user == (unsigned)user);
	return n;
}

/* The connection that came first of those that are there. */
static uint64_t
oldest(const struct model *m, unsigned channel, unsigned user)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].channel == channel && m->v[i].user == user)
			return m->v[i].sid;
	return 0;
}

static void
forget(struct model *m, size_t i)
{
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(m->v[0]));
	m->n--;
}

/* A member who comes or goes, for the watcher. */
static void
take_news(struct model *m, const struct msg_member *e)
{
	for (unsigned c = 0; c < CHANNELS; c++) {
		if (!str_eq(e->channel, str_of(channels[c])))
			continue;
		for (unsigned u = 0; u < USERS; u++) {
			if (!str_eq(e->user_id, str_of(users[u])))
				continue;
			if (e->change == MEMBER_ADDED)
				m->heard.added[c][u]++;
			else
				m->heard.removed[c][u]++;
		}
	}
}

static void
hear(struct links *l, struct model *m)
{
	struct msg_member e;
	struct said s;

	while (links_next(l, WATCHER, &s)) {
		if (s.type != IPC_MEMBER)
			continue;
		assert_int_equal(msg_member_get(&e, s.body), 0);
		take_news(m, &e);
	}
	for (unsigned i = 0; i < LINKS; i++) {
		links_read(l, i);
		if (l->in[i] != NULL)
			l->in[i]->len = 0;
		l->at[i] = 0;
	}
}

static void
subscribe(struct links *l, struct model *m, struct entry e)
{
	if (m->n == SUBS)
		return;
	e.sid = ++m->next_sid;
	if (is_presence(e.channel) && count(m, e.channel, -1, (int)e.user) == 0)
		m->want.added[e.channel][e.user]++;
	m->v[m->n++] = e;
	SEND(l, e.slot, sub, .app = 1, .sid = e.sid, .ref = (uint32_t)e.sid,
	    .channel = str_of(channels[e.channel]),
	    .user_id = str_of(is_presence(e.channel) ? users[e.user] : ""));
}

static void
unsubscribe(struct links *l, struct model *m, unsigned which)
{
	struct entry e;

	if (m->n == 0)
		return;
	e = m->v[which % m->n];
	forget(m, which % m->n);
	if (is_presence(e.channel) && count(m, e.channel, -1, (int)e.user) == 0)
		m->want.removed[e.channel][e.user]++;
	SEND(l, e.slot, unsub, .app = 1, .sid = e.sid,
	    .channel = str_of(channels[e.channel]),
	    .user_id = str_of(is_presence(e.channel) ? users[e.user] : ""));
}

/* Dies and is replaced; those who were only there leave. */
static void
die(struct links *l, struct model *m, unsigned slot)
{
	struct entry e;

	for (size_t i = m->n; i-- > 0;) {
		if (m->v[i].slot != slot)
			continue;
		e = m->v[i];
		forget(m, i);
		if (is_presence(e.channel) &&
		    count(m, e.channel, -1, (int)e.user) == 0)
			m->want.removed[e.channel][e.user]++;
	}
	hear(l, m);
	links_kill(l, slot);
	links_turn(l);
	links_hello(l, slot, slot + 10);
}

struct roster {
	const struct model *m;
	unsigned channel, n;
	uint64_t stamp;
};

static void
on_member(void *arg, const struct member *mb)
{
	struct roster *r = arg;

	for (int u = 0; u < USERS; u++)
		if (str_eq(member_id(mb), str_of(users[u]))) {
			assert_true(mb->stamp > r->stamp);
			r->stamp = mb->stamp;
			assert_int_equal(
			    mb->conns.n, count(r->m, r->channel, -1, u));
			assert_true(mb->conns.first.sid ==
			    oldest(r->m, r->channel, (unsigned)u));
			r->n++;
			return;
		}
	assert_true(str_eq(member_id(mb), S("watcher")));
}

static void
check(struct links *l, const struct model *m)
{
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct channel *c =
		    registry_find(l->br.registry, 1, str_of(channels[i]));
		struct roster r = { m, i, 0, 0 };
		unsigned nusers = 0;

		assert_non_null(c);
		assert_int_equal(c->total, count(m, i, -1, -1) + 1);
		for (int s = 0; s < WATCHER; s++) {
			assert_int_equal(c->count[s], count(m, i, s, -1));
			assert_true(!(c->slots >> s & 1) == !c->count[s]);
		}
		if (!is_presence(i))
			continue;
		for (int u = 0; u < USERS; u++)
			nusers += count(m, i, -1, u) > 0;
		presence_each(c->presence, on_member, &r);
		assert_int_equal(r.n, nusers);
		assert_int_equal(presence_count(c->presence), nusers + 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct model m = { .n = 0 };
	struct links *l;

	fuzz_start();
	l = links_new(NULL);
	for (unsigned i = 0; i < CHANNELS; i++)
		links_sub(l, WATCHER, ++m.next_sid, channels[i],
		    is_presence(i) ? "watcher" : "");
	for (int i = 0; i < 100 && in.n > 1; i++) {
		uint8_t op = input_u8(&in), arg = input_u8(&in);
		struct entry e = { op % WATCHER, arg % CHANNELS,
			(arg >> 2) % USERS, 0 };

		memset(&m.want, 0, sizeof(m.want));
		memset(&m.heard, 0, sizeof(m.heard));
		if (op < 0x90)
			subscribe(l, &m, e);
		else if (op < 0xf8)
			unsubscribe(l, &m, arg);
		else
			die(l, &m, e.slot);
		hear(l, &m);
		check(l, &m);
		if (memcmp(&m.want, &m.heard, sizeof(m.want)) != 0)
			fail_msg(
			    "step %d: the watcher heard something else", i);
	}
	links_free(l);
	return 0;
}
