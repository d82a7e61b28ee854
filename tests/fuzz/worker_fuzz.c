/* SPDX-License-Identifier: MIT */
/*
 * A worker with clients, and a broker that has been taken over: it may send
 * any message with any content.  The worker loses the link at worst.  Input:
 * what the clients do before (house.h), then messages, with steps of clients
 * in between.
 */

#include "tests/fuzz/fuzz.h"

#include "tests/fuzz/house.h"
#include "tests/fuzz/messages.h"

static void
turn(struct house *h)
{
	char bytes[65536];

	for (int i = 0; i < 3; i++)
		house_worker_turn(&h->r.w);
	while (h->r.broker != -1 &&
	    recv(h->r.broker, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}

/* The messages that every broker begins with. */
static void
fill(struct house *h)
{
	struct msg_app_set m = rig_app_message();
	struct msg_apps_done done = { 0 };
	size_t n = msg_app_set_size(&m), all = n + msg_apps_done_size(&done);
	char *p = xmalloc(all);

	m.client_events = 1;
	msg_app_set_put(p, &m);
	msg_apps_done_put(p + n, &done);
	assert_int_equal(send(h->r.broker, p, all, MSG_NOSIGNAL), all);
	free(p);
	turn(h);
	assert_int_equal(h->r.w.link->state, LINK_UP);
}

/* The state of the broker of this worker. */
static void
send_message(struct house *h, struct input *in)
{
	uint64_t u64[CLIENTS + 6];
	struct str str[nitems(house_channels) + 8];
	struct words words = { u64, nitems(u64), str, nitems(str) };
	struct buf *b = NULL;
	size_t n = nitems(house_channels);

	memcpy(u64, h->sid, sizeof(h->sid));
	u64[CLIENTS] = RIG_APP;
	u64[CLIENTS + 1] = h->r.w.next_ref;
	u64[CLIENTS + 2] = h->r.w.next_ref - 1;
	u64[CLIENTS + 3] = h->r.w.unacked->seq;
	u64[CLIENTS + 4] = RIG_APP + 1;
	u64[CLIENTS + 5] = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		str[i] = str_of(house_channels[i]);
	str[n] = S(RIG_KEY);
	str[n + 1] = S(RIG_SECRET);
	str[n + 2] = S("77");
	str[n + 3] = S("78");
	str[n + 4] = S("ann");
	str[n + 5] = S("{\"occupied\":true,\"subscription_count\":1}");
	str[n + 6] = S("\x81\x02{}");
	str[n + 7] = S(CHANNEL_USER_PREFIX "ann");
	message_make(in, FROM_BROKER, &words, &b);
	(void)!send(h->r.broker, b->data, b->len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_unref(b);
	house_turn(h);
}

/* Nobody answers those who wait for this broker any more. */
static void
stop(struct house *h)
{
	struct worker *w = &h->r.w;
	struct hash_node *n;

	close(h->r.broker);
	h->r.broker = -1;
	turn(h);
	HASH_FOREACH(n, &w->conns)
		conn_close(container_of(n, struct conn, node));
	house_clear(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	struct house h;

	fuzz_start();
	house_init(&h, &h.r.broker);
	h.turn = turn;
	fill(&h);
	for (int i = 0; i < 200 && in.n > 0 && link_is_open(&h.r.w); i++) {
		if (*in.p & 1)
			send_message(&h, (input_u8(&in), &in));
		else
			house_step(&h, (input_u8(&in), &in));
	}
	stop(&h);
	return 0;
}
