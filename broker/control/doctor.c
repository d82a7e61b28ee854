/* SPDX-License-Identifier: MIT */
/*
 * doctor.c: the verb `doctor`: lets each part look, sorts the findings, and
 * writes the rows.  If there are no findings, a row says what was examined.
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
#include "shared/base/base.h"
#include "shared/base/clock.h"
#include "shared/base/xmalloc.h"

#define APPS_MAX 1000 /* in one answer */
#define NAMES_SHOWN 3

struct doctor_finding *
doctor_add(struct doctor *d, const char *kind, unsigned score)
{
	struct doctor_finding *f = &d->v[MIN(d->n, DOCTOR_FINDINGS - 1)];

	if (d->n == DOCTOR_FINDINGS) {
		buf_unref(f->text);
		buf_unref(f->seen);
		buf_unref(f->mend);
	} else {
		d->n++;
	}
	*f = (struct doctor_finding){ .kind = kind,
		.score = score,
		.app = d->a == NULL ? NULL : d->a->app.id };
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
		verb_put_text(&w, "kind", str_of(f->kind));
		verb_put_text(&w, "finding", buf_str(f->text));
		verb_put_text(&w, "seen", buf_str(f->seen));
		verb_put_text(&w, "mend", buf_str(f->mend));
		verb_row_end(cc, &w);
		buf_unref(f->text);
		buf_unref(f->seen);
		buf_unref(f->mend);
	}
}

static void
examine(struct doctor *d)
{
	d->f = d->a == NULL ? d->br->failures->none : d->a->failures;
	if (d->f != NULL) {
		doctor_names(d);
		doctor_late(d);
		doctor_requests(d);
		doctor_channels(d);
		doctor_keys(d);
		doctor_clients(d);
	} else if (d->channel.n > 0) {
		doctor_names(d);
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
	const struct broker *br = d->br;
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
	verb_put_number(&w, "findings", d->n);
	verb_put_number(
	    &w, "seconds", (d->now_ms - br->failures->since_ms) / 1000);
	verb_put_number(&w, "connections", conns);
	verb_put_number(&w, "channels", channels);
	verb_row_end(cc, &w);
}

static void
examine_all(struct control_client *cc, struct doctor *d)
{
	const struct broker_app *asked = d->a;
	const struct hash_node *e;
	int n = 0;

	d->v = xcalloc(DOCTOR_FINDINGS, sizeof(*d->v));
	if (asked != NULL) {
		examine(d);
	} else {
		for (e = hash_first(&d->br->apps->by_num);
		     e != NULL && n < APPS_MAX;
		     e = hash_next(&d->br->apps->by_num, e), n++) {
			d->a = container_of(e, const struct broker_app, node);
			if (!d->a->deleted)
				examine(d);
		}
	}
	if (!d->scoped) {
		d->a = NULL;
		d->channel.n = 0;
		examine(d);
		d->a = asked;
	}
	put_findings(cc, d);
	looked_row(cc, d);
	free(d->v);
	control_end(cc);
}

void
verb_doctor(struct control_client *cc, struct json args)
{
	struct doctor d = { .br = cc->br,
		.scoped = cc->scope != NULL,
		.now_ms = clock_ms(CLOCK_REALTIME) };
	struct broker_app *a;
	char *tmp = NULL;

	if (verb_app_or_all(cc, args, &a) == -1)
		return;
	d.a = a;
	if (json_get(args, S("channel")).kind != JSON_NONE && a == NULL)
		control_fail(cc, "channel: an app is missing");
	else if (json_get(args, S("channel")).kind == JSON_NONE ||
	    verb_channel_arg(cc, &a->app, args, &d.channel, &tmp))
		examine_all(cc, &d);
	free(tmp);
}
