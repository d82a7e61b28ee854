/* SPDX-License-Identifier: MIT */
/* presence.c: members, their list, and a random walk against a model. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "broker/channel/registry.h"
#include "shared/base/base.h"
#include "tests/unit/broker/channel/members.h"

static void
users_are_counted_once(void **state)
{
	struct presence *p = presence_new(NULL);

	(void)state;
	assert_int_equal(join(p, 0, "u-7", "{\"a\":1}"), PRESENCE_FIRST);
	assert_int_equal(join(p, 1, "u-8", ""), PRESENCE_FIRST);
	assert_int_equal(join(p, 1, "u-7", "{\"a\":2}"), PRESENCE_MORE);
	assert_int_equal(presence_count(p), 2);
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"u-7\",\"u-8\"],\"hash\":{\"u-7\":"
	    "{\"a\":1},\"u-8\":null},\"count\":2}}");
	assert_int_equal(leave(p, 0, "u-8", 1), PRESENCE_UNKNOWN);
	assert_int_equal(leave(p, 1, "u-8", 0), PRESENCE_UNKNOWN);
	assert_int_equal(leave(p, 0, "u", 2), PRESENCE_UNKNOWN);
	assert_int_equal(leave(p, 0, "u-7", 2), PRESENCE_STAYS);
	assert_int_equal(leave(p, 0, "u-7", 2), PRESENCE_UNKNOWN);
	assert_int_equal(leave(p, 1, "u-7", 0), PRESENCE_GONE);
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"u-8\"],\"hash\":{\"u-8\":null},"
	    "\"count\":1}}");
	presence_free(p);
}

static void
ids_and_infos_are_any_text(void **state)
{
	struct presence *p = presence_new(NULL);

	(void)state;
	join(p, 0, "0", "\"\\u00e9\\\\\"");
	join(p, 0, "a\"b\\c\n", "[1e400, {\"k\":12345678901234567890}]");
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"0\",\"a\\\"b\\\\c\\n\"],\"hash\":{"
	    "\"0\":\"\\u00e9\\\\\",\"a\\\"b\\\\c\\n\":"
	    "[1e400, {\"k\":12345678901234567890}]},\"count\":2}}");
	presence_free(p);
}

static void
an_empty_list_is_one_too(void **state)
{
	struct presence *p = presence_new(NULL);

	(void)state;
	assert_list(p, "{\"presence\":{\"ids\":[],\"hash\":{},\"count\":0}}");
	join(p, 0, "a", "");
	assert_int_equal(leave(p, 0, "a", 0), PRESENCE_GONE);
	assert_list(p, "{\"presence\":{\"ids\":[],\"hash\":{},\"count\":0}}");
	presence_free(p);
}

static void
a_full_channel_lets_its_users_in(void **state)
{
	struct presence *p = presence_new(NULL);
	struct presence_join j = { .id = S("a"), .stamp = 1, .max = 2 };

	(void)state;
	assert_int_equal(presence_join(p, &j), PRESENCE_FIRST);
	j.id = S("b");
	assert_int_equal(presence_join(p, &j), PRESENCE_FIRST);
	j.id = S("c");
	assert_int_equal(presence_join(p, &j), PRESENCE_FULL);
	assert_int_equal(presence_count(p), 2);
	j.id = S("a");
	assert_int_equal(presence_join(p, &j), PRESENCE_MORE);
	j.sid++;
	j.id = S("b");
	assert_int_equal(presence_leave(p, 0, 0, S("b")), PRESENCE_GONE);
	j.id = S("c");
	assert_int_equal(presence_join(p, &j), PRESENCE_FIRST);
	presence_free(p);
}

static void
the_list_has_a_bound_in_bytes(void **state)
{
	enum { BIG = 1 << 20 };
	struct presence *p = presence_new(NULL);
	char *info = malloc(BIG + 1), id[16];
	enum presence_joined r = PRESENCE_FIRST;
	int n;

	(void)state;
	memset(info, '1', BIG);
	info[BIG] = '\0';
	for (n = 0; r == PRESENCE_FIRST && n < 100; n++) {
		snprintf(id, sizeof(id), "u%d", n);
		r = join(p, 0, id, info);
	}
	assert_int_equal(r, PRESENCE_TOO_LARGE);
	assert_int_equal(presence_count(p), PRESENCE_MAX_BYTES / BIG - 1);
	assert_int_equal(join(p, 0, "u0", info), PRESENCE_MORE);
	free(info);
	presence_free(p);
}

static void
a_dead_worker_leaves_suspects(void **state)
{
	struct presence *p = presence_new(NULL);
	struct list suspects;
	struct member *m;

	(void)state;
	list_init(&suspects);
	join(p, 0, "a", "");
	join(p, 0, "b", "");
	join(p, 1, "b", "");
	join(p, 0, "c", "{}");
	join(p, 0, "c", "");
	assert_int_equal(presence_drop(p, 1, 5., &suspects), 0);
	join(p, 1, "b", "");
	assert_int_equal(presence_drop(p, 0, 7., &suspects), 2);
	assert_int_equal(presence_count(p), 3); /* nobody has left yet */
	/* c comes back, by another worker: with what it says now */
	assert_int_equal(join(p, 1, "c", "9"), PRESENCE_MORE);
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"a\",\"b\",\"c\"],\"hash\":{\"a\":null,"
	    "\"b\":null,\"c\":9},\"count\":3}}");
	m = LIST_ITEM(suspects.next, struct member, suspect);
	assert_true(str_eq(member_id(m), S("a")));
	assert_true(m->due == 7.);
	presence_expire(m);
	assert_true(list_is_empty(&suspects));
	assert_int_equal(presence_count(p), 2);
	presence_drop(p, 1, 8., &suspects);
	presence_free(p);
	assert_true(list_is_empty(&suspects));
}

/* Two workers replay; the order of joining is that of before. */
static void
a_replay_restores_the_order(void **state)
{
	static const struct {
		const char *id, *info;
		uint64_t stamp;
	} said[] = {
		{ "b", "2", 20 },
		{ "d", "4", 40 },
		{ "a", "1", 10 },
		{ "c", "3", 30 },
		{ "d", "5", 35 },
		{ "b", "9", 50 },
	};
	struct presence *p = presence_new(NULL);

	(void)state;
	for (size_t i = 0; i < nitems(said); i++) {
		struct presence_join j = { .slot = i % 2,
			.id = str_of(said[i].id),
			.info = str_of(said[i].info),
			.sid = i,
			.stamp = said[i].stamp,
			.replay = true };

		presence_join(p, &j);
		if (i == 1)
			assert_list(p,
			    "{\"presence\":{\"ids\":[\"b\",\"d\"],\"hash\":{"
			    "\"b\":2,\"d\":4},\"count\":2}}");
	}
	assert_list(p,
	    "{\"presence\":{\"ids\":[\"a\",\"b\",\"c\",\"d\"],\"hash\":{"
	    "\"a\":1,\"b\":2,\"c\":3,\"d\":5},\"count\":4}}");
	presence_free(p);
}

/* ---- the walk ---- */

enum { SLOTS = 4, CHANNELS = 6, USERS = 12, STEPS = 200000, CONNS = 64 };

/* The model: members and their connections in arrays, the oldest first. */
struct model_conn {
	uint64_t sid;
	unsigned slot, info;
};

struct model_member {
	int user, n;
	struct model_conn conns[CONNS];
};

struct model {
	struct model_member order[CHANNELS][USERS];
	int n[CHANNELS];
};

struct walk {
	struct registry r;
	struct list suspects;
	struct model m;
	uint64_t rnd;
};

static unsigned
draw(struct walk *w, unsigned below)
{
	/* xorshift: the same walk for the same seed */
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return (unsigned)(w->rnd >> 33) % below;
}

static const char *
channel_name(unsigned i, char out[16])
{
	snprintf(out, 16, "presence-%u", i);
	return out;
}

static const char *
user_name(int i, char out[16])
{
	snprintf(out, 16, "user-%d", i);
	return out;
}

static int
model_find(const struct model *m, unsigned ch, int user)
{
	for (int i = 0; i < m->n[ch]; i++)
		if (m->order[ch][i].user == user)
			return i;
	return -1;
}

/* Suspects keep the first one. */
static void
model_remove_conn(struct model_member *m, int at)
{
	if (--m->n == 0)
		m->conns[0] = m->conns[at];
	for (int i = at; i < m->n; i++)
		m->conns[i] = m->conns[i + 1];
}

static void
model_remove(struct model *m, unsigned ch, int at)
{
	m->n[ch]--;
	for (int i = at; i < m->n[ch]; i++)
		m->order[ch][i] = m->order[ch][i + 1];
}

static void
drop_empty(struct walk *w, struct channel *c)
{
	if (presence_count(c->presence) == 0) {
		presence_free(c->presence);
		c->presence = NULL;
	}
	registry_release(&w->r, c);
}

static void
step_join(struct walk *w, unsigned ch, int user, unsigned slot)
{
	char name[16], id[16], info[2] = { (char)('0' + draw(w, 3)), '\0' };
	struct channel *c =
	    registry_get(&w->r, 1, str_of(channel_name(ch, name)));
	int at = model_find(&w->m, ch, user);
	struct model_member *m;
	enum presence_joined r;

	if (at != -1 && w->m.order[ch][at].n == CONNS)
		return;
	if (c->presence == NULL)
		c->presence = presence_new(c);
	r = join(c->presence, slot, user_name(user, id), info);
	registry_enter(&w->r, c, slot);
	assert_int_equal(r, at == -1 ? PRESENCE_FIRST : PRESENCE_MORE);
	if (at == -1) {
		at = w->m.n[ch]++;
		w->m.order[ch][at] = (struct model_member){ .user = user };
	}
	m = &w->m.order[ch][at];
	m->conns[m->n++] =
	    (struct model_conn){ stamp, slot, (unsigned)info[0] };
}

static void
step_leave(struct walk *w, unsigned ch, int user, unsigned slot)
{
	char name[16], id[16];
	struct channel *c =
	    registry_find(&w->r, 1, str_of(channel_name(ch, name)));
	enum presence_left want = PRESENCE_UNKNOWN, got = PRESENCE_UNKNOWN;
	int at = model_find(&w->m, ch, user), conn = 0;
	struct model_member *m = at == -1 ? NULL : &w->m.order[ch][at];
	uint64_t sid = 0;

	if (m != NULL && m->n > 0) {
		conn = (int)draw(w, (unsigned)m->n);
		sid = m->conns[conn].sid;
		if (m->conns[conn].slot == slot)
			want = m->n == 1 ? PRESENCE_GONE : PRESENCE_STAYS;
	}
	if (c != NULL && c->presence != NULL)
		got = presence_leave(
		    c->presence, slot, sid, str_of(user_name(user, id)));
	assert_int_equal(got, want);
	if (want == PRESENCE_UNKNOWN)
		return;
	assert_int_equal(registry_leave(&w->r, c, slot), 0);
	drop_empty(w, c);
	model_remove_conn(m, conn);
	if (want == PRESENCE_GONE)
		model_remove(&w->m, ch, at);
}

static void
step_death(struct walk *w, unsigned slot)
{
	struct hash_node *n, *next;

	HASH_FOREACH_SAFE(n, next, &w->r.channels) {
		struct channel *c = container_of(n, struct channel, node);

		presence_drop(c->presence, slot, 0., &w->suspects);
		registry_drop(&w->r, c, slot);
	}
	for (unsigned ch = 0; ch < CHANNELS; ch++) {
		for (int i = 0; i < w->m.n[ch]; i++) {
			struct model_member *m = &w->m.order[ch][i];

			/* The first one last, as its info stays. */
			for (int k = m->n - 1; k >= 0; k--)
				if (m->conns[k].slot == slot)
					model_remove_conn(m, k);
		}
	}
}

static void
step_expire(struct walk *w)
{
	while (!list_is_empty(&w->suspects)) {
		struct member *m =
		    LIST_ITEM(w->suspects.next, struct member, suspect);
		struct channel *c = m->presence->channel;

		presence_expire(m);
		drop_empty(w, c);
	}
	for (unsigned ch = 0; ch < CHANNELS; ch++)
		for (int i = w->m.n[ch] - 1; i >= 0; i--)
			if (w->m.order[ch][i].n == 0)
				model_remove(&w->m, ch, i);
}

static void
compare_channel(struct walk *w, unsigned ch)
{
	char name[16], id[16];
	const struct channel *c =
	    registry_find(&w->r, 1, str_of(channel_name(ch, name)));
	struct buf *want = NULL;
	uint64_t slots = 0;
	uint32_t total = 0;

	if (w->m.n[ch] == 0) {
		assert_null(c);
		return;
	}
	assert_non_null(c);
	buf_append(&want, S("{\"presence\":{\"ids\":["));
	for (int i = 0; i < w->m.n[ch]; i++)
		buf_printf(&want, "%s\"%s\"", i == 0 ? "" : ",",
		    user_name(w->m.order[ch][i].user, id));
	buf_append(&want, S("],\"hash\":{"));
	for (int i = 0; i < w->m.n[ch]; i++)
		buf_printf(&want, "%s\"%s\":%c", i == 0 ? "" : ",",
		    user_name(w->m.order[ch][i].user, id),
		    (int)w->m.order[ch][i].conns[0].info);
	buf_printf(&want, "},\"count\":%d}}%c", w->m.n[ch], 0);
	assert_list(c->presence, want->data);
	buf_unref(want);
	for (int i = 0; i < w->m.n[ch]; i++)
		for (int k = 0; k < w->m.order[ch][i].n; k++) {
			total++;
			slots |= UINT64_C(1) << w->m.order[ch][i].conns[k].slot;
		}
	assert_int_equal(c->total, total);
	assert_true(c->slots == slots);
}

static void
a_random_walk_ends_like_the_model(void **state)
{
	const char *given = getenv("SEED");
	struct walk w = { .rnd = given != NULL ? strtoull(given, NULL, 10)
					       : (uint64_t)time(NULL) };

	(void)state;
	printf("SEED=%llu\n", (unsigned long long)w.rnd);
	w.rnd = w.rnd * 2 + 1; /* never 0 */
	registry_init(&w.r, SLOTS, NULL);
	list_init(&w.suspects);
	for (int i = 0; i < STEPS; i++) {
		unsigned what = draw(&w, 1000), ch = draw(&w, CHANNELS);
		int user = (int)draw(&w, USERS);
		unsigned slot = draw(&w, SLOTS);

		if (what < 450)
			step_join(&w, ch, user, slot);
		else if (what < 980)
			step_leave(&w, ch, user, slot);
		else if (what < 990)
			step_death(&w, slot);
		else
			step_expire(&w);
		if (draw(&w, 4) > 0) /* else several leave meanwhile */
			compare_channel(&w, ch);
	}
	for (unsigned s = 0; s < SLOTS; s++)
		step_death(&w, s);
	step_expire(&w);
	assert_int_equal(w.r.channels.n, 0);
	registry_clear(&w.r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_are_counted_once),
		cmocka_unit_test(ids_and_infos_are_any_text),
		cmocka_unit_test(an_empty_list_is_one_too),
		cmocka_unit_test(a_full_channel_lets_its_users_in),
		cmocka_unit_test(the_list_has_a_bound_in_bytes),
		cmocka_unit_test(a_dead_worker_leaves_suspects),
		cmocka_unit_test(a_replay_restores_the_order),
		cmocka_unit_test(a_random_walk_ends_like_the_model),
	};

	hash_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
