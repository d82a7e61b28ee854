/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_IDEMPOTENCY_H
#define BROKER_APP_IDEMPOTENCY_H

/*
 * Requests with an X-Idempotency-Key: the first one holds the key and later
 * stores its answer.  A request with the same key within two minutes gets that
 * answer, through any worker, also from the next broker.
 */

#include <stdint.h>

#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/shares.h"
#include "shared/ipc/ipc_msg.h"

struct answer_table;
struct broker;
struct peer;

struct idempotency {
	struct hash keys;  /* struct idem_entry by (app, key) */
	struct list order; /* all of them, oldest first */
	uint32_t n;
	uint64_t bytes; /* of keys and answers */
	struct shares shares;
	struct answer_table *table; /* of the answers, for the next broker */
};

void idempotency_init(struct idempotency *);
void idempotency_clear(struct idempotency *);
/*
 * Begins with the answers that earlier brokers have left in this table, NULL:
 * none, and keeps its own there.  The apps have been read.
 */
void idempotency_recall(struct broker *, struct answer_table *);
/* Once a second: forgets keys that are older than two minutes. */
void idempotency_expire(struct broker *);
/* The app is gone, or its number belongs to another one. */
void idempotency_forget_app(struct broker *, uint32_t app);
/* A worker is gone: the keys that it held without an answer are free again. */
void idempotency_drop(struct broker *, unsigned slot);

/* Handlers of IDEM_BEGIN, and of IDEM_STORE apart from its number. */
int idempotency_on_begin(struct peer *, const struct msg_idem_begin *);
int idempotency_on_store(struct peer *, const struct msg_idem_store *);

#endif
