/* SPDX-License-Identifier: MIT */
/*
 * move_send.c: sends the image to the process that takes the clients over, and
 * hears whether it understands it; see move.c.  Waits for it meanwhile.
 */

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/ipc/fdpass.h"
#include "worker/admin/move.h"
#include "worker/core/core.h"

#define PART_BYTES (32u << 10) /* of the image, in one datagram */

/* Waits for the other end; false: not until then. */
static bool
wait_for(int fd, short events, uint64_t until_us)
{
	uint64_t now = clock_us(CLOCK_MONOTONIC);
	struct pollfd p = { fd, events, 0 };

	return now < until_us &&
	    poll(&p, 1, (int)((until_us - now) / 1000 + 1)) != 0;
}

/* Why can it never leave?  NULL: it can now, perhaps. */
static const char *
wait_again(struct move *m, uint64_t until_us)
{
	if (errno == ETOOMANYREFS)
		poll(NULL, 0, 1); /* until the other end has some */
	else if (errno != EAGAIN)
		return "the new process has ended";
	return wait_for(m->fd, POLLOUT, until_us)
	    ? NULL
	    : "the new process did not read in time";
}

/* One datagram; NULL, or why not. */
static const char *
send_part(struct move *m, struct str bytes, uint64_t until_us)
{
	const char *why = NULL;

	while (
	    why == NULL && fdpass_send(m->fd, bytes.p, bytes.n, NULL, 0) == -1)
		why = wait_again(m, until_us);
	return why;
}

/* Those that have not gone ahead. */
static const char *
send_sockets(struct move *m, const struct move_image *image, uint64_t until_us)
{
	const char *why = NULL;
	uint32_t at = 0, n;

	while (why == NULL && at < image->nfds) {
		n = MIN(MOVE_SOCKETS_MAX, image->nfds - at);
		if (move_sockets_send(m, image->fds + at, n) == 0)
			at += n;
		else
			why = wait_again(m, until_us);
	}
	return why;
}

static const char *
send_image(struct move *m, struct move_image *image, uint64_t until_us)
{
	struct msg_move_begin b = { outq_bytes(&image->bytes), image->conns,
		0 };
	const char *why = send_sockets(m, image, until_us);
	char head[64];
	size_t n;

	msg_move_begin_put(head, &b);
	if (why == NULL)
		why = send_part(
		    m, str_make(head, msg_move_begin_size(&b)), until_us);
	while (why == NULL && outq_bytes(&image->bytes) > 0) {
		n = outq_peek(&image->bytes, m->w->recv, PART_BYTES);
		why = send_part(m, str_make(m->w->recv, n), until_us);
		outq_consume(&image->bytes, n);
	}
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
