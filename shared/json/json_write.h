/* SPDX-License-Identifier: MIT */
#ifndef SHARED_JSON_JSON_WRITE_H
#define SHARED_JSON_JSON_WRITE_H

/*
 * Writes JSON into a buf.  The caller writes the punctuation of small fixed
 * texts itself (json_raw); struct json_writer manages the commas of larger
 * ones.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"

/* Writes bytes unchanged. */
void json_raw(struct buf **b, struct str bytes);
/* "…": the text in quotes, with ", \ and U+0000-U+001F escaped. */
void json_quote(struct buf **b, struct str text);
/* The same without the quotes. */
void json_escape(struct buf **b, struct str text);
/*
 * Escapes bytes for the second level of a doubly encoded `data` member: the
 * input is JSON text, the output is the inside of a string.  (The same function
 * as json_escape, under the name of its use.)
 */
#define json_nest(b, text) json_escape(b, text)

struct json_writer {
	struct buf *b;  /* take it with json_writer_take() */
	uint32_t comma; /* bit per depth: something was written there */
	unsigned depth;
};

void json_writer_init(struct json_writer *);
void json_object_open(struct json_writer *);
void json_object_close(struct json_writer *);
void json_array_open(struct json_writer *);
void json_array_close(struct json_writer *);
void json_key(struct json_writer *, const char *key);
void json_key_str(struct json_writer *, struct str key);
void json_put_str(struct json_writer *, struct str);
void json_put_u64(struct json_writer *, uint64_t);
void json_put_i64(struct json_writer *, int64_t);
void json_put_bool(struct json_writer *, bool);
void json_put_null(struct json_writer *);
/* A finished JSON text. */
void json_put_raw(struct json_writer *, struct str);
/* A member of an object: its key, then its value as json_put_…() writes it. */
void json_member_str(struct json_writer *, const char *key, struct str);
void json_member_u64(struct json_writer *, const char *key, uint64_t);
void json_member_i64(struct json_writer *, const char *key, int64_t);
void json_member_bool(struct json_writer *, const char *key, bool);
void json_member_raw(struct json_writer *, const char *key, struct str);
/* The finished text; the caller owns the reference. */
struct buf *json_writer_take(struct json_writer *);
/* Discards what has been written, finished or not. */
void json_writer_drop(struct json_writer *);

#endif
