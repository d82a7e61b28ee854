/* SPDX-License-Identifier: MIT */
/*
 * subscribe.c: a connection enters or leaves a channel.  Owns the members'
 * lives (struct presence of a channel) and the order of the messages (protocol
 * reference, 10.2): the joiner's confirmation, then its cached event, then
 * member_added to the others, then the count.  The newcomer's bit is set before
 * member_added goes out, so that it reaches the newcomer's worker after
 * SUB_DONE; `except` keeps it from the newcomer.  Must never answer a replay.
 */

#include "broker/channel/subscribe.h"

#include "broker/app/apps.h"
#include "broker/channel/cache.h"
#include "broker/channel/channel_events.h"
#include "broker/channel/departures.h"
#include "broker/channel/presence.h"
#include "broker/channel/presence_sync.h"
#include "broker/channel/registry.h"
#include "broker/channel/room.h"
#include "broker/channel/subscription_count.h"
#include "broker/channel/suspects.h"
#include "broker/core/core.h"
#include "broker/link/answers.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/base.h"
#include "shared/conf/conf.h"
#include "shared/json/json_write.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/frames.h"

#define ID_MAX 4096         /* bytes of a user id; workers allow less */
#define INFO_MAX (2u << 20) /* bytes of a user_info; likewise */

#define REFUSED 413 /* SUB_DONE.status */

/* Makes pusher_internal:subscription_succeeded for the present members. */
static void
write_confirmation(struct broker *br, struct channel *c, struct buf **b)
{
	struct str name = registry_name(br->registry, c);
	size_t mark;

	if (c->presence == NULL) {
		frame_subscribed(b, name);
		return;
	}
	mark = frame_begin(b);
	json_raw(b,
	    S("{\"event\":\"pusher_internal:subscription_succeeded\","
	      "\"channel\":"));
	json_quote(b, name);
	json_raw(b, S(",\"data\":\""));
	presence_write(c->presence, b);
	json_raw(b, S("\"}"));
	frame_end(b, mark);
}

static void
answer(
    struct peer *p, struct channel *c, const struct msg_sub *m, uint64_t stamp)
{
	struct buf **b = broker_scratch(p->br);
	struct msg_sub_done done = {
		.sid = m->sid, .ref = m->ref, .stamp = stamp
	};
	struct str cached;
	struct replay_sub r;

	if (c->presence != NULL)
		presence_sync_give(p, c);
	replay_begin(
	    p->br->replay, &r, m->app, m->sid, m->channel, broker_now());
	write_confirmation(p->br, c, b);
	if ((channel_flags(m->channel) & CHANNEL_CACHE) &&
	    replay_wants_cached(&r)) {
		cached = cache_get(p->br, c, NULL);
		if (cached.p != NULL)
			buf_append(b, cached);
		else
			frame_cache_miss(b, m->channel);
		if (cached.p == NULL)
			p->br->events->missed(p->br, c);
	}
	replay_write(p->br->replay, &r, m->sid, b);
	done.pos = r.pos;
	done.back = r.back;
	done.frames = buf_str(*b);
	ipc_send_sub_done(&p->ipc, &done);
}

/*
 * It has left already, but every question needs an answer: workers count them.
 */
static void
answer_gone(struct peer *p, const struct msg_sub *m, uint64_t stamp)
{
	struct msg_sub_done done = {
		.sid = m->sid, .ref = m->ref, .stamp = stamp
	};

	ipc_send_sub_done(&p->ipc, &done);
}

void
subscribe_answer(struct peer *p, const struct msg_sub *m, uint64_t stamp)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);

	if (c != NULL)
		answer(p, c, m, stamp);
	else
		answer_gone(p, m, stamp);
}

/* Sends the confirmation alone, once more. */
static void
answer_again(struct peer *p, const struct msg_sub *m, uint64_t stamp)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);
	struct buf **b = broker_scratch(p->br);
	struct msg_sub_done done = {
		.sid = m->sid, .ref = m->ref, .stamp = stamp
	};

	if (c == NULL)
		return;
	write_confirmation(p->br, c, b);
	done.frames = buf_str(*b);
	ipc_send_sub_done(&p->ipc, &done);
}

/* Answers now, or when it is the turn of this connection. */
static void
answer_in_turn(struct peer *p, answer_fn fn, const struct msg_sub *m,
    uint64_t seq, uint64_t stamp)
{
	if (answers_must_wait(p))
		answers_put_off(p, fn, m, seq, stamp);
	else
		fn(p, m, stamp);
}

static void
refuse(struct peer *p, const struct msg_sub *m, struct str why)
{
	struct buf **b = broker_scratch(p->br);
	struct msg_sub_done done = {
		.sid = m->sid, .ref = m->ref, .status = REFUSED
	};

	frame_subscription_error(b, m->channel, "LimitReached", REFUSED, why);
	done.frames = buf_str(*b);
	ipc_send_sub_done(&p->ipc, &done);
	peer_refuse(p, m->sid, m->channel);
	p->br->events->refused(p->br, m->app, m->channel, why);
}

static void
refuse_member(struct peer *p, const struct msg_sub *m, enum presence_joined why,
    uint32_t max)
{
	struct buf *text = NULL;

	if (why == PRESENCE_FULL)
		buf_printf(&text,
		    "channel has %u members, the limit of "
		    "max_presence_members",
		    max);
	else
		buf_printf(&text,
		    "the members of the channel take more than %u bytes",
		    PRESENCE_MAX_BYTES);
	refuse(p, m, buf_str(text));
	buf_unref(text);
}

/*
 * A new channel costs memory, and so does each member.  False: the app holds
 * too much, and the client has been told.
 */
static bool
has_room(struct peer *p, const struct msg_sub *m)
{
	struct buf *why = NULL;

	if ((m->user_id.n == 0 &&
		registry_find(p->br->registry, m->app, m->channel) != NULL) ||
	    room_for(p->br, m->app, &why))
		return true;
	refuse(p, m, buf_str(why));
	buf_unref(why);
	return false;
}

/* Is the message valid?  Users' own channels belong to their sessions. */
static bool
is_sound(struct str channel, struct str user_id)
{
	bool presence;

	if (!registry_name_is_open(channel))
		return false;
	presence = (channel_flags(channel) & CHANNEL_PRESENCE) != 0;
	return presence == (user_id.n > 0) && user_id.n <= ID_MAX;
}

/* Workers that do not know this suspect must learn of it before it ends. */
static void
announce_suspect(struct broker *br, const struct presence *p, struct str id)
{
	const struct member *m;

	if (list_is_empty(&br->suspects->unannounced))
		return;
	m = presence_find(p, id);
	if (m != NULL && m->conns.n == 0)
		presence_sync_tell_suspect(br, m);
}

static enum presence_joined
join(struct broker *br, struct channel *c, const struct msg_sub *m,
    const struct presence_join *j)
{
	if (m->user_id.n == 0)
		return PRESENCE_MORE; /* no members here, so no event */
	if (c->presence == NULL) {
		c->presence = presence_new(c);
		c->presence->budget = br->budget;
	}
	announce_suspect(br, c->presence, m->user_id);
	return presence_join(c->presence, j);
}

/*
 * The old broker has answered, but may not have told the others; the replay has
 * entered it here.
 */
static int
announce(struct peer *p, const struct msg_sub *m)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);

	if (c == NULL || c->count[p->slot] == 0)
		return -1;
	if (m->user_id.n > 0 && !p->rejoined && c->presence != NULL &&
	    presence_is_oldest(c->presence, m->user_id, m->stamp))
		presence_sync_tell_added(p, c, m, m->stamp);
	subscription_count_changed(p->br, c);
	return 0;
}

/*
 * Other clients know a replayed member already, unless this broker has told
 * them that the member left: it knew the worker, and the link was down for
 * long.
 */
int
subscribe_on_sub(struct peer *p, const struct msg_sub *m)
{
	struct broker *br = p->br;
	struct broker_app *a = apps_find(br, m->app);
	struct presence_join j = { .slot = (unsigned)p->slot,
		.id = m->user_id,
		.info = m->user_info,
		.sid = m->sid,
		.stamp = m->stamp,
		.max = UINT32_MAX,
		.replay = m->stamp != 0 };
	enum presence_joined joined;
	bool replay = j.replay, added, early;
	struct channel *c;

	if (!is_sound(m->channel, m->user_id) || m->user_info.n > INFO_MAX)
		return -1;
	peer_number(p, m->seq);
	if (m->stamp == SUB_VOID)
		return 0;
	if (replay && m->seq != 0)
		return announce(p, m);
	if (replay)
		br->stamp = MAX(br->stamp, m->stamp);
	else
		j.stamp = ++br->stamp;
	if (a != NULL)
		j.max = a->app.max_presence_members;
	/*
	 * The client asks again: its worker has read the refusal, so no UNSUB
	 * follows.
	 */
	peer_was_refused(p, m->sid, m->channel);
	if (!replay && !br->applying && !has_room(p, m))
		return 0;
	c = registry_get(br->registry, m->app, m->channel);
	joined = join(br, c, m, &j);
	if (joined != PRESENCE_FIRST && joined != PRESENCE_MORE) {
		refuse_member(p, m, joined, j.max);
		presence_release(br->registry, c);
		return 0;
	}
	registry_enter(br->registry, c, j.slot);
	br->events->entered(
	    br, c, joined == PRESENCE_FIRST ? m->user_id : S(""));
	/* The clients that a receiver will get do not have its roster. */
	early = br->registry->moving != 0;
	added = joined == PRESENCE_FIRST && (!replay || p->rejoined);
	if (added)
		departures_count(br, c);
	if (added && early)
		presence_sync_tell_added(p, c, m, j.stamp);
	if (!replay)
		answer_in_turn(p, subscribe_answer, m, m->seq, j.stamp);
	else
		replay_recall(
		    br->replay, m->app, m->sid, m->channel, m->pos, m->back);
	if (added && !early)
		presence_sync_tell_added(p, c, m, j.stamp);
	if (!replay || p->rejoined)
		subscription_count_changed(br, c);
	return 0;
}

bool
subscribe_is_refused(struct peer *p, const struct msg_sub *m)
{
	if (m->seq == 0 || m->stamp != 0 || !is_sound(m->channel, m->user_id))
		return false;
	peer_was_refused(p, m->sid, m->channel);
	return !has_room(p, m);
}

/* All hosts have refused what was refused to members. */
bool
subscribe_was_refused(struct peer *p, const struct msg_unsub *m)
{
	return m->user_id.n == 0 && peer_was_refused(p, m->sid, m->channel);
}

int
subscribe_on_sub_again(struct peer *p, const struct msg_sub_again *m)
{
	struct channel *c = registry_find(p->br->registry, m->app, m->channel);
	struct msg_sub q = { .app = m->app,
		.sid = m->sid,
		.ref = m->ref,
		.channel = m->channel };

	if (c == NULL || c->count[p->slot] == 0)
		return -1;
	answer_in_turn(p, answer_again, &q, 0, m->stamp);
	return 0;
}

/*
 * A member whose connection with a session broke stays for presence_grace, also
 * if another connection is the last to leave.
 */
static enum presence_left
leave(struct peer *p, struct channel *c, const struct msg_unsub *m)
{
	const struct broker_app *a = apps_find(p->br, m->app);
	double now = broker_now(), until = 0;
	struct member *away;
	bool waits;

	if (m->broke && a != NULL)
		until = now + (double)a->app.presence_grace;
	away = presence_keep(c->presence, m->user_id, now, until);
	waits = away == NULL && departures_must_wait(p->br, c);
	if (away == NULL && !waits)
		return presence_leave(
		    c->presence, (unsigned)p->slot, m->sid, m->user_id);
	if (waits)
		away = presence_find(c->presence, m->user_id);
	if (away == NULL ||
	    !presence_lose_conn(away, (unsigned)p->slot, m->sid))
		return PRESENCE_UNKNOWN;
	if (away->conns.n == 0 && waits)
		departures_add(p->br, away);
	else if (away->conns.n == 0)
		suspects_add(p->br, away);
	return PRESENCE_STAYS;
}

int
subscribe_on_unsub(struct peer *p, const struct msg_unsub *m)
{
	struct broker *br = p->br;
	unsigned slot = (unsigned)p->slot;
	enum presence_left left = PRESENCE_STAYS;
	struct channel *c;

	if (!is_sound(m->channel, m->user_id))
		return -1;
	peer_number(p, m->seq);
	if (peer_was_refused(p, m->sid, m->channel))
		return 0;
	answers_replace(p, m->sid, m->channel, answer_gone);
	replay_left(br->replay, m->app, m->sid, m->channel);
	c = registry_find(br->registry, m->app, m->channel);
	if (c == NULL || c->count[slot] == 0)
		return -1;
	if (m->user_id.n > 0) {
		if (c->presence == NULL)
			return -1;
		left = leave(p, c, m);
		if (left == PRESENCE_UNKNOWN)
			return -1;
	}
	if (registry_leave(br->registry, c, slot) == -1)
		return -1;
	if (left == PRESENCE_GONE) {
		departures_count(br, c);
		presence_sync_tell_removed(br, c, m->user_id);
	}
	if (c->presence != NULL)
		c->presence->rosters &= c->slots;
	br->events->left(br, c, left == PRESENCE_GONE ? m->user_id : S(""));
	subscription_count_changed(br, c);
	presence_release(br->registry, c);
	return 0;
}

/* ---- the end ---- */

void
subscribe_clear(struct broker *br)
{
	struct hash *channels = &br->registry->channels;
	struct hash_node *n;

	HASH_FOREACH(n, channels) {
		struct channel *c = container_of(n, struct channel, node);

		presence_free(c->presence);
		c->presence = NULL;
	}
}
