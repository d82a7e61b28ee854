/* SPDX-License-Identifier: MIT */
/*
 * log_out.c: writes a line of the log without waiting.  A process that waits
 * for a stuck log shipper, a stopped terminal or a syslog that does not read
 * would stop serving.  So a line is written at once or it is lost, and the
 * caller counts it.
 *
 * O_NONBLOCK belongs to the open file description, which stderr shares with the
 * parent process, so it is never set on an inherited descriptor: a pipe or a
 * terminal is opened once more through /proc, a socket is written to with
 * MSG_DONTWAIT, a file does not block.  Where the second opening is refused,
 * poll(2) and RWF_NOWAIT remain.
 *
 * Owns the socket to syslog, and the flag that the log ends with half a line,
 * which all processes of the group share.
 */

#include "shared/base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/shm.h"

#define PATIENT_MS 1000
#define SYSLOG_PATH "/dev/log"

static atomic_bool own_half;

static struct {
	atomic_bool *half; /* the log ends in the middle of a line */
	int patience_ms;   /* the rest of it */
	const char *path;  /* of syslog */
	int fd;            /* to it, or -1 */
	bool stream;
} out = { &own_half, PATIENT_MS, SYSLOG_PATH, -1, false };

void
log_out_share(void)
{
	atomic_bool *shared = shm_map("log", sizeof(*shared));

	if (shared != NULL)
		out.half = shared;
}

int
log_out_copy(int fd)
{
	char path[40];
	struct stat st;
	int copy = -1;

	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		copy = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (copy > STDERR_FILENO)
		return copy;
	if (copy != -1) {
		fd = fcntl(copy, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		close(copy);
		return fd;
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

void
log_out_fresh(bool half)
{
	atomic_store(out.half, half);
}

/* ---- stderr ---- */

/* Waits for a slow reader, once in the life of a process. */
static bool
has_room(int fd, bool patient)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	int r;

	r = poll(&p, 1, 0);
	if (r == 0 && patient && out.patience_ms > 0) {
		r = poll(&p, 1, out.patience_ms);
		if (r == 0)
			out.patience_ms = 0;
	}
	return r != 0;
}

/* As writev(2), but EAGAIN instead of waiting. */
static ssize_t
write_now(int fd, struct iovec *iov, int n, bool patient)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	int flags = fcntl(fd, F_GETFL);
	ssize_t r;

	if (!has_room(fd, patient)) {
		errno = EAGAIN;
		return -1;
	}
	r = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (r != -1 || errno != ENOTSOCK)
		return r;
	/*
	 * Is it a pipe or a terminal that is shared with others and set to
	 * wait?
	 */
	if (flags != -1 && (flags & O_NONBLOCK) == 0 &&
	    lseek(fd, 0, SEEK_CUR) == -1) {
		r = pwritev2(fd, iov, n, -1, RWF_NOWAIT);
		if (r != -1 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return r;
	}
	return writev(fd, iov, n);
}

bool
log_out_stderr(const char *p, size_t n, bool patient)
{
	char newline[] = "\n";
	struct iovec iov[2] = { { newline, 1 }, { (void *)(uintptr_t)p, n } };
	bool half = atomic_exchange(out.half, false);
	int skip = half ? 0 : 1;
	ssize_t r;

	do {
		r = write_now(STDERR_FILENO, iov + skip, 2 - skip, patient);
	} while (r == -1 && errno == EINTR);
	if (r == (ssize_t)n + (half ? 1 : 0))
		return true;
	if (r == -1) {
		if (half)
			atomic_store(out.half, true);
		return false;
	}
	/* The disk is full: the next line must not be joined to this one. */
	if (r > (half ? 1 : 0))
		atomic_store(out.half, true);
	errno = ENOSPC;
	return false;
}

/* Reports all of it as written: otherwise a stream would keep the rest. */
static ssize_t
on_stream(void *cookie, const char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct iovec iov = { (void *)(uintptr_t)(p + done), n - done };
		ssize_t r = write_now(STDERR_FILENO, &iov, 1, true);

		if (r <= 0 && errno != EINTR)
			break;
		done += (size_t)MAX(r, 0);
	}
	return (ssize_t)n;
}

void
log_out_guard(void)
{
	FILE *f = fopencookie(
	    NULL, "w", (cookie_io_functions_t){ .write = on_stream });

	if (f == NULL)
		return;
	setvbuf(f, NULL, _IONBF, 0);
	stderr = f;
}

/* ---- syslog ---- */

void
log_out_syslog_at(const char *path)
{
	log_out_close_syslog();
	out.path = path;
}

void
log_out_close_syslog(void)
{
	if (out.fd != -1)
		close(out.fd);
	out.fd = -1;
}

/*
 * Datagrams are sent to the name each time, so that they survive a restart of
 * syslog.  A syslog with a stream is rare.
 */
static int
open_syslog(const struct sockaddr_un *a, bool stream)
{
	out.stream = stream;
	out.fd = socket(AF_UNIX,
	    (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (out.fd == -1 || !stream ||
	    connect(out.fd, (const void *)a, sizeof(*a)) == 0)
		return out.fd;
	log_out_close_syslog();
	return -1;
}

static ssize_t
send_syslog(struct sockaddr_un *a, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };

	if (out.fd == -1 && open_syslog(a, false) == -1)
		return -1;
	if (!out.stream) {
		m.msg_name = a;
		m.msg_namelen = sizeof(*a);
		m.msg_iovlen = n - 1; /* a stream needs the end of the line */
	}
	return sendmsg(out.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool
log_out_syslog(int priority, const char *p, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char head[80], nul[1] = "";
	struct iovec iov[3] = { { head, 0 }, { (void *)(uintptr_t)p, n },
		{ nul, 1 } };
	time_t now = time(NULL);
	struct tm tm;
	size_t k;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", out.path);
	localtime_r(&now, &tm);
	k = (size_t)snprintf(head, sizeof(head), "<%d>", LOG_DAEMON | priority);
	k += strftime(head + k, 32, "%b %e %H:%M:%S", &tm);
	k += (size_t)snprintf(
	    head + k, sizeof(head) - k, " pusherd[%d]: ", (int)getpid());
	iov[0].iov_len = k;
	if (send_syslog(&a, iov, nitems(iov)) != -1)
		return true;
	if (errno == EPROTOTYPE && !out.stream) {
		log_out_close_syslog();
		if (open_syslog(&a, true) != -1 &&
		    send_syslog(&a, iov, nitems(iov)) != -1)
			return true;
	}
	if (out.stream && errno != EAGAIN) {
		int saved = errno;

		log_out_close_syslog(); /* the next line tries again */
		errno = saved;
	}
	return false;
}
