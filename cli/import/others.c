/* SPDX-License-Identifier: MIT */
/*
 * others.c: the apps of Sockudo (JSON, TOML, or its environment for one app)
 * and of Reverb (.env, or config/reverb.php's array as JSON).  Names and units:
 * Sockudo's app.rs and options, Reverb's config/reverb.php.  Other formats are
 * converted to JSON first; parts of a file for other programs are ignored.
 */

#include <stdlib.h>

#include "cli/import/dotenv.h"
#include "cli/import/json.h"
#include "cli/import/toml.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"
#include "shared/json/json_slice.h"

static const char always[] = "users may always sign in";
static const char none[] = "pusherd has no counterpart";
static const char resume[] = "missed events: app set APP resume=on";

static const struct import_field sockudo_fields[] = {
	{ "id", NULL, IMPORT_CREDENTIAL, "id" },
	{ "key", NULL, IMPORT_CREDENTIAL, "key" },
	{ "secret", NULL, IMPORT_CREDENTIAL, "secret" },
	{ "name", NULL, IMPORT_NAME, "name" },
	{ "enabled", NULL, IMPORT_ENABLED, "enabled" },
	{ "policy", NULL, IMPORT_OBJECT, NULL },
	{ "limits", NULL, IMPORT_OBJECT, NULL },
	{ "features", NULL, IMPORT_OBJECT, NULL },
	{ "channels", NULL, IMPORT_OBJECT, NULL },
	{ "enable_client_messages", NULL, IMPORT_BOOL, "client_events" },
	{ "enable_user_authentication", NULL, IMPORT_NOTHING, always },
	{ "enable_watchlist_events", NULL, IMPORT_NOTHING, always },
	{ "max_connections", NULL, IMPORT_LIMIT, "max_connections" },
	{ "max_backend_events_per_second", NULL, IMPORT_LIMIT,
	    "max_backend_events_per_second" },
	{ "max_client_events_per_second", NULL, IMPORT_LIMIT,
	    "max_client_events_per_second" },
	{ "max_read_requests_per_second", NULL, IMPORT_LIMIT,
	    "max_read_requests_per_second" },
	{ "max_presence_members_per_channel", NULL, IMPORT_NUMBER,
	    "max_presence_members" },
	{ "max_presence_member_size_in_kb", NULL, IMPORT_KILOBYTES,
	    "max_presence_member_bytes" },
	{ "max_channel_name_length", NULL, IMPORT_NUMBER,
	    "max_channel_name_length" },
	{ "max_event_channels_at_once", NULL, IMPORT_NUMBER,
	    "max_event_channels" },
	{ "max_event_name_length", NULL, IMPORT_NUMBER,
	    "max_event_name_length" },
	{ "max_event_payload_in_kb", NULL, IMPORT_KILOBYTES,
	    "max_event_bytes" },
	{ "max_event_batch_size", NULL, IMPORT_NUMBER, "max_batch_events" },
	{ "decay_seconds", NULL, IMPORT_NOTHING, none },
	{ "allowed_origins", NULL, IMPORT_ORIGINS, "allowed_origins" },
	{ "webhooks", NULL, IMPORT_WEBHOOKS, NULL },
	{ "terminate_on_limit", NULL, IMPORT_NOTHING, none },
	{ "message_rate_limit", NULL, IMPORT_NOTHING,
	    "see app set APP max_messages_per_second=N" },
	{ "annotations_enabled", NULL, IMPORT_NOTHING, none },
	{ "channel_delta_compression", NULL, IMPORT_NOTHING,
	    "pusherd compresses for all browsers" },
	{ "channel_namespaces", NULL, IMPORT_NOTHING, none },
	{ "idempotency", NULL, IMPORT_NOTHING, none },
	{ "connection_recovery", NULL, IMPORT_NOTHING, resume },
	{ "history", NULL, IMPORT_NOTHING, resume },
	{ "presence_history", NULL, IMPORT_NOTHING, none },
};

static const struct import_field reverb_fields[] = {
	{ "id", "app_id", IMPORT_CREDENTIAL, "id" },
	{ "key", NULL, IMPORT_CREDENTIAL, "key" },
	{ "secret", NULL, IMPORT_CREDENTIAL, "secret" },
	{ "name", NULL, IMPORT_NAME, "name" },
	{ "options", NULL, IMPORT_NOTHING,
	    "for Laravel, not for the server: stays there" },
	{ "allowed_origins", NULL, IMPORT_ORIGINS, "allowed_origins" },
	{ "ping_interval", NULL, IMPORT_NOTHING,
	    "pusherd sends a ping after activity_timeout" },
	{ "activity_timeout", NULL, IMPORT_NUMBER, "activity_timeout" },
	{ "max_connections", NULL, IMPORT_LIMIT, "max_connections" },
	{ "max_message_size", NULL, IMPORT_NUMBER, "max_event_bytes" },
	{ "accept_client_events_from", NULL, IMPORT_SENDERS, "client_events" },
	{ "rate_limiting", NULL, IMPORT_NOTHING, none },
	{ "rate_limiting_enabled", NULL, IMPORT_NOTHING, none },
	{ "rate_limit_max_attempts", NULL, IMPORT_NOTHING, none },
	{ "rate_limit_decay_seconds", NULL, IMPORT_NOTHING, none },
	{ "rate_limit_terminate", NULL, IMPORT_NOTHING, none },
};

static bool
is_json(struct str text)
{
	struct json v;
	const char *err;
	struct str s = text;

	while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL)
		s = str_from(s, 1);
	return str_starts(s, S("{")) || json_parse(text, &v, &err) == 0;
}

/* Does a line begin with '['? */
static bool
has_headings(struct str text)
{
	while (text.p != NULL)
		if (str_starts(str_trim(str_cut(&text, '\n')), S("[")))
			return true;
	return false;
}

/* An array of the one app of an environment; NULL after *why. */
static char *
read_dotenv(struct str text, const char *prefix, char **why)
{
	char *app = dotenv_to_json(text, prefix, why), *list;

	if (app == NULL)
		return NULL;
	if (strcmp(app, "{}") == 0) {
		*why =
		    xasprintf("neither JSON, nor any variable %s...", prefix);
		free(app);
		return NULL;
	}
	list = xasprintf("[%s]", app);
	explicit_bzero(app, strlen(app));
	free(app);
	return list;
}

static int
read_json(
    char *json, const struct import_source *from, struct import *im, char **why)
{
	int r;

	if (json == NULL) {
		*im = (struct import){ .apps = NULL };
		return -1;
	}
	r = import_json(str_of(json), from, im, why);
	explicit_bzero(json, strlen(json));
	free(json);
	return r;
}

int
import_sockudo(struct str text, struct import *im, char **why)
{
	static const char *const paths[] = { "app_manager.array.apps", "apps",
		NULL };
	static const struct import_source from = { "Sockudo", sockudo_fields,
		nitems(sockudo_fields), paths, "no limit" };
	struct import_source environment = from;

	*why = NULL;
	if (is_json(text))
		return import_json(text, &from, im, why);
	if (has_headings(text))
		return read_json(toml_to_json(text, why), &from, im, why);
	environment.client_events = "100";
	return read_json(read_dotenv(text, "SOCKUDO_DEFAULT_APP_", why),
	    &environment, im, why);
}

int
import_reverb(struct str text, struct import *im, char **why)
{
	static const char *const paths[] = { "apps.apps", "apps", NULL };
	static const struct import_source from = { "Reverb", reverb_fields,
		nitems(reverb_fields), paths, NULL };

	*why = NULL;
	if (is_json(text))
		return import_json(text, &from, im, why);
	return read_json(read_dotenv(text, "REVERB_APP_", why), &from, im, why);
}
