/* SPDX-License-Identifier: MIT */
/*
 * verb_args.c: shared by the verbs of the control socket: looks up and checks
 * arguments, begins and ends rows.  Anyone who may open the socket sends
 * arguments, so that nothing here trusts them.
 */

#include "broker/control/verb_args.h"

#include <stdlib.h>

#include "broker/app/apps.h"
#include "broker/control/control_job.h"
#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/pusher/event_rules.h"

#define TEXT_MAX 65536 /* bytes of one argument that is a name */

int
verb_text(struct json args, struct str key, struct str *out, char **tmp)
{
	struct json v = json_get(args, key);

	*out = (struct str){ NULL, 0 };
	if (v.kind == JSON_NONE)
		return 0;
	if (v.kind != JSON_STRING || v.raw.n > TEXT_MAX)
		return -1;
	return json_string(v, out, tmp) == -1 ? -1 : 0;
}

bool
verb_may_see(const struct control_client *cc, const struct broker_app *a)
{
	return cc->scope == NULL ||
	    str_eq(str_of(cc->scope), str_of(a->app.id));
}

struct broker_app *
verb_app(struct control_client *cc, struct json args)
{
	struct broker_app *a = NULL;
	struct str id;
	char *tmp = NULL;

	if (verb_text(args, S("app"), &id, &tmp) == -1 || id.p == NULL)
		control_fail(cc, "app: the id of an app is missing");
	else if ((a = apps_find_id(cc->br, id)) == NULL ||
	    !verb_may_see(cc, a)) {
		a = NULL;
		control_fail(cc, "the running pusherd knows no app \"%.*s\"",
		    (int)MIN(id.n, 128), id.p);
	}
	free(tmp);
	return a;
}

bool
verb_channel_arg(struct control_client *cc, const struct app *a,
    struct json args, struct str *name, char **tmp)
{
	struct event_rule rule;
	const char *why;

	if (verb_text(args, S("channel"), name, tmp) == -1 || name->p == NULL)
		why = "the name of a channel is missing";
	else
		why = event_rule_channel(&rule, *name,
		    a->max_channel_name_length, a->max_user_id_length);
	if (why != NULL)
		control_fail(cc, "%s", why);
	return why == NULL;
}

void
verb_row_begin(struct json_writer *w, const char *type)
{
	json_writer_init(w);
	json_object_open(w);
	if (type != NULL)
		json_member_str(w, "type", str_of(type));
}

void
verb_row_end(struct control_client *cc, struct json_writer *w)
{
	json_object_close(w);
	control_row(cc, w);
}

int
verb_app_or_all(
    struct control_client *cc, struct json args, struct broker_app **a)
{
	*a = NULL;
	if (json_get(args, S("app")).kind == JSON_NONE && cc->scope == NULL)
		return 0;
	if (json_get(args, S("app")).kind != JSON_NONE)
		*a = verb_app(cc, args);
	else if ((*a = apps_find_id(cc->br, str_of(cc->scope))) == NULL)
		control_fail(cc, "the app %s is gone", cc->scope);
	return *a == NULL ? -1 : 0;
}
