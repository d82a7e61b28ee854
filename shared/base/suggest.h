/* SPDX-License-Identifier: MIT */
#ifndef SHARED_BASE_SUGGEST_H
#define SHARED_BASE_SUGGEST_H

/* "Did you mean …": the known name that is nearest to a mistyped word. */

#include <stddef.h>

#include "shared/base/str.h"

/*
 * The name with the fewest inserted, removed, changed or swapped characters,
 * or NULL when none is near (more than a third of the word is different).
 */
const char *suggest_nearest(
    struct str word, const char *const *names, size_t n);

#endif
