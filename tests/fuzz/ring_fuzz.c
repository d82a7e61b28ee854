/* SPDX-License-Identifier: MIT */
/*
 * A link with a ring in memory, and a liar at its other end.  The liar writes
 * messages and any bytes to the ring and to the socket, and sets any word that
 * the two share; it rings the bell, empties the memory, and closes what it has.
 * The honest end handles only whole messages, ends its link once at most, and
 * leaves nothing open.  Input: the kind of the honest end, and whether the
 * other one takes the ring; then steps.
 */

#include "tests/fuzz/fuzz.h"

#include <ev.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/ipc/fdpass.h"
#include "shared/ipc/ipc.h"
#include "shared/net/sock.h"
#include "tests/fuzz/messages.h"

#define HEAD_WORDS 32 /* of 8 bytes: the positions of both directions */
#define WRITTEN 16    /* of the direction that the liar writes to */
#define BEGINS 17
#define HEAD_BYTES 4096 /* then the bytes of both directions */
#define STEPS 60
#define END_TURNS 30

/* The honest end, and what the liar has. */
struct pair {
	struct ev_loop *loop;
	struct ipc l;
	unsigned ndead;
	int fd;
	struct memring_fds fds; /* -1: closed */
	uint64_t *words;
	char *bytes;
};

static int
on_any(void *owner, const struct ipc_in *m)
{
	struct pair *p = owner;

	assert_int_equal(m->len, m->body.n + IPC_HEAD);
	assert_true(m->off + m->len <= m->b->len);
	if (m->type == IPC_PING)
		ipc_pass(&p->l, m);
	if (m->type == IPC_PONG && p->fd != -1)
		ipc_pause(&p->l);
	return 0;
}

static void
on_dead(void *owner, const char *why)
{
	struct pair *p = owner;

	assert_true(*why != '\0');
	p->ndead++;
}

static void
on_input(void *owner)
{
	struct pair *p = owner;

	ipc_read(&p->l);
	ipc_dispatch(&p->l);
}

static ipc_handler handlers[IPC_NTYPES];

/* As the broker has it, and as a worker. */
static const struct ipc_ops ops[] = {
	{ .peer = FROM_WORKER,
	    .handlers = handlers,
	    .on_dead = on_dead,
	    .on_input = on_input },
	{ .peer = FROM_BROKER, .handlers = handlers, .on_dead = on_dead },
};

/* ---- the liar ---- */

static void
put_down(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Some bytes behind the others in the ring, as an honest end writes them. */
static void
write_ring(struct pair *p, struct str s)
{
	uint64_t at = p->words[WRITTEN];

	for (size_t i = 0; i < s.n; i++)
		p->bytes[(at + i) % MEMRING_BYTES] = s.p[i];
	p->words[WRITTEN] = at + s.n;
}

static void
tell(struct pair *p, struct input *in, enum ipc_sender who, bool by_ring)
{
	struct words words = { NULL, 0, NULL, 0 };
	struct buf *b = NULL;

	message_make(in, who, &words, &b);
	if (by_ring)
		write_ring(p, buf_str(b));
	else if (p->fd != -1)
		(void)!send(
		    p->fd, b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_unref(b);
}

static void
lie(struct pair *p, struct input *in)
{
	uint64_t *word = &p->words[input_u8(in) % HEAD_WORDS];
	uint64_t v = input_number(in);

	*word = v < 0x80 ? *word + v : v < 0xf0 ? *word - (v - 0x80) : v;
}

static void
step(struct pair *p, struct input *in, const struct ipc_ops *o)
{
	struct msg_ping ping = { .id = 1 };
	char bytes[64];
	uint8_t op = input_u8(in) % 16;

	if (op < 4) {
		tell(p, in, o->peer, true);
	} else if (op < 6) {
		tell(p, in, o->peer, false);
	} else if (op < 9) {
		lie(p, in);
	} else if (op == 9) {
		write_ring(p, input_str(in));
	} else if (op == 10) {
		for (int i = input_u16(in) % 20000; i > 0 && ipc_is_open(&p->l);
		     i--)
			ipc_send_ping(&p->l, &ping);
	} else if (op == 11 && p->fds.other != -1) {
		(void)!write(p->fds.other, "", 1);
	} else if (op == 12 && p->fds.bell != -1) {
		(void)!read(p->fds.bell, bytes, sizeof(bytes));
	} else if (op == 13) {
		ipc_resume(&p->l);
	} else if (op == 14 && p->fds.memory != -1) {
		(void)!fallocate(p->fds.memory,
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HEAD_BYTES);
	} else if (op == 15) {
		put_down(in->n % 2 ? &p->fd : &p->fds.other);
	}
}

/* ---- the link ---- */

static void
turn(struct pair *p)
{
	ipc_flush(&p->l);
	ipc_turn(&p->l, true);
	ev_run(p->loop, EVRUN_NOWAIT);
	assert_true(p->ndead <= 1);
	assert_int_equal(p->ndead == 0, ipc_is_open(&p->l));
}

/* The liar has got the offer. */
static void
open_pair(struct pair *p, const struct ipc_ops *o)
{
	int ends[2], fds[FDPASS_FDS];
	size_t nfds;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(sock_set_nonblock(ends[0]), 0);
	assert_int_equal(sock_set_nonblock(ends[1]), 0);
	p->fd = ends[1];
	ipc_init(&p->l, p->loop, ends[0], o, p);
	carrier_offer(&p->l.carrier);
	assert_int_equal(fdpass_recv(p->fd, &byte, 1, fds, &nfds), 1);
	assert_int_equal(nfds, 3);
	p->fds = (struct memring_fds){ fds[0], fds[1], fds[2] };
	p->words = mmap(NULL, HEAD_BYTES + 2 * MEMRING_BYTES,
	    PROT_READ | PROT_WRITE, MAP_SHARED, p->fds.memory, 0);
	assert_true(p->words != MAP_FAILED);
	p->bytes = (char *)p->words + HEAD_BYTES + MEMRING_BYTES;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct pair p;
	struct input in = { bytes, n };
	uint8_t kind = input_u8(&in);
	const struct ipc_ops *o = &ops[kind % nitems(ops)];
	int before;

	fuzz_start();
	if (p.loop == NULL) {
		p.loop = ev_loop_new(EVFLAG_AUTO);
		ev_run(p.loop, EVRUN_NOWAIT); /* it opens what it needs */
		for (uint32_t i = 0; i < IPC_NTYPES; i++)
			handlers[i] = on_any;
	}
	before = next_fd();
	p.ndead = 0;
	open_pair(&p, o);
	if ((kind & 2) != 0)
		p.words[BEGINS] = 0; /* it has the ring */
	for (int i = 0; i < STEPS && in.n > 0; i++) {
		step(&p, &in, o);
		if ((input_u8(&in) & 1) != 0)
			turn(&p);
	}
	put_down(&p.fd);
	put_down(&p.fds.other);
	ipc_resume(&p.l);
	for (int i = 0; i < END_TURNS; i++)
		turn(&p);
	assert_int_equal(p.ndead, 1);
	ipc_close(&p.l);
	put_down(&p.fds.memory);
	put_down(&p.fds.bell);
	munmap(p.words, HEAD_BYTES + 2 * MEMRING_BYTES);
	assert_int_equal(next_fd(), before);
	return 0;
}
