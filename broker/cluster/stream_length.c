/* SPDX-License-Identifier: MIT */
/*
 * stream_length.c: Redis can keep a number of entries, not of bytes.  So each
 * host adds up the bytes of the entries that it reads, and tells Redis how many
 * of the newest ones stay within the limit: what clients send must never fill
 * the memory of Redis.  Owns their sizes.
 */

#include "broker/cluster/stream_length.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

#define ENTRY_MAX (256u << 10) /* bytes that count of one; see ENTRY_BYTES */
#define ENTRY_OVERHEAD 100u    /* of Redis */

static uint32_t *
size_of(const struct stream_length *l, uint64_t n)
{
	return &l->sizes[n % STREAM_ENTRIES];
}

static void
drop_first(struct stream_length *l)
{
	l->bytes -= *size_of(l, l->first++);
}

void
stream_length_add(
    struct stream_length *l, uint64_t n, size_t bytes, uint64_t max)
{
	uint32_t size = (uint32_t)MIN(bytes, ENTRY_MAX) + ENTRY_OVERHEAD;

	if (l->sizes == NULL)
		l->sizes = xcalloc(STREAM_ENTRIES, sizeof(*l->sizes));
	if (n != l->next) /* it is unknown what is before it */
		*l = (struct stream_length){ .sizes = l->sizes, .first = n };
	if (n - l->first == STREAM_ENTRIES)
		drop_first(l);
	*size_of(l, n) = size;
	l->bytes += size;
	l->next = n + 1;
	while (l->bytes > max && l->first < n) {
		drop_first(l);
		l->cut = true;
	}
}

const char *
stream_length_text(struct stream_length *l)
{
	snprintf(l->text, sizeof(l->text), "%" PRIu64,
	    l->cut ? l->next - l->first : STREAM_ENTRIES);
	return l->text;
}

void
stream_length_clear(struct stream_length *l)
{
	free(l->sizes);
	*l = (struct stream_length){ 0 };
}
