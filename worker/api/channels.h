/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_CHANNELS_H
#define WORKER_API_CHANNELS_H

/* Questions about channels and users (protocol reference, 5.6 to 5.8). */

#include "worker/conn/http_request.h"

struct api_request;

/* GET /apps/{id}/channels */
void api_channels_list(const struct api_request *);
/* GET /apps/{id}/channels/{name} */
void api_channels_get(const struct api_request *);
/* GET /apps/{id}/channels/{name}/users */
void api_channels_users(const struct api_request *);
/* GET /apps/{id}/channels/{name}/stats (deprecated 2012) */
void api_channels_stats(const struct api_request *);
/* GET /apps/{id}/connections */
void api_channels_connections(const struct api_request *);
/* POST /apps/{id}/users/{uid}/terminate_connections */
void api_channels_terminate(const struct api_request *);

/* GET /apps/{id}/channels/{name}/events: of an app with resume */
void api_channels_events(const struct api_request *);

#endif
