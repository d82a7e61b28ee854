/* SPDX-License-Identifier: MIT */
/* sock.c: addresses as text; socket files that are stale, alive, or none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/net/sock.h"

static char dir[64];

static void
addresses(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
	} rows[] = {
		{ "1.2.3.4:6001", "1.2.3.4:6001" },
		{ "0.0.0.0:0", "0.0.0.0:0" },
		{ "*:65535", "0.0.0.0:65535" },
		{ "[::1]:6001", "[::1]:6001" },
		{ "[::]:1", "[::]:1" },
		{ "[2001:DB8:0::1]:80", "[2001:db8::1]:80" },
		{ "[::ffff:1.2.3.4]:80", "[::ffff:1.2.3.4]:80" },
		{ "", NULL },
		{ ":", NULL },
		{ "6001", NULL },
		{ ":6001", NULL },
		{ "1.2.3.4", NULL },
		{ "1.2.3.4:", NULL },
		{ "1.2.3.4:65536", NULL },
		{ "1.2.3.4:-1", NULL },
		{ "1.2.3.4: 80", NULL },
		{ "1.2.3.4:80 ", NULL },
		{ "1.2.3.4:80:80", NULL },
		{ "1.2.3:80", NULL },
		{ "1.2.3.256:80", NULL },
		{ "localhost:80", NULL },
		{ "::1:80", NULL },
		{ "[::1]", NULL },
		{ "[::1]80", NULL },
		{ "[::1:80", NULL },
		{ "[1.2.3.4]:80", NULL },
		{ "[*]:80", NULL },
		{ "[]:80", NULL },
		{ "[::1%lo]:80", NULL },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:0]:80", NULL },
	};
	struct sock_addr a;
	char text[64], tiny[5];
	size_t i;

	(void)state;
	for (i = 0; i < nitems(rows); i++) {
		errno = 0;
		if (rows[i].out == NULL) {
			assert_int_equal(
			    sock_addr_parse(str_of(rows[i].in), &a), -1);
			assert_int_equal(errno, EINVAL);
			continue;
		}
		assert_int_equal(sock_addr_parse(str_of(rows[i].in), &a), 0);
		sock_addr_text(&a, text, sizeof(text));
		assert_string_equal(text, rows[i].out);
		sock_addr_text(&a, tiny, sizeof(tiny));
		assert_int_equal(strlen(tiny), 4);
	}
	assert_int_equal(sock_addr_parse(S("1.2.3.4\0:80"), &a), -1);
	memset(&a, 0, sizeof(a));
	sock_addr_text(&a, text, sizeof(text));
	assert_string_equal(text, "?");
}

static void
assert_flags(int fd)
{
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void
tcp(void **state)
{
	struct sock_addr a, peer;
	int fd, second, c, s, v;
	socklen_t len = sizeof(v);
	char text[64];

	(void)state;
	assert_int_equal(sock_addr_parse(S("127.0.0.1:0"), &a), 0);
	fd = sock_listen_tcp(&a);
	assert_int_not_equal(fd, -1);
	assert_flags(fd);
	a.len = sizeof(a.ss);
	assert_int_equal(getsockname(fd, (void *)&a.ss, &a.len), 0);
	second = sock_listen_tcp(&a); /* one for each worker */
	assert_int_not_equal(second, -1);
	close(second);
	assert_int_equal(sock_accept(fd, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	c = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(c, (void *)&a.ss, a.len), 0);
	s = sock_accept(fd, &peer);
	assert_int_not_equal(s, -1);
	assert_flags(s);
	sock_addr_text(&peer, text, sizeof(text));
	assert_memory_equal(text, "127.0.0.1:", 10);
	sock_tune_client(s, 16384);
	assert_int_equal(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	assert_int_not_equal(v, 0);
	close(c);
	close(s);
	close(fd);
	/* an address of somebody else */
	assert_int_equal(sock_addr_parse(S("192.0.2.1:1"), &a), 0);
	assert_int_equal(sock_listen_tcp(&a), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
}

static void
unix_sockets(void **state)
{
	char *path = xasprintf("%s/s", dir);
	struct stat st;
	int fd, c, s;
	pid_t pid;
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_int_equal(sock_connect_unix(path), -1);
	assert_int_equal(errno, ENOENT);
	fd = sock_listen_unix(path, 0600);
	assert_int_not_equal(fd, -1);
	assert_flags(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	c = sock_connect_unix(path);
	assert_int_not_equal(c, -1);
	assert_flags(c);
	s = sock_accept(fd, NULL);
	assert_flags(s);
	assert_int_equal(sock_peer(s, &pid, &uid, &gid), 0);
	assert_int_equal(pid, getpid());
	assert_int_equal(uid, geteuid());
	assert_int_equal(gid, getegid());
	close(c);
	close(s);

	/* alive: stays, with its file */
	assert_int_equal(sock_listen_unix(path, 0660), -1);
	assert_int_equal(errno, EADDRINUSE);
	c = sock_connect_unix(path);
	assert_int_not_equal(c, -1);
	close(c);
	close(fd);

	/* stale: replaced */
	assert_int_equal(stat(path, &st), 0);
	fd = sock_listen_unix(path, 0660);
	assert_int_not_equal(fd, -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	close(fd);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
files_that_are_no_sockets(void **state)
{
	char *path = xasprintf("%s/file", dir), longer[200];
	struct stat st;
	int fd;

	(void)state;
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "kept", 4), 4);
	close(fd);
	assert_int_equal(sock_listen_unix(path, 0600), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(unlink(path), 0);
	free(path);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(sock_listen_unix(longer, 0600), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(sock_connect_unix(longer), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(sock_listen_unix("", 0600), -1);
	assert_int_equal(errno, EINVAL);
}

static int
make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pusherd-sock-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(tcp),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(files_that_are_no_sockets),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
