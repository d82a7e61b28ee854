/* SPDX-License-Identifier: MIT */
/*
 * The broker's control socket and a hostile pusherctl on it.  The worker that
 * is connected keeps its link.  Input: messages, one behind the other; some of
 * them begin a new connection.
 */

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/messages.h"
#include "tests/unit/broker/links.h"

#define DESKS 2

static const struct str texts[] = {
	{ PUSHERD_VERSION, sizeof(PUSHERD_VERSION) - 1 },
	{ "status", 6 },
	{ "channels", 8 },
	{ "apps-changed", 12 },
	{ "publish", 7 },
	{ "purge-cache", 11 },
	{ "{}", 2 },
	{ "{\"app\":\"app1\"}", 14 },
	{ "{\"app\":\"app1\",\"prefix\":\"r\"}", 27 },
	{ "{\"app\":\"app1\",\"channel\":\"room\",\"event\":\"e\","
	  "\"data\":\"d\"}",
	    54 },
	{ "{\"app\":\"app1\",\"channel\":\"cache-c\"}", 34 },
};

/* The socket's file is made once for the process. */
static int
listener(const char **path)
{
	static char dir[] = "/tmp/pusherd-fuzz-XXXXXX", file[64];
	static int fd = -1;

	if (fd == -1) {
		assert_non_null(mkdtemp(dir));
		snprintf(file, sizeof(file), "%s/ctl.sock", dir);
		fd = sock_listen_unix(file, 0600);
		assert_int_not_equal(fd, -1);
	}
	*path = file;
	return fd;
}

static void
remove_listener(void)
{
	const char *path;
	char *dir;

	listener(&path);
	unlink(path);
	dir = xstrndup(path, strlen(path) - strlen("/ctl.sock"));
	rmdir(dir);
	free(dir);
}

static void
hear(int fd)
{
	char bytes[65536];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

static void
step(struct links *l, int *fds, const char *path, struct input *in)
{
	struct words words = { NULL, 0, texts, nitems(texts) };
	struct buf *b = NULL;
	uint8_t op = input_u8(in);
	int *fd = &fds[op & 1];

	if (*fd == -1 || op >= 0xe0) {
		if (*fd != -1)
			close(*fd);
		*fd = sock_connect_unix(path);
		assert_int_not_equal(*fd, -1);
	}
	message_make(in, FROM_CTL, &words, &b);
	(void)!send(*fd, b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_unref(b);
	links_turn(l);
	hear(*fd);
	links_read(l, 0);
	if (l->in[0] != NULL)
		l->in[0]->len = 0;
	l->at[0] = 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static bool again;
	struct input in = { p, n };
	int fds[DESKS] = { -1, -1 };
	const char *path;
	struct links *l;

	fuzz_start();
	if (!again)
		atexit(remove_listener);
	again = true;
	l = links_new(NULL);
	free(l->conf.database);
	l->conf.database = xstrdup("/nonexistent/apps.db");
	links_sub(l, 0, 1, "room", "");
	control_start(&l->br, listener(&path));
	for (int i = 0; i < 50 && in.n > 0; i++)
		step(l, fds, path, &in);
	assert_false(links_is_over(l, 0));
	for (int i = 0; i < DESKS; i++)
		if (fds[i] != -1)
			close(fds[i]);
	links_turn(l);
	assert_int_equal(l->br.control->n, 0);
	control_clear(&l->br);
	links_free(l);
	return 0;
}
