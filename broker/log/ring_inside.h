/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RING_INSIDE_H
#define BROKER_LOG_RING_INSIDE_H

/* The layout of a ring in its file; only for ring.c and ring_file.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

#define RING_MAGIC UINT64_C(0x31474f4c48535550) /* "PUSHLOG1" */
#define RING_HEAD_BYTES 4096
#define RING_FIRST_POS 1 /* 0 means: none */
#define RING_ALIGN(n) (((n) + 7) & ~UINT64_C(7))

struct ring_head {
	uint64_t magic, bytes, epoch;
	uint64_t id;         /* hash of the app's id */
	uint64_t head, tail; /* offsets; a record begins at each */
	uint64_t last;       /* the newest number that was given */
	uint64_t check;      /* of the fields that never change */
	uint64_t oldest;     /* see ring_oldest(); 0: not known */
	uint64_t shared;     /* see ring_share() */
};

struct ring_slot {
	uint32_t len;   /* with head and padding; a multiple of 8 */
	uint32_t check; /* of all that follows */
	uint64_t pos;   /* 0: fills the end of the ring */
	uint64_t origin, seq, time_us, except, hash, prev, prev_pos;
	uint32_t frame_len;
	uint16_t channel_len, unused;
};

struct ring {
	struct ring_head *h;
	char *data;
	uint64_t bytes;
	size_t mapped;
};

static inline uint64_t
ring_mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * UINT64_C(0x9fb21c651e98df25);
	return a ^ a >> 32;
}

/* Checks every record, and that the numbers rise up to the last. */
bool ring_check(struct ring *);

#endif
