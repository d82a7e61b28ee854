/* SPDX-License-Identifier: MIT */
/*
 * verb_log.c: the verbs about sessions that resume, and about the events in an
 * app's log.  Must never change a session.
 */

#include "broker/control/verb_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/control/control_job.h"
#include "broker/control/name_list.h"
#include "broker/control/tail.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/log/replay.h"
#include "broker/log/resume_channels.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/pusher/channel_name.h"

#define CHANNELS_MAX 100 /* of one session that are shown */

static void
put_session(struct control_client *cc, struct json_writer *w,
    const struct broker_app *a, const struct resume_session *s)
{
	static const char *const states[] = { "free", "connected", "away" };
	const struct resumes *all = &cc->br->replay->sessions;
	const struct session_row *row = resumes_row(all, s);
	struct session_id id = session_row_id(all->table, row);
	char sid[SOCKET_ID_MAX], text[SESSION_ID_MAX];

	socket_id_text(row->sid, sid);
	json_member_str(w, "app", str_of(a->app.id));
	json_member_str(w, "session", session_id_text(&id, text));
	json_member_str(
	    w, "state", str_of(states[row->state % nitems(states)]));
	json_member_u64(w, "since",
	    (clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC)) / 1000000 +
		row->since);
	json_member_str(w, "socket_id", str_of(sid));
	json_member_u64(w, "channels", s->channels.n);
	json_member_u64(w, "confirmed", row->acked);
}

static void
session_row(struct control_client *cc, const struct broker_app *a,
    struct str name, struct str about)
{
	const struct resume_session *s =
	    resumes_find(&cc->br->replay->sessions, a->app.num, name);
	struct json_writer w;

	if (s == NULL)
		return;
	verb_row_begin(&w, NULL);
	put_session(cc, &w, a, s);
	verb_row_end(cc, &w);
}

static bool
sessions_portion(struct name_list *s, struct broker *br, struct name_cursor *at,
    struct str about)
{
	const struct resumes *all = &br->replay->sessions;
	const struct resume_session *r = NULL;
	char text[SESSION_ID_MAX];

	for (int i = 0;
	     i < NAME_LIST_LOOK && (r = resumes_next(all, &at->row)) != NULL;
	     i++) {
		const struct session_row *row = resumes_row(all, r);
		struct session_id id = session_row_id(all->table, row);

		name_list_offer(s, br, row->app, session_id_text(&id, text));
	}
	return r != NULL;
}

void
verb_sessions(struct control_client *cc, struct json args)
{
	struct broker_app *only;

	if (verb_app_or_all(cc, args, &only) == 0)
		name_list_begin(cc, name_list_new(session_row, S("")),
		    sessions_portion, only);
}

/* ---- one session ---- */

/* The answer that the client would get now in this channel. */
static void
channel_row(struct control_client *cc, const struct broker_app *a,
    const struct resume_session *s, const struct resume_channel *c)
{
	const struct replay *x = cc->br->replay;
	const struct app_log *l = app_logs_find(&x->logs, a->app.num);
	struct resume_forecast f = { .word = "connected" };
	struct ring_record r = { .channel = { NULL, 0 } };
	struct json_writer w;

	if (l != NULL)
		app_log_head(l, c->hash, &r);
	if (!s->attached || !c->now)
		f = replay_forecast(x, l, s, c, r.channel);
	verb_row_begin(&w, "channel");
	json_key(&w, "channel");
	if (r.channel.p == NULL) /* only its hash is known */
		json_put_null(&w);
	else
		json_put_str(&w, r.channel);
	json_member_str(&w, "answer", str_of(f.word));
	json_member_u64(&w, "missed", f.missed);
	verb_row_end(cc, &w);
}

static void
show(struct control_client *cc, const struct broker_app *a,
    const struct resume_session *s)
{
	const struct app_log *l =
	    app_logs_find(&cc->br->replay->logs, a->app.num);
	const struct resume_channel *c;
	struct json_writer w;
	uint32_t i = 0;

	verb_row_begin(&w, "session");
	put_session(cc, &w, a, s);
	json_member_u64(&w, "newest", l == NULL ? 0 : ring_last(l->ring));
	verb_row_end(cc, &w);
	for (unsigned n = 0; n < CHANNELS_MAX &&
	     (c = resume_channels_next(&s->channels, &i)) != NULL;
	     n++)
		channel_row(cc, a, s, c);
}

/* A session that has ended; false: no such session is known. */
static bool
show_end(struct control_client *cc, const struct broker_app *a, struct str id)
{
	const struct session_table *t = cc->br->replay->sessions.table;
	enum session_end end = SESSION_UNKNOWN;
	struct json_writer w;

	if (t != NULL)
		end = session_table_buried(t, a->app.num, id);
	if (end == SESSION_UNKNOWN)
		return false;
	verb_row_begin(&w, "session");
	json_member_str(&w, "app", str_of(a->app.id));
	json_member_str(&w, "session", id);
	json_member_str(
	    &w, "state", end == SESSION_EXPIRED ? S("expired") : S("evicted"));
	verb_row_end(cc, &w);
	return true;
}

void
verb_session(struct control_client *cc, struct json args)
{
	const struct resume_session *s;
	bool found = false;
	struct hash_node *n;
	char *tmp = NULL;
	struct str id;

	if (verb_text(args, S("session"), &id, &tmp) == -1 ||
	    !session_id_is_valid(id)) {
		control_fail(cc,
		    "session: an id has 16 to 64 characters of A-Z a-z 0-9 _ "
		    "-");
		free(tmp);
		return;
	}
	HASH_FOREACH(n, &cc->br->apps->by_num) {
		const struct broker_app *a =
		    container_of(n, const struct broker_app, node);

		s = resumes_find(&cc->br->replay->sessions, a->app.num, id);
		if (!verb_may_see(cc, a))
			continue;
		if (s != NULL)
			show(cc, a, s);
		else if (!show_end(cc, a, id))
			continue;
		found = true;
	}
	if (found)
		control_end(cc);
	else
		control_fail(cc, "no session %.*s is known", STR_ARG(id));
	free(tmp);
}

/* ---- the newest events of a channel ---- */

/* about: the epoch of the log to which offsets refer. */
static void
event_row(struct control_client *cc, const struct broker_app *a,
    struct str name, struct str about)
{
	const struct app_log *l =
	    app_logs_find(&cc->br->replay->logs, a->app.num);
	struct ring_record r;
	uint64_t off, epoch;

	if (l != NULL && str_to_u64(name, UINT64_MAX, &off) == 0 &&
	    str_to_u64(about, UINT64_MAX, &epoch) == 0 &&
	    ring_epoch(l->ring) == epoch && ring_read(l->ring, off, &r))
		tail_put(cc, &a->app, &r);
}

static void
list_events(struct control_client *cc, const struct broker_app *a,
    const struct app_log *l, struct str channel, uint64_t limit)
{
	uint64_t offs[QUERY_PAST_MAX] = { 0 };
	struct ring_record r;
	struct name_list *s;
	char text[32];
	size_t n = 0;

	for (bool found = app_log_newest(l, channel, &r); found && n < limit;
	     found = app_log_before(l, channel, &r))
		offs[n++] = r.off;
	snprintf(text, sizeof(text), "%llu",
	    (unsigned long long)ring_epoch(l->ring));
	s = name_list_new(event_row, str_of(text));
	while (n-- > 0) {
		snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)offs[n]);
		name_list_add(s, a, str_of(text));
	}
	name_list_start(cc, s);
}

void
verb_events(struct control_client *cc, struct json args)
{
	const struct broker_app *a = verb_app(cc, args);
	const struct app_log *l;
	struct str channel;
	char *tmp = NULL;
	uint64_t limit;

	if (a == NULL || (l = verb_log(cc, a)) == NULL)
		return;
	if (!verb_channel_arg(cc, &a->app, args, &channel, &tmp))
		; /* it has failed */
	else if (json_u64(json_get(args, S("limit")), QUERY_PAST_MAX, &limit) ==
	    -1)
		control_fail(cc, "limit: at most %d events", QUERY_PAST_MAX);
	else
		list_events(cc, a, l, channel, limit);
	free(tmp);
}

const struct app_log *
verb_log(struct control_client *cc, const struct broker_app *a)
{
	const struct app_log *l =
	    app_logs_find(&cc->br->replay->logs, a->app.num);

	if (l == NULL)
		control_fail(cc,
		    "app %s keeps no events: pusherctl app set %s resume=on",
		    a->app.id, a->app.id);
	return l;
}
