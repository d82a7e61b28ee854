/* SPDX-License-Identifier: MIT */
/*
 * move_send.c: sends the image to the process that takes the clients over, and
 * hears whether it understands it; see move.c.  Waits for it meanwhile.
 */

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/ipc/fdpass.h"
#include "shared/proc/proc.h"
#include "worker/admin/move.h"
#include "worker/core/core.h"

#define PART_BYTES (32u << 10) /* of the image, in one datagram */
#define PART_FDS 64

/* Waits for the other end; false: not until then. */
static bool
wait_for(int fd, short events, uint64_t until_us)
{
	uint64_t now = proc_clock_us(CLOCK_MONOTONIC);
	struct pollfd p = { fd, events, 0 };

	return now < until_us &&
	    poll(&p, 1, (int)((until_us - now) / 1000 + 1)) != 0;
}

/* One datagram; NULL, or why not. */
static const char *
send_part(
    int fd, struct str bytes, const int *fds, size_t nfds, uint64_t until_us)
{
	while (fdpass_send(fd, bytes.p, bytes.n, fds, nfds) == -1) {
		if (errno == ETOOMANYREFS)
			poll(NULL, 0, 1); /* until the other end has some */
		else if (errno != EAGAIN)
			return "the new process has ended";
		if (!wait_for(fd, POLLOUT, until_us))
			return "the new process did not read in time";
	}
	return NULL;
}

/* The bytes, and next to them the descriptors. */
static const char *
send_image(struct move *m, struct move_image *image, uint64_t until_us)
{
	size_t bytes = outq_bytes(&image->bytes), n;
	size_t parts = MAX((bytes + PART_BYTES - 1) / PART_BYTES,
	    (image->nfds + PART_FDS - 1) / PART_FDS);
	size_t per = MAX((bytes + parts - 1) / parts, 1);
	struct msg_move_begin b = { bytes, image->nfds, 0 };
	const char *why;
	uint32_t at = 0, nfds;
	char head[64];

	msg_move_begin_put(head, &b);
	why = send_part(
	    m->fd, str_make(head, msg_move_begin_size(&b)), NULL, 0, until_us);
	while (why == NULL && outq_bytes(&image->bytes) > 0) {
		n = outq_peek(&image->bytes, m->w->recv, per);
		nfds = MIN(PART_FDS, image->nfds - at);
		why = send_part(m->fd, str_make(m->w->recv, n), image->fds + at,
		    nfds, until_us);
		at += nfds;
		outq_consume(&image->bytes, n);
	}
	if (why == NULL && at < image->nfds)
		why = "too many sockets";
	if (why == NULL)
		log_debug("move: all is sent");
	return why;
}

/* Does the other one understand all of it? */
static const char *
hear_ready(struct move *m, char room[1024], uint64_t until_us)
{
	struct msg_move_ready ready;
	uint32_t type;
	size_t nfds;
	ssize_t n;
	int fds[FDPASS_FDS];

	if (!wait_for(m->fd, POLLIN, until_us))
		return "the new process did not answer in time";
	n = fdpass_recv(m->fd, room, 1023, fds, &nfds);
	while (nfds > 0)
		close(fds[--nfds]);
	if (n <= 0)
		return "the new process has ended";
	if (!move_datagram(str_make(room, (size_t)n), &type) ||
	    type != IPC_MOVE_READY ||
	    msg_move_ready_get(
		&ready, str_make(room + IPC_HEAD, (size_t)n - IPC_HEAD)) == -1)
		return "the new process is not understood";
	if (ready.failed.n == 0)
		return NULL;
	room[n] = '\0'; /* the text is the end of the message */
	return ready.failed.p;
}

const char *
move_send(struct move *m, struct move_image *image, uint64_t until_us,
    char room[1024])
{
	const char *why = send_image(m, image, until_us);

	return why != NULL ? why : hear_ready(m, room, until_us);
}
