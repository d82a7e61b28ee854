/* SPDX-License-Identifier: MIT */
/*
 * proc.c: the process itself: its title, privileges, limits, signals,
 * descriptors, and the id of its build.  Owns the memory that argv and environ
 * had at the start, which proc_title() overwrites, and its copies.  The only
 * home of signal handling.  Must never be reachable from outside.
 */

#include "shared/proc/proc.h"

#include <assert.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <link.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/shm.h"
#include "shared/base/str.h"
#include "shared/base/xmalloc.h"

#define UNKNOWN_FDS 65536 /* descriptors that may be open without /proc */

static struct {
	char *p; /* the area that ps(1) shows */
	size_t n;
	char **environ_copy;
} title;

/* Extends *end if s lies directly after it. */
static void
extend(char **end, char *s)
{
	if (s == *end)
		*end = s + strlen(s) + 1;
}

void
proc_title_init(int argc, char **argv)
{
	char *end, **copy;
	size_t n = 0, i;

	if (argc < 1 || argv[0] == NULL || title.p != NULL)
		return;
	end = argv[0];
	for (i = 0; i < (size_t)argc; i++)
		extend(&end, argv[i]);
	while (environ[n] != NULL)
		extend(&end, environ[n++]);
	title.p = argv[0];
	title.n = (size_t)(end - title.p);

	/*
	 * Readers of argv and environ must not read titles.  libc changes the
	 * first half (unsetenv(3)), the second has the server's own copy.
	 */
	copy = xcalloc(2 * (n + 1), sizeof(copy[0]));
	for (i = 0; i < n; i++)
		copy[i] = copy[n + 1 + i] = xstrdup(environ[i]);
	environ = title.environ_copy = copy;
	for (i = 0; i < (size_t)argc; i++)
		argv[i] = xstrdup(argv[i]);
	program_invocation_name = argv[0];
	program_invocation_short_name =
	    strrchr(argv[0], '/') == NULL ? argv[0] : strrchr(argv[0], '/') + 1;
}

void
proc_title(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	prctl(PR_SET_NAME, text); /* the kernel keeps 15 bytes */
	if (title.n == 0)
		return;
	n = MIN(strlen(text), title.n - 1);
	memcpy(title.p, text, n);
	memset(title.p + n, 0, title.n - n);
}

uint64_t
proc_raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1)
		return 0;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == -1 ||
	    getrlimit(RLIMIT_NOFILE, &r) == -1)
		getrlimit(RLIMIT_NOFILE, &r);
	return r.rlim_cur;
}

/* NULL with errno ENOENT, or the error of the user database. */
static const struct passwd *
find_user(const char *user)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	/* getpwnam(3) lists several errnos that mean "no such user". */
	if (pw == NULL && (errno == 0 || errno == ESRCH || errno == EBADF))
		errno = ENOENT;
	return pw;
}

int
proc_find_user(const char *user, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw = find_user(user);

	if (pw == NULL)
		return -1;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

/* The raw system call: libc has none.  0, or -1 with errno. */
static int
set_capabilities(uint32_t low, uint32_t inheritable)
{
	struct __user_cap_header_struct h = { .version =
						  _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { { low, low, inheritable },
		{ 0, 0, 0 } };

	return (int)syscall(SYS_capset, &h, d);
}

void
proc_forget_capabilities(void)
{
	if (geteuid() != 0 && set_capabilities(0, 0) == -1)
		fatal("capset");
}

/* Without it, or as root, there is nothing to keep. */
void
proc_pass_capabilities(void)
{
	const uint32_t bind = 1u << CAP_NET_BIND_SERVICE;

	if (geteuid() != 0 && set_capabilities(bind, bind) == 0)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
		    CAP_NET_BIND_SERVICE, 0, 0);
}

bool
proc_is_exposed(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? xstrdup(".")
				  : xstrndup(path, (size_t)(slash - path) + 1);
	struct stat st;
	bool exposed = stat(dir, &st) == 0 &&
	    (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0);

	free(dir);
	return exposed;
}

int
proc_drop_privileges(const char *user)
{
	uid_t uid, ruid, euid, suid;
	gid_t gid, rgid, egid, sgid;

	if (proc_find_user(user, &uid, &gid) == -1)
		return -1;
	if (geteuid() != 0) {
		/*
		 * There are no privileges to drop; but only root can become
		 * another user.
		 */
		if (geteuid() == uid)
			return 0;
		errno = EPERM;
		return -1;
	}
	/* A reload must be able to open ports below 1024, too. */
	if (prctl(PR_SET_KEEPCAPS, 1) == -1 || initgroups(user, gid) == -1 ||
	    setresgid(gid, gid, gid) == -1 || setresuid(uid, uid, uid) == -1 ||
	    prctl(PR_SET_KEEPCAPS, 0) == -1)
		return -1;
	/* A container may not have given it to us. */
	if (uid != 0 && set_capabilities(1u << CAP_NET_BIND_SERVICE, 0) == -1 &&
	    set_capabilities(0, 0) == -1)
		return -1;
	if (getresuid(&ruid, &euid, &suid) == -1 ||
	    getresgid(&rgid, &egid, &sgid) == -1)
		return -1;
	if (ruid != uid || euid != uid || suid != uid || rgid != gid ||
	    egid != gid || sgid != gid ||
	    (uid != 0 && (setuid(0) != -1 || setgid(0) != -1))) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
proc_leave_root(const char *user, const char *path)
{
	if (geteuid() != 0 || *user == '\0' || !proc_is_exposed(path))
		return 0;
	return proc_drop_privileges(user);
}

void
proc_signal(int sig, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigemptyset(&sa.sa_mask);
	if (sigaction(sig, &sa, NULL) == -1)
		fatal("sigaction %d", sig);
}

void
proc_unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		fatal("sigprocmask");
}

void
proc_trap(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = { .sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_NODEFER };

	sigemptyset(&sa.sa_mask);
	if (sigaction(sig, &sa, NULL) == -1)
		fatal("sigaction %d", sig);
}

void
proc_hide_memory(void)
{
	struct rlimit none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		log_warn("cannot set the limit of core dumps");
#ifndef __SANITIZE_ADDRESS__ /* looks for leaks with ptrace(2) */
	if (prctl(PR_SET_DUMPABLE, 0) == -1)
		log_warn("cannot set the limit of core dumps");
#endif
}

int
proc_daemonize(void)
{
	int fd;

	switch (fork()) {
	case -1:
		return -1;
	case 0:
		break;
	default:
		_exit(0);
	}
	if (setsid() == -1)
		return -1;
	if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("cannot become a daemon: /dev/null");
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1 ||
	    dup2(fd, STDERR_FILENO) == -1)
		return -1;
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

/* The smallest of keep[] that is at least `from`, or -1. */
static int
next_to_keep(const int *keep, size_t n, int from)
{
	int found = -1;
	size_t i;

	for (i = 0; i < n; i++)
		if (keep[i] >= from && (found == -1 || keep[i] < found))
			found = keep[i];
	return found;
}

/* The end of the open descriptors, without close_range(2). */
static int
end_of_open(void)
{
	struct dirent *e;
	struct rlimit r;
	uint64_t fd;
	int end = 0;
	DIR *d = opendir("/proc/self/fd");

	if (d == NULL)
		return getrlimit(RLIMIT_NOFILE, &r) == 0
		    ? (int)MIN(r.rlim_cur, UNKNOWN_FDS)
		    : UNKNOWN_FDS;
	while ((e = readdir(d)) != NULL)
		if (str_to_u64(str_of(e->d_name), INT_MAX - 1, &fd) == 0)
			end = MAX(end, (int)fd + 1);
	closedir(d);
	return end;
}

/* [from, end) */
static void
close_span(int from, int end)
{
	if (from == end ||
	    close_range((unsigned)from, (unsigned)end - 1, 0) == 0)
		return;
	/* A kernel before 5.9, or a container that does not know the call. */
	if (errno != ENOSYS && errno != EPERM)
		fatal("close_range");
	end = MIN(end, end_of_open());
	for (int fd = from; fd < end; fd++)
		close(fd);
}

void
proc_close_others(const int *keep, size_t n)
{
	int from = STDERR_FILENO + 1, fd;

	while ((fd = next_to_keep(keep, n, from)) != -1) {
		close_span(from, fd);
		from = fd + 1;
	}
	close_span(from, INT_MAX);
}

/* Asks the scheduler: a container may have fewer cores than the machine. */
unsigned
proc_cores(void)
{
	cpu_set_t set;
	long n;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	else
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return (unsigned)MIN(MAX(n, 1), PROC_MAX_WORKERS);
}

unsigned
proc_slot_room(unsigned nworkers)
{
	return MIN((MAX(nworkers, 1) + 7) / 8 * 8, PROC_MAX_WORKERS);
}

void
proc_random_many(uint64_t *v, size_t n)
{
	size_t size = n * sizeof(*v);
	ssize_t r;

	assert(size <= 256); /* getrandom(2): so much comes in one piece */
	do {
		r = getrandom(v, size, 0);
	} while (r == -1 && errno == EINTR);
	if (r != (ssize_t)size)
		fatal("no random bytes from the system");
}

uint64_t
proc_random(void)
{
	uint64_t v;

	proc_random_many(&v, 1);
	return v;
}

static size_t
align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* Finds the linker's build-id among the notes of one segment. */
static bool
read_notes(struct str notes, char *out, size_t cap)
{
	ElfW(Nhdr) h;
	struct str id;

	while (notes.n >= sizeof(h)) {
		memcpy(&h, notes.p, sizeof(h));
		notes = str_from(notes, sizeof(h));
		id = str_from(notes, align4(h.n_namesz));
		if (h.n_type == NT_GNU_BUILD_ID && h.n_descsz <= id.n &&
		    str_starts(notes, str_make("GNU", 4)) &&
		    2 * (size_t)h.n_descsz < cap) {
			str_hex(id.p, h.n_descsz, out);
			return true;
		}
		notes = str_from(id, align4(h.n_descsz));
	}
	return false;
}

/* Called for the program itself first; its notes are the only ones read. */
static int
on_object(struct dl_phdr_info *info, size_t size, void *out)
{
	struct str notes;
	size_t i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type != PT_NOTE)
			continue;
		notes.p =
		    (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		notes.n = info->dlpi_phdr[i].p_memsz;
		if (read_notes(notes, out, 128))
			break;
	}
	return 1;
}

const char *
proc_build_id(void)
{
	static char text[160];
	char id[128] = "";

	if (text[0] == '\0') {
		dl_iterate_phdr(on_object, id);
		snprintf(text, sizeof(text), "%s%s%s", PUSHERD_VERSION,
		    id[0] == '\0' ? "" : "+", id);
	}
	return text;
}

#define NOTED 256 /* places */

uint64_t *
proc_map_noted(void)
{
	return shm_map("noted", NOTED * sizeof(uint64_t));
}

bool
proc_note(uint64_t *noted, struct str bytes)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	if (noted == NULL)
		return true;
	for (size_t i = 0; i < bytes.n; i++)
		h = (h ^ (unsigned char)bytes.p[i]) * UINT64_C(0x100000001b3);
	h |= 1; /* 0: an empty place */
	return __atomic_exchange_n(
		   &noted[(h >> 32) % NOTED], h, __ATOMIC_RELAXED) != h;
}
