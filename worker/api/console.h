/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_CONSOLE_H
#define WORKER_API_CONSOLE_H

/*
 * The console's requests, on listeners with role=console: the page, sessions,
 * commands and streams.  The broker decides what a session may do.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct conn;
struct http_head;

/*
 * True: it was a request of the console, and has been answered or waits.
 * awaits_body: only the head is here.
 */
bool console_request(
    struct conn *, const struct http_head *, struct str body, bool awaits_body);
/* May the body of this unsigned request be stored? */
bool console_admits(const struct conn *, const struct http_head *);
/* Asks for a token of this app: POST /apps/{id}/console_tokens. */
void console_mint(struct conn *, uint32_t app, struct str body);

#endif
