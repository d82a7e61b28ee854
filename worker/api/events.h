/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_EVENTS_H
#define WORKER_API_EVENTS_H

/* Publishing over HTTP (protocol reference, 5.3 to 5.5). */

#include "worker/conn/http_request.h"

struct api_request;

/* POST /apps/{id}/events */
void api_events_post(const struct api_request *);
/* POST /apps/{id}/batch_events */
void api_events_post_batch(const struct api_request *);
/* POST /apps/{id}/channels/{name}/events (deprecated 2012) */
void api_events_post_channel(const struct api_request *);

#endif
