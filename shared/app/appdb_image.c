/* SPDX-License-Identifier: MIT */
/*
 * appdb_image.c: a database as bytes, for use while its file cannot be read.
 * Must never write it to a file.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "shared/app/appdb_private.h"
#include "shared/base/xmalloc.h"

/* In the file's head; 1: a rollback journal, 2: WAL. */
#define WRITE_VERSION 18
#define READ_VERSION 19

void *
appdb_image(struct appdb *d, size_t *n)
{
	sqlite3_int64 size = 0;
	unsigned char *p = sqlite3_serialize(d->db, "main", &size, 0);

	*n = p == NULL ? 0 : (size_t)size;
	return p;
}

void
appdb_image_free(void *p, size_t n)
{
	if (p != NULL)
		explicit_bzero(p, n);
	sqlite3_free(p);
}

struct appdb *
appdb_open_image(const void *p, size_t n)
{
	struct appdb *d = xcalloc(1, sizeof(*d));
	unsigned char *copy;

	if (sqlite3_open_v2(":memory:", &d->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK &&
	    (copy = sqlite3_malloc64(n)) != NULL) {
		memcpy(copy, p, n);
		/*
		 * A database in memory has no WAL mode: it was that of the
		 * file.
		 */
		if (n > READ_VERSION)
			copy[WRITE_VERSION] = copy[READ_VERSION] = 1;
		if (sqlite3_deserialize(d->db, "main", copy, (sqlite3_int64)n,
			(sqlite3_int64)n,
			SQLITE_DESERIALIZE_FREEONCLOSE |
			    SQLITE_DESERIALIZE_READONLY) == SQLITE_OK &&
		    appdb_is_ours(d))
			return d;
	}
	appdb_close(d);
	return NULL;
}

bool
appdb_is_sqlite(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	char head[sizeof(magic)];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool other = fd != -1 &&
	    read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
	    memcmp(head, magic, sizeof(magic)) != 0;

	if (fd != -1)
		close(fd);
	return !other;
}
