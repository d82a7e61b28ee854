/* SPDX-License-Identifier: MIT */
/*
 * entry.c: writes and reads the entries of the stream.  Pure: no socket, no
 * clock.  An entry comes from outside of this host: nothing in it is trusted
 * before it has been checked.
 */

#include "broker/cluster/entry.h"

#include <string.h>

void
entry_from(struct entry *e, uint32_t slot, uint64_t origin)
{
	struct msg_host_from m = { .slot = slot, .origin = origin };

	if (e->slot == slot && e->origin == origin)
		return;
	entry_put_host_from(e, &m);
	e->slot = slot;
	e->origin = origin;
}

void
entry_app(struct entry *e, uint32_t num, struct str id)
{
	struct msg_host_app m = { .app = num, .id = id };

	if (e->app == num)
		return;
	entry_put_host_app(e, &m);
	e->app = num;
}

void
entry_add(struct entry *e, struct str message)
{
	buf_append(&e->b, message);
}

int
entry_next(struct buf *b, uint32_t *at, struct ipc_in *in)
{
	uint32_t left = b->len - *at, n;

	if (left == 0)
		return 0;
	if (left < IPC_HEAD)
		return -1;
	memcpy(&n, b->data + *at, sizeof(n));
	if (n < IPC_HEAD - sizeof(n) || n > left - sizeof(n))
		return -1;
	in->b = b;
	in->off = *at;
	in->len = n + (uint32_t)sizeof(n);
	memcpy(&in->type, b->data + *at + sizeof(n), sizeof(in->type));
	in->body = str_make(b->data + *at + IPC_HEAD, in->len - IPC_HEAD);
	*at += in->len;
	return 1;
}

int
entry_set_app(const struct ipc_in *in, uint32_t num)
{
	size_t at;

	switch (in->type) {
#define APP_AT(NAME, name) \
	case IPC_##NAME: \
		at = offsetof(struct msg_##name##_wire, app); \
		break;
		APP_AT(SUB, sub)
		APP_AT(UNSUB, unsub)
		APP_AT(EVENT, event)
		APP_AT(SIGNIN, signin)
		APP_AT(SIGNOUT, signout)
		APP_AT(TERMINATE, terminate)
		APP_AT(HOST_SUBS, host_subs)
		APP_AT(HOST_NOTIFIED, host_notified)
		APP_AT(HOST_SHARE, host_share)
		APP_AT(HOST_SESSION, host_session)
	default:
		return -1;
	}
	if (at + sizeof(num) > in->len)
		return -1;
	memcpy(in->b->data + in->off + at, &num, sizeof(num));
	return 0;
}
