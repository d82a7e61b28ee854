/* SPDX-License-Identifier: MIT */
/*
 * dispatch.c: start reading here.  One table: what arrives from a worker, and
 * who deals with it.  Each handler decodes its message and refuses it before
 * HELLO; -1 ends the link.
 *
 * Must never know what a message means.
 */

#include "broker/dispatch.h"

#include "broker/broker.h"
#include "broker/peer.h"
#include "broker/query.h"
#include "broker/quota.h"
#include "broker/route.h"
#include "broker/subscribe.h"
#include "broker/users.h"

#define HANDLER(name, function) \
	static int on_##name(void *owner, const struct ipc_in *in) \
	{ \
		struct peer *p = owner; \
		struct msg_##name m; \
\
		if (p->slot == -1 || msg_##name##_get(&m, in->body) == -1) \
			return -1; \
		return function(p, &m); \
	}

HANDLER(resync_done, peer_on_resync_done)
HANDLER(ping, peer_on_ping)
HANDLER(pong, peer_on_pong)
HANDLER(conn_open, quota_on_conn_open)
HANDLER(conn_close, quota_on_conn_close)
HANDLER(sub, subscribe_on_sub)
HANDLER(sub_again, subscribe_on_sub_again)
HANDLER(unsub, subscribe_on_unsub)
HANDLER(query, query_on_query)
HANDLER(take, quota_on_take)
HANDLER(signin, users_on_signin)
HANDLER(signout, users_on_signout)

static int
on_hello(void *owner, const struct ipc_in *in)
{
	struct msg_hello m;

	return msg_hello_get(&m, in->body) == -1 ? -1
						 : peer_on_hello(owner, &m);
}

const ipc_handler broker_handlers[IPC_NTYPES] = {
	[IPC_HELLO] = on_hello,
	[IPC_RESYNC_DONE] = on_resync_done,
	[IPC_PING] = on_ping,
	[IPC_PONG] = on_pong,
	[IPC_CONN_OPEN] = on_conn_open,
	[IPC_CONN_CLOSE] = on_conn_close,
	[IPC_SUB] = on_sub,
	[IPC_SUB_AGAIN] = on_sub_again,
	[IPC_UNSUB] = on_unsub,
	[IPC_EVENT] = route_on_event, /* the hot path; passes bytes on */
	[IPC_QUERY] = on_query,
	[IPC_TAKE] = on_take,
	[IPC_SIGNIN] = on_signin,
	[IPC_SIGNOUT] = on_signout,
	[IPC_TERMINATE] = users_on_terminate, /* passes bytes on */
};
