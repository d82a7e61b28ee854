/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_APPS_H
#define BROKER_APP_APPS_H

/*
 * The apps in memory, and the counts of each app: connections by worker, and
 * token buckets.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/core/budget.h"
#include "shared/app/app.h"
#include "shared/base/hash.h"
#include "shared/base/str.h"
#include "shared/proc/stats.h"

struct appdb;
struct broker;
struct history_app;
struct peer;

/* Filled at `rate` tokens a second, up to one second's worth. */
struct bucket {
	double tokens; /* below 0: taken in advance */
	double at;     /* see token_bucket_fill() */
};

#define APP_SIDS 64

struct broker_app {
	struct hash_node node;
	struct hash_node id_node; /* unless it is deleted */
	struct app app;
	bool deleted;                /* lives until nothing of it is left */
	double keep_until;           /* at least; it has no connections since */
	uint64_t ping;               /* see resync_all_passed() */
	bool seen;                   /* while the database is read */
	struct bucket buckets[3];    /* enum take_kind */
	struct stats_app stats;      /* sums of the workers */
	struct history_app *history; /* see broker/stats/history.h */
	struct failures *failures;   /* see broker/stats/failures.h */
	uint64_t *sids;              /* the newest connections, APP_SIDS */
	uint32_t nsids;              /* ever noted */
	struct budget_refusals refusals;
	uint32_t nconns;
	uint32_t conns[]; /* by slot */
};

/* Callbacks to the rest of the broker; set by broker.c. */
struct broker_apps_ops {
	/*
	 * Reads what else the database holds. -1 with appdb_error(): nothing
	 * has changed.
	 */
	int (*read)(struct broker *, struct appdb *);
	void (*deleted)(struct broker *, const struct broker_app *);
	/* Does a channel of the deleted app exist still? */
	bool (*is_used)(const struct broker *, const struct broker_app *);
	/* The app is deleted: other modules free what they keep for it. */
	void (*forget)(struct broker *, struct broker_app *);
	/*
	 * May this connection have one of the places that are left here? False:
	 * quota_answer() comes later.
	 */
	bool (*has_place)(struct peer *, struct broker_app *, uint64_t sid);
	/* Old keys ended. */
	void (*expired)(struct broker *);
};

struct broker_apps {
	const struct broker_apps_ops *ops;
	struct hash by_num, by_id;
	size_t n;         /* not deleted */
	uint64_t expires; /* Unix second: the next old key ends; 0: none */
	bool late;        /* it cannot be read, or copied: tried again */
	uint32_t waits;   /* an app for this number, which is not free yet */
	uint64_t reads;   /* of the whole database */
	uint64_t read_ms; /* how long the last one took */
};

void apps_clear(struct broker *);
/* Sends all apps, then APPS_DONE, at the beginning of a link. */
void apps_send_all(struct broker *, struct peer *);
/* The logs of the apps may have begun again: tells all workers. */
void apps_tell_logs(struct broker *);

/* Once a second: forgets old keys that have expired, and deleted apps. */
void apps_expire(struct broker *);
/* Once a second: forgets sessions that have been away for too long. */
void apps_expire_sessions(struct broker *);

/* The app, or NULL. apps_find() does not find a deleted one. */
struct broker_app *apps_find(const struct broker *, uint32_t num);
struct broker_app *apps_find_id(const struct broker *, struct str id);
/* The app whose old key this was until it ended. */
struct broker_app *apps_find_ended(const struct broker *, struct str key);
/* Finds deleted apps, too, until they are released. */
struct broker_app *apps_lookup(const struct broker *, uint32_t num);
bool apps_is_deleted(const struct broker *, uint32_t num);
/* Connections of the app have left. */
void apps_on_left(struct broker *, struct broker_app *);
/* Adds or changes an app as if the database had it, and tells the workers. */
void apps_put(struct broker *, const struct app *);
/*
 * These n apps are all there are: adds, changes and deletes, and tells the
 * workers.  One whose number was that of another app is left out as long as
 * anything of that app is to come (apps->waits).
 */
void apps_replace(struct broker *, const struct app *, size_t n);

#endif
