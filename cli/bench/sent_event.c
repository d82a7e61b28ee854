/* SPDX-License-Identifier: MIT */
/*
 * sent_event.c: events of the load generator that are under way.  Each has a
 * number in its data; every receiver counts it, and checks its order and that
 * it arrives once, for each sender.
 */

#include "cli/bench/peer.h"
#include "shared/base/base.h"

#define WAIT_NS 3000000000u

struct sent_event *
sent_event_new(struct run *run, uint64_t start, uint32_t sender, uint32_t left)
{
	uint64_t seq = ++run->next_seq;
	struct sent_event *f = &run->sent[seq % BENCH_SENT_EVENTS];
	uint32_t old = atomic_exchange(&f->left, 0);

	if (old > 0) { /* more than BENCH_SENT_EVENTS events ago */
		run->r->lost += old;
		atomic_fetch_sub(&run->shared->nsent, 1);
	}
	f->seq = seq;
	f->start = start;
	f->sender = sender;
	f->by = NULL;
	if (left > 0)
		atomic_fetch_add(&run->shared->nsent, 1);
	atomic_store(&f->left, left);
	return f;
}

void
sent_event_put_data(struct run *run, struct buf **b, uint64_t seq)
{
	uint32_t pad = run->conf->size - BENCH_DATA_MIN;
	char *p;

	buf_printf(b, "[%016llx,", (unsigned long long)seq);
	p = buf_reserve(b, pad);
	memset(p, '1', pad);
	(*b)->len += pad;
	buf_append(b, S("11]"));
}

/* Of lower-case hex, which is what sent_event_put_data() writes. */
static uint64_t
hex_digit(char c)
{
	return c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10;
}

/* The number of the event; 0: it is not of this run. */
static uint64_t
read_seq(struct run *run, struct str text)
{
	ssize_t at = run->data_at;
	uint64_t seq = 0;

	/* data is the first "[" of the frame, whatever the member order. */
	if (text.n <= (size_t)at || text.p[at] != '[')
		at = run->data_at = str_find(text, '[');
	if (at == -1) {
		run->data_at = 0;
		return 0;
	}
	if (text.n < (size_t)at + 17)
		return 0;
	for (size_t i = (size_t)at + 1; i < (size_t)at + 17; i++)
		seq = seq << 4 | hex_digit(text.p[i]);
	return seq;
}

void
sent_event_on_text(struct run *run, struct peer *p, struct str text)
{
	struct bench_result *r = run->r;
	uint64_t seq, *last;
	struct sent_event *f;

	if (!peer_is_event(text, S("bench\"")) ||
	    (seq = read_seq(run, text)) == 0)
		return;
	f = &run->sent[seq % BENCH_SENT_EVENTS];
	if (f->seq != seq || f->sender >= run->nlast)
		return; /* long ago: counted as lost */
	r->delivered++;
	last = &p->last[f->sender];
	if (seq <= *last && run->conf->resume) { /* it was replayed */
		r->duplicate++;
		p->doubles++;
		r->most_doubles = MAX(r->most_doubles, p->doubles);
		return;
	}
	if (seq <= *last) {
		r->duplicate += seq == *last;
		r->disorder += seq < *last;
		return;
	}
	*last = seq;
	if (p->slow)
		return;
	if (!run->count_ready)
		histogram_add(&r->latency, run->moved - f->start);
	if (atomic_fetch_sub_explicit(&f->left, 1, memory_order_relaxed) > 1)
		return;
	atomic_fetch_sub_explicit(&run->shared->nsent, 1, memory_order_relaxed);
	if (f->by != NULL)
		run->free[run->nfree++] = f->by;
}

static bool
is_anything_under_way(const struct run *run)
{
	for (uint32_t i = 0; i < run->conf->publishers; i++)
		if (run->publishers[i].busy)
			return true;
	return atomic_load(&run->shared->nsent) > 0;
}

void
sent_event_wait(struct run *run)
{
	uint64_t end = bench_now() + WAIT_NS;
	struct bench_result *r = run->r;
	uint64_t delivered = r->delivered, published = r->published;
	struct histogram keep = r->latency;

	while (
	    is_anything_under_way(run) && bench_now() < end && bench_is_ok(run))
		bench_turn(run);
	bench_barrier(run);
	for (uint32_t i = 0; i < BENCH_SENT_EVENTS; i++)
		if (run->process == 0 || run->sent != run->shared->sent)
			r->lost += atomic_load(&run->sent[i].left);
	/* Only events in the measured part count for the speed. */
	r->delivered = delivered;
	r->published = published;
	r->latency = keep;
}
