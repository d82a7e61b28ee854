/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CHANNEL_QUERY_BODY_H
#define BROKER_CHANNEL_QUERY_BODY_H

/* Answers to questions of the HTTP API, and the attributes of a channel. */

#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

struct broker;
struct channel;
struct json_writer;
struct peer;

/*
 * An answer with more bytes is refused: the asker has to narrow it.  At most
 * 16 MiB; less if memory_limit is below 1 GiB, because broker and worker have
 * two copies of it each.
 */
size_t query_max_bytes(const struct broker *);
void query_refuse(struct peer *, uint64_t id, unsigned status, struct str why);
/* Takes what was written. */
void query_reply_json(struct peer *, uint64_t id, struct json_writer *);
/* The attributes (enum query_info) of a channel; NULL: nobody is there. */
void query_put_info(struct broker *, struct json_writer *, struct str name,
    struct channel *, uint32_t info);

#endif
