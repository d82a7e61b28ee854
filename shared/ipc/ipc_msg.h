/* SPDX-License-Identifier: MIT */
#ifndef SHARED_IPC_IPC_MSG_H
#define SHARED_IPC_IPC_MSG_H

/*
 * Structs, encoders and decoders of the internal messages, made by the
 * preprocessor from ipc_msgs.def:
 *
 *   struct msg_sub            the fields
 *   IPC_SUB                   the type
 *   size_t msg_sub_size(m)    bytes on the wire, head included
 *   void msg_sub_put(p, m)    writes exactly that many bytes to p
 *   int msg_sub_get(m, body)  0, or -1 unless the body fits exactly; STR
 *                             fields are views into the body
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

#define IPC_VERSION 7
#define IPC_HEAD 8                  /* u32 length, u32 type */
#define IPC_MAX_MESSAGE (64u << 20) /* bytes, head included */

/* EVENT.flags */
enum event_flags {
	EVENT_CACHE = 1 << 0,  /* keep as the channel's last event */
	EVENT_CLIENT = 1 << 1, /* a client event */
	EVENT_LOG = 1 << 2     /* the app's log keeps it */
};

/* SUB.stamp: see there */
#define SUB_VOID UINT64_MAX

/* MEMBER.change */
enum member_change { MEMBER_IS, MEMBER_ADDED, MEMBER_REMOVED };

/* QUERY.kind */
enum query_kind {
	QUERY_CHANNELS,    /* occupied channels with a prefix */
	QUERY_CHANNEL,     /* one channel */
	QUERY_USERS,       /* members of a presence channel */
	QUERY_EVENT_INFO,  /* {"channels":{…}} for a publish with info */
	QUERY_BATCH_INFO,  /* {"batch":[…]}, one element for each line */
	QUERY_CONNECTIONS, /* {"connections":n} */
	QUERY_PAST,        /* events of a channel; see past_read() */
	QUERY_METRICS      /* the text of GET /metrics; no app */
};

#define QUERY_PAST_MAX 1000 /* events of one answer */

/* QUERY.info, and of each line */
enum query_info {
	INFO_USER_COUNT = 1 << 0,
	INFO_SUBSCRIPTION_COUNT = 1 << 1,
	INFO_CACHE = 1 << 2,
	INFO_EVENT_ID = 1 << 3
};

/* CONN_QUERY.kind */
enum conn_query_kind {
	CONN_QUERY_LIST,
	CONN_QUERY_SHOW,     /* with the channels of each */
	CONN_QUERY_KILL,     /* 4009: not to come back */
	CONN_QUERY_RECONNECT /* 4200: to come back at once */
};

/* TAKE.kind */
enum take_kind { TAKE_EVENTS, TAKE_READS };

/* The processes that may send a message. */
enum ipc_sender {
	FROM_WORKER = 1 << 0,
	FROM_BROKER = 1 << 1,
	FROM_BOTH = FROM_WORKER | FROM_BROKER,
	FROM_CTL = 1 << 2,
	TO_CTL = 1 << 3,
	FROM_COURIER = 1 << 4,
	FROM_MASTER = 1 << 5,
	TO_MASTER = 1 << 6
};

enum ipc_type {
	IPC_NONE,
#define MSG(name, NAME, sender) IPC_##NAME,
#include "shared/ipc/ipc_msgs.def"
	IPC_NTYPES
};

/* clang-format off */
#define MSG(name, NAME, sender) struct msg_##name {
#define U8(f) uint8_t f;
#define U32(f) uint32_t f;
#define U64(f) uint64_t f;
#define STR(f) struct str f;
#define END(name) char end_; };
#include "shared/ipc/ipc_msgs.def"
/* clang-format on */

#define MSG(name, NAME, sender) \
	size_t msg_##name##_size(const struct msg_##name *); \
	void msg_##name##_put(char *p, const struct msg_##name *); \
	int msg_##name##_get(struct msg_##name *, struct str body);
#include "shared/ipc/ipc_msgs.def"

/* The number of the app in a message of this type; 0: it names none. */
uint32_t ipc_app(uint32_t type, struct str body);
/* For the log: "SUB", or "?" for a type that there is not. */
const char *ipc_name(uint32_t type);
/* May `who` send messages of this type?  False for unknown types. */
bool ipc_may_send(uint32_t type, enum ipc_sender who);

#endif
