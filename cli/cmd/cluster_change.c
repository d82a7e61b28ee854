/* SPDX-License-Identifier: MIT */
/*
 * cluster_change.c: a change of apps in a cluster.  The database of this host
 * has been written and its workers know; this file compares the apps as they
 * were with those that are, and gives the broker the record of each that
 * differs.  The daemon need not run: then it tells nobody.  Must never print a
 * record: it has secrets.
 */

#include "cli/cmd/cluster_change.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cmd/app.h"
#include "cli/cmd/cmd.h"
#include "shared/base/buf.h"

struct cluster_now {
	char *state; /* NULL: the daemon does not run */
};

static void
note_state(void *arg, struct json row)
{
	struct cluster_now *now = arg;
	struct json state = json_get(row, S("state"));

	if (state.kind == JSON_STRING && now->state == NULL)
		now->state = json_dup(state);
}

static bool
is_wanted(const struct cmd *c)
{
	return c->before != NULL && *c->conf->cluster != '\0';
}

int
cluster_change_check(const struct cmd *c)
{
	struct cluster_now now = { NULL };
	struct ctl_question q = { .path = c->conf->control_path,
		.verb = "cluster-status",
		.args = S("{}"),
		.timeout_ms = CTL_TIMEOUT_MS,
		.on_row = note_state,
		.arg = &now };
	char *why = NULL;
	int r = CMD_OK;

	if (!is_wanted(c))
		return CMD_OK;
	if (ctl_ask(&q, &why) == CTL_ABSENT)
		cmd_note(
		    "pusherd is not running: when it starts, its cluster's "
		    "version of an app replaces this one");
	else if (now.state == NULL)
		r = cmd_fail("nothing was changed, because the other hosts "
			     "could not be told: %s",
		    why == NULL ? "no answer" : why);
	else if (strcmp(now.state, "up") != 0)
		r = cmd_fail("nothing was changed, because the other hosts "
			     "could not be told: the cluster is %s here; try "
			     "again when \"pusherctl cluster status\" says up",
		    now.state);
	free(now.state);
	free(why);
	return r;
}

void
cluster_change_begin(const struct cmd *c, struct appdb *db)
{
	if (is_wanted(c) && *c->before == NULL)
		*c->before = cmd_app_records(db);
}

/* ---- afterwards ---- */

struct change {
	char *id;
	struct json record; /* of kind JSON_NONE: the app is gone */
};

static int
tell_one(const struct cmd *c, const struct change *ch, bool wait)
{
	struct buf *args = cmd_args("id =record ?wait", ch->id,
	    ch->record.kind == JSON_NONE ? S("") : ch->record.raw, wait);

	return cmd_ask(c, "cluster-app", args, NULL, NULL);
}

static struct str
id_of(struct json app)
{
	return json_get(app, S("id")).raw;
}

/*
 * The next app that differs; false at the end.  Both lists have the order of
 * row numbers: what stands in the first alone is gone.
 */
struct compare {
	struct json before, now, a, b;
	size_t at, in;
	bool more_a, more_b;
};

static void
step(struct compare *m, bool a, bool b)
{
	if (a)
		m->more_a = json_next(m->before, &m->at, &m->a);
	if (b)
		m->more_b = json_next(m->now, &m->in, &m->b);
}

static bool
next_change(struct compare *m, struct change *ch)
{
	while (m->more_a || m->more_b) {
		bool same =
		    m->more_a && m->more_b && str_eq(id_of(m->a), id_of(m->b));

		*ch = (struct change){ .record = { .kind = JSON_NONE } };
		if (m->more_a && !same)
			ch->id = json_dup(json_get(m->a, S("id")));
		else if (!same || !str_eq(m->a.raw, m->b.raw))
			*ch =
			    (struct change){ json_dup(json_get(m->b, S("id"))),
				    m->b };
		step(m, m->more_a, same || !m->more_a);
		if (ch->id != NULL)
			return true;
	}
	return false;
}

static int
tell_all(const struct cmd *c, struct str before, struct str now)
{
	struct compare m = { 0 };
	struct change ch, next;
	const char *err;
	bool more;
	int r = CMD_OK;

	if (json_parse(before, &m.before, &err) == -1 ||
	    json_parse(now, &m.now, &err) == -1)
		return cmd_fail("the apps cannot be compared: %s", err);
	step(&m, true, true);
	more = next_change(&m, &ch);
	while (more) {
		more = r == CMD_OK && next_change(&m, &next);
		if (r == CMD_OK)
			r = tell_one(c, &ch, !more);
		free(ch.id);
		ch = next;
	}
	return r;
}

int
cluster_change_tell(const struct cmd *c)
{
	struct appdb *db;
	struct buf *now;
	int r;

	if (!is_wanted(c) || *c->before == NULL)
		return CMD_OK;
	db = cmd_open_db(c, APPDB_READ);
	if (db == NULL)
		return CMD_FAILED;
	now = cmd_app_records(db);
	appdb_close(db);
	r = now == NULL ? CMD_FAILED
			: tell_all(c, buf_str(*c->before), buf_str(now));
	cmd_wipe(now);
	return r;
}
