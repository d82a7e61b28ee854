/* SPDX-License-Identifier: MIT */
/*
 * session_table.c: the rows of resumable sessions in shared memory.  Only
 * touched pages take memory.  Owns nothing: the mapping lives as long as the
 * processes.
 */

#include "shared/proc/session_table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/base.h"
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

struct file_head {
	uint64_t magic;
	uint32_t row_bytes, used;
};

#define MAGIC UINT64_C(0x3153534553504f53)

int
session_table_save(const struct session_table *t, const char *path)
{
	struct file_head h = { MAGIC, sizeof(t->rows[0]), t->used };
	FILE *f;
	int r = -1;

	unlink(path);
	if (t->used == 0)
		return 0;
	if ((f = fopen(path, "wxe")) == NULL)
		return -1;
	if (fwrite(&h, sizeof(h), 1, f) == 1 &&
	    fwrite(t->rows, sizeof(t->rows[0]), t->used, f) == t->used)
		r = 0;
	if (fclose(f) == EOF)
		r = -1;
	if (r == -1)
		unlink(path);
	return r;
}

void
session_table_load(struct session_table *t, const char *path)
{
	FILE *f = fopen(path, "re");
	struct file_head h;

	if (f == NULL)
		return;
	if (fread(&h, sizeof(h), 1, f) == 1 && h.magic == MAGIC &&
	    h.row_bytes == sizeof(t->rows[0])) {
		uint32_t n = MIN(h.used, t->cap);

		if (fread(t->rows, sizeof(t->rows[0]), n, f) == n)
			t->used = n;
		else
			memset(t->rows, 0, n * sizeof(t->rows[0]));
	}
	fclose(f);
	unlink(path); /* it is right only once */
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
