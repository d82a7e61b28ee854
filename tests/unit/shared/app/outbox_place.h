/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_SHARED_APP_OUTBOX_PLACE_H
#define TESTS_UNIT_SHARED_APP_OUTBOX_PLACE_H

/* A directory with an open outbox in it, for each test a new one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/app/outbox.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

struct place {
	char dir[32];
	char *path;
	struct outbox *o;
};

static inline void
reopen(struct place *p)
{
	char *why = NULL;

	outbox_close(p->o);
	p->o = outbox_open(p->path, true, &why);
	if (p->o == NULL)
		fail_msg("%s", why);
}

static inline int
set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	memcpy(p->dir, "/tmp/outbox-test-XXXXXX", 24);
	assert_non_null(mkdtemp(p->dir));
	p->path = xasprintf("%s/outbox.db", p->dir);
	reopen(p);
	*state = p;
	return 0;
}

static inline int
tear_down(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	struct place *p = *state;
	char *name;

	outbox_close(p->o);
	for (size_t i = 0; i < nitems(ends); i++) {
		name = xasprintf("%s%s", p->path, ends[i]);
		unlink(name);
		free(name);
	}
	rmdir(p->dir);
	free(p->path);
	free(p);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
