/* SPDX-License-Identifier: MIT */
/*
 * verb.c: the verbs of the control socket, one function each.  The table at the
 * end names them all; larger nouns have files of their own.  Anyone who may
 * open the socket sends arguments, so they are checked like those of the HTTP
 * API.  Must never log event data.
 */

#include "broker/control/verb.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "broker/app/apps.h"
#include "broker/app/apps_read.h"
#include "broker/channel/registry.h"
#include "broker/channel/route.h"
#include "broker/cluster/cluster.h"
#include "broker/cluster/outgoing.h"
#include "broker/control/confirm.h"
#include "broker/control/console.h"
#include "broker/control/console_job.h"
#include "broker/control/control_job.h"
#include "broker/control/doctor.h"
#include "broker/control/stats_job.h"
#include "broker/control/tail.h"
#include "broker/control/verb_args.h"
#include "broker/control/verb_channels.h"
#include "broker/control/verb_cluster.h"
#include "broker/control/verb_cluster_apps.h"
#include "broker/control/verb_connections.h"
#include "broker/control/verb_log.h"
#include "broker/control/verb_master.h"
#include "broker/control/verb_stats.h"
#include "broker/control/verb_webhook.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/totals.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/base/xmalloc.h"
#include "shared/conf/conf.h"
#include "shared/crypto/tls_store.h"
#include "shared/json/json_slice.h"
#include "shared/pusher/channel_name.h"
#include "shared/pusher/event_rules.h"
#include "shared/pusher/frames.h"

#define LONG_READ_MS 5 /* of all apps */

/* ---- status ---- */

static void
worker_row(struct control_client *cc, unsigned slot)
{
	struct broker *br = cc->br;
	const struct stats_gauges *g = &br->totals->slots[slot].gauges;
	const struct peer *p = br->peers[slot];
	struct json_writer w;

	verb_row_begin(&w, "worker");
	json_member_u64(&w, "slot", slot);
	json_member_u64(&w, "pid", p == NULL ? 0 : p->pid);
	json_member_str(&w, "state", p == NULL ? S("down") : S("up"));
	json_member_u64(&w, "connections", p == NULL ? 0 : p->nconns);
	json_member_u64(&w, "subscriptions", br->registry->nsubs[slot]);
	json_member_u64(&w, "queued", p == NULL ? 0 : outq_bytes(&p->ipc.out));
	json_member_u64(&w, "memory", p == NULL ? 0 : g->memory);
	json_member_u64(&w, "descriptors", p == NULL ? 0 : g->fds);
	json_member_u64(
	    &w, "uptime", p == NULL ? 0 : (uint64_t)(broker_now() - p->since));
	verb_row_end(cc, &w);
}

static void
certificate_rows(struct control_client *cc)
{
	const struct inherit *in = cc->br->inherit;
	struct cert_info info[CERT_MAX];
	size_t n = in == NULL ? 0 : cert_board_get(in->certs, info);
	struct json_writer w;

	for (size_t i = 0; i < n; i++) {
		verb_row_begin(&w, "certificate");
		json_member_str(&w, "name", str_of(info[i].name));
		json_member_i64(&w, "expires", info[i].expires);
		json_member_i64(&w, "days_left",
		    cert_days_left(&info[i], (int64_t)time(NULL)));
		json_member_str(&w, "sha256", str_of(info[i].fingerprint));
		verb_row_end(cc, &w);
	}
}

/* The workers have reported their numbers. */
static void
status_rows(struct control_client *cc, const struct stats_args *args)
{
	struct broker *br = cc->br;
	uint64_t nconns = 0;
	struct json_writer w;

	for (unsigned i = 0; i < br->nslots; i++)
		if (br->peers[i] != NULL)
			nconns += br->peers[i]->nconns;
	verb_row_begin(&w, "server");
	json_member_str(&w, "version", S(PUSHERD_VERSION));
	json_member_str(&w, "state_version", str_of(ipc_state_version()));
	json_member_u64(&w, "pid", (uint64_t)getppid());
	json_member_u64(&w, "uptime", (uint64_t)(broker_now() - br->started));
	json_member_u64(&w, "workers", br->conf->nworkers);
	json_member_u64(&w, "connections", nconns);
	json_member_u64(&w, "channels", br->registry->noccupied);
	json_member_u64(&w, "apps", br->apps->n);
	json_member_u64(&w, "events", br->nevents);
	verb_row_end(cc, &w);
	verb_webhooks_row(cc);
	for (unsigned i = 0; i < br->nslots; i++)
		if (i < br->conf->nworkers || br->peers[i] != NULL)
			worker_row(cc, i);
	certificate_rows(cc);
	verb_limits(cc);
	control_end(cc);
}

static void
status(struct control_client *cc, struct json args)
{
	stats_job_begin(cc, &(struct stats_args){ 0 }, status_rows);
}

/* ---- changes ---- */

static void
read_apps(struct control_client *cc)
{
	char *why = NULL;

	if (apps_read(cc->br, &why) == -1) {
		log_warnx("cannot read the apps: %s", why);
		control_fail(cc,
		    "the running pusherd could not read the apps and keeps "
		    "those it has: %s",
		    why);
		free(why);
		return;
	}
	control_end_when_read(cc);
}

/* Waits until the apps are read again. */
struct change {
	struct control_job job;
	uint64_t reads; /* when it was made */
};

static void
on_change_tick(struct control_job *job)
{
	const struct change *ch = container_of(job, const struct change, job);

	if (job->cc->br->apps->reads == ch->reads)
		read_apps(job->cc); /* for all that wait */
	else
		control_end_when_read(job->cc);
}

/*
 * All apps are read for a change of one.  If that takes long, the changes of
 * tenants wait for the next second, so that they cannot fill the broker's time.
 */
static void
apps_changed(struct control_client *cc, struct json args)
{
	static const struct control_job_ops ops = { .tick = on_change_tick };
	struct change *ch;

	if (cc->scope == NULL || cc->br->apps->read_ms < LONG_READ_MS) {
		read_apps(cc);
		return;
	}
	ch = xcalloc(1, sizeof(*ch));
	ch->reads = cc->br->apps->reads;
	control_job_start(cc, &ch->job, &ops);
}

struct publication {
	struct str channel, event, data, socket_id;
	struct str data_raw;
	uint64_t wait_ms; /* for confirmations; 0: no wait */
	char *tmp[4];
};

/* Applies the checks of POST /events; false after a sentence. */
static bool
may_publish(
    struct control_client *cc, const struct app *a, const struct publication *u)
{
	struct event_rule rule;
	const char *why;

	if (!a->enabled)
		control_fail(cc, "app %s is disabled", a->id);
	else if ((why = event_rule_channel(&rule, u->channel,
		      a->max_channel_name_length, a->max_user_id_length)) !=
		NULL ||
	    (why = event_rule_name(
		 &rule, u->event, a->max_event_name_length)) != NULL ||
	    (why = event_rule_data(&rule, u->data.n, a->max_event_bytes)) !=
		NULL)
		control_fail(cc, "%s", why);
	else if (u->socket_id.p != NULL && !socket_id_is_valid(u->socket_id))
		control_fail(cc, "socket_id: digits, a dot, digits");
	else
		return true;
	return false;
}

static int
get_publication(struct json args, struct publication *u)
{
	struct json data = json_get(args, S("data"));

	if (verb_text(args, S("channel"), &u->channel, &u->tmp[0]) == -1 ||
	    verb_text(args, S("event"), &u->event, &u->tmp[1]) == -1 ||
	    verb_text(args, S("socket_id"), &u->socket_id, &u->tmp[2]) == -1)
		return -1;
	u->data_raw = data.raw;
	if (json_get(args, S("wait_ms")).kind != JSON_NONE &&
	    json_u64(
		json_get(args, S("wait_ms")), QUERY_WAIT_MS, &u->wait_ms) == -1)
		return -1;
	return data.kind == JSON_STRING
	    ? json_string(data, &u->data, &u->tmp[3])
	    : -1;
}

/* Publishes it here, or through the stream; the subscriptions there are now. */
static uint32_t
pass_on(struct broker *br, struct msg_event *m)
{
	const struct channel *c;

	if (!outgoing_publish(br, m))
		return route_publish(br, m);
	c = registry_find(br->registry, m->app, m->channel);
	return c == NULL ? 0 : c->total;
}

static void
publish(struct control_client *cc, struct json args)
{
	struct broker_app *a = verb_app(cc, args);
	struct publication u = { .channel = { NULL, 0 } };
	struct msg_event m = { 0 };
	struct buf **b;
	struct json_writer w;
	uint32_t n;

	if (a == NULL)
		return;
	if (get_publication(args, &u) == -1) {
		control_fail(cc,
		    "channel, event and data have to be texts, wait_ms at "
		    "most %u",
		    QUERY_WAIT_MS);
	} else if (u.wait_ms > 0 && cc->br->cluster != NULL) {
		control_fail(cc,
		    "wait_ms has no meaning in a cluster: the event is on its "
		    "way to all hosts");
	} else if (!cluster_takes_events(cc->br->cluster)) {
		control_fail(cc,
		    "the Redis server of the cluster takes no events now: see "
		    "pusherctl cluster status");
	} else if (may_publish(cc, &a->app, &u)) {
		b = broker_scratch(cc->br);
		frame_event(
		    b, u.event, u.channel, u.data_raw, (struct str){ NULL, 0 });
		m.app = a->app.num;
		m.channel = u.channel;
		m.frame = buf_str(*b);
		if (u.socket_id.p != NULL)
			m.except = socket_id_parse(u.socket_id);
		if (channel_flags(u.channel) & CHANNEL_CACHE)
			m.flags = EVENT_CACHE;
		if (a->app.resume)
			m.flags |= EVENT_LOG;
		n = pass_on(cc->br, &m);
		a->stats.events_ctl++;
		cc->br->totals->others.events_ctl++;
		if (u.wait_ms > 0) {
			confirm_begin(cc, &m, u.wait_ms);
		} else {
			verb_row_begin(&w, NULL);
			json_member_u64(&w, "subscriptions", n);
			verb_row_end(cc, &w);
			control_end_published(cc);
		}
	}
	for (size_t i = 0; i < nitems(u.tmp); i++)
		free(u.tmp[i]);
}

static void
config_row(void *arg, const char *name, const char *value, const char *origin)
{
	struct json_writer w;

	verb_row_begin(&w, NULL);
	json_member_str(&w, "option", str_of(name));
	json_member_str(&w, "value", str_of(value));
	json_member_str(&w, "origin", str_of(origin));
	verb_row_end(arg, &w);
}

static void
config(struct control_client *cc, struct json args)
{
	conf_each(cc->br->conf, config_row, cc);
	control_end(cc);
}

static void
tail(struct control_client *cc, struct json args)
{
	bool own = json_get(args, S("own")).kind == JSON_TRUE;
	struct tailing what = { .own = own };
	struct broker_app *a;
	struct str pattern;
	char *tmp = NULL;

	if (verb_app_or_all(cc, args, &a) == -1)
		return;
	what.app = a == NULL ? 0 : a->app.num;
	if (json_u64(json_get(args, S("since_ms")), UINT64_MAX,
		&what.since_ms) == 0 &&
	    (a == NULL || verb_log(cc, a) == NULL)) {
		if (a == NULL)
			control_fail(cc, "since: an app is missing");
		return;
	}
	if (verb_text(args, S("channel"), &pattern, &tmp) == -1)
		control_fail(cc, "channel: not a text");
	else
		tail_begin(cc, &what, pattern);
	free(tmp);
}

/* The log has the sentence; it concerns the whole server, not one app. */
enum verb_flags { CHANGES = 1, WHOLE = 2 };

static const struct {
	const char *name;
	void (*run)(struct control_client *, struct json args);
	unsigned flags;
} verbs[] = {
	{ "status", status, WHOLE },
	{ "cluster-status", verb_cluster, WHOLE },
	{ "cluster-leave", verb_cluster_leave, CHANGES | WHOLE },
	{ "cluster-app", verb_cluster_app, CHANGES },
	{ "cluster-apps", verb_cluster_apps, WHOLE },
	{ "cluster-apps-done", verb_cluster_apps_done, WHOLE },
	{ "channels", verb_channels, 0 },
	{ "channel", verb_channel, 0 },
	{ "connections", verb_connections, 0 },
	{ "connection", verb_connection, 0 },
	{ "kill", verb_kill, CHANGES },
	{ "users", verb_users, 0 },
	{ "sessions", verb_sessions, 0 },
	{ "session", verb_session, 0 },
	{ "events", verb_events, 0 },
	{ "user", verb_user, 0 },
	{ "apps-changed", apps_changed, CHANGES },
	{ "publish", publish, CHANGES },
	{ "tail", tail, 0 },
	{ "config", config, WHOLE },
	{ "doctor", verb_doctor, 0 },
	{ "purge-cache", verb_purge_cache, CHANGES },
	{ "stats", verb_stats, 0 },
	{ "history", verb_history, 0 },
	{ "closes", verb_closes, 0 },
	{ "console-token", verb_console_token, CHANGES | WHOLE },
	{ "console-job", verb_console_job, WHOLE },
	{ "webhook-test", verb_webhook_test, CHANGES },
	{ "reload", verb_reload, CHANGES | WHOLE },
	{ "config-set", verb_config_set, CHANGES | WHOLE },
	{ "upgrade", verb_upgrade, CHANGES | WHOLE },
	{ "upgrade-end", verb_upgrade_end, CHANGES | WHOLE },
	{ "drain", verb_drain, CHANGES | WHOLE },
	{ "worker-replace", verb_worker_replace, CHANGES | WHOLE },
	{ "log-level", verb_log_level, CHANGES | WHOLE },
};

void
verb_run(struct control_client *cc, struct str verb, struct str args)
{
	struct json object;
	const char *err;

	for (size_t i = 0; i < nitems(verbs); i++) {
		if (!str_eq(verb, str_of(verbs[i].name)))
			continue;
		if (json_parse(args, &object, &err) == -1 ||
		    object.kind != JSON_OBJECT) {
			control_fail(cc, "the arguments are not a JSON object");
			return;
		}
		if ((verbs[i].flags & WHOLE) && cc->scope != NULL) {
			control_fail(cc, "%s: not for one app", verbs[i].name);
			return;
		}
		if (verbs[i].flags & CHANGES)
			log_info("control: %s uid=%u pid=%d", verbs[i].name,
			    (unsigned)cc->uid, (int)cc->pid);
		verbs[i].run(cc, object);
		return;
	}
	control_fail(cc, "unknown verb \"%.*s\"", (int)MIN(verb.n, 64), verb.p);
}
