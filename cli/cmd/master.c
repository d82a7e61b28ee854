/* SPDX-License-Identifier: MIT */
/*
 * master.c: `pusherctl reload`, `drain` and `log-level`: what the broker
 * hands on to the master.  Prints what the master has answered.
 */

#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"
#include "shared/json/json_write.h"

#define DRAIN_MAX_SECONDS 3600

int
cmd_reload(struct cmd *c)
{
	return cmd_ask_one(c, "reload", NULL, "workers ms needs_restart");
}

int
cmd_drain(struct cmd *c)
{
	const char *time = cmd_value(c, "time");
	struct buf *args = NULL;
	uint64_t seconds;

	if (time != NULL &&
	    str_to_u64(str_of(time), DRAIN_MAX_SECONDS, &seconds) == -1)
		return cmd_usage(c,
		    "--time is \"%s\": must be a number of seconds from 0 to "
		    "%d",
		    time, DRAIN_MAX_SECONDS);
	if (time != NULL) /* 0 counts, too */
		buf_printf(&args, "{\"seconds\":%u}", (unsigned)seconds);
	return cmd_ask_one(c, "drain", args, "drain_ms");
}

int
cmd_log_level(struct cmd *c)
{
	return cmd_ask_one(
	    c, "log-level", cmd_args("level", c->args[0]), "level was");
}
