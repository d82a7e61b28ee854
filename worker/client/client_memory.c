/* SPDX-License-Identifier: MIT */
/*
 * client_memory.c: the memory that clients make this worker hold: incomplete
 * heads, bodies and messages, unread output, subscriptions.  The measure is the
 * memory of the process, so that nothing is left out, and the bytes by which
 * the queues' rings may grow at the next event.  It is read after every few
 * hundred kilobytes of input and rings, which costs one pread(2).  The cost of
 * each connection is only computed above the limit: its buffers, with shared
 * ones in proportion.  Then the connections that hold most are closed until
 * some of the share is free again.  A connection that holds next to nothing is
 * never closed.  Must never cost anything for an event.
 */

#include "worker/client/client_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/pusher/pusher_errors.h"
#include "worker/channel/subscription.h"
#include "worker/client/error.h"
#include "worker/conn/conn.h"
#include "worker/conn/http_conn.h"
#include "worker/conn/http_request.h"
#include "worker/conn/remote.h"
#include "worker/conn/transport.h"
#include "worker/conn/variants.h"
#include "worker/conn/ws_part.h"
#include "worker/core/core.h"
#include "worker/link/link.h"

#define STEP_MIN (64u << 10)
#define STEP_MAX (1u << 20)
#define STEPS 128               /* of a share */
#define HOLDER_MIN 512          /* bytes; a connection that holds less stays */
#define SUBSCRIPTION_BYTES 256  /* bytes with its part of the topic, roughly */
#define CALM_BYTES (64u << 10)  /* in a second: then nothing is going on */
#define PEAK_BYTES (16u << 20)  /* bytes whose release may leave gaps */
#define ROUNDS 5                /* the last holder frees shared bytes */
#define STATE_PARTS 32          /* of a share: for unacked_state */
#define ANSWER_MAX (16u << 20)  /* of the console; up to three copies of it */
#define FRONT_BYTES (16u << 10) /* the rest of a slice that is being sent */

struct holder {
	struct conn *c;
	uint64_t cost;
};

/* ---- one connection ---- */

static uint64_t
buf_cost(const struct buf *b)
{
	return b == NULL ? 0 : (sizeof(*b) + b->len) / b->refs;
}

static uint64_t
output_cost(const struct outq *q)
{
	uint64_t sum = q->cap * sizeof(struct slice);

	for (uint32_t i = 0; i < q->n; i++)
		sum += buf_cost(outq_at(q, i)->b);
	return sum;
}

/* Is its TLS handshake unfinished? */
static bool
is_shaking(const struct conn *c)
{
	return c->transport != NULL && c->transport->tls.ssl != NULL &&
	    c->transport->tls.state == TLS_SHAKING;
}

/* Bytes that are held for this connection; shared ones in proportion. */
static uint64_t
cost_of(const struct conn *c)
{
	uint64_t sum = buf_cost(c->in) + output_cost(&c->out) +
	    (uint64_t)c->nsubs * SUBSCRIPTION_BYTES + ws_part_bytes(c);

	if (is_shaking(c))
		sum += TLS_SHAKING_BYTES;
	if (c->http != NULL)
		sum += buf_cost(c->http->head) + buf_cost(c->http->body) +
		    buf_cost(c->http->asked_key) +
		    buf_cost(c->http->console_out);
	if (c->user != NULL)
		sum += c->user->info.n + c->user->watchlist.n;
	return sum;
}

/* ---- closing ---- */

/*
 * Drops output that has not begun to leave; only the rest of the first slice
 * stays.
 */
static bool
cut_output(struct conn *c)
{
	if (outq_bytes(&c->out) <= FRONT_BYTES / 4)
		return true;
	return (c->transport == NULL || c->transport->tls.ssl == NULL) &&
	    outq_cut(&c->out, FRONT_BYTES);
}

/* text: why. */
static void
close_holder(struct conn *c, const char *text)
{
	if (is_shaking(c)) {
		conn_close(c);
		transport_free(c->w, c->transport);
		c->transport = NULL;
	} else if (c->ops == &http_ops) {
		api_over(c, str_of(text));
	} else if (conn_is_ending(c) || !cut_output(c)) {
		conn_record_close(c, PUSHER_OVER_CAPACITY, str_of(text));
		conn_close(c);
	} else {
		client_close(c, PUSHER_OVER_CAPACITY, str_of(text));
	}
	if (c->state == CONN_CLOSED)
		outq_clear(&c->out);
	buf_unref(c->in);
	c->in = NULL;
}

static int
by_cost(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	return (x->cost < y->cost) - (x->cost > y->cost);
}

/*
 * Each subscription that ends is a message to the broker, and stays until that
 * is acknowledged: many at once would need more memory than they free, unless
 * the connection holds more besides.
 */
static bool
must_wait(const struct worker *w, const struct conn *c, uint64_t cost)
{
	return w->unacked_state > w->unacked_state_max &&
	    cost < c->nsubs * UINT64_C(2) * SUBSCRIPTION_BYTES;
}

/* Nothing is acknowledged for the moment: the others are closed. */
static bool
has_no_acks(const struct worker *w)
{
	return w->no_broker || w->link->away;
}

/* The connections, those that cost most first; free(3) it. */
static struct holder *
collect(
    struct worker *w, uint64_t (*cost_of_one)(const struct conn *), size_t *n)
{
	struct holder *v = xcalloc(w->conns.n, sizeof(*v));
	struct hash_node *node;

	*n = 0;
	HASH_FOREACH(node, &w->conns) {
		struct conn *c = container_of(node, struct conn, node);
		uint64_t cost;

		if (c->state == CONN_CLOSED ||
		    (cost = cost_of_one(c)) < HOLDER_MIN ||
		    (has_no_acks(w) && must_wait(w, c, cost)))
			continue;
		v[(*n)++] = (struct holder){ c, cost };
	}
	qsort(v, *n, sizeof(*v), by_cost);
	return v;
}

/* Closes the largest holders until about n bytes are free. */
static void
relieve(struct worker *w, uint64_t need)
{
	struct client_memory *h = w->client_memory;
	uint64_t freed = 0;
	size_t n, i;
	struct holder *v = collect(w, cost_of, &n);
	char peer[64], text[160];

	contexts_clear(w);
	h->barren = n == 0;
	if (n > 0)
		remote_text(v[0].c, peer, sizeof(peer));
	for (i = 0; i < n && freed < need; i++) {
		if (must_wait(w, v[i].c, v[i].cost))
			break;
		if (i == 0)
			log_warnx(
			    "over memory_limit by %llu bytes: the connections "
			    "that hold most are closed held=%llu app=%u "
			    "peer=%s",
			    (unsigned long long)need,
			    (unsigned long long)v[0].cost,
			    v[0].c->app == NULL ? 0 : v[0].c->app->num, peer);
		freed += v[i].cost;
		snprintf(text, sizeof(text),
		    "over memory_limit (%llu bytes for this worker); this "
		    "connection held %llu: read faster, send less, or raise "
		    "memory_limit",
		    (unsigned long long)h->limit,
		    (unsigned long long)v[i].cost);
		close_holder(v[i].c, text);
	}
	h->closed += i;
	free(v);
}

/* Bytes that are copied for another process; the output of TLS is not. */
static uint64_t
copied_of(const struct conn *c)
{
	bool tls = c->transport != NULL && c->transport->tls.ssl != NULL;
	uint64_t sum = (tls ? 0 : outq_bytes(&c->out)) + buf_str(c->in).n +
	    ws_part_bytes(c);

	if (c->http != NULL)
		sum += buf_str(c->http->head).n + buf_str(c->http->body).n;
	return sum;
}

bool
client_memory_copies_fit(struct worker *w, uint64_t max)
{
	uint64_t sum = 0;
	struct hash_node *n;

	for (n = hash_first(&w->conns); n != NULL && sum <= max;
	     n = hash_next(&w->conns, n)) {
		struct conn *c = container_of(n, struct conn, node);

		if (c->state != CONN_CLOSED)
			sum += copied_of(c);
	}
	return sum <= max;
}

uint32_t
client_memory_bound_copies(struct worker *w, uint64_t max)
{
	uint64_t sum = 0;
	size_t n, i;
	struct holder *v = collect(w, copied_of, &n);

	for (i = 0; i < n; i++)
		sum += v[i].cost;
	for (i = 0; i < n && sum > max; i++) {
		sum -= v[i].cost;
		close_holder(v[i].c,
		    "another process takes over, and this client did not read, "
		    "or sent half a message: come back");
	}
	free(v);
	return (uint32_t)i;
}

/* ---- the limit ---- */

/*
 * Sixteenths of the share: newcomers are refused from 13, clients are closed
 * from 14 until 12 are left.
 */
static uint64_t
refuse_at(uint64_t limit)
{
	return limit - limit / 16 * 3;
}

static void
set_over(struct worker *w, uint64_t used)
{
	struct client_memory *h = w->client_memory;

	if (w->memory_full || used <= refuse_at(h->limit))
		return;
	log_warnx("near or over memory_limit: %llu of %llu bytes of this "
		  "worker, new clients are refused",
	    (unsigned long long)used, (unsigned long long)h->limit);
	w->memory_full = true;
}

/*
 * Rings can become twice as large by one event.  A replay to a new broker
 * belongs to no client, and is about to leave.
 */
static uint64_t
in_use(const struct worker *w)
{
	uint64_t all = memory_used(&w->client_memory->memory) + outq_rings();

	return all - MIN(all, link_replay_left(w));
}

/* Once a second, so that it does not oscillate. */
static void
check_below(struct worker *w)
{
	const struct client_memory *h = w->client_memory;
	uint64_t limit = h->limit;

	if (!w->memory_full || in_use(w) >= refuse_at(limit) - limit / 32)
		return;
	log_info("below memory_limit again");
	w->memory_full = false;
}

static void
look(struct worker *w)
{
	struct client_memory *h = w->client_memory;
	uint64_t used, closed, limit = h->limit;

	if (limit == 0)
		return;
	h->barren = false;
	used = in_use(w);
	for (unsigned i = 0; used > refuse_at(limit) && i < ROUNDS; i++) {
		xtrim(); /* freed memory does not count */
		used = in_use(w);
		if (used <= limit - limit / 8)
			break;
		closed = h->closed;
		relieve(w, used - (limit - limit / 4));
		if (h->barren || h->closed == closed)
			break;
	}
	set_over(w, used);
}

static uint64_t
came(const struct worker *w)
{
	return w->bytes_in + link_bytes_in(w) + outq_rings_made();
}

void
client_memory_check(struct worker *w)
{
	struct client_memory *h = w->client_memory;
	uint64_t now = came(w);

	if (now - h->looked < h->step || h->barren)
		return;
	h->looked = now;
	look(w);
}

void
client_memory_tick(struct worker *w)
{
	struct client_memory *h = w->client_memory;
	uint64_t now = came(w), came_now = now - h->ticked;

	h->ticked = now;
	h->busy += came_now;
	h->looked = now;
	look(w);
	check_below(w);
	if (h->busy > PEAK_BYTES && came_now < CALM_BYTES) {
		xtrim();
		h->busy = 0;
	}
}

void
client_memory_share(struct worker *w)
{
	struct client_memory *h = w->client_memory;

	h->limit =
	    memory_share(w->conf->memory_limit, h->available, MEMORY_WORKERS);
	h->limit = MAX(h->limit / w->conf->nworkers, 1);
	h->step = h->limit / STEPS;
	h->step = MIN(MAX(h->step, STEP_MIN), STEP_MAX);
	w->unacked_state_max = MAX(h->limit / STATE_PARTS, STEP_MIN);
	w->answer_max = MIN(w->unacked_state_max, ANSWER_MAX);
	snprintf(h->refusal, sizeof(h->refusal),
	    "The server has no memory for new clients: the %llu bytes of "
	    "memory_limit for this worker are in use: try again later, or "
	    "raise it",
	    (unsigned long long)h->limit);
}

void
client_memory_init(struct worker *w)
{
	xheap_init();
	memory_init(&w->client_memory->memory);
	w->client_memory->available = memory_available();
	client_memory_share(w);
}

void
client_memory_free(struct worker *w)
{
	memory_free(&w->client_memory->memory);
}
