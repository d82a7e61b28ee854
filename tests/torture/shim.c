/* SPDX-License-Identifier: MIT */
/*
 * shim.c: a preload library that makes one call fail, once, in one role of
 * pusherd.  TORTURE is ROLE:CALL:N: the N-th CALL of a process with that title
 * fails; ROLE:CALL:xSTACK: the first one that has this call stack.
 * TORTURE_FIRED names the file that is made when it does, so that a
 * replacement of the process is left in peace; the pid is in it.
 * TORTURE_STACKS names a file that gets a line for each CALL: its stack's
 * number, and the first time the stack.  TORTURE_SHORT=N instead: no socket
 * call moves more than 1 to N bytes, in every process.
 *
 * Must not allocate: it is below malloc.  Works below gcc's address sanitizer,
 * too, which then finds what a failure leaves behind.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#define SQLITE_IOERR 10
#define NAME_BYTES 16 /* that the kernel keeps, with NUL */
#define FRAMES 64     /* of a stack that count */
#define FRAME_BYTES 160
#define OURS 2       /* frames: fails(), and the call itself */
#define STACKS 16384 /* that one process knows; a power of two */

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
/* The sanitizer's, if there is one. */
extern void *__interceptor_malloc(size_t) __attribute__((weak));
extern void *__interceptor_calloc(size_t, size_t) __attribute__((weak));
extern void *__interceptor_realloc(void *, size_t) __attribute__((weak));

struct stack {
	size_t n;
	struct {
		uint64_t at; /* in the program or library */
		const char *in;
	} frames[FRAMES];
};

static char role[NAME_BYTES];
static char fired[4096], stacks[4096];
static int wanted = -1;
static unsigned long at, count;
static uint64_t wanted_stack; /* 0: the at-th call */
static size_t most;           /* bytes of one socket call; 0: any number */
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
	if ((file = getenv("TORTURE_STACKS")) != NULL &&
	    strlen(file) < sizeof(stacks))
		strcpy(stacks, file);
	memcpy(role, text, (size_t)(call - text));
	call++;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strlen(calls[i].name) == (size_t)(n - call) &&
		    memcmp(calls[i].name, call, (size_t)(n - call)) == 0)
			wanted = (int)i;
	if (n[1] == 'x')
		wanted_stack = strtoull(n + 2, NULL, 16);
	else
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

static _Unwind_Reason_Code
add_frame(struct _Unwind_Context *context, void *arg)
{
	struct stack *s = arg;
	uint64_t ip = _Unwind_GetIP(context);
	struct dl_find_object where;

	if (s->n == FRAMES || ip == 0)
		return _URC_END_OF_STACK;
	s->frames[s->n].at = ip;
	s->frames[s->n].in = "?";
	/* As addr2line(1) wants it, and the same in every run. */
	if (_dl_find_object((void *)(ip - 1), &where) == 0) {
		s->frames[s->n].at = ip - where.dlfo_link_map->l_addr;
		s->frames[s->n].in = where.dlfo_link_map->l_name;
	}
	s->n++;
	return _URC_NO_REASON;
}

/*
 * Never 0.  Two stacks are the same when pusherd itself is in the same places:
 * what a library does between our call and its own is one case.
 */
static uint64_t
stack_number(const struct stack *s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s->n; i++)
		if (s->frames[i].in[0] == '\0') /* the program */
			h = (h ^ s->frames[i].at) * 1099511628211u;
	return h | 1;
}

/* Has this process not had it before? */
static bool
is_new(uint64_t number)
{
	static uint64_t seen[STACKS];
	size_t i = number / 2 % STACKS;

	for (size_t n = 0; n < STACKS && seen[i] != 0; n++) {
		if (seen[i] == number)
			return false;
		i = (i + 1) % STACKS;
	}
	seen[i] = number;
	return true;
}

/* The first word, and if asked for the frames from from on; then a newline. */
static void
put_line(long fd, uint64_t number, const struct stack *s, size_t from)
{
	static char line[FRAMES * FRAME_BYTES];
	long n =
	    snprintf(line, FRAME_BYTES, "x%llx", (unsigned long long)number);

	for (size_t i = from; i < s->n; i++)
		n += snprintf(line + n, FRAME_BYTES, " %s+%llx",
		    strlen(s->frames[i].in) < FRAME_BYTES - 24 ? s->frames[i].in
							       : "?",
		    (unsigned long long)s->frames[i].at);
	line[n++] = '\n';
	syscall(SYS_write, fd, line, n);
	syscall(SYS_close, fd);
}

static void
note(const struct stack *s, uint64_t number)
{
	long fd = syscall(SYS_openat, AT_FDCWD, stacks,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	if (fd >= 0)
		put_line(fd, number, s, is_new(number) ? OURS : s->n);
}

static bool
is_its_turn(void)
{
	struct stack s = { 0 };
	uint64_t number;

	count++;
	if (wanted_stack == 0 && stacks[0] == '\0')
		return count == at;
	_Unwind_Backtrace(add_frame, &s);
	number = stack_number(&s);
	if (stacks[0] != '\0')
		note(&s, number);
	return wanted_stack == 0 ? count == at : number == wanted_stack;
}

/* Is this the one?  Then errno is set. */
static bool
fails(enum call which)
{
	struct stack s = { 0 };
	char pid[24];
	long fd, n;

	if ((int)which != wanted || !is_in_role() || !is_its_turn())
		return false;
	fd = syscall(SYS_openat, AT_FDCWD, fired,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return false; /* it has happened before */
	n = snprintf(pid, sizeof(pid), "%ld ", syscall(SYS_getpid));
	syscall(SYS_write, fd, pid, n);
	_Unwind_Backtrace(add_frame, &s);
	put_line(fd, stack_number(&s), &s, OURS);
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
	if (fails(MALLOC))
		return NULL;
	return __interceptor_malloc != NULL ? __interceptor_malloc(n)
					    : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (fails(MALLOC))
		return NULL;
	return __interceptor_calloc != NULL ? __interceptor_calloc(n, size)
					    : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	if (fails(MALLOC))
		return NULL;
	return __interceptor_realloc != NULL ? __interceptor_realloc(p, n)
					     : __libc_realloc(p, n);
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

/*
 * Only what the program itself calls fails: sqlite3_exec() does not look at
 * what its own calls of sqlite3_step() return.
 */
static bool
is_ours(const void *caller)
{
	struct dl_find_object where;
	char *at;

	memcpy(&at, &caller, sizeof(at));
	return _dl_find_object(at - 1, &where) == 0 &&
	    where.dlfo_link_map->l_name[0] == '\0';
}

struct sqlite3;
struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *);
int sqlite3_exec(struct sqlite3 *, const char *,
    int (*)(void *, int, char **, char **), void *, char **);

int
sqlite3_step(struct sqlite3_stmt *s)
{
	static int (*real)(struct sqlite3_stmt *);
	void *p;

	if (is_ours(__builtin_return_address(0)) && fails(STEP))
		return SQLITE_IOERR;
	if (real == NULL) {
		p = next("sqlite3_step");
		memcpy(&real, &p, sizeof(real));
	}
	return real(s);
}

int
sqlite3_exec(struct sqlite3 *db, const char *sql,
    int (*row)(void *, int, char **, char **), void *arg, char **why)
{
	static int (*real)(struct sqlite3 *, const char *,
	    int (*)(void *, int, char **, char **), void *, char **);
	void *p;

	if (is_ours(__builtin_return_address(0)) && fails(STEP)) {
		if (why != NULL)
			*why = NULL;
		return SQLITE_IOERR;
	}
	if (real == NULL) {
		p = next("sqlite3_exec");
		memcpy(&real, &p, sizeof(real));
	}
	return real(db, sql, row, arg, why);
}
