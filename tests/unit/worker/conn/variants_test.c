/* SPDX-License-Identifier: MIT */
/*
 * variants.c and compression.c: what connections get, read by a client with
 * one window over all of its compressed messages, is what was sent.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "tests/unit/worker/rig.h"
#include "worker/channel/topic.h"
#include "worker/conn/input.h"
#include "worker/conn/variants.h"

#define PEERS 10
#define CHANNELS 4
#define STEPS 4000

static const char *const names[CHANNELS] = { "a", "private-b", "presence-c",
	"private-encrypted-d" };

struct peer {
	struct conn *c;
	int fd;
	z_stream z;
	bool packs;
	struct subscription *subs[CHANNELS];
	struct buf *want; /* messages, each with a line feed behind it */
	unsigned packed;
};

struct hall {
	struct rig rig;
	struct worker *w;
	struct peer peers[PEERS];
	struct buf *last[CHANNELS];
	uint64_t random;
};

static unsigned
pick(struct hall *h, unsigned n)
{
	h->random = h->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(h->random >> 33) % n;
}

/* Takes what is queued for the peer and reads it as its client would. */
static void
read_all(struct peer *p)
{
	static unsigned char tail[] = { 0, 0, 0xff, 0xff };
	size_t n = outq_bytes(&p->c->out);
	char *bytes = xmalloc(n + 1);
	struct str rest = str_make(bytes, outq_peek(&p->c->out, bytes, n));
	struct buf *got = NULL;
	struct ws_head head;
	ssize_t k;

	outq_consume(&p->c->out, n);
	p->c->owed = 0;
	while ((k = ws_head_read(&head, rest)) > 0) {
		struct str s = str_make(rest.p + k, (size_t)head.len);

		rest = str_from(rest, (size_t)k + s.n);
		if (!head.rsv1) {
			buf_append(&got, s);
		} else {
			char *room = buf_reserve(&got, 200000);

			assert_true(p->packs);
			p->packed++;
			p->z.next_in = (z_const Bytef *)(uintptr_t)s.p;
			p->z.avail_in = (uInt)s.n;
			p->z.next_out = (Bytef *)room;
			p->z.avail_out = 200000;
			assert_int_equal(inflate(&p->z, Z_SYNC_FLUSH), Z_OK);
			assert_int_equal(p->z.avail_in, 0);
			p->z.next_in = tail;
			p->z.avail_in = sizeof(tail);
			assert_true(
			    inflate(&p->z, Z_SYNC_FLUSH) >= Z_BUF_ERROR);
			got->len += 200000 - p->z.avail_out;
			if (p->c->deflate.self_contained)
				assert_int_equal(inflateReset(&p->z), Z_OK);
		}
		buf_putc(&got, '\n');
	}
	assert_int_equal(rest.n, 0);
	if (!str_eq(buf_str(got), buf_str(p->want)))
		fail_msg("got:  %.*s\nwant: %.*s", STR_ARG(buf_str(got)),
		    STR_ARG(buf_str(p->want)));
	buf_unref(got);
	buf_unref(p->want);
	p->want = NULL;
	free(bytes);
}

static void
open_peer(struct hall *h, struct peer *p, unsigned bits, bool alone)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(sock_set_nonblock(fds[1]), 0);
	*p = (struct peer){ .fd = fds[0], .packs = bits > 0 };
	p->c = input_open(h->w, fds[1], &ws_ops);
	p->c->app = client_app_ref(apps_by_num(h->w, RIG_APP));
	p->c->greeted = p->c->authorized = true;
	p->c->deflate.bits = bits & 15u;
	p->c->deflate.self_contained = alone;
	conn_enlist(p->c);
	assert_int_equal(
	    inflateInit2(&p->z, bits == 0 ? -15 : -(int)bits), Z_OK);
}

static void
leave(struct hall *h, struct peer *p, unsigned ch)
{
	struct subscription *s = p->subs[ch];

	if (s == NULL)
		return;
	topic_remove(s->t, s->index);
	topic_unref(h->w, s->t);
	free(s);
	p->subs[ch] = NULL;
}

static void
enter(struct hall *h, struct peer *p, unsigned ch)
{
	struct subscription *s = xcalloc(1, sizeof(*s));

	s->c = p->c;
	s->t = topic_get(h->w, RIG_APP, str_of(names[ch]));
	topic_add(s->t, s->c, &s->index);
	p->subs[ch] = s;
}

static void
close_peer(struct hall *h, struct peer *p)
{
	read_all(p);
	for (unsigned ch = 0; ch < CHANNELS; ch++)
		leave(h, p, ch);
	close(p->fd);
	conn_close(p->c);
	conn_reap(h->w);
	inflateEnd(&p->z);
}

static void
open_hall(struct hall *h, uint64_t seed)
{
	*h = (struct hall){ .random = seed };
	rig_init(&h->rig);
	h->w = &h->rig.w;
	h->rig.conf.client_buffer = 1u << 30;
	rig_app(&h->rig)->compression = 1;
}

static void
close_hall(struct hall *h)
{
	for (unsigned ch = 0; ch < CHANNELS; ch++)
		buf_unref(h->last[ch]);
	assert_true(list_is_empty(&h->w->compression->contexts));
	assert_int_equal(h->w->compression->context_bytes, 0);
	rig_clear(&h->rig);
}

/* A text that is new, like an earlier one of the channel, or noise. */
static struct buf *
make_text(struct hall *h, unsigned ch)
{
	unsigned kind = pick(h, 8), n = pick(h, kind == 0 ? 70000 : 900);
	struct buf *b = NULL;

	if (kind < 5 && h->last[ch] != NULL) {
		b = buf_from(buf_str(h->last[ch]));
		for (unsigned i = 0; i < 3 && b->len > 0; i++)
			b->data[pick(h, b->len)] = (char)('A' + pick(h, 26));
	}
	while (b == NULL || (kind >= 5 && b->len < n)) {
		if (kind == 7)
			buf_putc(&b, (char)(' ' + pick(h, 95)));
		else
			buf_printf(
			    &b, "{\"n\":%u,\"name\":\"x\"}", pick(h, 99));
	}
	for (uint32_t i = 0; i < b->len; i++) /* it separates messages */
		if (b->data[i] == '\n')
			b->data[i] = ' ';
	buf_unref(h->last[ch]);
	return h->last[ch] = b;
}

static void
append_frame(struct buf **b, struct str text)
{
	unsigned char head[WS_HEAD_MAX];

	buf_append(b, str_make(head, ws_head_write(WS_TEXT, text.n, head)));
	buf_append(b, text);
}

static void
want(struct peer *p, struct str text)
{
	buf_append(&p->want, text);
	buf_putc(&p->want, '\n');
}

static void
publish(struct hall *h, unsigned ch, struct str text, const struct peer *but)
{
	uint64_t runs = h->w->stats->counts.deflate_runs;
	struct msg_event m = { .app = RIG_APP,
		.channel = str_of(names[ch]),
		.except = but == NULL ? 0 : conn_sid(but->c) };
	struct buf *frame = NULL;

	append_frame(&frame, text);
	m.frame = buf_str(frame);
	topic_on_event(h->w, &m);
	buf_unref(frame);
	for (struct peer *p = h->peers; p < h->peers + PEERS; p++)
		if (p->subs[ch] != NULL && p != but)
			want(p, text);
	runs = h->w->stats->counts.deflate_runs - runs;
	assert_true(runs <= (ch == 3 ? 0 : 2));
}

/* A confirmation, and events of the past. */
static void
replay(struct hall *h, struct peer *p, unsigned ch)
{
	struct buf *frames = NULL;

	for (unsigned i = pick(h, 6); i > 0; i--) {
		struct buf *b = make_text(h, ch);

		append_frame(&frames, buf_str(b));
		want(p, buf_str(b));
	}
	compression_queue_answer(p->c, str_of(names[ch]), buf_str(frames));
	buf_unref(frames);
}

static void
reopen(struct hall *h, struct peer *p)
{
	static const unsigned bits[] = { 0, 15, 15, 15, 15, 9, 12 };

	if (p->c != NULL)
		close_peer(h, p);
	open_peer(h, p, bits[pick(h, nitems(bits))], pick(h, 5) == 0);
}

static void
step(struct hall *h)
{
	struct peer *p = &h->peers[pick(h, PEERS)];
	unsigned ch = pick(h, CHANNELS), what = pick(h, 100);
	struct buf *b = NULL;

	if (what == 0) {
		reopen(h, p);
	} else if (what < 10 && p->subs[ch] != NULL) {
		leave(h, p, ch);
	} else if (what < 20 && p->subs[ch] == NULL) {
		enter(h, p, ch);
		replay(h, p, ch);
	} else if (what == 20) {
		h->rig.conf.compression = pick(h, 3) > 0;
	} else if (what == 21) {
		rig_app(&h->rig)->compression = pick(h, 3) > 0;
	} else if (what == 22) {
		h->rig.conf.compression_level = 1 + pick(h, 9);
		contexts_clear(h->w);
	} else if (what < 30) { /* an answer that is never compressed */
		append_frame(&b, S("{\"event\":\"pusher:pong\"}"));
		conn_queue_bytes(p->c, buf_str(b));
		want(p, S("{\"event\":\"pusher:pong\"}"));
		buf_unref(b);
	} else {
		publish(h, ch, buf_str(make_text(h, ch)),
		    pick(h, 4) == 0 ? p : NULL);
	}
}

static void
the_same_list_is_compressed_once(void **state)
{
	struct buf *frame = NULL;
	struct hall h;
	open_hall(&h, 5);
	buf_printf(&h.last[0], "%02000u", 7);
	append_frame(&frame, buf_str(h.last[0]));
	for (struct peer *p = h.peers; p < h.peers + 3; p++) {
		open_peer(&h, p, 15, false);
		compression_queue_answer(p->c, S("a"), buf_str(frame));
		want(p, buf_str(h.last[0]));
		close_peer(&h, p);
	}
	assert_int_equal(h.w->stats->counts.deflate_runs, 1);
	buf_unref(frame);
	close_hall(&h);
}

static void
each_window_reads_the_plain_stream(void **state)
{
	unsigned packed = 0;
	struct hall h;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		open_hall(&h, seed);
		for (size_t i = 0; i < PEERS; i++)
			reopen(&h, &h.peers[i]);
		for (unsigned i = 0; i < STEPS; i++) {
			step(&h);
			if (i % 50 == 0)
				for (size_t j = 0; j < PEERS; j++)
					read_all(&h.peers[j]);
		}
		for (size_t i = 0; i < PEERS; i++) {
			packed += h.peers[i].packed;
			close_peer(&h, &h.peers[i]);
		}
		close_hall(&h);
	}
	assert_true(packed > 2000);
}

/* How many bytes the peer has been sent since the last time. */
static size_t
sent(struct peer *p)
{
	size_t n = outq_bytes(&p->c->out);

	read_all(p);
	return n;
}

/* A state of 4 KB, with something that is different each time. */
static void
publish_state(struct hall *h, unsigned i)
{
	struct buf *b = NULL;

	for (unsigned k = 0; b == NULL || b->len < 4000; k++)
		buf_printf(&b, "{\"id\":%u,\"total\":%u}", k * 7919,
		    k * k * 31 % 9973);
	buf_printf(&b, "%u", i);
	publish(h, 0, buf_str(b), NULL);
	buf_unref(b);
}

static void
a_state_is_sent_once(void **state)
{
	struct peer *p;
	struct hall h;

	open_hall(&h, 1);
	for (size_t i = 0; i < PEERS; i++) {
		open_peer(&h, &h.peers[i], 15, false);
		enter(&h, &h.peers[i], 0);
	}
	publish_state(&h, 1);
	assert_true(sent(&h.peers[0]) > 400);
	publish_state(&h, 2);
	assert_true(sent(&h.peers[0]) < 100);
	assert_int_equal(h.w->stats->counts.deflate_runs, 2);
	/* A client that was sent another channel's event in between gets it
	 * whole. */
	p = &h.peers[1];
	enter(&h, p, 1);
	enter(&h, &h.peers[2], 1);
	publish(&h, 1,
	    S("{\"n\":1,\"n\":1,\"n\":1,\"n\":1,\"n\":1,\"n\":1,\"n\":1,\"n\":"
	      "1,\"n\":1,"
	      "\"n\":1,\"n\":1,\"n\":1,\"n\":1}"),
	    NULL);
	read_all(p);
	publish_state(&h, 3);
	assert_true(sent(p) > 400);
	assert_true(sent(&h.peers[0]) < 100);
	assert_int_equal(h.w->stats->counts.deflate_runs, 5);
	/* With compression off everybody gets it plain, and then goes on. */
	h.rig.conf.compression = false;
	publish_state(&h, 4);
	assert_true(sent(&h.peers[0]) > 4000);
	h.rig.conf.compression = true;
	publish_state(&h, 5);
	assert_true(sent(&h.peers[0]) < 100);
	for (size_t i = 0; i < PEERS; i++)
		close_peer(&h, &h.peers[i]);
	close_hall(&h);
}

static void
a_message_that_does_not_shrink_is_plain(void **state)
{
	char text[600];
	struct hall h;
	struct peer *a = &h.peers[0], *b = &h.peers[1];

	open_hall(&h, 1);
	open_peer(&h, a, 15, false);
	enter(&h, a, 0);
	memset(text, 'x', sizeof(text));
	publish(&h, 0, str_make(text, 511), NULL); /* for one */
	assert_int_equal(sent(a), 4 + 511);
	publish(&h, 0, str_make(text, 512), NULL);
	assert_true(sent(a) < 50);
	open_peer(&h, b, 15, false);
	enter(&h, b, 0);
	publish(&h, 0, str_make(text, 63), NULL); /* for two */
	assert_int_equal(sent(a), 2 + 63);
	assert_int_equal(sent(b), 2 + 63);
	publish(&h, 0, str_make(text, 64), NULL);
	assert_true(sent(a) < 50);
	assert_true(sent(b) < 50);
	close_peer(&h, b);
	open_peer(&h, b, 0, false); /* for one that wants it, of two */
	enter(&h, b, 0);
	publish(&h, 0, str_make(text, 511), NULL);
	assert_int_equal(sent(a), 4 + 511);
	assert_int_equal(sent(b), 4 + 511);
	close_peer(&h, a);
	close_peer(&h, b);
	for (unsigned i = 2; i < PEERS; i++)
		h.peers[i].c = NULL;
	close_hall(&h);
}

/* Old contexts go when there are too many; nothing grows for ever. */
static void
contexts_are_bounded(void **state)
{
	size_t n = 2000;
	struct topic **topics = xcalloc(n, sizeof(*topics));
	struct subscription *subs = xcalloc(n, sizeof(*subs));
	char *text = xcalloc(1, 20000), name[32];
	struct buf *frame = NULL;
	struct hall h;

	open_hall(&h, 1);
	open_peer(&h, &h.peers[0], 15, false);
	memset(text, 'x', 20000);
	append_frame(&frame, str_make(text, 20000));
	for (size_t i = 0; i < n; i++) {
		struct msg_event m = { .app = RIG_APP,
			.frame = buf_str(frame) };

		snprintf(name, sizeof(name), "c-%zu", i);
		m.channel = str_of(name);
		topics[i] = topic_get(h.w, RIG_APP, m.channel);
		subs[i].c = h.peers[0].c;
		topic_add(topics[i], subs[i].c, &subs[i].index);
		topic_on_event(h.w, &m);
		want(&h.peers[0], str_make(text, 20000));
		read_all(&h.peers[0]);
		assert_true(h.w->compression->context_bytes <= 16u << 20);
	}
	assert_true(h.w->compression->context_bytes > 15u << 20);
	assert_null(topics[0]->context);
	assert_non_null(topics[n - 1]->context);
	for (size_t i = 0; i < n; i++) {
		topic_remove(topics[i], subs[i].index);
		topic_unref(h.w, topics[i]);
	}
	close_peer(&h, &h.peers[0]);
	close_hall(&h);
	buf_unref(frame);
	free(topics);
	free(subs);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_window_reads_the_plain_stream),
		cmocka_unit_test(the_same_list_is_compressed_once),
		cmocka_unit_test(a_state_is_sent_once),
		cmocka_unit_test(a_message_that_does_not_shrink_is_plain),
		cmocka_unit_test(contexts_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
