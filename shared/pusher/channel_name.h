/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_CHANNEL_NAME_H
#define SHARED_PUSHER_CHANNEL_NAME_H

/*
 * The meaning of a channel's name: Pusher documentation, "Channels", naming
 * conventions.  Anchored, case-sensitive prefixes; never a substring.
 */

#include <stdbool.h>

#include "shared/base/str.h"

/* Independent properties, so that one never decides about another. */
enum channel_flags {
	CHANNEL_PRIVATE = 1 << 0,   /* needs a signature (presence too) */
	CHANNEL_PRESENCE = 1 << 1,  /* has members */
	CHANNEL_ENCRYPTED = 1 << 2, /* data is opaque to the server */
	CHANNEL_CACHE = 1 << 3,     /* the last event is kept */
	CHANNEL_USER = 1 << 4       /* #server-to-user-<id> */
};

#define CHANNEL_NAME_MAX 200 /* up to which a setting may raise the limit */
#define CHANNEL_USER_PREFIX "#server-to-user-"

/* enum channel_flags of the name; 0 for a public channel. */
unsigned channel_flags(struct str name);
/*
 * 1 to `max` characters out of A-Z a-z 0-9 _ - = @ , . ;
 * Names that start with '#' are not valid here.
 */
bool channel_name_is_valid(struct str name, size_t max);
/* The <id> of a CHANNEL_USER name. */
struct str channel_user_id(struct str name);
/*
 * The one rule for the id of a user, wherever it comes from: sign-in,
 * channel_data, watchlist, the name of a user's channel, the path of
 * terminate_connections.  It is UTF-8 of 1 to `max` characters, and none of
 * them is a control character (U+0000 to U+001F, U+007F to U+009F).
 */
enum user_id_fault {
	USER_ID_GOOD,
	USER_ID_EMPTY,
	USER_ID_NOT_UTF8,
	USER_ID_CONTROL,
	USER_ID_LONG
};
#define USER_ID_BYTES 800 /* bytes of the longest id that a setting allows */
/* The same as a JSON string: each character of it may be two \\u escapes. */
#define USER_ID_JSON_BYTES (2 + 12 * (USER_ID_BYTES / 4))
enum user_id_fault user_id_check(struct str id, size_t max);
bool user_id_is_valid(struct str id, size_t max);
/* A clause for a sentence about the id; never NULL. */
const char *user_id_text(enum user_id_fault);

/* digits '.' digits: the form that every official server library requires. */
bool socket_id_is_valid(struct str);
/*
 * A connection's 64-bit id as text ("high.low") and back.  Text of this form
 * that is no id of this server gives 0, which no connection has.
 */
#define SOCKET_ID_MAX 22 /* with NUL */
void socket_id_text(uint64_t sid, char out[SOCKET_ID_MAX]);
uint64_t socket_id_parse(struct str);

#endif
