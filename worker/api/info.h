/* SPDX-License-Identifier: MIT */
#ifndef WORKER_API_INFO_H
#define WORKER_API_INFO_H

/* The parameter `info` of a request.  Pure. */

#include <stdint.h>

#include "shared/base/str.h"

/*
 * Reads a comma list of attributes (`info`) and adds their bits (enum
 * query_info) to *info.  0, or -1 and the unknown attribute.
 */
int api_info_add(struct str list, uint32_t *info, struct str *unknown);

#endif
