/* SPDX-License-Identifier: MIT */
/*
 * move_load.c: makes the connections that another process has written down
 * (move_save.c).  Nothing lives before move_start(): no socket is watched, no
 * byte is read or written.
 *
 * A message that does not fit ends the hand-over, never this server: the other
 * process goes on.
 */

#include "worker/admin/move.h"

#include <stdlib.h>

#include "shared/base/xmalloc.h"
#include "shared/net/deflate.h"
#include "shared/proc/session_table.h"
#include "worker/api/console_answer.h"
#include "worker/app/apps.h"
#include "worker/channel/subscription.h"
#include "worker/channel/topic.h"
#include "worker/client/message.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/input.h"
#include "worker/conn/timeout.h"
#include "worker/conn/transport.h"
#include "worker/conn/ws.h"
#include "worker/conn/ws_part.h"
#include "worker/core/core.h"
#include "worker/link/cache_replica.h"
#include "worker/link/link.h"
#include "worker/link/unacked.h"
#include "worker/session/session.h"

struct load {
	struct worker *w;
	struct buf *link_message;
	struct conn *c; /* the last one */
	uint32_t conns, max_conns, subs, ref;
	uint32_t link_socket;
	struct memring *ring; /* of the link, or NULL */
	bool merges; /* the worker has other connections, and its own link */
	bool known;  /* it has this roster */
	bool begun, ended;
	struct conn *made[];
};

static double
seconds(uint64_t us)
{
	return (double)us / 1e6;
}

/* ---- one connection ---- */

/* Can it have a user, channels, and a session that goes on? */
static bool
is_client(const struct conn *c)
{
	return c != NULL && c->ops == &ws_ops && c->app != NULL &&
	    !conn_is_ending(c);
}

static int
set_transport(struct conn *c, const struct msg_move_conn *m)
{
	struct transport *v;

	if ((m->flags & MOVE_TRANSPORT) == 0)
		return 0;
	v = c->transport = transport_new(c->io.fd);
	v->until = seconds(m->until);
	v->https = (m->flags & MOVE_HTTPS) != 0;
	v->head_tls = (m->flags & MOVE_HEAD_TLS) != 0;
	v->awaits_head = (m->flags & MOVE_AWAITS_HEAD) != 0;
	v->trusted = (m->flags & MOVE_TRUSTED) != 0;
	if ((m->head.n != 0 && m->head.n != sizeof(v->head)) ||
	    (m->request.n != 0 && m->request.n != sizeof(v->request)))
		return -1;
	memcpy(&v->head, m->head.p, m->head.n);
	memcpy(&v->request, m->request.p, m->request.n);
	return 0;
}

static void
set_flags(struct conn *c, uint32_t flags)
{
	c->deflate.bits_asked = (flags & MOVE_BITS_ASKED) != 0;
	c->deflate.self_contained = (flags & MOVE_SELF_CONTAINED) != 0;
	if (flags & MOVE_ADMITTED)
		c->admission = ADMISSION_DONE;
	c->input = (flags & MOVE_STOPPED ? INPUT_STOPPED : 0u) |
	    (flags & MOVE_DEAF ? INPUT_DEAF : 0u);
	c->blocked = (flags & MOVE_BLOCKED) != 0;
	c->pinged = (flags & MOVE_PINGED) != 0;
	c->peer_closed = (flags & MOVE_PEER_CLOSED) != 0;
	c->greeted = (flags & MOVE_GREETED) != 0;
	c->authorized = (flags & MOVE_AUTHORIZED) != 0;
	c->signed_in = (flags & MOVE_SIGNED_IN) != 0;
	c->close_recorded = (flags & MOVE_RECORDED) != 0;
	if (flags & MOVE_SLOW)
		c->backlog = BACKLOG_SLOW;
}

static void
set_numbers(struct conn *c, const struct msg_move_conn *m)
{
	c->serves = m->serves;
	c->state = (enum conn_state)m->state;
	c->peer = (enum conn_peer)m->peer;
	c->resume = (enum conn_resume)m->resume;
	c->deflate.bits = m->bits & 15u;
	c->close_code = (uint16_t)m->close_code;
	c->opened_at = seconds(m->opened);
	c->blocked_at = seconds(m->blocked_at);
	c->over_since = seconds(m->over_since);
	c->owed = m->owed;
	c->after_goodbye = m->after_goodbye;
	c->messages_in = m->messages_in;
	c->saved = (int64_t)m->saved;
	c->out.in = c->out.out = m->sent;
	outq_push_copy(&c->out, m->out);
	if (m->in.n > 0)
		c->in = buf_from(m->in);
	if (m->seconds != 0)
		timeout_restore(c->w, &c->timeout, m->seconds, seconds(m->due));
}

static int
on_conn(struct load *l, const struct msg_move_conn *m)
{
	struct client_app *a = m->app == 0 ? NULL : apps_by_num(l->w, m->app);
	bool ws = (m->flags & MOVE_WS) != 0;
	struct conn *c;

	if (l->conns == l->max_conns || m->state >= CONN_LOST ||
	    m->state == CONN_REFUSED || m->state == CONN_PARTING ||
	    m->peer > PEER_TRUSTED || m->resume > CONN_RESUME_BROKE ||
	    m->sid == 0 || conn_find(l->w, m->sid) != NULL ||
	    !move_sockets_has(l->w->move, m->socket))
		return -1;
	if (a == NULL && (m->app != 0 || (ws && m->state < CONN_CLOSING)))
		return -1;
	if ((!ws && (m->flags & MOVE_CLIENT) != 0) ||
	    (m->bits != 0 && m->bits < DEFLATE_BITS_MIN) ||
	    m->bits > DEFLATE_BITS_MAX)
		return -1;
	c = l->c = input_make(l->w, move_sockets_get(l->w->move, m->socket),
	    ws ? &ws_ops : &http_ops, m->sid);
	l->made[l->conns++] = c;
	if (a != NULL)
		c->app = client_app_ref(a);
	set_flags(c, m->flags);
	set_numbers(c, m);
	if (m->flags & MOVE_CLIENT)
		conn_enlist(c);
	if (m->rates.n == sizeof(*c->rates))
		memcpy(client_rates(c), m->rates.p, sizeof(*c->rates));
	return set_transport(c, m);
}

static int
on_part(struct load *l, const struct msg_move_part *m)
{
	struct ws_part *p;

	if (l->c == NULL || l->c->part != NULL || l->c->ops != &ws_ops)
		return -1;
	p = l->c->part = xcalloc(1, sizeof(*p));
	p->left = m->left;
	p->phase = m->phase;
	p->max = (size_t)m->max;
	p->utf8 = m->utf8;
	p->fragments = m->fragments;
	p->empty = m->empty;
	memcpy(p->mask, &m->mask, sizeof(p->mask));
	p->fin = (m->flags & 1) != 0;
	p->binary = (m->flags & 2) != 0;
	p->packed = (m->flags & 4) != 0;
	ws_part_keep(l->c, m->data);
	return 0;
}

static int
on_chunks(struct load *l, const struct msg_move_chunks *m)
{
	struct http *h;

	if (l->c == NULL || l->c->http != NULL || l->c->ops != &http_ops)
		return -1;
	h = http_new(l->c);
	h->state = API_CHUNKS;
	h->chunks = (struct http_chunks){ m->left, (int)m->state, m->line };
	h->nbody = m->nbody;
	h->received = m->received;
	h->max_body = m->max_body;
	h->max_head = m->head.n;
	h->waited = m->waited;
	h->stripped = m->stripped;
	h->keep_alive = (m->flags & 1) != 0;
	h->head_only = (m->flags & 2) != 0;
	h->unkept = (m->flags & 4) != 0;
	h->head = buf_from(m->head);
	if (m->body.n > 0)
		h->body = buf_from(m->body);
	return 0;
}

static int
on_console(struct load *l, const struct msg_move_console *m)
{
	struct console_request *r;
	struct http *h;

	if (l->c == NULL || l->c->http != NULL || l->c->ops != &http_ops ||
	    m->kind > CONSOLE_MINT || m->flags > 7 ||
	    m->cookie.n >= sizeof(r->cookie) ||
	    memchr(m->cookie.p, '\0', m->cookie.n) != NULL)
		return -1;
	h = http_new(l->c);
	h->state = API_CONSOLE;
	h->keep_alive = (m->flags & 1) != 0;
	h->head_only = (m->flags & 2) != 0;
	r = h->console = xcalloc(1, sizeof(*r));
	r->kind = (enum console_kind)m->kind;
	r->begun = (m->flags & 4) != 0;
	r->dropped = m->dropped;
	memcpy(r->cookie, m->cookie.p, m->cookie.n);
	buf_append(&h->console_out, m->answer);
	if (r->kind != CONSOLE_STREAM)
		l->c->input |= INPUT_PAUSED;
	return 0;
}

static int
on_user(struct load *l, const struct msg_move_user *m)
{
	struct client_member *u;

	if (!is_client(l->c) || l->c->user != NULL || m->nwatch > UINT16_MAX)
		return -1;
	u = l->c->user = member_new(
	    m->user_id, m->user_info, m->watchlist, (uint16_t)m->nwatch);
	if (m->online.n != member_online_bytes(u))
		return -1;
	memcpy(member_online(u), m->online.p, m->online.n);
	return 0;
}

static int
on_session(struct load *l, const struct msg_move_session *m)
{
	struct sessions *ss = l->w->sessions;
	struct client_session *s;
	struct open_session *o;
	bool ended = (m->flags & 16) != 0;

	if (l->c == NULL || l->c->ops != &ws_ops || l->c->session.named ||
	    (!ended && !is_client(l->c)) ||
	    (m->row != UINT32_MAX &&
		(ss->table == NULL || m->row >= ss->table->cap)))
		return -1;
	s = &l->c->session;
	session_new(ss, s, l->c, m->peer, m->id);
	o = session_pool_at(&ss->pool, s->open);
	s->ended = ended;
	if (m->row != UINT32_MAX)
		session_set_row(ss, s, conn_sid(l->c), m->row);
	o->acked = m->acked;
	o->sent = m->sent;
	o->ping_pos = m->ping_pos;
	o->ping_at = seconds(m->ping_at);
	o->unanswered = (uint8_t)m->unanswered;
	s->mute = (m->flags & 1) != 0;
	s->refused = (m->flags & 2) != 0;
	s->full = (m->flags & 4) != 0;
	s->taken = (m->flags & 8) != 0;
	if (!s->ended && o->sent > o->acked)
		session_sent(ss, s, l->c, o->sent);
	return 0;
}

static int
on_sub(struct load *l, const struct msg_move_sub *m)
{
	struct subscription *s;

	if (!is_client(l->c))
		return -1;
	s = subscription_new(l->c, m->channel);
	s->ref = l->merges ? ++l->w->next_ref : m->ref;
	s->stamp = m->stamp;
	s->pos = m->pos;
	s->back = m->back;
	s->user = m->user != 0;
	s->on = true;
	l->c->nsubs += !s->user;
	if (m->user_id.n > 0)
		s->member = member_new(m->user_id, m->user_info, S(""), 0);
	if (s->t->n == 0)
		topic_forget_roster(s->t); /* nobody was there to keep it */
	topic_add(s->t, l->c, &s->index);
	l->subs++;
	return 0;
}

/* ---- all of it ---- */

/* If a receiver has a roster, too, it is equal to the other one at the mark. */
static int
on_roster(struct load *l, const struct msg_roster *m)
{
	l->known = topic_has_roster(l->w, m->app, m->channel);
	return l->known ? 0 : topic_on_roster(l->w, m);
}

static int
on_member(struct load *l, const struct msg_member *m)
{
	return l->known ? 0 : topic_on_member(l->w, m);
}

static int
on_cached(struct load *l, const struct msg_cached *m)
{
	if (cache_replica_stamp(l->w, m->app, m->channel) > m->stamp)
		return 0;
	return cache_replica_on_cached(l->w, m);
}

static int
on_link(struct load *l, const struct msg_move_link *m)
{
	if (l->merges) {
		link_saw(l->w, m);
		l->ref = l->w->next_ref;
	} else {
		l->link_socket = m->socket;
		l->link_message = buf_new(msg_move_link_size(m));
		l->link_message->len = l->link_message->cap;
		msg_move_link_put(l->link_message->data, m);
		l->ref = m->ref;
		unacked_adopt(l->w, m->seq);
	}
	return 0;
}

/* The ring is not touched: the other process may go on with it. */
static bool
take_link(struct load *l)
{
	struct msg_move_link m;

	if (l->link_message == NULL)
		return false;
	msg_move_link_get(&m, str_from(buf_str(l->link_message), IPC_HEAD));
	return move_sockets_has(l->w->move, m.socket) &&
	    move_sockets_ring(l->w->move, &m, &l->ring);
}

static int
on_end(struct load *l, const struct msg_move_end *m)
{
	l->ended = true;
	l->w->next_ref = MAX(l->w->next_ref, l->ref);
	if (!l->merges && !take_link(l))
		return -1;
	return m->conns == l->conns && m->subs == l->subs ? 0 : -1;
}

#define LOAD(name, call) \
	static int load_##name(struct load *l, struct str body) \
	{ \
		struct msg_##name m; \
		return msg_##name##_get(&m, body) == -1 ? -1 : (call); \
	}
LOAD(move_link, on_link(l, &m))
LOAD(move_conn, on_conn(l, &m))
LOAD(move_part, on_part(l, &m))
LOAD(move_chunks, on_chunks(l, &m))
LOAD(move_console, on_console(l, &m))
LOAD(move_user, on_user(l, &m))
LOAD(move_session, on_session(l, &m))
LOAD(move_sub, on_sub(l, &m))
LOAD(move_end, on_end(l, &m))
LOAD(app_set, apps_on_set(l->w, &m))
LOAD(app_log, apps_on_log(l->w, &m))
LOAD(roster, on_roster(l, &m))
LOAD(member, on_member(l, &m))
LOAD(cached, on_cached(l, &m))
LOAD(cache_mark, cache_replica_on_mark(l->w, &m))
#undef LOAD

static int (*const loaders[IPC_NTYPES])(struct load *, struct str) = {
	[IPC_MOVE_LINK] = load_move_link,
	[IPC_MOVE_CONN] = load_move_conn,
	[IPC_MOVE_PART] = load_move_part,
	[IPC_MOVE_CHUNKS] = load_move_chunks,
	[IPC_MOVE_CONSOLE] = load_move_console,
	[IPC_MOVE_USER] = load_move_user,
	[IPC_MOVE_SESSION] = load_move_session,
	[IPC_MOVE_SUB] = load_move_sub,
	[IPC_MOVE_END] = load_move_end,
	[IPC_APP_SET] = load_app_set,
	[IPC_APP_LOG] = load_app_log,
	[IPC_ROSTER] = load_roster,
	[IPC_MEMBER] = load_member,
	[IPC_CACHED] = load_cached,
	[IPC_CACHE_MARK] = load_cache_mark,
};

bool
move_cut(struct str *in, uint32_t *type, struct str *body)
{
	uint32_t head[2];

	if (in->n < IPC_HEAD)
		return false;
	memcpy(head, in->p, sizeof(head));
	if (head[0] < IPC_HEAD - 4 || head[0] > in->n - 4)
		return false;
	*type = head[1];
	*body = str_make(in->p + IPC_HEAD, head[0] + 4 - IPC_HEAD);
	*in = str_from(*in, head[0] + 4);
	return true;
}

struct load *
move_load_new(struct worker *w, uint32_t conns)
{
	struct load *l = xcalloc(1, sizeof(*l) + conns * sizeof(l->made[0]));

	l->w = w;
	l->max_conns = conns;
	l->merges = w->move->merges;
	timeouts_restore(w);
	return l;
}

const char *
move_load_more(struct load *l, struct str *image, bool whole)
{
	struct str body;
	uint32_t type;

	while (move_cut(image, &type, &body)) {
		bool first = !l->begun;

		l->begun = true;
		if (l->ended || type >= IPC_NTYPES || loaders[type] == NULL ||
		    first != (type == IPC_MOVE_LINK))
			return "it is malformed";
		if (loaders[type](l, body) == -1)
			return ipc_name(type);
	}
	if (whole && image->n > 0)
		return "it is malformed";
	return whole && !l->ended ? "it has no end" : NULL;
}

int
move_load_link(struct load *l, struct str *message, struct memring **ring)
{
	*message = buf_str(l->link_message);
	*ring = l->ring;
	l->ring = NULL;
	return move_sockets_get(l->w->move, l->link_socket);
}

uint32_t
move_load_start(struct load *l)
{
	move_start(l->w, l->made, l->conns);
	return l->conns;
}

void
move_load_free(struct load *l)
{
	if (l == NULL)
		return;
	buf_unref(l->link_message);
	memring_free(l->ring);
	free(l);
}

void
move_adopt_link(
    struct worker *w, struct str message, int fd, struct memring *ring)
{
	struct msg_move_link link;
	struct str body;
	uint32_t type;

	if (move_cut(&message, &type, &body) && type == IPC_MOVE_LINK &&
	    msg_move_link_get(&link, body) == 0)
		link_adopt(w, fd, ring, &link);
}
