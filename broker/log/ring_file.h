/* SPDX-License-Identifier: MIT */
#ifndef BROKER_LOG_RING_FILE_H
#define BROKER_LOG_RING_FILE_H

/* The file of a ring: opened, checked, made, replaced. */

#include "broker/log/ring.h"

/*
 * Opens the file of the app with this id, or makes it with `bytes` for records.
 * A file of another size is copied as far as it fits; a file that is damaged or
 * of another app is replaced, and *why says so (free(3) it; else NULL).  A file
 * that cannot be made is replaced by memory of this process, and *why says so,
 * too.  If there is no file, the copy at `backup` (or NULL) is used.  NULL:
 * there is no memory either.
 */
struct ring *ring_open(const char *path, const char *backup, uint64_t bytes,
    struct str id, char **why);
/* Makes the copy, in as many bytes as are in use; -1 with errno. */
int ring_save(const struct ring *, const char *path);

#endif
