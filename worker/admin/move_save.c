/* SPDX-License-Identifier: MIT */
/*
 * move_save.c: writes down what this worker has, for the process that takes
 * its slot over: the link, the apps, each connection with what belongs to it,
 * the lists of members, the cached events.  Messages of shared/ipc/
 * ipc_msgs.def, built by the link's own functions in a queue of its own.
 *
 * Connections come in the order of the lists of timeouts, so that the other
 * end makes these lists by appending.  Must never change anything.
 */

#include "worker/admin/move.h"

#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "worker/admin/drain.h"
#include "worker/api/console_answer.h"
#include "worker/app/apps.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/message.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/pump.h"
#include "worker/conn/remote.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/conn/ws.h"
#include "worker/conn/ws_part.h"
#include "worker/core/core.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

#define LINK_FDS 4 /* of the link and its ring */

/* The nearest: what has been read back is written down as the same number. */
static uint64_t
us(double seconds)
{
	return (uint64_t)(seconds * 1e6 + 0.5);
}

static struct str
whole(struct worker *w, const struct outq *q)
{
	struct buf **b = worker_scratch(w);
	size_t n = outq_bytes(q);

	buf_reserve(b, n);
	return str_make((*b)->data, outq_peek(q, (*b)->data, n));
}

static void
save_link(struct worker *w, const struct outq *unsent)
{
	struct msg_move_link m = link_state(w);
	const struct memring *ring = w->link->ipc.carrier.ring;

	m.socket = (uint32_t)w->link->ipc.carrier.fd;
	if (ring != NULL) {
		m.has_ring = 1;
		m.memory = (uint32_t)memring_fds(ring).memory;
		m.bell = (uint32_t)memring_fds(ring).bell;
		m.other = (uint32_t)memring_fds(ring).other;
	}
	m.nread = w->link->ipc.carrier.nread;
	m.seq = w->unacked->seq;
	m.ref = w->next_ref;
	m.unsent = whole(w, unsent);
	link_send_move_link(w, &m);
}

static struct str
text(const char *s)
{
	return str_of(s == NULL ? "" : s);
}

static void
save_app(struct worker *w, const struct client_app *c)
{
	const struct app *a = &c->app;
	struct msg_app_log log = {
		.app = a->num, .epoch = c->log_epoch, .pos = c->log_pos
	};
	struct msg_app_set m = { .app = a->num,
		.id = text(a->id),
		.key = text(a->key),
		.secret = text(a->secret),
		.old_key = text(a->old_key),
		.old_secret = text(a->old_secret),
		.old_until = c->old_sign == NULL ? 0 : a->old_until,
		.name = text(a->name),
		.enabled = a->enabled };

#define APP_UINT(field, def, min, max, help) m.field = a->field;
#define APP_BOOL(field, def, help) m.field = a->field;
#define APP_TEXT(field, def, help) m.field = text(a->field);
#include "shared/app/app_settings.def"
	link_send_app_set(w, &m);
	link_send_app_log(w, &log);
}

/* ---- one connection ---- */

static uint32_t
flags_of(const struct conn *c)
{
	const struct transport *v = c->transport;
	const struct {
		bool is;
		uint32_t flag;
	} all[] = {
		{ c->ops == &ws_ops, MOVE_WS },
		{ !list_is_empty(&c->client), MOVE_CLIENT },
		{ c->deflate.bits_asked, MOVE_BITS_ASKED },
		{ c->deflate.self_contained, MOVE_SELF_CONTAINED },
		{ c->admission == ADMISSION_DONE, MOVE_ADMITTED },
		{ conn_input_is(c, INPUT_STOPPED), MOVE_STOPPED },
		{ conn_input_is(c, INPUT_DEAF), MOVE_DEAF },
		{ c->blocked, MOVE_BLOCKED },
		{ c->pinged, MOVE_PINGED },
		{ c->peer_closed, MOVE_PEER_CLOSED },
		{ c->greeted, MOVE_GREETED },
		{ c->authorized, MOVE_AUTHORIZED },
		{ c->signed_in, MOVE_SIGNED_IN },
		{ c->close_recorded, MOVE_RECORDED },
		{ c->backlog == BACKLOG_SLOW, MOVE_SLOW },
		{ v != NULL, MOVE_TRANSPORT },
		{ v != NULL && v->https, MOVE_HTTPS },
		{ v != NULL && v->head_tls, MOVE_HEAD_TLS },
		{ v != NULL && v->awaits_head, MOVE_AWAITS_HEAD },
		{ v != NULL && v->trusted, MOVE_TRUSTED },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < nitems(all); i++)
		flags |= all[i].is ? all[i].flag : 0;
	return flags;
}

static void
save_part(struct worker *w, const struct ws_part *p)
{
	struct msg_move_part m = { .left = p->left,
		.phase = p->phase,
		.max = p->max,
		.utf8 = p->utf8,
		.fragments = p->fragments,
		.empty = p->empty,
		.flags = (uint32_t)(p->fin | p->binary << 1 | p->packed << 2),
		.data = buf_str(p->bytes) };

	memcpy(&m.mask, p->mask, sizeof(m.mask));
	link_send_move_part(w, &m);
}

static void
save_chunks(struct worker *w, const struct http *h)
{
	struct msg_move_chunks m = { .left = h->chunks.left,
		.state = (uint32_t)h->chunks.state,
		.line = h->chunks.line,
		.nbody = h->nbody,
		.received = h->received,
		.max_body = h->max_body,
		.waited = h->waited,
		.stripped = (uint32_t)h->stripped,
		.flags = (uint32_t)(h->keep_alive | h->head_only << 1 |
		    h->unkept << 2),
		.head = buf_str(h->head),
		.body = buf_str(h->body) };

	link_send_move_chunks(w, &m);
}

static void
save_console(struct worker *w, const struct http *h)
{
	const struct console_request *r = h->console;
	struct msg_move_console m = { .kind = r->kind,
		.flags = (uint32_t)(h->keep_alive | h->head_only << 1 |
		    r->begun << 2),
		.dropped = r->dropped,
		.cookie = str_of(r->cookie),
		.answer = buf_str(h->console_out) };

	link_send_move_console(w, &m);
}

static void
save_user(struct worker *w, struct client_member *u)
{
	struct msg_move_user m = { .nwatch = u->nwatch,
		.user_id = u->id,
		.user_info = u->info,
		.watchlist = u->watchlist,
		.online = str_make(member_online(u), member_online_bytes(u)) };

	link_send_move_user(w, &m);
}

static void
save_session(struct worker *w, const struct conn *c)
{
	const struct client_session *s = &c->session;
	const struct open_session *o = session_opened(w->sessions, s);
	struct msg_move_session m = { .row = s->row,
		.acked = session_acked(w->sessions, s, conn_sid(c)),
		.flags = (uint32_t)(s->mute | s->refused << 1 | s->full << 2 |
		    s->taken << 3 | s->ended << 4),
		.id = S("") };

	m.sent = m.acked;
	if (o != NULL) {
		m.sent = o->sent;
		m.ping_pos = o->ping_pos;
		m.ping_at = us(o->ping_at);
		m.unanswered = o->unanswered;
	}
	if (s->row == UINT32_MAX && o != NULL) {
		m.peer = o->name->peer;
		m.id = text(o->name->id);
	}
	link_send_move_session(w, &m);
}

static void
save_sub(struct worker *w, const struct subscription *s)
{
	struct msg_move_sub m = { .stamp = s->stamp,
		.pos = s->pos,
		.back = s->back,
		.ref = s->ref,
		.user = s->user,
		.channel = topic_name(s->t) };

	if (s->member != NULL) {
		m.user_id = s->member->id;
		m.user_info = s->member->info;
	}
	link_send_move_sub(w, &m);
}

static struct str
named(const struct transport_client *t)
{
	return t->known ? str_make((const char *)t, sizeof(*t)) : S("");
}

/* The records that belong to it follow it. */
static void
save_parts(struct worker *w, struct conn *c, struct move_image *image)
{
	struct list *e;

	if (c->part != NULL)
		save_part(w, c->part);
	if (c->http != NULL && c->http->state == API_CHUNKS)
		save_chunks(w, c->http);
	if (c->http != NULL && c->http->state == API_CONSOLE)
		save_console(w, c->http);
	if (c->user != NULL)
		save_user(w, c->user);
	if (c->session.named)
		save_session(w, c);
	LIST_FOREACH(e, &c->subs) {
		save_sub(w, SUBSCRIPTION_OF(e));
		image->subs++;
	}
}

/*
 * Seconds for which its TLS stays here, at most.  A client that misses nothing
 * when it comes back is soon told to.
 */
static double
lingers_for(const struct conn *c)
{
	double most = c->w->move->linger;

	if (!c->session.named || !session_is_sure(c->w->sessions, &c->session))
		return most;
	return MIN(most, DRAIN_SETTLE_SECONDS + drain_lingering_seconds(c->w));
}

/*
 * TLS stays here: the other process gets plain bytes, and hears whose they
 * are.  The output that is queued leaves here.
 */
static int
save_plain(struct conn *c, struct msg_move_conn *m, struct transport_client *v)
{
	*v = (struct transport_client){ 0 };
	v->known = remote_address(c, &v->ip, &v->port);
	m->head = named(v);
	m->flags |= MOVE_HEAD_TLS;
	m->flags &= ~(uint32_t)(MOVE_BLOCKED | MOVE_TRUSTED);
	if (c->peer == PEER_TRUSTED)
		m->flags |= MOVE_TRUSTED;
	m->sent = c->out.in;
	m->out = S("");
	m->owed = 0;
	m->until = us(worker_now() + lingers_for(c));
	return pump_add(c->w->move->pump, c);
}

static bool
speaks_tls(const struct conn *c)
{
	return c->transport != NULL && c->transport->tls.ssl != NULL;
}

static void
save_conn(struct worker *w, struct conn *c, struct move_image *image)
{
	struct transport_client client;
	int fd = c->io.fd;
	struct msg_move_conn m = { .sid = conn_sid(c),
		.app = c->app == NULL || client_app_of(c->app)->deleted
		    ? 0
		    : c->app->num,
		.flags = flags_of(c),
		.serves = c->serves,
		.state = c->state,
		.peer = c->peer,
		.resume = c->resume,
		.bits = c->deflate.bits,
		.close_code = c->close_code,
		.seconds =
		    c->timeout.list == NULL ? 0 : c->timeout.list->seconds,
		.due = us(c->timeout.due),
		.opened = us(c->opened_at),
		.blocked_at = us(c->blocked_at),
		.over_since = us(c->over_since),
		.owed = c->owed,
		.after_goodbye = c->after_goodbye,
		.messages_in = c->messages_in,
		.saved = (uint64_t)c->saved,
		.sent = c->out.out,
		.in = buf_str(c->in),
		.out = whole(w, &c->out) };

	if (c->rates != NULL)
		m.rates = str_make((const char *)c->rates, sizeof(*c->rates));
	if (c->transport != NULL) {
		m.until = us(c->transport->until);
		m.head = named(&c->transport->head);
		m.request = named(&c->transport->request);
	}
	if (speaks_tls(c)) {
		if (c->transport->tls.state != TLS_OPEN ||
		    (fd = save_plain(c, &m, &client)) == -1)
			return; /* it is closed */
		image->lingering++;
	}
	m.socket = (uint32_t)fd;
	link_send_move_conn(w, &m);
	if (!c->sent_ahead || fd != c->io.fd)
		image->fds[image->nfds++] = fd;
	image->conns++;
	save_parts(w, c, image);
}

static void
save_conns(struct worker *w, struct move_image *image)
{
	struct hash_node *n;
	struct list *e;

	for (size_t i = 0; i < w->timeouts->n; i++)
		LIST_FOREACH(e, &w->timeouts->v[i]->members)
			save_conn(w,
			    CONN_OF(
				LIST_ITEM(e, struct timeout, link), timeout),
			    image);
	HASH_FOREACH(n, &w->conns) {
		struct conn *c = CONN_OF(n, node);

		if (c->timeout.list == NULL)
			save_conn(w, c, image);
	}
}

static void
take_link_fds(const struct carrier *c, struct move_image *image)
{
	struct memring_fds ring;

	image->fds[image->nfds++] = c->fd;
	if (c->ring == NULL)
		return;
	ring = memring_fds(c->ring);
	image->fds[image->nfds++] = ring.memory;
	image->fds[image->nfds++] = ring.bell;
	image->fds[image->nfds++] = ring.other;
}

const char *
move_save(struct worker *w, struct move_image *image)
{
	struct ipc *ipc = &w->link->ipc;
	struct outq unsent = ipc->out;
	struct buf *tail = ipc->tail;
	struct msg_move_end end;
	struct hash_node *n;

	ipc_close_place(ipc);
	ipc->places = false;
	*image = (struct move_image){ 0 };
	image->fds = xcalloc(w->conns.n + LINK_FDS, sizeof(int));
	if (w->move->receiver == MOVE_NEW)
		take_link_fds(&ipc->carrier, image);
	outq_init(&ipc->out);
	ipc->tail = NULL;
	save_link(w, &unsent);
	for (n = hash_first(&w->apps->by_num);
	     n != NULL && w->move->receiver == MOVE_NEW;
	     n = hash_next(&w->apps->by_num, n))
		save_app(w, container_of(n, struct client_app, num_node));
	save_conns(w, image);
	topics_replay_rosters(w);
	cache_replica_replay(w);
	end = (struct msg_move_end){ image->conns, image->subs, 0 };
	link_send_move_end(w, &end);
	image->bytes = ipc->out;
	buf_unref(ipc->tail);
	ipc->out = unsent;
	ipc->tail = tail;
	ipc->places = true;
	return ipc->overlong ? "a message of it is too large" : NULL;
}

void
move_image_clear(struct move_image *image)
{
	outq_clear(&image->bytes);
	free(image->fds);
}
