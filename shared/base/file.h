/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_FILE_H
#define SHARED_BASE_FILE_H

#include "shared/base/buf.h"

/*
 * Reads the rest of a file, a pipe or a terminal: one reference, or NULL with
 * errno (EFBIG: more than max bytes).  Waits for a slow writer.
 */
struct buf *file_read(int fd, size_t max);
/* Opens the file, reads it as file_read() and closes it. */
struct buf *file_read_path(const char *path, size_t max);
/* The part of the path before the last '/', or "."; free(3) it. */
char *file_parent(const char *path);

#endif
