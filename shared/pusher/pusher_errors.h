/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PUSHER_PUSHER_ERRORS_H
#define SHARED_PUSHER_PUSHER_ERRORS_H

/* The codes of the Pusher protocol; the list is pusher_errors.def. */

#include <stdbool.h>

#include "shared/base/str.h"

/* PUSHER_TLS_ONLY = 4000, PUSHER_APP_UNKNOWN = 4001, … */
enum pusher_error {
#define PUSHER_ERROR(name, code, closes, clients, text) PUSHER_##name = (code),
#include "shared/pusher/pusher_errors.def"
};

/* The reaction of clients to the code of a close. */
enum pusher_reaction {
	PUSHER_CLIENTS_TLS,     /* come back with wss */
	PUSHER_CLIENTS_STAY,    /* stay away */
	PUSHER_CLIENTS_BACKOFF, /* come back after a second */
	PUSHER_CLIENTS_NOW      /* come back at once */
};

struct pusher_error_info {
	unsigned code;
	bool closes; /* otherwise only pusher:error; the connection stays */
	enum pusher_reaction clients;
	struct str text; /* static */
};

/* NULL for a code that is not in the list. */
const struct pusher_error_info *pusher_error_find(unsigned code);
/* The default sentence of a code; empty for an unknown one. */
struct str pusher_error_text(unsigned code);

#endif
