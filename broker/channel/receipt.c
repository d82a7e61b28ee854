/* SPDX-License-Identifier: MIT */
/*
 * receipt.c: waits until the clients that got an event have confirmed it.  The
 * workers with subscribers list them, right behind the event; they also write
 * into shared memory how far each client has come, and this looks at it.  Owns
 * the lists of a struct receipt.
 *
 * A request costs what its channels' subscribers cost, and it is looked at in
 * portions.  Apps have equal parts of that time, and no app has more than half
 * of the room that others leave.  Must never cost anything while none waits,
 * and never wait longer than it was told.
 */

#include "broker/channel/receipt.h"

#include <stdlib.h>
#include <string.h>

#include "broker/channel/registry.h"
#include "broker/core/budget.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/log/replay.h"
#include "broker/log/resume_channels.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define LOOK_SECONDS 0.02
#define LOOK_MAX 4000 /* clients in one look, of all requests */
#define LOOK_LEAST 16 /* and of each at least */
#define WAIT_MAX 1024 /* requests */
#define SUBSCRIBERS_MAX (1u << 20)

static bool
enter(struct receipt *r, uint32_t app)
{
	struct receipts *all = r->br->receipts;

	if (!shares_may_add(&all->by_requests, app, 1, WAIT_MAX) ||
	    !shares_may_add(&all->by_subscribers, app, r->cap, SUBSCRIBERS_MAX))
		return false;
	r->requests = shares_get(&all->by_requests, app);
	shares_add(&all->by_requests, r->requests, 1);
	shares_add_app(&all->by_subscribers, app, r->cap);
	list_append(&all->all, &r->link);
	return true;
}

void
receipt_end(struct receipt *r)
{
	struct receipts *all = r->br->receipts;
	uint32_t app;

	free(r->v);
	free(r->open);
	r->v = NULL;
	r->open = NULL;
	if (r->requests == NULL)
		return;
	app = r->requests->app;
	budget_sub(r->br->budget, app, r->booked);
	r->booked = 0;
	list_remove(&r->link);
	shares_sub(&all->by_requests, r->requests, 1);
	shares_sub_app(&all->by_subscribers, app, r->cap);
	r->requests = NULL;
	if (list_is_empty(&all->all))
		ev_timer_stop(r->br->loop, &all->timer);
}

/* Its bytes have changed. */
static void
book(struct receipt *r)
{
	size_t n = r->bytes + r->n * sizeof(*r->v) +
	    (r->open == NULL ? 0 : r->cap * sizeof(*r->open));

	budget_add(r->br->budget, r->requests->app, n - r->booked);
	r->booked = n;
}

/* ---- looking ---- */

/*
 * A session that has come back with another socket counts when it has entered
 * the channel again and nothing was missing.
 */
static bool
has_confirmed(const struct receipt *r, const struct receipt_entry *e)
{
	const struct resumes *s = &r->br->replay->sessions;
	const struct session_row *row = &s->table->rows[e->row];
	uint64_t acked = __atomic_load_n(&row->acked, __ATOMIC_ACQUIRE);
	const struct receipt_channel *v = &r->v[e->channel];
	const struct resume_session *now;
	const struct resume_channel *c;
	uint64_t sids[SESSION_SIDS];
	bool was = false;

	if (acked < v->pos)
		return false;
	if (row->sid == e->sid)
		return true;
	session_row_sids(s->table, row, sids);
	for (int i = 1; i < SESSION_SIDS; i++)
		was = was || sids[i] == e->sid;
	now = was ? resumes_of(s, row->sid) : NULL;
	c = now == NULL ? NULL : resume_channel_find(&now->channels, v->hash);
	return c != NULL && c->now && resume_channel_from(c) != 0 &&
	    acked >= c->at;
}

static void
look(struct receipt *r, uint32_t n)
{
	for (n = MIN(n, r->nopen); n > 0; n--) {
		struct receipt_entry *e;

		if (r->at >= r->nopen)
			r->at = 0;
		e = &r->open[r->at];
		if (!has_confirmed(r, e)) {
			r->at++;
			continue;
		}
		r->v[e->channel].open--;
		r->v[e->channel].confirmed++;
		*e = r->open[--r->nopen];
	}
}

/* Subscribers that no worker has spoken of are open. */
static void
settle(struct receipt *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct receipt_channel *v = &r->v[i];
		uint32_t known = v->confirmed + v->open + v->without_session;

		if ((v->waits != 0 || v->lost) && known < v->total)
			v->open += v->total - known;
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct receipts *all = container_of(timer, struct receipts, timer);
	uint32_t part = LOOK_MAX / (uint32_t)all->by_requests.by_app.n;
	struct list *e, *tmp;

	LIST_FOREACH_SAFE(e, tmp, &all->all) {
		struct receipt *r = LIST_ITEM(e, struct receipt, link);

		look(r, MAX(part / (uint32_t)r->requests->held, LOOK_LEAST));
		if ((r->nopen > 0 || r->waits > 0) && broker_now() < r->due)
			continue;
		settle(r);
		r->done(r);
	}
}

/* ---- asking ---- */

void
receipts_init(struct broker *br)
{
	list_init(&br->receipts->all);
	ev_timer_init(
	    &br->receipts->timer, on_timer, LOOK_SECONDS, LOOK_SECONDS);
}

void
receipts_clear(struct broker *br)
{
	shares_clear(&br->receipts->by_requests);
	shares_clear(&br->receipts->by_subscribers);
}

/* Asks the workers that the event has just been sent to. */
static void
ask(struct receipt *r, size_t i, uint32_t app, const struct receipt_event *e)
{
	struct broker *br = r->br;
	const struct app_log *log = app_logs_find(&br->replay->logs, app);
	struct channel *c = registry_find(br->registry, app, e->channel);
	struct msg_receipt m = { .id = r->id,
		.channel_at = (uint32_t)i,
		.app = app,
		.except = e->except,
		.channel = e->channel };
	uint64_t slots =
	    c == NULL ? 0 : registry_targets(br->registry, c->slots);

	if (log != NULL)
		r->v[i].hash = app_log_hash(log, e->channel);
	for (; slots != 0; slots &= slots - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(slots);

		if (br->peers[slot] == NULL)
			continue;
		r->v[i].waits |= UINT64_C(1) << slot;
		r->waits++;
		ipc_send_receipt(&br->peers[slot]->ipc, &m);
	}
}

bool
receipt_begin(struct receipt *r, uint32_t app,
    const struct receipt_event *events, size_t n, uint64_t ms, const char **why)
{
	struct receipts *all = r->br->receipts;

	list_init(&r->link);
	r->v = xcalloc(n, sizeof(*r->v));
	r->n = n;
	for (size_t i = 0; i < n; i++) {
		const struct channel *c =
		    registry_find(r->br->registry, app, events[i].channel);

		r->v[i].pos = events[i].pos;
		r->v[i].total = c == NULL ? 0 : c->total;
		r->cap += r->v[i].total;
	}
	if (!budget_has_room(r->br->budget, app)) {
		*why = "the server holds more for this app than its part of "
		       "memory_limit: subscribe to fewer channels, wait with "
		       "fewer requests, or raise memory_limit";
		return false;
	}
	if (!enter(r, app)) {
		*why =
		    "too many requests of this app wait for confirmations "
		    "(1,024 of all apps together, with 1,048,576 subscribers; "
		    "an app gets half of what the others leave): try again";
		return false;
	}
	book(r);
	r->id = ++all->last_id;
	r->began = broker_now();
	r->due = r->began + (double)ms / 1000;
	for (size_t i = 0; i < n; i++)
		ask(r, i, app, &events[i]);
	if (!ev_is_active(&all->timer))
		ev_timer_again(r->br->loop, &all->timer);
	return true;
}

uint64_t
receipt_ms(const struct receipt *r)
{
	return (uint64_t)((broker_now() - r->began) * 1000);
}

void
receipts_lost(struct broker *br, unsigned slot)
{
	uint64_t bit = UINT64_C(1) << slot;
	struct list *e;

	LIST_FOREACH(e, &br->receipts->all) {
		struct receipt *r = LIST_ITEM(e, struct receipt, link);

		for (size_t i = 0; i < r->n; i++) {
			if (!(r->v[i].waits & bit))
				continue;
			r->v[i].waits &= ~bit;
			r->v[i].lost = true;
			r->waits--;
		}
	}
}

/* Those that cannot be looked at stay open. */
static void
add(struct receipt *r, uint32_t channel, struct str row)
{
	const struct session_table *t = r->br->replay->sessions.table;
	struct receipt_entry e = { .channel = channel };

	memcpy(&e.sid, row.p, sizeof(e.sid));
	memcpy(&e.row, row.p + sizeof(e.sid), sizeof(e.row));
	r->v[channel].open++;
	if (t == NULL || e.row >= t->cap || r->v[channel].pos == 0 ||
	    r->nopen == r->cap)
		return;
	if (r->open == NULL) {
		r->open = xcalloc(r->cap, sizeof(*r->open));
		book(r);
	}
	r->open[r->nopen++] = e;
}

/* Mostly one of the newest: its worker has just been asked. */
static struct receipt *
find(const struct receipts *all, uint64_t id)
{
	struct list *e;

	for (e = all->all.prev; e != &all->all; e = e->prev) {
		struct receipt *r = LIST_ITEM(e, struct receipt, link);

		if (r->id <= id)
			return r->id == id ? r : NULL;
	}
	return NULL;
}

int
receipt_on_rows(struct peer *p, const struct msg_receipt_rows *m)
{
	uint64_t bit = UINT64_C(1) << p->slot;
	struct receipt *r = find(p->br->receipts, m->id);

	if (r == NULL)
		return 0; /* it is over */
	if (m->channel_at >= r->n || !(r->v[m->channel_at].waits & bit) ||
	    m->rows.n % RECEIPT_ROW != 0)
		return -1;
	for (size_t at = 0; at < m->rows.n; at += RECEIPT_ROW)
		add(r, m->channel_at, str_from(m->rows, at));
	r->v[m->channel_at].without_session += m->without_session;
	if (m->last) {
		r->v[m->channel_at].waits &= ~bit;
		r->waits--;
	}
	return 0;
}
