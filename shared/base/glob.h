/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_GLOB_H
#define SHARED_BASE_GLOB_H

/* Patterns of names: * stands for any characters, ? for one byte. */

#include <stdbool.h>

#include "shared/base/str.h"

/*
 * Does the pattern match the whole text?  Tenants write patterns, and strangers
 * the names: up to 255 bytes of text no pattern takes more than a microsecond
 * or two.
 */
bool glob_matches(struct str pattern, struct str text);

#endif
