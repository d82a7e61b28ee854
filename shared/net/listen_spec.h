/* SPDX-License-Identifier: MIT */
#ifndef SHARED_NET_LISTEN_SPEC_H
#define SHARED_NET_LISTEN_SPEC_H

/*
 * One value of the option listen:
 *   ADDRESS [tls] [role=public|api|metrics|admin|console] [proxy_protocol]
 *   unix:/PATH [mode=0660] [the same]
 * Pure.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "shared/base/str.h"
#include "shared/net/sock.h"

/* The services of a listener; a bit each, for tables. */
enum listen_role {
	LISTEN_PUBLIC = 1, /* clients; the API unless there is a LISTEN_API */
	LISTEN_API = 2,    /* the HTTP API */
	LISTEN_METRICS = 4,
	LISTEN_ADMIN = 8, /* everything but clients and the console */
	LISTEN_CONSOLE = 16
};
#define LISTEN_ANY \
	(LISTEN_PUBLIC | LISTEN_API | LISTEN_METRICS | LISTEN_ADMIN | \
	    LISTEN_CONSOLE)

struct listen_spec {
	struct sock_addr addr; /* also of a Unix socket */
	mode_t mode;           /* of a Unix socket */
	enum listen_role role;
	bool tls;
	bool proxy_protocol; /* each connection begins with its head */
};

/* 0, or -1 and *why (free(3) it): the allowed form. */
int listen_spec_parse(struct listen_spec *, struct str text, char **why);
bool listen_spec_is_unix(const struct listen_spec *);
const char *listen_role_text(enum listen_role);

#endif
