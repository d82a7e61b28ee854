/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_STATISTICS_H
#define WORKER_API_STATISTICS_H

struct api_request;

/* GET /apps/{id}/stats?from=&to=&step=minute|hour|day&format=json|csv */
void api_statistics(const struct api_request *);

#endif
