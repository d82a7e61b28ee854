/* SPDX-License-Identifier: MIT */
/*
 * sock.c: addresses as text, and making, connecting, accepting and tuning
 * sockets.  Owns nothing: every descriptor belongs to the caller, and is
 * non-blocking and close-on-exec from the system call that makes it.  Must
 * never wait, resolve a name, or log: the caller knows what an error means.
 */

#include "shared/net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
#define SOCK_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

/* Closes and keeps errno; returns -1. */
static int
give_up(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* Splits "host:port" or "[host]:port"; the host may have no '/' or blank. */
static int
split_port(struct str text, struct str *host, bool *bracket, uint16_t *port)
{
	struct str rest = text;
	uint64_t v;

	*bracket = str_starts(text, S("["));
	if (*bracket) {
		rest = str_from(text, 1);
		*host = str_cut(&rest, ']');
		if (!str_starts(rest, S(":")))
			return -1;
		rest = str_from(rest, 1);
	} else {
		*host = str_cut(&rest, ':');
	}
	if (rest.p == NULL || str_to_u64(rest, UINT16_MAX, &v) == -1)
		return -1;
	*port = (uint16_t)v;
	return 0;
}

int
sock_addr_parse(struct str text, struct sock_addr *a)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	char ip[INET6_ADDRSTRLEN];
	struct str host;
	uint16_t port;
	bool six, ok;

	errno = EINVAL;
	if (split_port(text, &host, &six, &port) == -1 ||
	    host.n >= sizeof(ip) || str_find(host, '\0') != -1)
		return -1;
	if (host.n != 0)
		memcpy(ip, host.p, host.n);
	ip[host.n] = '\0';
	memset(a, 0, sizeof(*a));
	if (six) {
		ok = inet_pton(AF_INET6, ip, &sin6.sin6_addr) == 1;
		sin6.sin6_port = htons(port);
		memcpy(&a->ss, &sin6, sizeof(sin6));
		a->len = sizeof(sin6);
	} else {
		ok = str_eq(host, S("*")) ||
		    inet_pton(AF_INET, ip, &sin.sin_addr) == 1;
		sin.sin_port = htons(port);
		memcpy(&a->ss, &sin, sizeof(sin));
		a->len = sizeof(sin);
	}
	errno = ok ? 0 : EINVAL;
	return ok ? 0 : -1;
}

void
sock_addr_text(const struct sock_addr *a, char *out, size_t cap)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->ss.ss_family == AF_INET && a->len >= sizeof(sin)) {
		memcpy(&sin, &a->ss, sizeof(sin));
		inet_ntop(AF_INET, &sin.sin_addr, ip, sizeof(ip));
		snprintf(out, cap, "%s:%u", ip, ntohs(sin.sin_port));
	} else if (a->ss.ss_family == AF_INET6 && a->len >= sizeof(sin6)) {
		memcpy(&sin6, &a->ss, sizeof(sin6));
		inet_ntop(AF_INET6, &sin6.sin6_addr, ip, sizeof(ip));
		snprintf(out, cap, "[%s]:%u", ip, ntohs(sin6.sin6_port));
	} else {
		const char *path = sock_addr_path(a);

		if (path != NULL)
			snprintf(out, cap, "unix:%s", path);
		else
			snprintf(out, cap, "%s",
			    a->ss.ss_family == AF_UNIX ? "unix" : "?");
	}
}

unsigned
sock_addr_port(const struct sock_addr *a)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	if (a->ss.ss_family == AF_INET6 && a->len >= sizeof(sin6)) {
		memcpy(&sin6, &a->ss, sizeof(sin6));
		return ntohs(sin6.sin6_port);
	}
	if (a->ss.ss_family != AF_INET || a->len < sizeof(sin))
		return 0;
	memcpy(&sin, &a->ss, sizeof(sin));
	return ntohs(sin.sin_port);
}

int
sock_listen_tcp(const struct sock_addr *a)
{
	const struct sockaddr *sa = (const void *)&a->ss;
	int fd, on = 1;

	fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_FLAGS, 0);
	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
	    (a->ss.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) ==
		    -1) ||
	    bind(fd, sa, a->len) == -1 || listen(fd, BACKLOG) == -1)
		return give_up(fd);
	return fd;
}

int
sock_addr_unix(const char *path, struct sock_addr *a)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(sun.sun_path)) {
		errno = n == 0 ? EINVAL : ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, n);
	memset(a, 0, sizeof(*a));
	memcpy(&a->ss, &sun, sizeof(sun));
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	return 0;
}

const char *
sock_addr_path(const struct sock_addr *a)
{
	const struct sockaddr_un *sun = (const void *)&a->ss;

	/* The storage is larger than the address that the kernel writes. */
	if (a->ss.ss_family != AF_UNIX ||
	    a->len <= offsetof(struct sockaddr_un, sun_path) + 1 ||
	    a->len > sizeof(*sun) || sun->sun_path[0] == '\0')
		return NULL;
	return sun->sun_path;
}

/*
 * Removes the socket file of a dead process.  -1 with EADDRINUSE when it is not
 * one, or when a process listens there.
 */
static int
remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (S_ISSOCK(st.st_mode)) {
		if ((fd = sock_connect_unix(path)) != -1)
			close(fd);
		else if (errno == ECONNREFUSED)
			return unlink(path);
	}
	errno = EADDRINUSE;
	return -1;
}

int
sock_listen_unix(const char *path, mode_t mode)
{
	const struct sockaddr *sa;
	struct sock_addr a;
	int fd, r;

	if (sock_addr_unix(path, &a) == -1)
		return -1;
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0)) == -1)
		return -1;
	sa = (const void *)&a.ss;
	r = bind(fd, sa, a.len);
	if (r == -1 && errno == EADDRINUSE) {
		if (remove_stale(path) == -1)
			return give_up(fd);
		r = bind(fd, sa, a.len);
	}
	if (r == -1)
		return give_up(fd);
	/* Before listen() every connect is refused: the mode comes first. */
	if (chmod(path, mode) == -1 || listen(fd, BACKLOG) == -1) {
		r = errno;
		unlink(path);
		errno = r;
		return give_up(fd);
	}
	return fd;
}

int
sock_connect_unix(const char *path)
{
	const struct sockaddr *sa;
	struct sock_addr a;
	int fd;

	if (sock_addr_unix(path, &a) == -1)
		return -1;
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_FLAGS, 0)) == -1)
		return -1;
	sa = (const void *)&a.ss;
	if (connect(fd, sa, a.len) == -1)
		return give_up(fd);
	return fd;
}

int
sock_accept(int fd, struct sock_addr *addr)
{
	struct sock_addr ignored;
	int c;

	if (addr == NULL)
		addr = &ignored;
	do {
		addr->len = sizeof(addr->ss);
		c = accept4(fd, (void *)&addr->ss, &addr->len, SOCK_FLAGS);
	} while (c == -1 && errno == EINTR);
	return c;
}

int
sock_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	return 0;
}

void
sock_tune_client(int fd, unsigned notsent_lowat)
{
	int on = 1;

	/* Only speed depends on these; a Unix socket refuses both. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (notsent_lowat != 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &notsent_lowat,
		    sizeof(notsent_lowat));
}

int
sock_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
	socklen_t len = sizeof(struct ucred);
	struct ucred cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*pid = cred.pid;
	*uid = cred.uid;
	*gid = cred.gid;
	return 0;
}
