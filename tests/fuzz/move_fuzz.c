/* SPDX-License-Identifier: MIT */
/*
 * The state that a worker hands to the process that takes its slot over, and
 * how that process reads it when some of it has been changed.  Input: a number
 * of steps of clients (house.h), the steps, then changes: messages that are
 * overwritten, dropped, doubled or put between the others.
 *
 * Unchanged, all is taken, and would be written down in the same way.  Else it
 * is refused, or what was taken can live: the clients are served and end.
 */

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/messages.h"
#include "tests/fuzz/pair.h"
#include "worker/admin/move.h"
#include "worker/conn/pump.h"
#include "worker/session/session.h"

#define MESSAGES 400

static const char *const limits[] = { NULL };

/* The image, cut into its messages; text[i] is free(3)d. */
struct cut {
	struct str text[MESSAGES];
	size_t n;
};

/* ---- the image ---- */

static void
add(struct cut *c, size_t at, struct str s)
{
	if (c->n == MESSAGES)
		return;
	memmove(
	    c->text + at + 1, c->text + at, (c->n - at) * sizeof(c->text[0]));
	c->text[at] = str_make(xstrndup(s.p, s.n), s.n);
	c->n++;
}

static void
drop(struct cut *c, size_t at)
{
	free(c->text[at].p == NULL ? NULL : (void *)(uintptr_t)c->text[at].p);
	c->n--;
	memmove(
	    c->text + at, c->text + at + 1, (c->n - at) * sizeof(c->text[0]));
}

static void
cut_image(struct cut *c, struct str image)
{
	struct str rest = image, body;
	uint32_t type;

	c->n = 0;
	while (image.n > 0) {
		assert_true(move_cut(&rest, &type, &body));
		add(c, c->n, str_make(image.p, image.n - rest.n));
		image = rest;
	}
}

static struct buf *
join(const struct cut *c)
{
	struct buf *b = NULL;

	for (size_t i = 0; i < c->n; i++)
		buf_append(&b, c->text[i]);
	return b;
}

/* One change of one message. */
static void
change(struct cut *c, struct worker *w, struct input *in)
{
	uint8_t op = input_u8(in);
	size_t at = input_u8(in) % c->n;
	uint64_t u64[] = { RIG_APP, w->next_ref, UINT64_MAX, UINT32_MAX };
	struct str str[] = { S("room"), S("presence-x"), S("ann"),
		S("{\"user_id\":\"ann\"}"), S(RIG_KEY) };
	struct words words = { u64, nitems(u64), str, nitems(str) };
	struct buf *b = NULL;
	char *p;

	switch (op % 4) {
	case 0: /* its bytes, not its length */
		p = (char *)(uintptr_t)c->text[at].p;
		p[4 + input_u16(in) % (c->text[at].n - 4)] = (char)input_u8(in);
		break;
	case 1:
		if (c->n > 1)
			drop(c, at);
		break;
	case 2:
		add(c, input_u8(in) % (c->n + 1), c->text[at]);
		break;
	default:
		message_make(in, FROM_MOVER | FROM_BROKER, &words, &b);
		add(c, at, buf_str(b));
		buf_unref(b);
	}
}

/* ---- the two processes ---- */

/* The sockets of the image as another process has them. */
static void
take_sockets(struct move *m, const struct move_image *image)
{
	for (uint32_t i = 0; i < image->nfds; i++) {
		const char *number = (const char *)&image->fds[i];
		int fd = dup(image->fds[i]);

		assert_int_not_equal(fd, -1);
		assert_true(move_sockets_take(
		    m, str_make(number, sizeof(uint32_t)), &fd, 1));
	}
}

static struct buf *
bytes_of(struct move_image *image)
{
	size_t n = outq_bytes(&image->bytes);
	struct buf *b = NULL;

	buf_reserve(&b, n);
	b->len = (uint32_t)outq_peek(&image->bytes, b->data, n);
	assert_int_equal(b->len, n);
	return b;
}

static bool
has(const struct cut *c, struct str text)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->text[i], text))
			return true;
	return false;
}

static bool
is_of_members(struct str text)
{
	uint32_t type;

	memcpy(&type, text.p + 4, sizeof(type));
	return type == IPC_ROSTER || type == IPC_MEMBER;
}

/* The number of its socket is another one there. */
static void
set_socket(struct str text, struct str of)
{
	const size_t at = IPC_HEAD + sizeof(uint64_t);
	uint32_t type;

	memcpy(&type, text.p + 4, sizeof(type));
	if (type == IPC_MOVE_CONN && text.n == of.n)
		memcpy((char *)(uintptr_t)text.p + at, of.p + at,
		    sizeof(uint32_t));
}

/*
 * It has taken over exactly what the first one wrote down.  Lists of members
 * have no order, and none among each other.
 */
static void
check_same(struct worker *w, const struct cut *want)
{
	struct move_image again;
	struct buf *b;
	struct cut c;
	const char *why = move_save(w, &again);

	assert_null(why);
	b = bytes_of(&again);
	cut_image(&c, buf_str(b));
	assert_int_equal(c.n, want->n);
	/* The first one is about the link, which is another one now. */
	for (size_t i = 1; i < c.n; i++) {
		set_socket(c.text[i], want->text[i]);
		assert_true(str_eq(c.text[i], want->text[i]) ||
		    (is_of_members(c.text[i]) && has(want, c.text[i])));
	}
	while (c.n > 0)
		drop(&c, 0);
	buf_unref(b);
	move_image_clear(&again);
}

/* Everything that has been taken begins to live. */
static void
begin(struct rig *r, struct str image, struct load *l)
{
	int link[2];

	link_let_go(&r->w); /* that of check_same() */
	close(r->broker);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, link), 0);
	assert_int_equal(sock_set_nonblock(link[1]), 0);
	r->broker = link[0];
	move_adopt_link(&r->w, image, link[1], NULL);
	move_load_start(l);
}

static void
end(struct rig *r)
{
	struct hash_node *n;

	HASH_FOREACH(n, &r->w.conns)
		conn_close(CONN_OF(n, node));
	conn_reap(&r->w);
	drain_free(&r->w);
	ev_timer_stop(r->w.loop, &r->w.retries->timer);
	rig_clear(r);
}

/* merges: by a worker that has apps and a link, and gets no other link. */
static void
take_over(const struct cut *c, const struct move_image *from, bool changed,
    bool merges)
{
	struct rig r;
	struct buf *image = join(c);
	struct str rest = str_make(image->data, image->len / 2);
	struct load *l;
	const char *why;

	rig_init(&r);
	drain_init(&r.w);
	r.inherit.move_fd = -1; /* not 0: the link comes with the image */
	link_init(&r.w);
	rig_link(&r); /* what is written down goes through one */
	r.w.move->merges = merges;
	take_sockets(r.w.move, from);
	l = move_load_new(&r.w, from->conns);
	why = move_load_more(l, &rest, false);
	rest = str_from(
	    buf_str(image), (size_t)(rest.p - (const char *)image->data));
	if (why == NULL)
		why = move_load_more(l, &rest, true);
	assert_true(changed || why == NULL);
	if (!changed && !merges)
		check_same(&r.w, c);
	r.w.move->merges = false;
	if (why == NULL && merges)
		move_load_start(l);
	else if (why == NULL)
		begin(&r, buf_str(image), l);
	while (move_start_more(&r.w))
		continue;
	rig_turn(&r);
	move_sockets_close(r.w.move);
	move_load_free(l);
	end(&r);
	buf_unref(image);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct move_image image;
	struct house h;
	struct cut c;
	struct buf *b;
	int steps;
	bool changed;

	fuzz_start();
	pair_init(&h, limits);
	for (steps = input_u8(&in) % 32; steps > 0 && in.n > 0; steps--)
		house_step(&h, &in);
	pair_turn(&h);
	assert_null(move_save(&h.r.w, &image));
	b = bytes_of(&image);
	cut_image(&c, buf_str(b));
	buf_unref(b);
	take_over(&c, &image, false, false);
	take_over(&c, &image, false, true);
	for (changed = false; in.n > 0; changed = true)
		change(&c, &h.r.w, &in);
	if (changed) {
		take_over(&c, &image, true, false);
		take_over(&c, &image, true, true);
	}
	while (c.n > 0)
		drop(&c, 0);
	move_image_clear(&image);
	pair_hang_up(&h);
	pair_clear(&h);
	return 0;
}
