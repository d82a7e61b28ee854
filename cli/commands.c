/* SPDX-License-Identifier: MIT */
/*
 * commands.c: the table of pusherctl's commands: name, arguments, help,
 * options, and the function in cmd/ that runs it.  Help, manual page and
 * completion are made from it.
 */

#include "cli/commands.h"

#include "cli/cmd/bench.h"
#include "cli/cmd/connection.h"
#include "cli/cmd/console.h"
#include "cli/cmd/doctor.h"
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
	{ "if-absent", NULL, "do nothing when there is an app with this --id" },
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
	{ "from", "SERVER", "pusherd, soketi, sockudo or reverb" },
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
	{ "wait", "TIME",
	    "wait until the subscribers with a session have confirmed it, at "
	    "most TIME: 500ms, 2s; up to 8s" },
	{ NULL, NULL, NULL },
};

static const struct cmd_option drain_options[] = {
	{ "time", "SECONDS",
	    "the time for it (default: the option drain_time)" },
	{ "wait", NULL, "return when pusherd has ended" },
	{ NULL, NULL, NULL },
};

static const struct cmd_option reload_options[] = {
	{ "wait", NULL, "return when every process uses it (the default)" },
	{ NULL, NULL, NULL },
};

#define APP_TEXT_HELP "APP is an app's id, its key, or its name when unique."
#define WEBHOOK_TEXT_HELP "WEBHOOK is its number in webhook list."
#define SETTING(field, range, help) "\n  " #field " (" range ")\n      " help
#define APP_UINT(field, def, min, max, help) \
	SETTING(field, #min ".." #max ", " #def, help)
#define DEFAULT_0 "off"
#define DEFAULT_1 "on"
#define APP_BOOL(field, def, help) \
	SETTING(field, "on|off, " DEFAULT_##def, help)
#define APP_TEXT(field, def, help) SETTING(field, "text", help)
static const char settings_help[] =
    APP_TEXT_HELP "\n\nsettings (range, default):"
		  "\n  name (text)\n      A label for people"
#include "shared/app/app_settings.def"
    ;

const struct cmd_verb commands[] = {
	{ "app create", "", 0, 0, "Make an app and print its credentials",
	    "For the settings: pusherctl help app set", create_options,
	    cmd_app_create, VERB_SERVER_WRITE },
	{ "app list", "", 0, 0, "List the apps", NULL, NULL, cmd_app_list,
	    VERB_OBJECT_READ },
	{ "app show", "APP", 1, 1, "Print an app with all its settings",
	    APP_TEXT_HELP, show_options, cmd_app_show, VERB_APP_READ },
	{ "app set", "APP option=value...", 2, 1000,
	    "Change settings of an app", settings_help, NULL, cmd_app_set,
	    VERB_SERVER_WRITE },
	{ "app enable", "APP", 1, 1, "Let clients connect again", APP_TEXT_HELP,
	    NULL, cmd_app_enable, VERB_SERVER_WRITE },
	{ "app disable", "APP", 1, 1,
	    "Refuse clients and close the present ones", APP_TEXT_HELP, NULL,
	    cmd_app_disable, VERB_SERVER_WRITE },
	{ "app delete", "APP", 1, 1, "Delete an app and close its clients",
	    APP_TEXT_HELP, delete_options, cmd_app_delete, VERB_SERVER_WRITE },
	{ "app import", "FILE|-", 1, 1, "Import the apps of another server",
	    "FILE is a JSON array of the server's apps, or its configuration:\n"
	    "JSON of soketi, JSON, TOML or .env of Sockudo, .env of Reverb or\n"
	    "its config/reverb.php as JSON; of pusherd what app export wrote.\n"
	    "An error in one app imports none.  --dry-run prints whether each\n"
	    "app is new or unchanged, or its changes; of a secret only that "
	    "it\nchanges.",
	    import_options, cmd_app_import, VERB_SERVER_WRITE },
	{ "app export", "[APP]", 0, 1,
	    "Print apps with secrets and webhooks as JSON",
	    APP_TEXT_HELP
	    "  JSON, with the\nsecrets: write it into a file that "
	    "only you can read.  On another host:\n"
	    "pusherctl app import --from pusherd FILE",
	    NULL, cmd_app_export, VERB_SERVER_WRITE },
	{ "app snippets", "[APP]", 0, 1,
	    "Print code for clients and servers, filled in",
	    APP_TEXT_HELP "  The secret is shown.", NULL, cmd_app_snippets,
	    VERB_SERVER_WRITE },
	{ "app rotate-key", "APP", 1, 1, "Give an app a new key and secret",
	    APP_TEXT_HELP
	    "  The old key stays\nvalid for --overlap seconds, for "
	    "clients, API and webhooks, and then\nexpires.  No client is "
	    "disconnected.",
	    cmd_app_rotate_options, cmd_app_rotate_key, VERB_SERVER_WRITE },
	{ "status", "", 0, 0, "Print the state of the server and its workers",
	    "state_version: programs with the same one can take over from "
	    "each\n"
	    "other (upgrade).  Webhooks: queued: not yet with the courier;\n"
	    "waiting: not yet delivered; dead: given up; dropped: without "
	    "room.\n"
	    "The table of limits begins with the limit that is used most.",
	    NULL, cmd_status, VERB_SERVER_READ },
	{ "cluster status", "", 0, 0,
	    "Print the other hosts, and the state of Redis",
	    "state: up; joining; refused: Redis takes no entries; away: it "
	    "does not\nanswer.  place and entry: the last entry of the stream "
	    "that was read; behind:\nentries that were not read at the last "
	    "beat; waiting: bytes of this host that\nwere not read back.  "
	    "beat_ms: the age of a host's last beat, one each 2 seconds;\n"
	    "after 6 seconds without one it is gone.  Of other hosts the "
	    "connections are\nnot known.",
	    NULL, cmd_cluster_status, VERB_SERVER_READ },
	{ "cluster hosts", "", 0, 0, "List the hosts of the cluster",
	    "This host is the first.  webhooks: it sends those of all "
	    "hosts.  beat_ms\nand connections: see cluster status.",
	    NULL, cmd_cluster_hosts, VERB_SERVER_READ },
	{ "cluster leave", "", 0, 0, "Take this host out of its cluster",
	    "Its clients are told to reconnect, within drain_time; then the "
	    "other hosts\nand Redis forget it.  pusherd keeps running, and "
	    "serves no one until it is\nstarted again.  Prints the clients "
	    "that there were.  To stop it, use drain,\nwhich leaves, too.",
	    NULL, cmd_cluster_leave, VERB_SERVER_WRITE },
	{ "top", "", 0, 0, "Watch the rates of workers and apps",
	    "Runs until q is pressed; into a pipe, or with TERM=dumb, it\n"
	    "prints once.  Keys sort the apps: t traffic, c connections,\n"
	    "s subscriptions, i in, o out, p published, a api, n name;\n"
	    "r reverses.",
	    cmd_top_options, cmd_top, VERB_SERVER_READ },
	{ "stats", "[APP]", 0, 1,
	    "Print counters, peaks and rates by the minute",
	    APP_TEXT_HELP
	    "  Counters begin\nwith the broker process; peaks are those of the "
	    "last day, of an app of\nthe last hour.  With --minutes and "
	    "--hours "
	    "connections are the most at\none time, cpu_percent is that of all "
	    "processes (100: one processor),\nturn_max_ms is the longest turn "
	    "of an event loop, peak_of\nnames the values that were "
	    "at their highest; the last row is incomplete.\nThe minutes of the "
	    "server are kept in the file history beside the\noutbox, those of "
	    "apps end with the broker.\n"
	    "--since, --step and --csv read the file stats.db beside the "
	    "outbox instead,\nwith or without a daemon; times are UTC.",
	    cmd_stats_options, cmd_stats, VERB_APP_READ },
	{ "closes", "[APP]", 0, 1,
	    "List the connections that ended last, and why",
	    APP_TEXT_HELP "  Code 1006: the\nconnection was lost; 1005: the "
			  "client gave no reason.",
	    cmd_closes_options, cmd_closes, VERB_APP_READ },
	{ "config", "[OPTION]", 0, 1,
	    "Print each value and where it comes from",
	    "These are the values of the running pusherd; the files may have "
	    "changed\nsince.  Without a running pusherd, or with --here, they "
	    "are those that\nthis command reads.",
	    cmd_config_options, cmd_config, VERB_SERVER_READ },
	{ "config set", "OPTION VALUE", 2, 2,
	    "Change an option of the running server",
	    "It takes effect at once in all processes, until the next reload "
	    "or start;\nconfig rewrite keeps it.  Change options that name "
	    "files or need a restart\nin the file.  Separate the values of a "
	    "list by commas.",
	    NULL, cmd_config_set, VERB_TERMINAL },
	{ "config rewrite", "", 0, 0,
	    "Write what config set has changed to the file",
	    "The file is that of -c.  Its comments and all other lines stay, "
	    "and so do\nowner and mode.",
	    NULL, cmd_config_rewrite, VERB_TERMINAL },
	{ "channels", "[APP]", 0, 1, "List the occupied channels",
	    APP_TEXT_HELP, channels_options, cmd_channels, VERB_APP_READ },
	{ "channel", "APP CHANNEL", 2, 2,
	    "Print subscriptions, cached event and members", APP_TEXT_HELP,
	    cmd_channel_options, cmd_channel_show, VERB_APP_READ },
	{ "channel purge-cache", "APP CHANNEL", 2, 2,
	    "Forget the cached event of a cache channel", APP_TEXT_HELP, NULL,
	    cmd_channel_purge_cache, VERB_APP_WRITE },
	{ "connections list", "[APP]", 0, 1, "List the connected clients",
	    APP_TEXT_HELP
	    "\nidle is the time since its last message, received and sent "
	    "count messages\nsince it connected, queued is the bytes that it "
	    "has not read yet.  --sort sent,\nbytes_sent, received or queued "
	    "shows the clients that cost most.",
	    cmd_connections_list_options, cmd_connections_list, VERB_APP_READ },
	{ "connections show", "SOCKET_ID", 1, 1,
	    "Print a connection and its channels", NULL, NULL,
	    cmd_connections_show, VERB_OBJECT_READ },
	{ "connections kill", "[SOCKET_ID]", 0, 1,
	    "Close a connection, or all of an app or user",
	    "The close code is 4009: official clients do not reconnect.  With\n"
	    "--reconnect it is 4200: they reconnect at once.  Many "
	    "connections\n"
	    "are closed over some time, so that other clients do not notice "
	    "it.",
	    cmd_connections_kill_options, cmd_connections_kill,
	    VERB_OBJECT_WRITE },
	{ "sessions", "[APP]", 0, 1, "List the resumable sessions of clients",
	    APP_TEXT_HELP, NULL, cmd_sessions, VERB_APP_READ },
	{ "sessions show", "SESSION", 1, 1,
	    "Print a session and what it would get now",
	    "For up to 100 channels: connected, continued and how many events "
	    "it has\nmissed, or the reason for a gap.  The name of a channel "
	    "is "
	    "known while an\nevent of it is in the log.",
	    NULL, cmd_sessions_show, VERB_OBJECT_READ },
	{ "users list", "[APP]", 0, 1, "List the users that are signed in",
	    APP_TEXT_HELP, NULL, cmd_users_list, VERB_APP_READ },
	{ "users show", "APP USER", 2, 2,
	    "Print a signed-in user's connections", APP_TEXT_HELP, NULL,
	    cmd_users_show, VERB_APP_READ },
	{ "users kick", "APP USER", 2, 2,
	    "Close a signed-in user's connections", APP_TEXT_HELP,
	    cmd_users_kick_options, cmd_users_kick, VERB_APP_WRITE },
	{ "publish", "APP CHANNEL EVENT DATA", 4, 4,
	    "Send an event to a channel",
	    APP_TEXT_HELP "\nDATA is sent as it is, byte for byte; "
			  "- reads it from stdin.",
	    publish_options, cmd_publish, VERB_APP_WRITE },
	{ "tail", "[APP [CHANNEL]]", 0, 2, "Print events as they are published",
	    APP_TEXT_HELP
	    "  * and ? in CHANNEL are\nwildcards.  Client events and events "
	    "without subscribers are shown, too.\n--since begins with the "
	    "events in the app's log (resume=on).",
	    cmd_tail_options, cmd_tail, VERB_APP_READ },
	{ "subscribe", "APP CHANNEL...", 2, 1000,
	    "Connect as a client and print events",
	    APP_TEXT_HELP "  Private and presence\nchannels are signed with "
			  "the app's secret.  With --resume ID\nthe "
			  "session continues: missed events come first, "
			  "then pusher:resume.",
	    cmd_subscribe_options, cmd_subscribe, VERB_APP_WRITE },
	{ "sign", "APP SOCKET_ID [CHANNEL [CHANNEL_DATA]]", 2, 4,
	    "Print the answer of an auth endpoint", APP_TEXT_HELP,
	    cmd_sign_options, cmd_sign, VERB_APP_WRITE },
	{ "explain-auth", "METHOD TARGET [FILE|-]", 2, 3,
	    "Explain why a request's signature is refused",
	    "METHOD and TARGET are those of the request line, or TARGET its "
	    "URL;\nFILE holds the body.  Exit code 1 when the request is "
	    "refused.",
	    cmd_explain_options, cmd_explain_auth, VERB_SERVER_WRITE },
	{ "webhook add", "APP URL", 2, 2, "Send the events of an app to a URL",
	    APP_TEXT_HELP
	    "\n"
	    "URL gets signed POST requests: channel_occupied,\n"
	    "channel_vacated, member_added, member_removed, client_event,\n"
	    "cache_miss, subscription_count.  Private addresses need\n"
	    "app set APP webhook_allow_private=on.",
	    cmd_webhook_add_options, cmd_webhook_add, VERB_APP_WRITE },
	{ "webhook list", "[APP]", 0, 1, "List the webhooks and their state",
	    APP_TEXT_HELP
	    "\nfailing: the time since which no request succeeded; waiting:\n"
	    "events; oldest: the age of the first of them; dropped: events\n"
	    "for which a full outbox had no room.",
	    NULL, cmd_webhook_list, VERB_APP_READ },
	{ "webhook show", "WEBHOOK", 1, 1, "Print a webhook", WEBHOOK_TEXT_HELP,
	    cmd_webhook_show_options, cmd_webhook_show, VERB_OBJECT_READ },
	{ "webhook set", "WEBHOOK [option=value...]", 1, 1000,
	    "Change a webhook",
	    WEBHOOK_TEXT_HELP
	    "\noptions: url, events, channel-prefix, "
	    "channel-suffix,\nchannel-glob, batch (on|off), enabled (on|off)",
	    cmd_webhook_set_options, cmd_webhook_set, VERB_OBJECT_WRITE },
	{ "webhook remove", "WEBHOOK", 1, 1,
	    "Remove a webhook and its waiting requests", WEBHOOK_TEXT_HELP,
	    NULL, cmd_webhook_remove, VERB_OBJECT_WRITE },
	{ "webhook test", "WEBHOOK", 1, 1,
	    "Send a test event and wait for the answer", WEBHOOK_TEXT_HELP,
	    NULL, cmd_webhook_test, VERB_OBJECT_WRITE },
	{ "webhook deliveries", "[WEBHOOK [DELIVERY]]", 0, 2,
	    "List waiting, dead and delivered requests", WEBHOOK_TEXT_HELP,
	    cmd_webhook_deliveries_options, cmd_webhook_deliveries,
	    VERB_OBJECT_READ },
	{ "webhook retry", "WEBHOOK [DELIVERY]", 1, 2,
	    "Send dead requests again, with the same id", WEBHOOK_TEXT_HELP,
	    NULL, cmd_webhook_retry, VERB_OBJECT_WRITE },
	{ "webhook purge", "WEBHOOK [DELIVERY]", 1, 2, "Delete dead requests",
	    WEBHOOK_TEXT_HELP, cmd_webhook_purge_options, cmd_webhook_purge,
	    VERB_OBJECT_WRITE },
	{ "verify-webhook", "APP SIGNATURE [FILE|-]", 2, 3,
	    "Check the signature of a webhook's body",
	    APP_TEXT_HELP
	    "  SIGNATURE is the\nvalue of the header X-Pusher-Signature.",
	    NULL, cmd_verify_webhook, VERB_APP_READ },
	{ "doctor", "[APP]", 0, 1, "Explain why events do not arrive",
	    APP_TEXT_HELP
	    "  Prints recent\nfailures, the most probable first, each with "
	    "its evidence and its remedy.\nThe broker remembers the last 256 "
	    "failures of each app since it started.\nWith --url it connects, "
	    "asks and publishes through the public address,\nto the channel "
	    "pusherd-doctor.",
	    cmd_doctor_options, cmd_doctor, VERB_APP_READ },
	{ "reload", "", 0, 0, "Read the configuration again",
	    "pusherd reads its file, environment and command line as at its "
	    "start.\n"
	    "After an error in them nothing changes.  Apps need "
	    "no\n"
	    "reload.  SIGHUP does the same.  With fewer workers the clients "
	    "of those that\nleave move to others, and stay connected: the "
	    "answer counts them in moved.\n"
	    "tls_lingers of them have TLS, and their old process "
	    "stays for them; closed\nones come back; leaving workers have "
	    "not finished yet.",
	    reload_options, cmd_reload, VERB_SERVER_WRITE },
	{ "drain", "", 0, 0, "Close all clients over time, and stop pusherd",
	    "pusherd accepts no new clients.  It closes those without "
	    "subscriptions\n"
	    "first; clients get 4100 or 4200 and reconnect.  SIGTERM does the\n"
	    "same.",
	    drain_options, cmd_drain, VERB_SERVER_WRITE },
	{ "worker replace", "WORKER", 1, 1, "Replace the process of a worker",
	    "WORKER is its number, as in pusherctl status.  Its clients go "
	    "to the new\n"
	    "process and stay connected.  The old one stays for clients "
	    "with TLS,\n"
	    "until they leave, for upgrade_linger seconds at most.",
	    NULL, cmd_worker_replace, VERB_SERVER_WRITE },
	{ "upgrade", "", 0, 0, "Replace the running program by another one",
	    "The program is tried first; if it cannot take over, nothing "
	    "changes and\nthe exit code is 1.  The listening ports stay open.  "
	    "SIGUSR2 does the\nsame.",
	    cmd_upgrade_options, cmd_upgrade, VERB_TERMINAL },
	{ "log-level", "LEVEL", 1, 1, "Change the level of the log",
	    "LEVEL is error, warn, info or debug; until the next reload.", NULL,
	    cmd_log_level, VERB_SERVER_WRITE },
	{ "console", "", 0, 0, "Print a URL that opens the console",
	    "The console is a page for a browser, on the addresses with\n"
	    "role=console.  The URL works once; the session lasts 12 hours.",
	    cmd_console_options, cmd_console, VERB_TERMINAL },
	{ "bench", "SCENARIO", 1, 1, "Put load on a server and measure",
	    cmd_bench_help, cmd_bench_options, cmd_bench, VERB_TERMINAL },
};

const size_t commands_n = nitems(commands);

const struct verb_rule *
commands_rules(void)
{
	static struct verb_rule rules[nitems(commands) + 1];

	for (size_t i = 0; i < nitems(commands); i++)
		rules[i] = (struct verb_rule){ commands[i].name,
			commands[i].args, commands[i].summary,
			commands[i].options, commands[i].access };
	return rules;
}
