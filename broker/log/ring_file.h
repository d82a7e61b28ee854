/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RING_FILE_H
#define BROKER_LOG_RING_FILE_H

/* The file of a ring: opened, checked, made, replaced. */

#include "broker/log/ring.h"

/*
 * Opens the file of the app with this id, or makes it: `bytes` for records.
 * A file of another size is copied as far as it fits; one that is damaged, or
 * of another app, is replaced, and *why says so (free(3) it; else NULL).  A
 * file that cannot be made is replaced by memory of this process, *why says
 * so too.  NULL: there is no memory either.
 */
struct ring *ring_open(
    const char *path, uint64_t bytes, struct str id, char **why);

#endif
