/* SPDX-License-Identifier: MIT */
/*
 * cluster.c: `pusherctl cluster status|hosts|leave`: whether Redis can be
 * reached, how far this host has read the stream, and the hosts; and that this
 * one leaves.
 */

#include "cli/cmd/cmd.h"
#include "shared/conf/conf.h"

#define LEAVE_MS 30000 /* beyond drain_time */

/* The columns of a host, in the table and in the JSON document. */
static const char host_columns[] =
    "host workers connections subscriptions webhooks beat_ms";

static const char alone[] = "This host is alone: the option cluster is empty.";

static bool
is_alone(struct json row)
{
	return str_eq(json_get(row, S("state")).raw, S("\"off\""));
}

static void
put_cluster(struct out *o, struct json row)
{
	bool json = out_is_json(o);

	out_record_open(o, "cluster");
	if (is_alone(row)) {
		if (json)
			out_members(o, row, "state");
		else
			out_text(o, "cluster", alone);
	} else {
		out_members(o, row, "state name host redis");
		if (json || !str_eq(json_get(row, S("error")).raw, S("\"\"")))
			out_members(o, row, "error");
		out_members(o, row,
		    "place entry behind waiting:bytes appended read connects");
	}
	out_record_close(o);
}

static bool
is_cluster(struct json row)
{
	return str_eq(json_get(row, S("type")).raw, S("\"cluster\""));
}

static void
on_row(void *arg, struct json row)
{
	struct out *o = arg;

	if (is_cluster(row)) {
		put_cluster(o, row);
		return;
	}
	out_table_open(o, "hosts", host_columns);
	out_row(o, row);
}

int
cmd_cluster_status(struct cmd *c)
{
	int r;

	out_group_open(c->out);
	r = cmd_ask(c, "cluster-status", NULL, on_row, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	else if (out_is_json(c->out)) /* there, though empty */
		out_table_open(c->out, "hosts", host_columns);
	out_group_close(c->out);
	return r;
}

static void
on_host(void *arg, struct json row)
{
	if (!is_cluster(row))
		out_row(arg, row);
	else if (is_alone(row))
		cmd_note("%s", alone);
}

int
cmd_cluster_hosts(struct cmd *c)
{
	int r;

	out_table_open(c->out, NULL, host_columns);
	r = cmd_ask(c, "cluster-status", NULL, on_host, c->out);
	if (r != CMD_OK)
		out_drop(c->out);
	out_table_close(c->out);
	return r;
}

int
cmd_cluster_leave(struct cmd *c)
{
	c->slow_ms = (unsigned)c->conf->drain_time * 1000 + LEAVE_MS;
	return cmd_ask_one(c, "cluster-leave", NULL, "left host clients");
}
