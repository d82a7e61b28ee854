/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_CONSOLE_SESSION_H
#define BROKER_CONTROL_CONSOLE_SESSION_H

/*
 * Tokens of the console, which work once and for about a minute, and the
 * sessions that they start.  Only hashes of them are stored.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"
#include "shared/crypto/sign.h"
#include "shared/ipc/ipc_msg.h"

#define CONSOLE_SECONDS 43200      /* seconds that a session lasts */
#define CONSOLE_TOKEN_TTL 60       /* seconds, by default */
#define CONSOLE_TOKEN_TTL_MAX 3600 /* seconds, at most */
#define CONSOLE_FAILURES 10        /* wrong tokens of an address in a minute */

/* The rights of a session. */
struct console_scope {
	uint32_t app; /* 0: the whole server */
	bool read_only;
};

struct console_secret {
	unsigned char hash[SIGN_SHA256_LEN];
	struct console_scope scope;
	double until;  /* broker_now(); 0: this place is free */
	uint32_t id;   /* for the log */
	unsigned busy; /* commands that run */
};

struct console_failures {
	double since;
	unsigned n;
};

struct console_sessions {
	struct sign_key *key; /* of the hashes; random */
	struct console_secret tokens[64], sessions[256];
	struct console_failures failures[256]; /* by address */
	uint32_t last_id;
};

void console_sessions_clear(struct console_sessions *);
/*
 * Makes a token: its hex digits, NUL-terminated.  If there are too many, one of
 * the app that has most is forgotten.
 */
void console_token_new(struct console_sessions *, struct console_scope,
    double now, uint32_t ttl, char out[CONSOLE_SECRET_LEN + 1]);

enum console_login { CONSOLE_LOGIN_OK, CONSOLE_WRONG, CONSOLE_TOO_MANY };
/* Exchanges a token for a session, whose cookie is written to out. */
enum console_login console_login(struct console_sessions *, struct str token,
    struct str address, double now, char out[CONSOLE_SECRET_LEN + 1]);
/* The session of a cookie; NULL: there is none, or it has ended. */
struct console_secret *console_session_find(
    struct console_sessions *, struct str cookie, double now);
/* The one with this id, or NULL. */
struct console_secret *console_session_by_id(
    struct console_sessions *, uint32_t id);

#endif
