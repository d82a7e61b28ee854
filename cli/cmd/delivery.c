/* SPDX-License-Identifier: MIT */
/*
 * delivery.c: `pusherctl webhook test|deliveries|retry|purge` and `pusherctl
 * verify-webhook`.  Requests are rows of the outbox, which this file reads and
 * changes itself, with or without a daemon; the courier checks for changes once
 * a second.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/cmd/webhook.h"
#include "shared/app/outbox.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/crypto/sign.h"

#define TEST_SECONDS 10      /* that a test is waited for */
#define BODY_MAX (16u << 20) /* of verify-webhook */

const struct cmd_option cmd_webhook_add_options[] = {
	{ "events", "LIST", "only these kinds, separated by commas" },
	{ "channel-prefix", "P", "only channels whose names begin with P" },
	{ "channel-suffix", "S", "only channels whose names end with S" },
	{ "channel-glob", "G", "only channels that match; * and ?" },
	{ "header", "'Name: value'",
	    "an additional header; may be given several times" },
	{ "batch", NULL, "several events in one request" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_webhook_set_options[] = {
	{ "header", "'Name: value'", "replaces all headers of the webhook" },
	{ "no-headers", NULL, "removes all headers of the webhook" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_webhook_show_options[] = {
	{ "reveal", NULL, "also print the values of the headers" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_webhook_deliveries_options[] = {
	{ "state", "waiting|dead|done", "only these" },
	{ NULL, NULL, NULL },
};
const struct cmd_option cmd_webhook_purge_options[] = {
	{ "waiting", NULL, "also waiting requests" },
	{ NULL, NULL, NULL },
};

static const char *const states[] = { "waiting", "dead", "done" };

int
cmd_webhook_outbox(const struct cmd *c, struct outbox **o)
{
	struct stat st;
	char *why = NULL;
	int r = CMD_OK;

	*o = NULL;
	if (stat(c->conf->outbox, &st) == -1 && errno == ENOENT)
		return CMD_OK;
	*o = outbox_open(c->conf->outbox, false, &why);
	if (why != NULL)
		r = cmd_fail("%s", why);
	free(why);
	return r;
}

static int
failed(const struct cmd *c, const struct outbox *o)
{
	return cmd_fail("%s: %s", c->conf->outbox, outbox_error(o));
}

/* WEBHOOK [DELIVERY] */
static int
parse_query(const struct cmd *c, struct outbox_query *q)
{
	struct str text;
	struct app a;
	int r = CMD_OK;

	q->state = -1;
	if (c->nargs > 0) {
		r = cmd_webhook_number(c, c->args[0], &q->endpoint);
	} else if (c->scope != NULL &&
	    (r = cmd_read_app(c, c->scope, &a)) == CMD_OK) {
		q->app = a.num;
		app_clear(&a);
	}
	if (r != CMD_OK || c->nargs < 2)
		return r;
	text = str_of(c->args[1]);
	text = str_from(text, (size_t)(str_find(text, '-') + 1));
	if (str_to_u64(text, INT64_MAX, &q->id) == -1 || q->id == 0)
		return cmd_usage(c, "\"%s\" is not a delivery", c->args[1]);
	return CMD_OK;
}

/* ---- deliveries ---- */

struct listing {
	struct out *out;
	const struct outbox *outbox;
	uint64_t now;
};

static void
put_delivery(struct listing *l, const struct outbox_row *r)
{
	char name[OUTBOX_NAME_MAX];
	struct out *o = l->out;

	outbox_name(l->outbox, r->id, name);
	out_text(o, "delivery", name);
	out_num(o, "webhook", r->endpoint);
	out_state(o, "state",
	    r->state < nitems(states) ? states[r->state] : "?",
	    r->state != OUTBOX_DEAD);
	out_text(o, "kind", webhook_kind_name(r->kind));
	out_num(o, "events", r->count);
	out_str(o, "channel", r->channel);
	out_num(o, "attempts", r->attempts);
	out_num(o, "status", r->status);
	out_str(o, "answer", r->answer);
	out_seconds(
	    o, "age", l->now > r->time_ms ? (l->now - r->time_ms) / 1000 : 0);
}

static int
put_row(void *arg, const struct outbox_row *r)
{
	struct listing *l = arg;

	out_row_open(l->out);
	put_delivery(l, r);
	out_row_close(l->out);
	return 0;
}

int
cmd_webhook_deliveries(struct cmd *c)
{
	const char *state = cmd_value(c, "state");
	struct outbox_query q = { 0 };
	struct listing l = { .out = c->out, .now = clock_ms(CLOCK_REALTIME) };
	struct outbox *o;
	int r = parse_query(c, &q);

	if (r != CMD_OK)
		return r;
	for (size_t i = 0; state != NULL && i < nitems(states); i++)
		if (str_eq(str_of(state), str_of(states[i])))
			q.state = (int)i;
	if (state != NULL && q.state == -1)
		return cmd_usage(
		    c, "--state is waiting, dead or done, not \"%s\"", state);
	if ((r = cmd_webhook_outbox(c, &o)) != CMD_OK)
		return r;
	l.outbox = o;
	out_table_order(c->out,
	    "delivery state status age kind attempts answer channel webhook "
	    "events");
	out_table_open(c->out, NULL,
	    "delivery webhook state kind events channel attempts status answer "
	    "age");
	if (o != NULL && outbox_each(o, &q, put_row, &l) == -1) {
		r = failed(c, o);
		out_drop(c->out);
	}
	out_table_close(c->out);
	outbox_close(o);
	return r;
}

/* ---- retry, purge ---- */

void
cmd_webhook_put_number(const struct cmd *c, const char *key, uint64_t n)
{
	out_record_open(c->out, NULL);
	out_num(c->out, key, n);
	out_record_close(c->out);
}

int
cmd_webhook_retry(struct cmd *c)
{
	struct outbox_query q = { 0 };
	struct outbox *o;
	int r = parse_query(c, &q), n = 0;

	if (r != CMD_OK || (r = cmd_webhook_outbox(c, &o)) != CMD_OK)
		return r;
	if (o != NULL) {
		n = outbox_revive(o, &q);
		if (n == -1 || outbox_commit(o) == -1)
			r = failed(c, o);
	}
	outbox_close(o);
	if (r == CMD_OK)
		cmd_webhook_put_number(c, "retried", (uint64_t)n);
	return r;
}

int
cmd_webhook_purge(struct cmd *c)
{
	struct outbox_query q = { 0 };
	struct outbox *o;
	int r = parse_query(c, &q), n = 0, m = 0;

	if (r != CMD_OK || (r = cmd_webhook_outbox(c, &o)) != CMD_OK)
		return r;
	if (o != NULL) {
		q.state = OUTBOX_DEAD;
		n = outbox_delete(o, &q);
		q.state = OUTBOX_WAITING;
		if (n != -1 && cmd_has(c, "waiting"))
			m = outbox_delete(o, &q);
		if (n == -1 || m == -1 || outbox_commit(o) == -1)
			r = failed(c, o);
	}
	outbox_close(o);
	if (r == CMD_OK)
		cmd_webhook_put_number(c, "purged", (uint64_t)n + (uint64_t)m);
	return r;
}

/* ---- test ---- */

struct found {
	struct listing list;
	uint64_t last; /* the largest id */
	bool tried;
};

static int
find_last(void *arg, const struct outbox_row *r)
{
	struct found *f = arg;

	f->last = r->id;
	return 0;
}

static int
find_test(void *arg, const struct outbox_row *r)
{
	struct found *f = arg;

	if (r->kind != WEBHOOK_TEST || r->attempts == 0)
		return 0;
	f->tried = true;
	out_record_open(f->list.out, NULL);
	put_delivery(&f->list, r);
	out_record_close(f->list.out);
	f->last = r->status;
	return 1;
}

/* CMD_OK and f->tried, once the first try has been answered. */
static int
look_for_test(struct cmd *c, const struct outbox_query *q, struct found *f)
{
	struct outbox *o;
	int r = cmd_webhook_outbox(c, &o);

	f->list.outbox = o;
	if (o != NULL && outbox_each(o, q, find_test, f) == -1)
		r = failed(c, o);
	outbox_close(o);
	return r;
}

static int
wait_for_test(struct cmd *c, const struct outbox_query *q)
{
	const struct timespec moment = { 0, 50000000 };
	struct found f = { .list = { .out = c->out,
			       .now = clock_ms(CLOCK_REALTIME) } };
	int r = CMD_OK;

	for (int i = 0; i < TEST_SECONDS * 20 && r == CMD_OK; i++) {
		r = look_for_test(c, q, &f);
		if (r == CMD_OK && f.tried)
			return f.last >= 200 && f.last <= 299
			    ? CMD_OK
			    : cmd_fail("the test did not arrive");
		nanosleep(&moment, NULL);
	}
	if (r != CMD_OK)
		return r;
	return cmd_fail("no answer in %d seconds; to see what becomes of it: "
			"%s webhook deliveries %u",
	    TEST_SECONDS, c->self, q->endpoint);
}

int
cmd_webhook_test(struct cmd *c)
{
	struct outbox_query q = { .state = -1 };
	struct found before = { .last = 0 };
	struct outbox *o = NULL;
	int r = cmd_webhook_number(c, c->args[0], &q.endpoint);

	if (r != CMD_OK || (r = cmd_webhook_outbox(c, &o)) != CMD_OK)
		return r;
	if (o != NULL && outbox_each(o, &q, find_last, &before) == -1)
		r = failed(c, o);
	outbox_close(o);
	if (r != CMD_OK ||
	    (r = cmd_ask(c, "webhook-test",
		 cmd_args("#webhook", (uint64_t)q.endpoint), NULL, NULL)) !=
		CMD_OK)
		return r;
	q.after = before.last;
	return wait_for_test(c, &q);
}

/* ---- verify-webhook ---- */

static bool
is_signed(const char *secret, struct str body, const char *signature)
{
	struct sign_key *key = sign_key_new(str_of(secret));
	bool valid = sign_verify(key, &body, 1, str_of(signature));

	sign_key_free(key);
	return valid;
}

int
cmd_verify_webhook(struct cmd *c)
{
	const char *file = c->nargs > 2 ? c->args[2] : "-";
	struct buf *b;
	struct app a;
	bool valid, old;
	int r = cmd_read_app(c, c->args[0], &a);

	if (r != CMD_OK)
		return r;
	b = cmd_read_file(file, BODY_MAX);
	if (b == NULL) {
		app_clear(&a);
		return CMD_FAILED;
	}
	/* The old key signs while it is valid. */
	old = app_has_old_key(&a, (uint64_t)time(NULL)) &&
	    is_signed(a.old_secret, buf_str(b), c->args[1]);
	valid = old || is_signed(a.secret, buf_str(b), c->args[1]);
	out_record_open(c->out, NULL);
	out_bool(c->out, "valid", valid);
	out_text(c->out, "key", old ? a.old_key : a.key);
	out_record_close(c->out);
	buf_unref(b);
	app_clear(&a);
	return valid ? CMD_OK : CMD_FAILED;
}
