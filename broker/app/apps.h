/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_APPS_H
#define BROKER_APP_APPS_H

/*
 * The apps in memory, from the database, and what is counted for each of
 * them: connections by worker, and token buckets.
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
	double at;     /* broker_now() when tokens was right */
	bool used;     /* false: it is full */
};

struct broker_app {
	struct hash_node node;
	struct app app;
	bool deleted;                /* lives until its connections are gone */
	bool seen;                   /* while the database is read */
	struct bucket buckets[2];    /* enum take_kind */
	struct stats_app stats;      /* what workers have counted */
	struct history_app *history; /* see broker/stats/history.h */
	struct budget_refusals refusals;
	uint32_t nconns;
	uint32_t conns[]; /* by slot */
};

/* What the rest of the broker does about apps; set by broker.c. */
struct broker_apps_ops {
	/*
	 * Reads what else the database says; -1 with appdb_error(): then
	 * everything is as it was.
	 */
	int (*read)(struct broker *, struct appdb *);
	void (*deleted)(struct broker *, const struct broker_app *);
	/* Its history is no longer needed. */
	void (*forget)(struct broker_app *);
	/* Old keys ended. */
	void (*expired)(struct broker *);
};

struct broker_apps {
	const struct broker_apps_ops *ops;
	struct hash by_num;
	size_t n;         /* not deleted */
	uint64_t expires; /* Unix second: the next old key ends; 0: none */
	bool late;        /* the database cannot be read: tried again */
};

/*
 * Reads the database and tells every worker what has changed.  0, or -1 and
 * *why (free(3) it): then everything is as it was.
 */
int apps_read(struct broker *, char **why);
/*
 * At the start: when the database cannot be read the apps are those that the
 * broker before has read, until it can.  -1 and *why: there are none.
 */
int apps_start(struct broker *, char **why);
/* Once a second: tries again what apps_read() could not read. */
void apps_try(struct broker *);
void apps_clear(struct broker *);
/* All of them, then APPS_DONE: the beginning of a link. */
void apps_send_all(struct broker *, struct peer *);

/* Once a second: forgets old keys whose time is over. */
void apps_expire(struct broker *);
/* Once a second: forgets sessions that have been away for too long. */
void apps_expire_sessions(struct broker *);

/* NULL when there is none; apps_find() also when it was deleted. */
struct broker_app *apps_find(const struct broker *, uint32_t num);
struct broker_app *apps_find_id(const struct broker *, struct str id);
/* Also those that are deleted and not quite gone. */
struct broker_app *apps_lookup(const struct broker *, uint32_t num);
/* Frees it when it is deleted and without connections. */
void apps_release(struct broker *, struct broker_app *);
/* Adds or changes one, as if the database had said so; tells the workers. */
void apps_put(struct broker *, const struct app *);

#endif
