/* SPDX-License-Identifier: MIT */
/*
 * master.c: `pusherctl reload`, `drain` and `log-level`: what the broker
 * hands on to the master.  Prints what the master has answered.
 */

#include "cli/cmd/cmd.h"
#include "shared/base/base.h"
#include "shared/base/buf.h"
#include "shared/json/json_write.h"

#define DRAIN_MAX_SECONDS 3600

/* The object as a record: what there is in it, under these names. */
struct answer {
	struct out *out;
	const char *const *keys;
	size_t nkeys;
	bool is_put; /* only the first one counts */
};

static void
put_answer(void *arg, struct json row)
{
	struct answer *a = arg;

	if (a->is_put)
		return;
	a->is_put = true;
	out_record_open(a->out, NULL);
	for (size_t i = 0; i < a->nkeys; i++)
		out_json(a->out, a->keys[i], json_get(row, str_of(a->keys[i])));
	out_record_close(a->out);
}

static int
ask(struct cmd *c, const char *verb, struct str args, const char *const *keys,
    size_t nkeys)
{
	struct answer a = { c->out, keys, nkeys, false };
	enum ctl_result result;
	int r = cmd_ask_ctl(c, verb, args, put_answer, &a, &result);

	/* Nobody can take it back: the master reads it when it goes on. */
	if (result == CTL_SILENT)
		cmd_note("the master process may be stopped or busy; it has "
			 "the %s before it and does it as soon as it goes on",
		    verb);
	return r;
}

int
cmd_reload(struct cmd *c)
{
	static const char *const keys[] = { "workers", "ms", "needs_restart" };

	return ask(c, "reload", S("{}"), keys, nitems(keys));
}

int
cmd_drain(struct cmd *c)
{
	static const char *const keys[] = { "drain_ms" };
	const char *time = cmd_value(c, "time");
	struct json_writer w;
	uint64_t seconds;
	struct buf *args;
	int r;

	if (time != NULL &&
	    str_to_u64(str_of(time), DRAIN_MAX_SECONDS, &seconds) == -1)
		return cmd_usage(c,
		    "--time is \"%s\": must be a number of "
		    "seconds from 0 to %d",
		    time, DRAIN_MAX_SECONDS);
	json_writer_init(&w);
	json_object_open(&w);
	if (time != NULL) {
		json_key(&w, "seconds");
		json_put_u64(&w, seconds);
	}
	json_object_close(&w);
	args = json_writer_take(&w);
	r = ask(c, "drain", buf_str(args), keys, nitems(keys));
	buf_unref(args);
	return r;
}

int
cmd_log_level(struct cmd *c)
{
	static const char *const keys[] = { "level", "was" };
	struct json_writer w;
	struct buf *args;
	int r;

	json_writer_init(&w);
	json_object_open(&w);
	json_key(&w, "level");
	json_put_str(&w, str_of(c->args[0]));
	json_object_close(&w);
	args = json_writer_take(&w);
	r = ask(c, "log-level", buf_str(args), keys, nitems(keys));
	buf_unref(args);
	return r;
}
