/* SPDX-License-Identifier: MIT */
/*
 * shim.c: a preload library that makes one call fail, once, in one role of
 * pusherd.  TORTURE is ROLE:CALL:N: the N-th CALL of a process with that title
 * fails; TORTURE_FIRED names the file that is made when it does, so
 * that a replacement of the process is left in peace.  TORTURE_SHORT=N instead:
 * no socket call moves more than 1 to N bytes, in every process.
 *
 * Must not allocate: it is below malloc.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define SQLITE_IOERR 10
#define NAME_BYTES 16 /* that the kernel keeps, with NUL */

enum call {
	MALLOC,
	READ,
	SEND,
	ACCEPT,
	OPEN,
	FSYNC,
	STEP,
	SOCKET,
	CONNECT,
	FORK
};

static const struct {
	const char *name;
	int error;
} calls[] = {
	[MALLOC] = { "malloc", ENOMEM },
	[READ] = { "read", ECONNRESET },
	[SEND] = { "send", EPIPE },
	[ACCEPT] = { "accept", EMFILE },
	[OPEN] = { "open", EMFILE },
	[FSYNC] = { "fsync", EIO },
	[STEP] = { "step", 0 },
	[SOCKET] = { "socket", EMFILE },
	[CONNECT] = { "connect", ECONNREFUSED },
	[FORK] = { "fork", EAGAIN },
};

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static char role[NAME_BYTES];
static char fired[4096];
static int wanted = -1;
static unsigned long at, count;
static size_t most; /* bytes of one socket call; 0: any number */
static uint32_t seed = 1;

__attribute__((constructor)) static void
init(void)
{
	const char *text = getenv("TORTURE"), *few = getenv("TORTURE_SHORT");
	const char *file = getenv("TORTURE_FIRED"), *call, *n;

	if (few != NULL)
		most = strtoul(few, NULL, 10);
	if (text == NULL || file == NULL || strlen(file) >= sizeof(fired) ||
	    (call = strchr(text, ':')) == NULL ||
	    (n = strchr(call + 1, ':')) == NULL ||
	    (size_t)(call - text) >= sizeof(role))
		return;
	strcpy(fired, file); /* pusherd writes its title over the environment */
	memcpy(role, text, (size_t)(call - text));
	call++;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strlen(calls[i].name) == (size_t)(n - call) &&
		    memcmp(calls[i].name, call, (size_t)(n - call)) == 0)
			wanted = (int)i;
	at = strtoul(n + 1, NULL, 10);
}

/* Before it has a title, a process is on its way to be the master. */
static bool
is_in_role(void)
{
	static const char title[] = "pusherd: ";
	char name[NAME_BYTES] = "";

	if (syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) != 0)
		return false;
	if (strcmp(name, "pusherd") == 0)
		return strcmp(role, "master") == 0;
	return strncmp(name, title, sizeof(title) - 1) == 0 &&
	    strncmp(name + sizeof(title) - 1, role,
		sizeof(name) - sizeof(title)) == 0;
}

/* Is this the one?  Then errno is set. */
static bool
fails(enum call which)
{
	long fd;

	if ((int)which != wanted || !is_in_role() || ++count != at)
		return false;
	fd = syscall(SYS_openat, AT_FDCWD, fired,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return false; /* it has happened before */
	syscall(SYS_close, fd);
	errno = calls[which].error;
	return true;
}

/* Some bytes of n, at least one. */
static size_t
few(size_t n)
{
	if (most == 0 || n == 0)
		return n;
	seed = seed * 1664525u + 1013904223u;
	return 1 + (seed >> 16) % (n < most ? n : most);
}

static void *
next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

void *
malloc(size_t n)
{
	return fails(MALLOC) ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails(MALLOC) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails(MALLOC) ? NULL : __libc_realloc(p, n);
}

ssize_t
read(int fd, void *p, size_t n)
{
	return fails(READ) ? -1 : syscall(SYS_read, fd, p, n);
}

ssize_t
pread64(int fd, void *p, size_t n, off_t off)
{
	return fails(READ) ? -1 : syscall(SYS_pread64, fd, p, n, off);
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	return fails(READ)
	    ? -1
	    : syscall(SYS_recvfrom, fd, p, few(n), flags, NULL, NULL);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	return fails(SEND) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t off)
{
	return fails(SEND) ? -1 : syscall(SYS_pwrite64, fd, p, n, off);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	return fails(SEND) ? -1
			   : syscall(SYS_sendto, fd, p, few(n), flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	struct msghdr one = *m;
	struct iovec v;

	if (fails(SEND))
		return -1;
	if (most != 0 && m->msg_iovlen > 0 && m->msg_controllen == 0) {
		v = m->msg_iov[0];
		v.iov_len = few(v.iov_len);
		one.msg_iov = &v;
		one.msg_iovlen = 1;
	}
	return syscall(SYS_sendmsg, fd, &one, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *m, int flags)
{
	return fails(READ) ? -1 : syscall(SYS_recvmsg, fd, m, flags);
}

int
accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	return fails(ACCEPT) ? -1 : (int)syscall(SYS_accept4, fd, a, n, flags);
}

static int
open_at(const char *path, int flags, va_list ap)
{
	unsigned mode = 0;

	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, unsigned);
	if (fails(OPEN))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(path, flags, ap);
	va_end(ap);
	return fd;
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_at(path, flags, ap);
	va_end(ap);
	return fd;
}

int
fsync(int fd)
{
	return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return fails(FSYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
socket(int domain, int type, int protocol)
{
	return fails(SOCKET) ? -1
			     : (int)syscall(SYS_socket, domain, type, protocol);
}

int
connect(int fd, const struct sockaddr *a, socklen_t n)
{
	return fails(CONNECT) ? -1 : (int)syscall(SYS_connect, fd, a, n);
}

pid_t
fork(void)
{
	pid_t (*real)(void);
	void *p;

	if (fails(FORK))
		return -1;
	p = next("fork");
	memcpy(&real, &p, sizeof(real));
	return real();
}

struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *);

int
sqlite3_step(struct sqlite3_stmt *s)
{
	static int (*real)(struct sqlite3_stmt *);
	void *p;

	if (fails(STEP))
		return SQLITE_IOERR;
	if (real == NULL) {
		p = next("sqlite3_step");
		memcpy(&real, &p, sizeof(real));
	}
	return real(s);
}
