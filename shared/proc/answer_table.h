/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_ANSWER_TABLE_H
#define SHARED_PROC_ANSWER_TABLE_H

/*
 * The answers of requests with an idempotency key, in memory that outlives
 * every process but the master: the next broker repeats what the last one had.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/str.h"

/* All answers together, for which there is always room. */
#define ANSWERS_MAX 65536
#define ANSWERS_BYTES (16u << 20) /* of their keys and bodies */

#define ANSWER_NONE UINT32_MAX /* a row: there is none */

struct answer {
	uint64_t owner; /* a hash of the app's id: its number may be reused */
	double at;      /* of the monotonic clock, in seconds */
	uint32_t app;
	uint32_t status;
	bool provisional; /* a later one may replace it */
	struct str key, body;
};

struct answer_row {
	double at;
	uint32_t row;
};

struct answer_table;
struct buf;

/* Call before there are children; NULL with errno. */
struct answer_table *answer_table_map(void);
/*
 * The rows that an earlier broker has left, oldest first; free(3) them.  Only
 * the broker, before it calls any of the functions below.  NULL: none.
 */
struct answer_row *answer_table_rows(struct answer_table *, size_t *n);
/* The answer in a row; its key and body are in *bytes, which is replaced. */
struct answer answer_table_get(
    const struct answer_table *, uint32_t row, struct buf **bytes);
/*
 * Stores an answer: its row, or ANSWER_NONE when there is no room or no table.
 * The process may be killed at any instruction: then it is stored or it is not.
 */
uint32_t answer_table_put(struct answer_table *, const struct answer *);
/* Frees a row; ANSWER_NONE is allowed. */
void answer_table_drop(struct answer_table *, uint32_t row);

#endif
