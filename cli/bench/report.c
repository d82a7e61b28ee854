/* SPDX-License-Identifier: MIT */
/*
 * report.c: the output of `pusherctl bench`: one record with the figures of its
 * scenario, and whether the tool itself was the limit.
 */

#include <stdio.h>

#include "cli/bench/bench.h"
#include "cli/out/out.h"

/* Share of one of its cores above which the tool was the limit. */
#define TOOL_BUSY 0.9
/* It never sleeps: below this share of CPU time it did not get its core. */
#define TOOL_RAN 0.85

static void
put_micros(struct out *o, const char *key, double ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2f", ns / 1000);
	out_text(o, key, text);
}

static void
put_switches(struct out *o, double each)
{
	char text[32];

	snprintf(text, sizeof(text), "%.4f", each);
	out_text(o, "server_switches_each", text);
}

static void
put_rate(struct out *o, const char *key, double n, double seconds)
{
	out_num(o, key, seconds > 0 ? (uint64_t)(n / seconds + 0.5) : 0);
}

static void
put_latency(struct out *o, const struct histogram *h)
{
	if (h->n == 0)
		return;
	put_micros(o, "p50_us", (double)histogram_at(h, 0.5));
	put_micros(o, "p99_us", (double)histogram_at(h, 0.99));
	put_micros(o, "p999_us", (double)histogram_at(h, 0.999));
	put_micros(o, "max_us", (double)h->max);
}

static void
put_connect(struct out *o, const struct bench_result *r)
{
	if (r->rounds == 0)
		return;
	put_rate(o, "connects_per_second", (double)r->connects,
	    (double)r->connect_ns / 1e9);
	out_num(o, "rounds", r->rounds);
	put_micros(o, "round_us", (double)histogram_at(&r->round_time, 0.5));
}

static void
put_sessions(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	if (!b->resume || r->rounds == 0)
		return;
	out_num(o, "resumed", r->resumed);
	out_num(o, "replayed", r->replayed);
	out_num(o, "gaps", r->gaps);
	out_num(o, "most_duplicates", r->most_doubles);
}

static void
put_presence(struct out *o, const struct bench_result *r)
{
	if (r->joins == 0)
		return;
	put_rate(
	    o, "joins_per_second", (double)r->joins, (double)r->join_ns / 1e9);
	put_rate(
	    o, "joins_and_leaves_per_second", (double)r->churns, r->seconds);
}

static void
put_events(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	if (b->publishers > 0) {
		put_rate(o, "published_per_second", (double)r->published,
		    r->seconds);
		out_num(o, "refused", r->refused);
	}
	if (b->scenario->on_text == NULL)
		return;
	put_rate(o, "delivered_per_second", (double)r->delivered, r->seconds);
	out_num(o, "lost", r->lost);
	out_num(o, "duplicate", r->duplicate);
	out_num(o, "out_of_order", r->disorder);
	if (b->slow > 0)
		out_num(o, "slow_closed", r->slow_closed);
}

/* The name of one unit of the server's work. */
static uint64_t
work(const struct bench_result *r)
{
	if (r->delivered != 0)
		return r->delivered;
	return r->published != 0 ? r->published : r->connects;
}

static void
put_server(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	uint64_t n = work(r), grown;

	if (b->pid == 0)
		return;
	if (n > 0) {
		put_micros(
		    o, "server_cpu_us_each", r->server_cpu * 1e9 / (double)n);
		put_switches(o, (double)r->server_switches / (double)n);
	}
	if (r->seconds > 0) {
		char text[32];

		snprintf(text, sizeof(text), "%.1f",
		    r->server_cpu * 100 / r->seconds);
		out_text(o, "server_cpu_percent", text);
	}
	out_bytes(o, "server_memory_before", r->pss_empty);
	out_bytes(o, "server_memory", r->pss);
	grown = r->pss > r->pss_empty ? r->pss - r->pss_empty : 0;
	if (b->clients > 0)
		out_num(o, "server_bytes_per_client", grown / b->clients);
}

static void
put_tool(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	double seconds = r->tool_seconds;

	if (seconds <= 0 || work(r) == 0)
		return;
	put_rate(o, "tool_cpu_percent", r->tool_cpu * 100, seconds);
	put_rate(o, "tool_busy_percent", r->tool_busy * 100, seconds);
	put_micros(o, "tool_longest_turn_us", (double)r->tool_lag);
	if (r->tool_busy > TOOL_BUSY * seconds)
		out_state(o, "limit", "the tool", false);
	else if (b->processes == 1 && r->tool_cpu < TOOL_RAN * seconds)
		out_state(o, "limit", "the tool did not get its core", false);
	else
		out_state(o, "limit", "not the tool", true);
}

void
bench_report(
    struct out *o, const struct bench_conf *b, const struct bench_result *r)
{
	out_record_open(o, NULL);
	out_text(o, "scenario", b->scenario->name);
	out_num(o, "clients", b->clients);
	out_num(o, "channels", b->channels);
	out_text(o, "loop", b->rate > 0 ? "open" : "closed");
	put_connect(o, r);
	put_sessions(o, b, r);
	put_presence(o, r);
	put_events(o, b, r);
	put_latency(o, &r->latency);
	put_server(o, b, r);
	put_tool(o, b, r);
	out_record_close(o);
}
