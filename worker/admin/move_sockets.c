/* SPDX-License-Identifier: MIT */
/*
 * move_sockets.c: the sockets that are handed over; see move.c.  Those of
 * clients go ahead of all else, while events are still delivered, because the
 * kernel takes as long for them as it takes to make the connections there.
 *
 * The old process names each by its own descriptor.  A name that comes again
 * is another socket: the one before it has been closed there.
 */

#include <stdlib.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/memring.h"
#include "worker/admin/move.h"
#include "worker/conn/conn.h"
#include "worker/conn/transport.h"
#include "worker/core/core.h"

#define TURN_AHEAD 512 /* in one turn of the loop */
#define NUMBERS_MAX (1u << 24)

/* ---- the old process ---- */

int
move_sockets_send(struct move *m, const int *fds, size_t n)
{
	struct msg_move_sockets s = { .heap = m->heap,
		.numbers = str_make((const char *)fds, n * sizeof(*fds)) };
	char bytes[IPC_HEAD + 16 + MOVE_SOCKETS_MAX * sizeof(*fds)];

	assert(n <= MOVE_SOCKETS_MAX);
	msg_move_sockets_put(bytes, &s);
	return fdpass_send(m->fd, bytes, msg_move_sockets_size(&s), fds, n);
}

/* TLS stays here, so that another socket goes there. */
static bool
goes_ahead(const struct conn *c)
{
	return c->state != CONN_CLOSED && c->io.fd != -1 &&
	    (c->transport == NULL || c->transport->tls.ssl == NULL);
}

void
move_sockets_begin(struct move *m)
{
	struct hash *conns = &m->w->conns;
	struct hash_node *n;

	m->heap = xheap_used();
	m->ahead = xcalloc(MAX(conns->n, 1), sizeof(*m->ahead));
	m->nahead = m->ahead_at = 0;
	HASH_FOREACH(n, conns)
		if (goes_ahead(CONN_OF(n, node)))
			m->ahead[m->nahead++] = n->hash;
}

/* The next ones. */
static bool
send_some(struct move *m)
{
	uint32_t end = MIN(m->ahead_at + MOVE_SOCKETS_MAX, m->nahead);
	struct conn *c, *conns[MOVE_SOCKETS_MAX];
	int fds[MOVE_SOCKETS_MAX];
	size_t n = 0;

	for (uint32_t i = m->ahead_at; i < end; i++) {
		c = conn_find(m->w, m->ahead[i]);
		if (c == NULL || !goes_ahead(c))
			continue;
		conns[n] = c;
		fds[n++] = c->io.fd;
	}
	if (n > 0 && move_sockets_send(m, fds, n) == -1)
		return false; /* later, or on_word() hears that it has ended */
	while (n > 0)
		conns[--n]->sent_ahead = true;
	m->ahead_at = end;
	return true;
}

bool
move_sockets_more(struct move *m)
{
	uint32_t end = m->ahead_at + TURN_AHEAD;

	while (m->ahead_at < MIN(end, m->nahead))
		if (!send_some(m))
			break;
	return m->ahead_at < m->nahead;
}

void
move_sockets_end(struct move *m)
{
	free(m->ahead);
	m->ahead = NULL;
	m->nahead = m->ahead_at = 0;
}

/* ---- the new process ---- */

static bool
make_room(struct move *m, uint32_t number)
{
	uint32_t n = MAX(m->nsockets, 64u);

	if (number >= NUMBERS_MAX)
		return false;
	while (n <= number)
		n *= 2;
	if (n > m->nsockets)
		m->sockets = xreallocarray(m->sockets, n, sizeof(*m->sockets));
	while (m->nsockets < n)
		m->sockets[m->nsockets++] = -1;
	return true;
}

bool
move_sockets_take(struct move *m, struct str numbers, const int *fds, size_t n)
{
	bool taken = numbers.n == n * sizeof(uint32_t);
	uint32_t number;

	for (size_t i = 0; i < n; i++) {
		if (taken)
			memcpy(&number, numbers.p + i * sizeof(number),
			    sizeof(number));
		taken = taken && make_room(m, number);
		if (!taken) {
			close(fds[i]);
			continue;
		}
		if (m->sockets[number] != -1)
			close(m->sockets[number]);
		m->sockets[number] = fds[i];
	}
	return taken;
}

bool
move_sockets_has(const struct move *m, uint32_t number)
{
	return number < m->nsockets && m->sockets[number] != -1;
}

int
move_sockets_get(struct move *m, uint32_t number)
{
	int fd = m->sockets[number];

	m->sockets[number] = -1;
	return fd;
}

bool
move_sockets_ring(
    struct move *m, const struct msg_move_link *link, struct memring **ring)
{
	struct memring_fds fds;

	if (link->has_ring == 0)
		return true;
	if (!move_sockets_has(m, link->memory) ||
	    !move_sockets_has(m, link->bell) ||
	    !move_sockets_has(m, link->other))
		return false;
	fds.memory = move_sockets_get(m, link->memory);
	fds.bell = move_sockets_get(m, link->bell);
	fds.other = move_sockets_get(m, link->other);
	*ring = memring_open(&fds);
	return *ring != NULL;
}

void
move_sockets_close(struct move *m)
{
	for (uint32_t i = 0; i < m->nsockets; i++)
		if (m->sockets[i] != -1)
			close(m->sockets[i]);
	free(m->sockets);
	m->sockets = NULL;
	m->nsockets = 0;
}
