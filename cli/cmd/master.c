/* SPDX-License-Identifier: MIT */
/*
 * master.c: `pusherctl reload`, `drain`, `worker replace`, `upgrade` and
 * `log-level`: the broker passes them to the master.  Prints the answer.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"
#include "shared/base/xmalloc.h"
#include "shared/proc/proc.h"

#define DRAIN_MAX_SECONDS 3600
#define UPGRADE_SILENT_MS 30000 /* beyond drain_time */
#define UPGRADE_TRIES 100       /* times 100 ms: for the next broker */

int
cmd_reload(struct cmd *c)
{
	return cmd_ask_one(c, "reload", NULL,
	    "workers moved tls_lingers closed leaving ms needs_restart");
}

/* The row of the server itself has its version. */
static void
on_status(void *arg, struct json row)
{
	uint64_t *pid = arg;

	if (json_get(row, S("version")).kind != JSON_NONE)
		*pid = row_u64(row, "pid");
}

/* The process id of the server, 0: unknown; CTL_ABSENT: there is none. */
static enum ctl_result
ask_pid(const struct cmd *c, uint64_t *pid)
{
	const struct ctl_question q = { .path = c->conf->control_path,
		.verb = "status",
		.args = S("{}"),
		.timeout_ms = 1000,
		.on_row = on_status,
		.arg = pid };
	enum ctl_result r;
	char *why = NULL;

	*pid = 0;
	r = ctl_ask(&q, &why);
	free(why);
	return r;
}

/*
 * Returns when no process listens on the control socket, or when another
 * server does.  While a broker is busy or is being replaced, the master holds
 * its listening socket.
 */
static void
wait_for_end(const struct cmd *c, uint64_t was)
{
	const struct timespec pause = { .tv_nsec = 200 * 1000 * 1000 };
	uint64_t pid;

	do
		nanosleep(&pause, NULL);
	while (ask_pid(c, &pid) != CTL_ABSENT &&
	    (was == 0 || pid == 0 || pid == was));
}

int
cmd_drain(struct cmd *c)
{
	const char *time = cmd_value(c, "time");
	struct buf *args = NULL;
	uint64_t seconds, pid = 0;
	int r;

	if (time != NULL &&
	    str_to_u64(str_of(time), DRAIN_MAX_SECONDS, &seconds) == -1)
		return cmd_usage(c,
		    "--time is \"%s\": must be a number of seconds from 0 to "
		    "%d",
		    time, DRAIN_MAX_SECONDS);
	if (time != NULL) /* 0 counts, too */
		buf_printf(&args, "{\"seconds\":%u}", (unsigned)seconds);
	if (cmd_has(c, "wait"))
		ask_pid(c, &pid);
	r = cmd_ask_one(c, "drain", args, "drain_ms");
	if (r == CMD_OK && cmd_has(c, "wait"))
		wait_for_end(c, pid);
	return r;
}

int
cmd_worker_replace(struct cmd *c)
{
	struct buf *args = NULL;
	uint64_t n;

	if (str_to_u64(str_of(c->args[0]), PROC_MAX_WORKERS - 1, &n) == -1)
		return cmd_usage(c,
		    "\"%s\": must be the number of a worker, from 0 to %d",
		    c->args[0], PROC_MAX_WORKERS - 1);
	buf_printf(&args, "{\"worker\":%u}", (unsigned)n);
	return cmd_ask_one(c, "worker-replace", args,
	    "worker pid was moved tls_lingers closed pause_us ms");
}

int
cmd_log_level(struct cmd *c)
{
	return cmd_ask_one(
	    c, "log-level", cmd_args("level", c->args[0]), "level was");
}

/* ---- upgrade ---- */

const struct cmd_option cmd_upgrade_options[] = {
	{ "binary", "PATH",
	    "the new program (default: that of the running pusherd)" },
	{ NULL, NULL, NULL },
};

struct upgrade_talk {
	const struct cmd *c;
	bool begun; /* the new program has the place of the old one */
};

static void
on_progress(void *arg, struct json row)
{
	struct upgrade_talk *t = arg;
	struct json line = json_get(row, S("progress"));
	char *tmp = NULL, *clean;
	struct str text;

	t->begun = true;
	if (out_is_json(t->c->out) || line.kind != JSON_STRING ||
	    json_string(line, &text, &tmp) == -1)
		return;
	clean = out_clean(text);
	cmd_note("%s", clean);
	free(clean);
	free(tmp);
}

static void
on_report(void *arg, struct json row)
{
	const struct cmd *c = arg;

	out_record(c->out, NULL, row,
	    "from to workers moved tls_lingers closed linger_seconds ms");
}

/*
 * The broker that took the question is replaced, too, and the connection ends
 * with it: asks again.
 */
static int
follow(struct cmd *c)
{
	const struct timespec pause = { 0, 100000000 };
	struct ctl_question q = { .path = c->conf->control_path,
		.verb = "upgrade-end",
		.args = S("{}"),
		.timeout_ms = UPGRADE_SILENT_MS,
		.on_row = on_report,
		.arg = c };
	enum ctl_result result;
	char *why;
	int r;

	for (unsigned tries = 0;; tries++) {
		result = ctl_ask(&q, &why);
		if (result != CTL_FAILED || tries == UPGRADE_TRIES)
			break;
		free(why);
		nanosleep(&pause, NULL);
	}
	r = result == CTL_DONE ? CMD_OK : cmd_fail("%s", why);
	free(why);
	return r;
}

int
cmd_upgrade(struct cmd *c)
{
	const char *binary = cmd_value(c, "binary");
	char *path = NULL, *here, *why;
	struct buf *args;
	struct upgrade_talk talk = { .c = c };
	struct ctl_question q = { .path = c->conf->control_path,
		.verb = "upgrade",
		.timeout_ms =
		    (unsigned)c->conf->drain_time * 1000 + UPGRADE_SILENT_MS,
		.on_row = on_progress,
		.arg = &talk };
	enum ctl_result result;

	if (binary != NULL && binary[0] != '/') {
		if ((here = getcwd(NULL, 0)) == NULL)
			return cmd_fail("%s: %s", binary, strerror(errno));
		path = xasprintf("%s/%s", here, binary);
		free(here);
	}
	args = cmd_args("binary", path == NULL ? binary : path);
	free(path);
	q.args = buf_str(args);
	result = ctl_ask(&q, &why);
	buf_unref(args);
	/* The broker may have died, and the upgrade goes on. */
	if (result == CTL_FAILED && talk.begun)
		result = CTL_DONE;
	if (result != CTL_DONE)
		cmd_fail("%s", why);
	free(why);
	if (result == CTL_ABSENT)
		return CMD_NO_DAEMON;
	return result == CTL_DONE ? follow(c) : CMD_FAILED;
}
