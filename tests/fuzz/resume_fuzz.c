/* SPDX-License-Identifier: MIT */
/*
 * The name of a session, and the contents of a log file.  Input: a mode; then
 * the path of an upgrade, or pairs of an offset and a byte to be changed in the
 * file of a log.  A path without a session is read as ever; a log is whole or
 * replaced, and what it has can be read.
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/log/app_log.h"
#include "broker/log/past.h"
#include "shared/proc/session_table.h"
#include "tests/fuzz/fuzz.h"
#include "worker/session/session.h"

#define BYTES 16384

static void
check_path(struct str path)
{
	char room[2 * SESSION_KEY_MAX];
	struct session_path p = session_path(path, room);

	assert_true(p.key.n <= SESSION_KEY_MAX && p.id.n <= path.n);
	if (p.key.p != NULL)
		assert_true(session_path_is_ours(path));
	if (p.id.p != NULL && session_id_is_valid(p.id))
		for (size_t i = 0; i < p.id.n; i++)
			assert_true(p.id.p[i] != '/' && p.id.p[i] != ';');
}

static void
fill(struct app_log *l)
{
	char frame[400];

	memset(frame, 'f', sizeof(frame));
	for (uint64_t i = 1; i < 60; i++) {
		struct ring_record r = { .origin = 1,
			.seq = i,
			.channel = i % 3 ? S("a") : S("b"),
			.frame = { frame, i * 97 % sizeof(frame) } };

		app_log_append(l, &r);
	}
}

static void
read_all(const struct app_log *l)
{
	struct past p = { .limit = 10, .channel = S("a") };
	struct json_writer w;
	struct ring_record r;
	uint64_t at = 0, n = 0;

	while (ring_next(l->ring, &at, &r))
		n++;
	assert_true(n <= ring_last(l->ring));
	json_writer_init(&w);
	past_begin(&p, l);
	while (!past_go_on(&p, l, 7))
		;
	past_write(&p, l, 2000, &w);
	past_end(&p);
	buf_unref(json_writer_take(&w));
}

static void
check_log(const uint8_t *p, size_t n)
{
	char dir[] = "/tmp/pusherd-fuzz-XXXXXX", *path;
	struct app_logs logs = { .dir = NULL };
	struct app_log *l;
	int fd;

	assert_non_null(mkdtemp(dir));
	app_logs_init(&logs, dir, NULL);
	path = xasprintf("%s/resume-1.log", dir);
	fill(app_logs_open(&logs, 1, S("app"), BYTES));
	app_logs_clear(&logs);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (; n >= 3; p += 3, n -= 3)
		assert_int_equal(
		    pwrite(fd, p + 2, 1, (p[0] << 8 | p[1]) % (BYTES + 4096)),
		    1);
	close(fd);
	app_logs_init(&logs, dir, NULL);
	l = app_logs_open(&logs, 1, S("app"), BYTES);
	assert_non_null(l);
	read_all(l);
	fill(l);
	read_all(l);
	app_logs_remove(&logs, 1);
	app_logs_clear(&logs);
	free(path);
	assert_int_equal(rmdir(dir), 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool seeded;

	if (!seeded)
		hash_seed();
	seeded = true;
	if (n == 0)
		return 0;
	if (p[0] % 2 == 0)
		check_path(str_make(p + 1, n - 1));
	else
		check_log(p + 1, MIN(n - 1, 300));
	return 0;
}
