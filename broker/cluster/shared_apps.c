/* SPDX-License-Identifier: MIT */
/*
 * shared_apps.c: the apps of a cluster.  pusherctl has written a change into
 * the database of its host; the record of the app goes to Redis, and an entry
 * of the stream tells all hosts.  Each reads the record, lets a process write
 * it, and says when it is in force.  The entry that is the last one counts, for
 * the whole app.  Must never log a record: it has secrets.
 */

#include "broker/cluster/shared_apps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cluster/inside.h"
#include "broker/cluster/outgoing.h"
#include "broker/cluster/scripts.h"
#include "broker/cluster/workers.h"
#include "broker/core/core.h"
#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/ipc/master_link.h"

#define PROCESS_SECONDS 5. /* then another one is asked for */
#define KNOWN_SECONDS 5.   /* a database may take no changes at all */

const struct app_records *
shared_apps_records(const struct cluster *cl)
{
	return cl == NULL ? NULL : &cl->apps;
}

/* ---- from Redis into the database ---- */

static void
ask_records(struct cluster *cl, uint64_t n, struct str id)
{
	char number[24];
	const char *argv[] = { number, id.p };
	size_t lens[] = { 0, id.n };

	lens[0] = (size_t)snprintf(number, sizeof(number), "%" PRIu64, n);
	outgoing_script(cl, ENGINE_APPS, script_apps, argv, lens, 2);
}

/*
 * A client of an app that is not known here is refused for good: until then no
 * load balancer may send one.
 */
static void
note_known(struct cluster *cl)
{
	struct app_records *s = &cl->apps;

	if (s->known ||
	    (s->done < cl->joined.n && broker_now() - s->since < KNOWN_SECONDS))
		return;
	s->known = true;
	workers_tell(cl);
}

void
shared_apps_join(struct cluster *cl)
{
	cl->apps.known = false;
	cl->apps.since = broker_now();
	ask_records(cl, cl->joined.n, S(""));
}

bool
shared_apps_take(struct cluster *cl, struct buf *b)
{
	struct msg_host_app_set m;
	uint32_t at = 0;
	struct ipc_in in;

	if (entry_next(b, &at, &in) != 1 || in.type != IPC_HOST_APP_SET)
		return false;
	if (msg_host_app_set_get(&m, in.body) == 0 && m.id.n > 0)
		ask_records(cl, cl->at.n, m.id);
	return true;
}

/* A process for what is pending, unless one is at work. */
static void
ask_process(struct cluster *cl)
{
	struct app_records *s = &cl->apps;
	struct msg_master_request ask = { .verb = S("cluster-apps") };

	if (s->done >= s->version ||
	    (s->asked != 0 && broker_now() - s->asked < PROCESS_SECONDS) ||
	    cl->br->inherit == NULL)
		return;
	if (master_link_ask(cl->br->master_link, &ask) == -1)
		log_warn("cluster: cannot reach the master for the apps");
	else
		s->asked = broker_now();
}

void
shared_apps_beat(struct cluster *cl)
{
	ask_process(cl);
	if (cl->state == CLUSTER_LIVE)
		note_known(cl);
}

static void
put(struct app_records *s, const redisReply *id, const redisReply *text)
{
	if (id->type == REDIS_REPLY_STRING && id->len > 0 &&
	    text->type == REDIS_REPLY_STRING)
		app_records_put(s, str_make(id->str, id->len),
		    str_make(text->str, text->len));
}

void
shared_apps_on_records(struct cluster *cl, const redisReply *r)
{
	struct app_records *s = &cl->apps;
	uint64_t version = strtoull(reply_text(r, 0), NULL, 10);

	if (cl->state != CLUSTER_LIVE || version == 0)
		return;
	if (*reply_text(r, 1) == '\0') {
		app_records_forget(s);
		s->whole = true;
	}
	for (size_t i = 1; i + 1 < r->elements; i += 2)
		put(s, r->element[i], r->element[i + 1]);
	s->version = MAX(s->version, version);
	ask_process(cl);
}

void
shared_apps_written(struct cluster *cl, uint64_t version)
{
	struct msg_host_apps_done m = { .version = version };
	struct app_records *s = &cl->apps;
	size_t before = outgoing_entry_size(cl);

	s->asked = 0; /* that process has done its work */
	if (cl->state != CLUSTER_LIVE || version <= s->done)
		return;
	s->done = version;
	note_known(cl);
	if (version >= s->version) { /* else all once more, with the newer */
		app_records_forget(s);
		s->whole = false;
	}
	entry_put_host_apps_done(&cl->entry, &m);
	cl->queued += outgoing_entry_size(cl) - before;
	ask_process(cl);
}

void
shared_apps_on_done(struct host *host, const struct msg_host_apps_done *m)
{
	if (host != NULL)
		host->apps = m->version;
}

/* ---- from pusherctl to Redis ---- */

uint64_t
shared_apps_set(
    struct cluster *cl, struct str id, struct str record, bool absent)
{
	struct msg_host_app_set m = { .id = id };
	struct entry e = { 0 };
	const char *most = stream_length_text(&cl->length);
	const char *argv[] = { id.p, record.p, absent ? "1" : "0", most, NULL };
	size_t lens[] = { id.n, record.n, 1, strlen(most), 0 };

	if (cl->state != CLUSTER_LIVE || !cl->engine.up)
		return 0;
	entry_put_host_app_set(&e, &m);
	argv[4] = e.b->data;
	lens[4] = e.b->len;
	outgoing_script(cl, ENGINE_APP_SET, script_app_set, argv, lens, 5);
	buf_unref(e.b);
	return ++cl->apps.nset;
}

void
shared_apps_on_answer(struct cluster *cl, const redisReply *r)
{
	struct app_records *s = &cl->apps;

	s->nanswered++;
	if (r->type == REDIS_REPLY_STRING)
		s->set_version =
		    MAX(s->set_version, strtoull(r->str, NULL, 10));
}

enum shared_apps_state
shared_apps_ask(const struct cluster *cl, uint64_t ticket, const char **missing)
{
	const struct app_records *s = &cl->apps;
	const struct list *e;

	*missing = NULL;
	if (!cl->engine.up)
		return SHARED_APPS_LOST;
	if (s->nanswered < ticket)
		return SHARED_APPS_WAIT;
	LIST_FOREACH(e, &cl->hosts.all) {
		const struct host *host = LIST_ITEM(e, struct host, link);

		if (host->apps < s->set_version)
			*missing = host->name;
	}
	return *missing == NULL && s->done >= s->set_version ? SHARED_APPS_DONE
							     : SHARED_APPS_WAIT;
}
