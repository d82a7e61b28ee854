/* SPDX-License-Identifier: MIT */
#ifndef BROKER_CONTROL_DOCTOR_H
#define BROKER_CONTROL_DOCTOR_H

/*
 * pusherctl doctor: sentences about failures, each with its evidence and a
 * remedy.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/buf.h"
#include "shared/base/str.h"
#include "shared/json/json_slice.h"

struct app;
struct broker;
struct broker_app;
struct control_client;
struct doctor_search;
struct failure_sample;
struct failures;

#define DOCTOR_FINDINGS 256 /* of one answer */

struct doctor_finding {
	unsigned score;   /* the most probable is the highest */
	const char *kind; /* a word, for programs */
	char *app;        /* its id; NULL: none */
	struct buf *text, *seen, *mend;
};

/* One app, or all that belongs to no app. */
struct doctor {
	struct broker *br;
	const struct broker_app *a; /* NULL: none */
	const struct failures *f;   /* NULL: nothing has failed */
	struct str channel;         /* n == 0: any */
	bool scoped; /* for one tenant: other apps are not mentioned */
	uint64_t now_ms;
	struct doctor_finding *v; /* of all apps so far */
	unsigned n;
};

/* The verb. */
void verb_doctor(struct control_client *, struct json args);

/*
 * Adds a finding; the caller appends its texts.  The last one is lost when
 * there are too many.
 */
struct doctor_finding *doctor_add(
    struct doctor *, const char *kind, unsigned score);
/* "12 s ago", "5 min ago" */
void doctor_put_age(const struct doctor *, struct buf **, uint64_t time_ms);
/* "3 times, the last 12 s ago" */
void doctor_put_often(
    const struct doctor *, struct buf **, uint64_t count, uint64_t time_ms);
/* The names that failed for this reason, at most three. */
void doctor_put_names(
    const struct doctor *, struct buf **, unsigned kind, unsigned reason);

/*
 * Events that are published to an empty channel, and the occupied channel with
 * the nearest name, of the app d->a: begins, compares a portion (true: work is
 * left), adds the findings, frees.
 */
struct doctor_search *doctor_names_begin(const struct doctor *);
bool doctor_names_go_on(struct doctor_search *);
void doctor_names_end(struct doctor *, const struct doctor_search *);
void doctor_names_free(struct doctor_search *); /* or NULL */

/* Each function examines one part and adds findings. */
void doctor_late(struct doctor *);     /* before there was a subscriber */
void doctor_requests(struct doctor *); /* requests to the HTTP API */
void doctor_channels(struct doctor *); /* refused subscriptions */
void doctor_keys(struct doctor *);     /* keys that no app has */
void doctor_clients(struct doctor *);  /* origins, limits and the like */
void doctor_tls(struct doctor *);      /* TLS or no TLS, against the address */
void doctor_links(struct doctor *);    /* links without shared memory */
void doctor_arrived(struct doctor *);  /* the channel has subscribers */

/*
 * The distance of two names: 0 when they differ only in prefix, case or
 * separators, else the number of changed characters; above 2: far.  Names that
 * differ only in digits are far.
 */
unsigned doctor_distance(struct str a, struct str b);
/* Characters that differ: at most `most`, else most + 1. */
unsigned doctor_edit(struct str a, struct str b, unsigned most);
/* The remedy for the sentence: most name a setting or an option. */
void doctor_put_limit(const struct doctor *, struct buf **, struct str why);
/* How clients on pages of this origin may connect. */
void doctor_put_origin(const struct doctor *, struct buf **, struct str origin);

/*
 * Finds how the wrong signature of a subscription was made: a sentence in *text
 * and the remedy in *mend, or false.
 */
bool doctor_explain_channel(const struct doctor *,
    const struct failure_sample *, struct buf **text, struct buf **mend);
/*
 * The same for a request to the API; a sentence or NULL, free(3) it.  *ended:
 * its key is the app's old one, which has ended.
 */
char *doctor_explain_request(
    const struct doctor *, const struct failure_sample *, bool *ended);
/* "the old key K, which ended 3 h ago" */
void doctor_put_old_key(
    const struct doctor *, struct buf **, const struct app *);
/* How `target`, such as "the application", gets the new key and secret. */
void doctor_put_new_key(
    const struct doctor *, struct buf **, const char *target);

#endif
