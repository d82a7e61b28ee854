/* SPDX-License-Identifier: MIT */
/*
 * outbox_clock.c: the times in the file are those of a courier's clock, which
 * begins at the wall clock and is never set (broker/courier/core.c).  When the
 * wall clock has been set meanwhile, the next courier's clock is another one.
 * The file has the distance of the last clock to the monotonic one, which all
 * processes have in common until the system starts again.
 */

#include <stdlib.h>

#include "shared/app/outbox_db.h"
#include "shared/base/clock.h"
#include "shared/base/file.h"
#include "shared/base/hash.h"

#define STEP_MS 1000 /* a smaller difference is none */

/* Of the running system; 0: not known. */
static uint64_t
boot_id(void)
{
	struct buf *b = file_read_path("/proc/sys/kernel/random/boot_id", 64);
	uint64_t id = b == NULL ? 0 : hash_sip13(0, 0, 0, buf_str(b));

	buf_unref(b);
	return id;
}

/* A file that no courier had has neither: 0. */
#define META(name) \
	"SELECT ifnull((SELECT value FROM meta WHERE name = '" name "'), 0)"

/* Runs a statement with two numbers. */
static int
run(struct outbox *o, const char *sql, int64_t a, int64_t b)
{
	sqlite3_stmt *s;
	int step;

	if (outbox_begin(o) == -1 ||
	    sqlite3_prepare_v2(o->db, sql, -1, &s, NULL) != SQLITE_OK)
		return -1;
	sqlite3_bind_int64(s, 1, a);
	sqlite3_bind_int64(s, 2, b);
	step = sqlite3_step(s);
	sqlite3_finalize(s);
	return step == SQLITE_DONE ? 0 : -1;
}

static int
set(struct outbox *o, int64_t ahead, int64_t boot)
{
	return run(o,
	    "INSERT OR REPLACE INTO meta VALUES ('clock', ?1), ('boot', ?2)",
	    ahead, boot);
}

/* Nothing has changed in the future. */
static int
move(struct outbox *o, int64_t by, int64_t now)
{
	static const char *const sql[] = {
		"UPDATE requests SET next_ms = next_ms + ?1,"
		" until_ms = until_ms + ?1 * (until_ms > 0),"
		" changed_ms = min(changed_ms + ?1, ?2)",
		"UPDATE endpoints SET failing_ms = min(failing_ms + ?1, ?2)"
		" WHERE failing_ms > 0",
		"UPDATE origins SET heard_ms = min(heard_ms + ?1, ?2)",
	};

	for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
		if (run(o, sql[i], by, now) == -1)
			return -1;
	return 0;
}

int
outbox_set_clock(struct outbox *o, uint64_t now_ms)
{
	uint64_t last, last_boot, boot = boot_id();
	int64_t ahead = (int64_t)(now_ms - clock_ms(CLOCK_MONOTONIC)), by;

	if (outbox_ask_number(o, META("clock"), &last) == -1 ||
	    outbox_ask_number(o, META("boot"), &last_boot) == -1)
		return -1;
	if (boot == 0 || boot != last_boot)
		return set(o, ahead, (int64_t)boot);
	by = ahead - (int64_t)last;
	if (llabs(by) < STEP_MS)
		return 0;
	return move(o, by, (int64_t)now_ms) == -1
	    ? -1
	    : set(o, ahead, (int64_t)boot);
}
