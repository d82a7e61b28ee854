/* SPDX-License-Identifier: MIT */
#ifndef SHARED_PROC_SESSION_ID_H
#define SHARED_PROC_SESSION_ID_H

/* The id by which a client names its session: a text, or packed. */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

#define SESSION_ID_MIN 16
#define SESSION_ID_MAX 64

/*
 * A packed id: the 16 bytes of a UUID (RFC 9562), or the 64 characters, six
 * bits each.  Unused bits are zero.
 */
struct session_id {
	uint8_t len; /* in characters; or SESSION_UUID, SESSION_UUID_UPPER */
	uint8_t bits[SESSION_ID_MAX * 6 / 8];
};
#define SESSION_UUID 128       /* its letters are lower case, or none */
#define SESSION_UUID_UPPER 129 /* upper case */

/* 16 to 64 characters of A-Z a-z 0-9 _ - */
bool session_id_is_valid(struct str id);
/* Is this session_id.len one that session_id_pack() gives? */
bool session_id_len_is_valid(unsigned len);
/* For a valid id, and back. */
struct session_id session_id_pack(struct str id);
struct str session_id_text(
    const struct session_id *, char text[SESSION_ID_MAX]);

#endif
