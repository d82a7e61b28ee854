/* SPDX-License-Identifier: MIT */
/*
 * The stream of a cluster, into which a stranger writes: entries of other hosts
 * and of this one, with any messages or bytes, while the broker catches up,
 * collects the state of the others, or is live.  Despite all entries in the
 * name of other hosts, an honest worker of this host keeps its link, channels
 * and members; when all hosts and workers have gone, nothing is left.
 * Input: the state at first, then entries.
 */

#include "tests/fuzz/fuzz.h"

#include <inttypes.h>

#include "broker/cluster/cluster.h"
#include "broker/cluster/incoming.h"
#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/dispatch.h"
#include "broker/user/user.h"
#include "tests/fuzz/honest.h"
#include "tests/fuzz/messages.h"

#define JOINED 4 /* number of the own JOIN */
#define EPOCH 77

static const char *const settings[] = { "max_presence_members", "5",
	"subscription_count", "on", NULL };
static const struct str hosts[] = { { "b", 1 }, { "c", 1 }, { "a", 1 },
	{ "no name!", 8 } };
static const uint64_t numbers[] = { 1, 2, 3, 0x100000001, EPOCH, UINT64_MAX,
	UINT32_MAX };
static const struct str texts[] = { { "app1", 4 }, { "room", 4 },
	{ "presence-x", 10 }, { "cache-c", 7 }, { "ann", 3 }, { "bob", 3 },
	{ "a", 1 }, { "b", 1 }, { "{\"n\":1}", 7 }, { "[\"ann\"]", 7 },
	{ "\x81\x02{}", 4 }, { "#server-to-user-ann", 19 } };

static redisReply
text_reply(struct str s)
{
	return (redisReply){ .type = REDIS_REPLY_STRING,
		.str = (char *)(uintptr_t)s.p,
		.len = s.n };
}

static redisReply
array_reply(redisReply **all, size_t n)
{
	return (redisReply){
		.type = REDIS_REPLY_ARRAY, .elements = n, .element = all
	};
}

/* The answer to XREAD: one entry, with the number that comes next. */
static void
entry_comes(struct links *l, struct str host, uint64_t epoch, struct str data)
{
	struct cluster *cl = l->br.cluster;
	char n[24], id[32], e[24];
	redisReply leaf[9], fields, entry, list, stream, all;
	redisReply *f[8], *in_entry[2], *in_list[1], *in_stream[2], *in_all[1];

	snprintf(n, sizeof(n), "%" PRIu64, cl->at.n + 1);
	snprintf(id, sizeof(id), "%s-0", n);
	snprintf(e, sizeof(e), "%016" PRIx64, epoch);
	leaf[0] = text_reply(S("n"));
	leaf[1] = text_reply(str_of(n));
	leaf[2] = text_reply(S("h"));
	leaf[3] = text_reply(host);
	leaf[4] = text_reply(S("e"));
	leaf[5] = text_reply(str_of(e));
	leaf[6] = text_reply(S("d"));
	leaf[7] = text_reply(data);
	leaf[8] = text_reply(str_of(id));
	for (size_t i = 0; i < nitems(f); i++)
		f[i] = &leaf[i];
	fields = array_reply(f, nitems(f));
	in_entry[0] = in_stream[0] = &leaf[8];
	in_entry[1] = &fields;
	entry = array_reply(in_entry, 2);
	in_list[0] = &entry;
	list = array_reply(in_list, 1);
	in_stream[1] = &list;
	stream = array_reply(in_stream, 2);
	in_all[0] = &stream;
	all = array_reply(in_all, 1);
	incoming_on_entries(cl, &all);
}

/* The entries of this host come back. */
static void
own_entries_come(struct links *l)
{
	struct cluster *cl = l->br.cluster;

	links_turn(l);
	while (cl->state == CLUSTER_LIVE && !list_is_empty(&cl->parts)) {
		struct buf *b = buf_ref(outgoing_first(cl)->b);

		cl->sending = true;
		entry_comes(l, S("a"), cl->epoch, buf_str(b));
		buf_unref(b);
		links_turn(l);
	}
}

static struct links *
begin(uint8_t how)
{
	static char name[] = "a";
	struct links *l = links_new(settings);
	struct cluster *cl;

	honest_enter(l);
	free(l->conf.cluster_host);
	l->conf.cluster_host = xstrdup(name);
	cl = cluster_new(&l->br, cluster_handlers, LINKS);
	cl->epoch = EPOCH;
	cl->engine.up = true; /* what is sent goes nowhere */
	l->br.cluster = cl;
	for (unsigned i = 0; i < LINKS; i++)
		cl->origins[i] = l->origin[i];
	cl->joined = (struct order_place){ "4-0", JOINED };
	if (how % 3 == 0) {
		cl->at = (struct order_place){ "1-0", 1 };
		cl->state = CLUSTER_CATCHING_UP;
	} else if (how % 3 == 1) {
		cl->at = cl->joined;
		cl->state = CLUSTER_COLLECTING;
		hosts_enter(&l->br, &cl->hosts, hosts[0], 1)->awaited = true;
	} else {
		cl->at = cl->joined;
		cl->state = CLUSTER_LIVE;
	}
	return l;
}

/* True: it was in the name of this host. */
static bool
step(struct links *l, struct input *in)
{
	struct words words = { numbers, nitems(numbers), texts, nitems(texts) };
	uint8_t op = input_u8(in);
	struct str host = hosts[op % nitems(hosts)];
	uint64_t epoch = 1 + (op >> 2) % 2;
	bool own = op % nitems(hosts) == 2 && op >= 0xf0;
	struct buf *b = NULL;
	unsigned n = (op >> 3) % 8;

	if (op < 0x40)
		buf_append(&b, input_str(in));
	for (unsigned i = 0; op >= 0x40 && i < n; i++)
		message_make(
		    in, input_u8(in) % 2 ? FROM_WORKER : FROM_HOST, &words, &b);
	if (own)
		epoch = EPOCH;
	if (!own || buf_str(b).n > 0) /* else it counts as dead, and exits */
		entry_comes(l, host, epoch, buf_str(b));
	buf_unref(b);
	own_entries_come(l);
	links_read(l, HONEST);
	l->in[HONEST]->len = l->at[HONEST] = 0;
	return own;
}

static void
all_leave(struct links *l)
{
	struct cluster *cl = l->br.cluster;

	cl->state = CLUSTER_LIVE;
	while (!list_is_empty(&cl->hosts.all))
		hosts_drop(&l->br, &cl->hosts,
		    LIST_ITEM(cl->hosts.all.next, struct host, link));
	for (unsigned i = 0; i < LINKS; i++)
		links_kill(l, i);
	own_entries_come(l);
	for (unsigned i = 0; i < LINKS; i++)
		hosts_lose_slot(&l->br, &cl->hosts, i);
	links_turn(l);
}

static void
check_empty(struct links *l)
{
	struct hash_node *n;

	HASH_FOREACH(n, &l->br.registry->channels)
		assert_int_equal(
		    container_of(n, struct channel, node)->total, 0);
	assert_int_equal(l->br.users->by_sid.n, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct input in = { p, n };
	bool own = false;
	struct links *l;

	fuzz_start();
	l = begin(input_u8(&in));
	for (int i = 0; i < 100 && in.n > 0; i++)
		own |= step(l, &in);
	if (!own)
		honest_check(l);
	all_leave(l);
	check_empty(l);
	links_free(l);
	return 0;
}
