/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CLUSTER_STREAM_LENGTH_H
#define BROKER_CLUSTER_STREAM_LENGTH_H

/* How many entries of the stream Redis shall keep. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_ENTRIES 50000u /* at most */

/* Zeroed at first. */
struct stream_length {
	uint32_t *sizes;      /* of the newest entries, by number */
	uint64_t first, next; /* those that are counted */
	uint64_t bytes;       /* of them */
	bool cut;             /* there were more before them, over the limit */
	char text[24];
};

/*
 * The entry n of the stream has so many bytes; all may have max.  The states of
 * hosts, which are larger than other entries and which one that joins needs,
 * count as if they were not.
 */
void stream_length_add(
    struct stream_length *, uint64_t n, size_t bytes, uint64_t max);
/* The number as a text, valid until the next call. */
const char *stream_length_text(struct stream_length *);
void stream_length_clear(struct stream_length *);

#endif
