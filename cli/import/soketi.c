/* SPDX-License-Identifier: MIT */
/*
 * soketi.c: the fields of soketi's apps.  Source of names, spellings
 * and defaults: soketi's src/app.ts and its documentation of app limits.
 */

#include "cli/import/json.h"
#include "shared/base/base.h"

static const struct import_field fields[] = {
	{ "id", "AppId", IMPORT_CREDENTIAL, "id" },
	{ "key", "AppKey", IMPORT_CREDENTIAL, "key" },
	{ "secret", "AppSecret", IMPORT_CREDENTIAL, "secret" },
	{ "name", NULL, IMPORT_NAME, "name" },
	{ "enabled", NULL, IMPORT_ENABLED, "enabled" },
	{ "enableClientMessages", "enable_client_messages", IMPORT_BOOL,
	    "client_events" },
	{ "maxConnections", "max_connections", IMPORT_LIMIT,
	    "max_connections" },
	{ "maxBackendEventsPerSecond", "max_backend_events_per_sec",
	    IMPORT_LIMIT, "max_backend_events_per_second" },
	{ "maxClientEventsPerSecond", "max_client_events_per_sec", IMPORT_LIMIT,
	    "max_client_events_per_second" },
	{ "maxReadRequestsPerSecond", "max_read_req_per_sec", IMPORT_LIMIT,
	    "max_read_requests_per_second" },
	{ "maxPresenceMembersPerChannel", "max_presence_members_per_channel",
	    IMPORT_NUMBER, "max_presence_members" },
	{ "maxPresenceMemberSizeInKb", "max_presence_member_size_in_kb",
	    IMPORT_KILOBYTES, "max_presence_member_bytes" },
	{ "maxChannelNameLength", "max_channel_name_length", IMPORT_NUMBER,
	    "max_channel_name_length" },
	{ "maxEventChannelsAtOnce", "max_event_channels_at_once", IMPORT_NUMBER,
	    "max_event_channels" },
	{ "maxEventNameLength", "max_event_name_length", IMPORT_NUMBER,
	    "max_event_name_length" },
	{ "maxEventPayloadInKb", "max_event_payload_in_kb", IMPORT_KILOBYTES,
	    "max_event_bytes" },
	{ "maxEventBatchSize", "max_event_batch_size", IMPORT_NUMBER,
	    "max_batch_events" },
	{ "enableUserAuthentication", "enable_user_authentication",
	    IMPORT_NOTHING, "users may always sign in" },
	{ "webhooks", NULL, IMPORT_WEBHOOKS, NULL },
};

int
import_soketi(struct str text, struct import *im, char **why)
{
	static const char *const paths[] = { "appManager.array.apps", "apps",
		NULL };
	static const struct import_source from = { "soketi", fields,
		nitems(fields), paths, "no limit" };

	return import_json(text, &from, im, why);
}
