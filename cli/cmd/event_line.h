/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_EVENT_LINE_H
#define CLI_CMD_EVENT_LINE_H

/*
 * Events that a command prints as they come, one line each: shared by tail and
 * subscribe.
 */

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/cmd/cmd.h"
#include "shared/base/str.h"
#include "shared/json/json_slice.h"

struct event_filter {
	const char *events; /* --events: names or globs with commas, or NULL */
	regex_t grep;
	bool has_grep;
	uint64_t limit; /* 0: no end */
	uint64_t n;     /* printed so far */
	bool done;      /* limit is reached */
};

/*
 * Reads --events, --grep and --limit: CMD_OK, or CMD_USAGE after a message.
 * Call event_filter_clear() afterwards.
 */
int event_filter_init(struct event_filter *, const struct cmd *);
void event_filter_clear(struct event_filter *);

struct event_line {
	uint64_t time_ms;
	uint64_t pos;         /* its number in the app's log; 0: none */
	struct str app, kind; /* p == NULL: left out */
	struct json frame;    /* {"event":…,"channel":…,"data":…} */
	struct str channel;   /* when the frame names none */
};

/* Prints it, unless it is filtered out. */
void event_line_put(
    struct event_filter *, const struct event_line *, bool json);

#endif
