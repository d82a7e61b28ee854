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

#define IPC_VERSION 27
/*
 * Of the memory that the processes share, of the database, and of what one
 * program hands over to the next one in an upgrade (cli/master/handover.h).
 */
#define STATE_VERSION 7
#define IPC_HEAD 8                  /* u32 length, u32 type */
#define IPC_MAX_MESSAGE (64u << 20) /* bytes, head included */

/* CONN_OK.granted */
enum place_answer { PLACE_FULL, PLACE_GRANTED, PLACE_LATER };

/* EVENT.flags */
enum event_flags {
	EVENT_CACHE = 1 << 0,    /* store as the channel's last event */
	EVENT_CLIENT = 1 << 1,   /* a client event */
	EVENT_LOG = 1 << 2,      /* the app's log keeps it */
	EVENT_DELIVERED = 1 << 3 /* its worker's clients have it; see ALONE */
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
	QUERY_METRICS,     /* the text of GET /metrics; no app */
	QUERY_STATISTICS   /* see MINUTES_ASK; its period is the channel */
};

#define QUERY_PAST_MAX 1000  /* events of one answer */
#define STATISTICS_ROWS 1500 /* of one answer, at most */
#define QUERY_WAIT_MS 8000u  /* the most that QUERY.wait_ms may be */
#define RECEIPT_ROW 12       /* bytes of a row of RECEIPT_ROWS */

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
	CONN_QUERY_KILL,     /* 4009: must not reconnect */
	CONN_QUERY_RECONNECT /* 4200: reconnects at once */
};

#define CONSOLE_SECRET_LEN 64 /* of a token, and of a cookie */

/* CONSOLE_ASK.kind */
enum console_kind {
	CONSOLE_LOGIN,   /* a token becomes a session */
	CONSOLE_SESSION, /* the rights of a session */
	CONSOLE_LOGOUT,
	CONSOLE_VERB,   /* one command, its whole answer */
	CONSOLE_STREAM, /* one command, its output as it comes */
	CONSOLE_MINT    /* a token for an app */
};

/* MOVE_CONN.flags */
enum move_flag {
	MOVE_WS = 1 << 0, /* else it speaks HTTP */
	MOVE_CLIENT = 1 << 1,
	MOVE_BITS_ASKED = 1 << 2,
	MOVE_SELF_CONTAINED = 1 << 3,
	MOVE_ADMITTED = 1 << 4,
	MOVE_STOPPED = 1 << 5,
	MOVE_DEAF = 1 << 6,
	MOVE_BLOCKED = 1 << 7,
	MOVE_PINGED = 1 << 8,
	MOVE_PEER_CLOSED = 1 << 9,
	MOVE_GREETED = 1 << 10,
	MOVE_AUTHORIZED = 1 << 11,
	MOVE_SIGNED_IN = 1 << 12,
	MOVE_RECORDED = 1 << 13,
	MOVE_SLOW = 1 << 14,
	MOVE_TRANSPORT = 1 << 15,
	MOVE_HTTPS = 1 << 16,
	MOVE_HEAD_TLS = 1 << 17,
	MOVE_AWAITS_HEAD = 1 << 18,
	MOVE_TRUSTED = 1 << 19
};

/* TAKE.kind */
enum take_kind { TAKE_EVENTS, TAKE_READS, TAKE_STATISTICS };

/* MASTER_REPLY.code: text is JSON, and more answers follow. */
#define REPLY_MORE 2

/* FAILURE.kind; the broker itself detects the last two. */
enum failure_kind {
	FAILURE_API,     /* a request to the HTTP API */
	FAILURE_CHANNEL, /* a subscription */
	FAILURE_KEY,     /* a client with a key that no app has */
	FAILURE_ORIGIN,  /* a client from a page of another origin */
	FAILURE_CLIENT,  /* any other request of a client */
	FAILURE_UNHEARD, /* an event for a channel without subscribers */
	FAILURE_LATE,    /* its first subscriber came soon after that */
	FAILURE_KINDS
};

/* The processes that may send a message. */
enum ipc_sender {
	FROM_WORKER = 1 << 0,
	FROM_BROKER = 1 << 1,
	FROM_BOTH = FROM_WORKER | FROM_BROKER,
	FROM_CTL = 1 << 2,
	TO_CTL = 1 << 3,
	FROM_COURIER = 1 << 4,
	FROM_MASTER = 1 << 5,
	TO_MASTER = 1 << 6,
	FROM_MOVER = 1 << 7, /* a worker whose slot another one takes over */
	FROM_SUCCESSOR = 1 << 8, /* and that one */
	FROM_HOST = 1 << 9       /* the broker of a host in the same cluster */
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

/* The layout on the wire, up to the first STR: for offsetof(). */
#define MSG(name, NAME, sender) \
	struct __attribute__((packed)) msg_##name##_wire { \
		uint32_t length_, type_;
#define U8(f) uint8_t f;
#define U32(f) uint32_t f;
#define U64(f) uint64_t f;
#define END(name) char end_; };
#include "shared/ipc/ipc_msgs.def"
/* clang-format on */

#define MSG(name, NAME, sender) \
	size_t msg_##name##_size(const struct msg_##name *); \
	void msg_##name##_put(char *p, const struct msg_##name *); \
	int msg_##name##_get(struct msg_##name *, struct str body);
#include "shared/ipc/ipc_msgs.def"

/* The number of the app in a message of this type; 0: there is none. */
uint32_t ipc_app(uint32_t type, struct str body);
/* For the log: "SUB", or "?" for an unknown type. */
const char *ipc_name(uint32_t type);
/*
 * The two version numbers in one text: programs with the same one can take
 * over from each other.
 */
const char *ipc_state_version(void);
/* May `who` send messages of this type?  False for unknown types. */
bool ipc_may_send(uint32_t type, enum ipc_sender who);

#endif
