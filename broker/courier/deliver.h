/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_DELIVER_H
#define BROKER_COURIER_DELIVER_H

/* One HTTP request each, many at a time: libcurl's multi interface on libev. */

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"

struct conf;
struct deliver;

struct deliver_request {
	const char *url;
	const char *headers; /* lines "Name: value", each with \n */
	const char *key, *signature, *name;
	struct str body;
	bool allow_private;
	void *owner;
};

struct deliver_result {
	bool ok;          /* answered with 2xx */
	bool starved;     /* no descriptor was free: this was no attempt */
	uint32_t status;  /* HTTP status, or 0: none came */
	const char *text; /* the result in words */
};

/* Called from the loop, once for each request that was started. */
typedef void (*deliver_done)(void *owner, const struct deliver_result *);

struct deliver *deliver_new(
    struct ev_loop *, const struct conf *, deliver_done);
/* Ends all requests without calling back. */
void deliver_free(struct deliver *);
/*
 * Are there as many free descriptors as a request may need?  If not, idle
 * connections are closed when no request is in progress.
 */
bool deliver_has_descriptors(struct deliver *);
/* Copies what it needs. */
void deliver_start(struct deliver *, const struct deliver_request *);

#endif
