/* SPDX-License-Identifier: MIT */
#ifndef WORKER_WIRING_H
#define WORKER_WIRING_H

/* The handlers that connect the rooms of a worker: see wiring.c. */

#include <stddef.h>
#include <stdint.h>

struct worker;

extern const struct link_handler worker_link;
extern const struct http_handler worker_http;
extern const struct apps_ops worker_apps;
/* Notes the outcome of a message that is sent again. */
void worker_restamp(struct worker *, uint32_t type, char *p, size_t n);

#endif
