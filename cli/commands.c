/* SPDX-License-Identifier: MIT */
/*
 * commands.c: the table of pusherctl's commands: name, arguments, help,
 * options, and the function of a file in cmd/ that does it.  Help, manual page
 * and completion are made from it.
 */

#include "cli/commands.h"

#include "cli/cmd/bench.h"
#include "cli/cmd/connection.h"
#include "cli/cmd/explain_auth.h"
#include "cli/cmd/sign.h"
#include "cli/cmd/stats.h"
#include "cli/cmd/tail.h"
#include "cli/cmd/webhook.h"
#include "shared/base/base.h"

static const struct cmd_option create_options[] = {
	{ "name", "N", "a label for people" },
	{ "id", "ID", "(default: random digits)" },
	{ "key", "KEY", "(default: 20 random hex digits)" },
	{ "secret-from", "FILE|-",
	    "the file with the secret, - for stdin (default: random)" },
	{ "set", "option=value", "a setting; may be given several times" },
	{ "if-none", NULL, "do nothing when there is an app already" },
	{ NULL, NULL, NULL },
};
static const struct cmd_option show_options[] = {
	{ "reveal", NULL, "print the secret, too" },
	{ NULL, NULL, NULL },
};
static const struct cmd_option delete_options[] = {
	{ "yes", NULL, "do not ask" },
	{ NULL, NULL, NULL },
};
static const struct cmd_option import_options[] = {
	{ "from", "SERVER", "soketi, sockudo or reverb" },
	{ "dry-run", NULL, "print each change, and write nothing" },
	{ "replace", NULL, "overwrite apps that have the same id" },
	{ NULL, NULL, NULL },
};
static const struct cmd_option channels_options[] = {
	{ "prefix", "P", "only channels whose names begin with P" },
	{ NULL, NULL, NULL },
};
static const struct cmd_option publish_options[] = {
	{ "socket-id", "ID", "the connection that does not get the event" },
	{ NULL, NULL, NULL },
};

static const struct cmd_option drain_options[] = {
	{ "time", "SECONDS", "over how long (default: the option drain_time)" },
	{ NULL, NULL, NULL },
};

#define APP_TEXT_HELP "APP is an app's id, its key, or its name when unique."
#define WEBHOOK_TEXT_HELP "WEBHOOK is its number in webhook list."
#define SETTING(field, range, help) "\n  " #field " (" range ")\n      " help
#define APP_UINT(field, def, min, max, help) \
	SETTING(field, #min ".." #max ", " #def, help)
#define APP_BOOL(field, def, help) SETTING(field, "on|off", help)
#define APP_TEXT(field, def, help) SETTING(field, "text", help)
static const char settings_help[] =
    APP_TEXT_HELP "\n\nsettings (range, default):"
		  "\n  name (text)\n      A label for people"
#include "shared/app/app_settings.def"
    ;

const struct cmd_verb commands[] = {
	{ "app create", "", 0, 0, "Make an app and print its credentials",
	    "For the settings: pusherctl help app set", create_options,
	    cmd_app_create },
	{ "app list", "", 0, 0, "List the apps", NULL, NULL, cmd_app_list },
	{ "app show", "APP", 1, 1, "Print an app with all its settings",
	    APP_TEXT_HELP, show_options, cmd_app_show },
	{ "app set", "APP option=value...", 2, 1000,
	    "Change settings of an app", settings_help, NULL, cmd_app_set },
	{ "app enable", "APP", 1, 1, "Let clients connect again", APP_TEXT_HELP,
	    NULL, cmd_app_enable },
	{ "app disable", "APP", 1, 1,
	    "Refuse clients and close those that are there", APP_TEXT_HELP,
	    NULL, cmd_app_disable },
	{ "app delete", "APP", 1, 1, "Delete an app and close its clients",
	    APP_TEXT_HELP, delete_options, cmd_app_delete },
	{ "app import", "FILE|-", 1, 1, "Take over apps of another server",
	    "FILE is a JSON array of the server's apps, or its configuration:\n"
	    "JSON of soketi, JSON, TOML or .env of Sockudo, .env of Reverb or\n"
	    "its config/reverb.php as JSON.  All apps are taken, or, after an\n"
	    "error in one of them, none.  --dry-run says of each app whether "
	    "it is\n"
	    "new, unchanged, or what of it changes; of a secret only that it "
	    "changes.",
	    import_options, cmd_app_import },
	{ "app snippets", "[APP]", 0, 1,
	    "Print code for clients and servers, filled in",
	    APP_TEXT_HELP "  The secret is shown.", NULL, cmd_app_snippets },
	{ "app rotate-key", "APP", 1, 1, "Give an app a new key and secret",
	    APP_TEXT_HELP
	    "  The key before counts\nfor --overlap seconds more, for "
	    "clients, API and webhooks, and then\nends by itself.  Nobody is "
	    "disconnected.",
	    cmd_app_rotate_options, cmd_app_rotate_key },
	{ "status", "", 0, 0, "Print what the server and its workers do",
	    "The table of limits begins with the one of which most is used.",
	    NULL, cmd_status },
	{ "top", "", 0, 0, "Watch the rates of workers and apps",
	    "On a terminal until q is pressed; into a pipe one snapshot.  Keys "
	    "sort\n"
	    "the apps: t traffic, c connections, s subscriptions, i in, o "
	    "out,\n"
	    "p published, a api, n name; r reverses.",
	    cmd_top_options, cmd_top },
	{ "stats", "[APP]", 0, 1,
	    "Print what was counted, peaks, rates minute by minute",
	    APP_TEXT_HELP
	    "  Counters begin\nwith the broker process; peaks are those of the "
	    "last day, of an app of\nthe last hour.  With --minutes and "
	    "--hours "
	    "connections are the most at\none time, cpu_percent is that of all "
	    "processes (100: one processor),\nturn_max_ms is the longest time "
	    "in which nobody was served, peak_of\nnames the values that were "
	    "at their highest; the last row is not over.\nThe minutes of the "
	    "server are kept in the file history beside the\noutbox, those of "
	    "apps end with the broker.",
	    cmd_stats_options, cmd_stats },
	{ "closes", "[APP]", 0, 1,
	    "List the connections that ended last, and why",
	    APP_TEXT_HELP "  Code 1006: the\nconnection was lost; 1005: the "
			  "client gave no reason.",
	    cmd_closes_options, cmd_closes },
	{ "config", "[OPTION]", 0, 1,
	    "Print the configuration and where each value comes from",
	    "These are the values of the running pusherd; the files may say "
	    "something\nelse by now.  Without a running pusherd, or with "
	    "--here, "
	    "they are those that\nthis command reads.",
	    cmd_config_options, cmd_config },
	{ "channels", "[APP]", 0, 1, "List the occupied channels",
	    APP_TEXT_HELP, channels_options, cmd_channels },
	{ "channel", "APP CHANNEL", 2, 2,
	    "Print a channel: subscriptions by worker, cached event, members",
	    APP_TEXT_HELP, cmd_channel_options, cmd_channel_show },
	{ "channel purge-cache", "APP CHANNEL", 2, 2,
	    "Forget the cached event of a cache channel", APP_TEXT_HELP, NULL,
	    cmd_channel_purge_cache },
	{ "connections list", "[APP]", 0, 1, "List the connected clients",
	    APP_TEXT_HELP
	    "  idle is the time since the\nclient was last heard of, received "
	    "and sent count messages since it\nconnected, queued is the bytes "
	    "that it has not read yet.  The heaviest\nclients: --sort sent, "
	    "bytes_sent, received or queued.",
	    cmd_connections_list_options, cmd_connections_list },
	{ "connections show", "SOCKET_ID", 1, 1,
	    "Print a connection and its channels", NULL, NULL,
	    cmd_connections_show },
	{ "connections kill", "[SOCKET_ID]", 0, 1,
	    "Close a connection, or those of an app or a user",
	    "The close code is 4009: official clients do not reconnect.  With\n"
	    "--reconnect it is 4200: they reconnect at once.  Many "
	    "connections\n"
	    "are closed over a time, so that other clients do not notice it.",
	    cmd_connections_kill_options, cmd_connections_kill },
	{ "sessions", "[APP]", 0, 1,
	    "List the sessions of clients that get what they missed",
	    APP_TEXT_HELP, NULL, cmd_sessions },
	{ "sessions show", "SESSION", 1, 1,
	    "Print a session, and what it would be told now",
	    "For up to 100 channels: connected, continued and how many events "
	    "it has\nmissed, or the reason of a gap.  The name of a channel is "
	    "known while an\nevent of it is in the log.",
	    NULL, cmd_sessions_show },
	{ "users list", "[APP]", 0, 1, "List the users that are signed in",
	    APP_TEXT_HELP, NULL, cmd_users_list },
	{ "users show", "APP USER", 2, 2,
	    "Print a signed-in user's connections", APP_TEXT_HELP, NULL,
	    cmd_users_show },
	{ "users kick", "APP USER", 2, 2,
	    "Close a signed-in user's connections", APP_TEXT_HELP,
	    cmd_users_kick_options, cmd_users_kick },
	{ "publish", "APP CHANNEL EVENT DATA", 4, 4,
	    "Send an event to a channel",
	    APP_TEXT_HELP "  DATA is sent as it is, byte for byte;\n"
			  "- reads it from stdin.",
	    publish_options, cmd_publish },
	{ "tail", "[APP [CHANNEL]]", 0, 2, "Print events as they pass",
	    APP_TEXT_HELP
	    "  CHANNEL may have * and ?\nin it.  Client events are shown, too; "
	    "events that nobody is subscribed to\nas well.  --since begins "
	    "with what the app's log has (resume=on), "
	    "and goes\non without a gap.",
	    cmd_tail_options, cmd_tail },
	{ "subscribe", "APP CHANNEL...", 2, 1000,
	    "Connect as a client and print the events of channels",
	    APP_TEXT_HELP "  Private and presence\nchannels are signed with "
			  "the app's secret.  With --resume ID\nthe "
			  "session continues: what was missed comes first, "
			  "then pusher:resume.",
	    cmd_subscribe_options, cmd_subscribe },
	{ "sign", "APP SOCKET_ID [CHANNEL [CHANNEL_DATA]]", 2, 4,
	    "Print the answer that an auth endpoint has to give", APP_TEXT_HELP,
	    cmd_sign_options, cmd_sign },
	{ "explain-auth", "METHOD TARGET [FILE|-]", 2, 3,
	    "Say what is wrong with the signature of an API request",
	    "METHOD and TARGET are those of the request line, or TARGET its "
	    "URL;\nFILE holds the body.  Exit code 1 when the request is "
	    "refused.",
	    cmd_explain_options, cmd_explain_auth },
	{ "webhook add", "APP URL", 2, 2, "Send the events of an app to a URL",
	    APP_TEXT_HELP
	    "\n"
	    "URL gets signed POST requests: channel_occupied,\n"
	    "channel_vacated, member_added, member_removed, client_event,\n"
	    "cache_miss, subscription_count.  Private addresses need\n"
	    "app set APP webhook_allow_private=on.",
	    cmd_webhook_add_options, cmd_webhook_add },
	{ "webhook list", "[APP]", 0, 1, "List the webhooks and their state",
	    APP_TEXT_HELP
	    "\nfailing: the time since which no request succeeded; waiting:\n"
	    "events; oldest: the age of the first of them; dropped: events\n"
	    "for which a full outbox had no room.",
	    NULL, cmd_webhook_list },
	{ "webhook show", "WEBHOOK", 1, 1, "Print a webhook", WEBHOOK_TEXT_HELP,
	    cmd_webhook_show_options, cmd_webhook_show },
	{ "webhook set", "WEBHOOK [option=value...]", 1, 1000,
	    "Change a webhook",
	    WEBHOOK_TEXT_HELP
	    "\noptions: url, events, channel-prefix, "
	    "channel-suffix,\nchannel-glob, batch (on|off), enabled (on|off)",
	    cmd_webhook_set_options, cmd_webhook_set },
	{ "webhook remove", "WEBHOOK", 1, 1,
	    "Remove a webhook and its waiting requests", WEBHOOK_TEXT_HELP,
	    NULL, cmd_webhook_remove },
	{ "webhook test", "WEBHOOK", 1, 1,
	    "Send a test event and wait for the answer", WEBHOOK_TEXT_HELP,
	    NULL, cmd_webhook_test },
	{ "webhook deliveries", "[WEBHOOK [DELIVERY]]", 0, 2,
	    "List requests: waiting, dead, and the last ones that arrived",
	    WEBHOOK_TEXT_HELP, cmd_webhook_deliveries_options,
	    cmd_webhook_deliveries },
	{ "webhook retry", "WEBHOOK [DELIVERY]", 1, 2,
	    "Send dead requests again, under the same delivery id",
	    WEBHOOK_TEXT_HELP, NULL, cmd_webhook_retry },
	{ "webhook purge", "WEBHOOK [DELIVERY]", 1, 2, "Delete dead requests",
	    WEBHOOK_TEXT_HELP, cmd_webhook_purge_options, cmd_webhook_purge },
	{ "verify-webhook", "APP SIGNATURE [FILE|-]", 2, 3,
	    "Check the signature of a webhook's body",
	    APP_TEXT_HELP
	    "  SIGNATURE is the\nvalue of the header X-Pusher-Signature.",
	    NULL, cmd_verify_webhook },
	{ "reload", "", 0, 0, "Read the configuration again",
	    "pusherd reads its file, environment and command line as at its "
	    "start.\n"
	    "When something is wrong with them, nothing changes.  Apps need "
	    "no\n"
	    "reload.  SIGHUP does the same.",
	    NULL, cmd_reload },
	{ "drain", "", 0, 0, "Close all clients over a time, and stop pusherd",
	    "pusherd accepts no new clients.  It closes those without "
	    "subscriptions\n"
	    "first; clients get 4100 or 4200 and reconnect.  SIGTERM does the\n"
	    "same.",
	    drain_options, cmd_drain },
	{ "log-level", "LEVEL", 1, 1, "Change how much is logged",
	    "LEVEL is error, warn, info or debug; until the next reload.", NULL,
	    cmd_log_level },
	{ "bench", "SCENARIO", 1, 1, "Put load on a server and measure",
	    cmd_bench_help, cmd_bench_options, cmd_bench },
};

const size_t commands_n = nitems(commands);
