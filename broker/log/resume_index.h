/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RESUME_INDEX_H
#define BROKER_LOG_RESUME_INDEX_H

/*
 * Finds rows of the table of sessions by what stands in them.  A hash table of
 * row numbers: it costs about five bytes for a row, and the row none.
 */

#include <stdint.h>

#include "shared/proc/session_table.h"

struct resume_index {
	/* Of what the row is found by; must stay while it is in the index. */
	uint64_t (*hash)(
	    const struct session_table *, const struct session_row *);
	uint32_t *slots; /* a row plus 1; 0: free */
	uint32_t nslots;
	uint32_t n;
};

/* For an index of sessions, and for one of the connections that have one. */
uint64_t resume_index_hash_id(
    const struct session_table *, const struct session_row *);
uint64_t resume_index_hash_sid(
    const struct session_table *, const struct session_row *);
/* The row; NULL: there is none. */
struct session_row *resume_index_id(const struct resume_index *,
    struct session_table *, uint32_t app, struct str id);
struct session_row *resume_index_sid(
    const struct resume_index *, struct session_table *, uint64_t sid);
/* It must not be there, or must be there. */
void resume_index_insert(
    struct resume_index *, const struct session_table *, uint32_t row);
void resume_index_remove(
    struct resume_index *, const struct session_table *, uint32_t row);
void resume_index_clear(struct resume_index *);

#endif
