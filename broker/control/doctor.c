/* SPDX-License-Identifier: MIT */
/*
 * doctor.c: the verb `doctor`: lets each part look, sorts the findings, and
 * writes the rows.  If there are no findings, a row says what was examined.
 * Of all apps one is examined in a turn, since each takes milliseconds, and
 * their channels over as many turns as are needed.
 * Must never write a secret or a signature.
 */

#include "broker/control/doctor.h"

#include <stdlib.h>
#include <time.h>

#include "broker/app/apps.h"
#include "broker/channel/registry.h"
#include "broker/control/control_job.h"
#include "broker/control/verb_args.h"
#include "broker/core/core.h"
#include "broker/link/peer.h"
#include "broker/stats/failures.h"
#include "broker/stats/history.h"
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"

#define APPS_MAX 1000 /* in one answer */
#define NAMES_SHOWN 3

static void
finding_clear(struct doctor_finding *f)
{
	buf_unref(f->text);
	buf_unref(f->seen);
	buf_unref(f->mend);
	free(f->app);
}

struct doctor_finding *
doctor_add(struct doctor *d, const char *kind, unsigned score)
{
	struct doctor_finding *f = &d->v[MIN(d->n, DOCTOR_FINDINGS - 1)];

	if (d->n == DOCTOR_FINDINGS)
		finding_clear(f);
	else
		d->n++;
	*f = (struct doctor_finding){ .kind = kind,
		.score = score,
		.app = d->a == NULL ? NULL : xstrdup(d->a->app.id) };
	return f;
}

void
doctor_put_age(const struct doctor *d, struct buf **b, uint64_t time_ms)
{
	uint64_t s = d->now_ms > time_ms ? (d->now_ms - time_ms) / 1000 : 0;

	if (s < 120)
		buf_printf(b, "%llu s ago", (unsigned long long)s);
	else if (s < 7200)
		buf_printf(b, "%llu min ago", (unsigned long long)s / 60);
	else
		buf_printf(b, "%llu h ago", (unsigned long long)s / 3600);
}

void
doctor_put_often(
    const struct doctor *d, struct buf **b, uint64_t count, uint64_t time_ms)
{
	if (count == 1)
		buf_append(b, S("once, "));
	else
		buf_printf(
		    b, "%llu times, the last ", (unsigned long long)count);
	doctor_put_age(d, b, time_ms);
}

void
doctor_put_names(
    const struct doctor *d, struct buf **b, unsigned kind, unsigned reason)
{
	unsigned n = 0;

	for (uint32_t i = d->f->n; i-- > 0;) {
		const struct failure *e = &d->f->v[i];

		if (e->kind != kind || e->reason != reason || e->len == 0)
			continue;
		if (n++ < NAMES_SHOWN)
			buf_printf(b, "%s%.*s", n == 1 ? "" : ", ",
			    STR_ARG(failure_name(e)));
	}
	if (n > NAMES_SHOWN)
		buf_printf(b, " and %u more", n - NAMES_SHOWN);
}

/* ---- the answer ---- */

static int
by_score(const void *x, const void *y)
{
	const struct doctor_finding *a = x, *b = y;

	return a->score > b->score ? -1 : a->score < b->score;
}

static void
put_findings(struct control_client *cc, struct doctor *d)
{
	struct json_writer w;

	if (d->n > 0)
		qsort(d->v, d->n, sizeof(*d->v), by_score);
	for (unsigned i = 0; i < d->n; i++) {
		struct doctor_finding *f = &d->v[i];

		verb_row_begin(&w, "finding");
		json_key(&w, "app");
		if (f->app == NULL)
			json_put_null(&w);
		else
			json_put_str(&w, str_of(f->app));
		json_member_str(&w, "kind", str_of(f->kind));
		json_member_str(&w, "finding", buf_str(f->text));
		json_member_str(&w, "seen", buf_str(f->seen));
		json_member_str(&w, "mend", buf_str(f->mend));
		verb_row_end(cc, &w);
	}
}

static void
set_app(struct doctor *d, const struct broker_app *a)
{
	d->a = a;
	d->f = a == NULL ? d->br->failures->none : a->failures;
}

/* All but the names of channels. */
static void
examine(struct doctor *d)
{
	if (d->f != NULL) {
		doctor_late(d);
		doctor_requests(d);
		doctor_channels(d);
		doctor_keys(d);
		doctor_clients(d);
	}
	if (d->channel.n > 0)
		doctor_arrived(d);
	if (d->a != NULL && !d->a->app.enabled) {
		struct doctor_finding *f = doctor_add(d, "disabled", 200);

		buf_printf(&f->text, "App %s is disabled.", d->a->app.id);
		buf_append(&f->seen,
		    S("Clients are refused with 4003, requests with 403."));
		buf_printf(&f->mend, "pusherctl app enable %s", d->a->app.id);
	}
}

/* The size of what was examined, for an answer without findings. */
static void
looked_row(struct control_client *cc, const struct doctor *d)
{
	struct broker *br = d->br;
	const struct registry_app *r;
	struct json_writer w;
	uint64_t conns = 0, channels = 0;

	if (d->a != NULL) {
		r = registry_app_find(br->registry, d->a->app.num);
		conns = d->a->nconns;
		channels = r == NULL ? 0 : r->noccupied;
	} else {
		conns = peers_connections(br);
		channels = br->registry->noccupied;
	}
	verb_row_begin(&w, "looked");
	json_member_u64(&w, "findings", d->n);
	json_member_u64(
	    &w, "seconds", (d->now_ms - br->failures->since_ms) / 1000);
	json_member_u64(&w, "connections", conns);
	json_member_u64(&w, "channels", channels);
	json_member_u64(&w, "events_5_minutes", history_published(br, d->a, 5));
	json_member_u64(&w, "events_hour", history_published(br, d->a, 60));
	verb_row_end(cc, &w);
}

/* Writes what was found. */
static void
answer(struct control_client *cc, struct doctor *d)
{
	const struct broker_app *asked = d->a;

	if (!d->scoped) { /* what belongs to no app */
		set_app(d, NULL);
		d->channel.n = 0;
		examine(d);
		doctor_tls(d);
		doctor_links(d);
		d->a = asked;
	}
	put_findings(cc, d);
	looked_row(cc, d);
}

/* ---- one app after the other ---- */

struct doctor_job {
	struct control_job job;
	struct doctor d;
	struct doctor_search *search; /* of the present app; NULL: none */
	char *channel;                /* of d; NULL: any */
	bool all;
	size_t n, at;
	uint32_t apps[]; /* the numbers of n apps; `at` is the present one */
};

static struct doctor_job *
job_of(struct control_job *job)
{
	return container_of(job, struct doctor_job, job);
}

static void
end(struct doctor_job *j)
{
	struct control_client *cc = j->job.cc;

	set_app(&j->d, j->all ? NULL : apps_find(cc->br, j->apps[0]));
	if (!j->all && j->d.a == NULL) {
		control_fail(cc, "the app has been deleted");
		return;
	}
	answer(cc, &j->d);
	control_end(cc);
}

/* The app may have been deleted since the last turn. */
static void
step(struct control_job *job)
{
	struct doctor_job *j = job_of(job);

	if (j->at == j->n) {
		end(j);
		return;
	}
	set_app(&j->d, apps_find(job->cc->br, j->apps[j->at]));
	if (j->d.a != NULL && j->search == NULL)
		j->search = doctor_names_begin(&j->d);
	if (j->d.a != NULL && doctor_names_go_on(j->search))
		return;
	if (j->d.a != NULL) {
		doctor_names_end(&j->d, j->search);
		examine(&j->d);
	}
	doctor_names_free(j->search);
	j->search = NULL;
	j->at++;
}

static void
job_free(struct control_job *job)
{
	struct doctor_job *j = job_of(job);

	for (unsigned i = 0; i < j->d.n; i++)
		finding_clear(&j->d.v[i]);
	free(j->d.v);
	doctor_names_free(j->search);
	free(j->channel);
	free(j);
}

/* For at most n apps, which the caller adds. */
static struct doctor_job *
begin(struct control_client *cc, size_t n)
{
	static const struct control_job_ops ops = { .step = step,
		.free = job_free };
	struct doctor_job *j = xcalloc(1, sizeof(*j) + n * sizeof(j->apps[0]));

	j->d = (struct doctor){ .br = cc->br,
		.scoped = cc->scope != NULL,
		.now_ms = clock_ms(CLOCK_REALTIME),
		.v = xcalloc(DOCTOR_FINDINGS, sizeof(*j->d.v)) };
	control_job_start(cc, &j->job, &ops);
	return j;
}

static void
begin_all(struct control_client *cc)
{
	struct doctor_job *j = begin(cc, APPS_MAX);
	const struct hash_node *e = hash_first(&cc->br->apps->by_num);

	j->all = true;
	for (; e != NULL && j->n < APPS_MAX;
	     e = hash_next(&cc->br->apps->by_num, e))
		j->apps[j->n++] =
		    container_of(e, const struct broker_app, node)->app.num;
}

static void
begin_app(
    struct control_client *cc, const struct broker_app *a, struct str channel)
{
	struct doctor_job *j = begin(cc, 1);

	j->apps[j->n++] = a->app.num;
	if (channel.n == 0)
		return;
	j->channel = str_dup(channel);
	j->d.channel = str_make(j->channel, channel.n);
}

void
verb_doctor(struct control_client *cc, struct json args)
{
	struct json named = json_get(args, S("channel"));
	struct str channel = { NULL, 0 };
	struct broker_app *a;
	char *tmp = NULL;

	if (verb_app_or_all(cc, args, &a) == -1)
		return;
	if (a == NULL && named.kind != JSON_NONE)
		control_fail(cc, "channel: an app is missing");
	else if (a == NULL)
		begin_all(cc);
	else if (named.kind == JSON_NONE ||
	    verb_channel_arg(cc, &a->app, args, &channel, &tmp))
		begin_app(cc, a, channel);
	free(tmp);
}
