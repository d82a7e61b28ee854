/* SPDX-License-Identifier: MIT */
/* listen_test.c: sockets for every slot, shared ports, and who is refused. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/master/listen.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"

static void
make_conf(struct conf *c, const char *listen, const char *workers)
{
	char *why = NULL;

	conf_init(c);
	if (conf_set(c, S("listen"), str_of(listen), "test", 0, &why) == -1 ||
	    conf_set(c, S("metrics_listen"), S(""), "test", 0, &why) == -1 ||
	    conf_set(c, S("workers"), str_of(workers), "test", 0, &why) == -1 ||
	    conf_finish(c, &why) == -1)
		fail_msg("%s", why);
}

static void
open_or_fail(struct listen_set *l, const struct conf *c)
{
	char *why = NULL;

	if (listen_open(l, c, &why) == -1)
		fail_msg("%s", why);
}

static int
fd_of(const struct listen_set *l, unsigned slot, size_t i)
{
	uint32_t ids[8];
	int fds[8];

	assert_in_range(l->n, 1, nitems(fds));
	listen_slot(l, slot, fds, ids);
	return fds[i];
}

/* The address of the socket itself. */
static char *
name_of(int fd)
{
	struct sock_addr a = { .len = sizeof(a.ss) };
	char text[80];

	assert_int_equal(getsockname(fd, (void *)&a.ss, &a.len), 0);
	sock_addr_text(&a, text, sizeof(text));
	return xstrdup(text);
}

static void
test_slots_share_the_port(void **state)
{
	struct listen_set l = { 0 };
	char *first, *other;
	struct conf c;
	unsigned slot;

	make_conf(&c, "127.0.0.1:0, 127.0.0.1:0", "5");
	open_or_fail(&l, &c);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.nslots, 5);
	first = name_of(fd_of(&l, 0, 0));
	assert_string_not_equal(first, "127.0.0.1:0");
	for (slot = 1; slot < 5; slot++) {
		other = name_of(fd_of(&l, slot, 0));
		assert_string_equal(first, other);
		free(other);
	}
	/* The second address has a port of its own, on all slots too. */
	other = name_of(fd_of(&l, 0, 1));
	assert_string_not_equal(first, other);
	free(first);
	first = name_of(fd_of(&l, 4, 1));
	assert_string_equal(first, other);
	free(first);
	free(other);
	listen_close(&l);
	listen_close(&l);
	conf_clear(&c);
}

static void
test_port_in_use(void **state)
{
	struct listen_set l = { 0 }, second = { 0 };
	struct conf c, again;
	char *text, *why = NULL;

	make_conf(&c, "127.0.0.1:0", "1");
	open_or_fail(&l, &c);
	text = listen_text(&l);
	make_conf(&again, text, "2");
	/* Although SO_REUSEPORT would allow it. */
	assert_int_equal(listen_open(&second, &again, &why), -1);
	assert_non_null(strstr(why, text));
	assert_non_null(strstr(why, "the port is in use"));
	assert_non_null(strstr(why, strchr(text, ':')));
	free(why);
	assert_null(second.v);
	/* -t must say yes while the server runs. */
	assert_int_equal(listen_check(&again, &why), 0);
	listen_close(&l);
	open_or_fail(&second, &again);
	listen_close(&second);
	free(text);
	conf_clear(&c);
	conf_clear(&again);
}

static void
test_foreign_address(void **state)
{
	struct listen_set l = { 0 };
	char *why = NULL;
	struct conf c;

	make_conf(&c, "127.0.0.1:0, 192.0.2.1:6001", "2");
	assert_int_equal(listen_check(&c, &why), -1);
	free(why);
	assert_int_equal(listen_open(&l, &c, &why), -1);
	assert_non_null(strstr(why, "192.0.2.1:6001"));
	assert_non_null(strstr(why, "does not have the address"));
	free(why);
	assert_null(l.v);
	conf_clear(&c);
}

/* One's own wildcard is not in the way of one's own address. */
static void
test_overlap(void **state)
{
	struct listen_set l = { 0 }, both = { 0 };
	char *text, *port, *list;
	struct conf c, again;

	make_conf(&c, "127.0.0.1:0", "1");
	open_or_fail(&l, &c);
	text = listen_text(&l);
	listen_close(&l);
	port = strrchr(text, ':') + 1;
	list = xasprintf("0.0.0.0:%s, 127.0.0.1:%s", port, port);
	make_conf(&again, list, "2");
	open_or_fail(&both, &again);
	listen_close(&both);
	free(list);
	free(text);
	conf_clear(&c);
	conf_clear(&again);
}

static void
test_write(void **state)
{
	char dir[] = "/tmp/listen_test.XXXXXX", have[200] = "", *why = NULL;
	char *path, *fresh, *text, *want;
	struct listen_set l = { 0 };
	struct conf c;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/listen", dir);
	fresh = xasprintf("%s.new", path);
	make_conf(&c, "127.0.0.1:0", "2");
	open_or_fail(&l, &c);
	assert_int_equal(listen_write(&l, path, &why), 0);
	assert_int_equal(listen_write(&l, path, &why), 0);
	fd = open(path, O_RDONLY);
	assert_int_not_equal(fd, -1);
	assert_true(read(fd, have, sizeof(have) - 1) > 0);
	close(fd);
	text = listen_text(&l);
	want = xasprintf("%s\n", text);
	assert_string_equal(have, want);
	assert_int_equal(stat(fresh, &st), -1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(listen_write(&l, path, &why), -1);
	assert_non_null(strstr(why, path));
	free(why);
	free(want);
	free(text);
	free(fresh);
	free(path);
	listen_close(&l);
	conf_clear(&c);
}

static void
test_unix(void **state)
{
	char dir[] = "/tmp/listen_test.XXXXXX", *why = NULL;
	struct listen_set l = { 0 }, second = { 0 };
	char *value, *path, *text;
	struct conf c;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/sock", dir);
	value = xasprintf("127.0.0.1:0, unix:%s mode=0606 role=api", path);
	make_conf(&c, value, "3");
	open_or_fail(&l, &c);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0606);
	/* All slots have the one socket. */
	assert_int_equal(fd_of(&l, 0, 1), fd_of(&l, 2, 1));
	assert_int_equal(l.v[1]->role, LISTEN_API);
	text = listen_text(&l);
	assert_non_null(strstr(text, path));
	free(text);
	assert_int_equal(listen_open(&second, &c, &why), -1);
	assert_non_null(strstr(why, path));
	free(why);
	listen_close(&l);
	assert_int_equal(stat(path, &st), -1);
	/* A dead server's socket is not in the way. */
	assert_int_equal(close(sock_listen_unix(path, 0600)), 0);
	open_or_fail(&l, &c);
	listen_close(&l);
	assert_int_equal(rmdir(dir), 0);
	free(value);
	free(path);
	conf_clear(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_share_the_port),
		cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_foreign_address),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
