/* SPDX-License-Identifier: MIT */
/*
 * session_table.c: the rows of resumable sessions in shared memory.  Only
 * touched pages take memory.  Owns nothing: the mapping lives as long as the
 * processes.
 */

#include "shared/proc/session_table.h"

#include "shared/base/shm.h"
#include "shared/base/str.h"

struct session_table *
session_table_map(uint32_t cap)
{
	struct session_table *t;

	t = shm_map(sizeof(*t) + (size_t)cap * sizeof(t->rows[0]));
	if (t != NULL)
		t->cap = cap;
	return t;
}

bool
session_id_is_valid(struct str id)
{
	if (id.n < SESSION_ID_MIN || id.n > SESSION_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}
