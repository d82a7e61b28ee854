/* SPDX-License-Identifier: MIT */
/*
 * named_session.c: a connection names its session (etc/doc/resume.md), and has
 * it until another connection names it, here or on another host, or until it
 * ends.  Owns nothing: the sessions belong to broker/log/resume.c.
 */

#include "broker/channel/named_session.h"

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "shared/base/log.h"

void
named_session_taken(struct broker *br, unsigned slot, uint64_t sid)
{
	struct msg_session_ok m = { .sid = sid, .row = SESSION_TAKEN };
	struct peer *p = br->peers[registry_receiver(br->registry, slot)];

	if (p != NULL && ipc_is_open(&p->ipc))
		ipc_send_session_ok(&p->ipc, &m);
}

static void
log_full(const struct broker *br, uint32_t app)
{
	const struct resumes *all = &br->replay->sessions;
	const struct resume_room *room = &all->room;
	const struct broker_app *a = apps_find(br, app);

	if (room->live.held >= room->cap)
		log_warnx("all %u rows of resume_sessions have a connection: "
			  "new sessions are refused (full): raise it",
		    room->cap);
	else
		log_warnx("an app may have three times as many sessions as are "
			  "left for others: new ones are refused (full): raise "
			  "resume_sessions app=%s connected=%u "
			  "left=%llu "
			  "resume_sessions=%u",
		    a == NULL ? "" : a->app.id, resume_room_live(room, app),
		    (unsigned long long)(room->cap - room->live.held),
		    room->cap);
}

int
named_session_on_begin(struct peer *p, const struct msg_session *m)
{
	struct broker *br = p->br;
	const struct app_log *l = app_logs_find(&br->replay->logs, m->app);
	struct resume_hello h = { .app = m->app,
		.peer = m->peer,
		.id = m->id,
		.sid = m->sid,
		.slot = (unsigned)p->slot,
		.now = broker_now(),
		.replay = m->replay,
		.shared = br->replay->logs.by_app.n > 1 };
	struct msg_session_ok ok = { .sid = m->sid, .row = UINT32_MAX };
	struct resumes *all = &br->replay->sessions;
	const struct resume_session *s = NULL;
	const struct session_row *row;
	uint64_t old;
	unsigned slot;

	if (!session_id_is_valid(m->id))
		return -1;
	if (l != NULL) {
		h.epoch = ring_epoch(l->ring);
		s = resumes_find(all, m->app, m->id);
		row = s == NULL ? NULL : resumes_row(all, s);
		old = s == NULL || !s->attached ? 0 : row->sid;
		slot = s == NULL ? 0 : row->slot;
		s = resumes_attach(all, &h);
		if (s != NULL && old != 0)
			named_session_taken(br, slot, old);
	}
	if (s != NULL)
		ok.row = (uint32_t)(s - all->v);
	else if (l != NULL && !m->replay && resumes_is_full(all, &h))
		log_full(br, m->app);
	ipc_send_session_ok(&p->ipc, &ok);
	return 0;
}

int
named_session_on_end(struct peer *p, const struct msg_session_end *m)
{
	struct resumes *s = &p->br->replay->sessions;
	struct resume_session *r = resumes_of(s, m->sid);

	if (r != NULL)
		resumes_detach(s, r, broker_now());
	return 0;
}
