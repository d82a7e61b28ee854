/* SPDX-License-Identifier: MIT */
#ifndef WORKER_APP_APPS_H
#define WORKER_APP_APPS_H

/*
 * The apps that the broker has sent, by row number, id and key.  A struct
 * client_app is counted by its connections, so that it outlives APP_DEL until
 * the last one is gone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shared/app/app.h"
#include "shared/base/base.h"
#include "shared/base/hash.h"
#include "shared/base/list.h"
#include "shared/base/str.h"
#include "shared/crypto/sign.h"
#include "shared/ipc/ipc_msg.h"
#include "shared/proc/stats.h"
#include "shared/pusher/channel_auth.h"

struct worker;

struct client_app;

struct apps_ops {
	/*
	 * The app is deleted or disabled: its clients are closed with this
	 * code, not all in this turn; on_closed follows.
	 */
	void (*on_gone)(struct worker *, struct client_app *, unsigned code,
	    struct str text);
	void (*on_closed)(struct worker *, struct client_app *);
	/* No client of an earlier app with this number may be left. */
	void (*on_new)(struct worker *, uint32_t num);
	/* The app is gone, and this broker has never known it. */
	void (*on_unknown)(struct worker *, uint32_t num);
	/* A new log of its events begins, at this position. */
	void (*on_log_restart)(
	    struct worker *, const struct app *, uint64_t pos);
};

/* Reports of the present second, by enum failure_kind. */
struct failure_budget {
	uint32_t second;
	uint8_t used[FAILURE_KINDS];
};

struct apps {
	const struct apps_ops *ops;
	struct hash by_num, by_id, by_key, by_old_key;
	struct list gone; /* deleted ones that have clients */
};

/* conn->app points at its first member, the app itself. */
struct client_app {
	struct app app;
	struct sign_key *sign;     /* keyed with the secret */
	struct sign_key *old_sign; /* … of the old key, or NULL */
	uint32_t refs;
	bool deleted;
	bool stale;       /* a new broker has not named it yet */
	struct list gone; /* in apps.gone */
	/* The newest number of its log that was seen here; 0: no log. */
	uint64_t log_pos, log_epoch;
	struct hash_node num_node, id_node, key_node;
	struct hash_node old_key_node; /* while old_sign != NULL */
	struct failure_budget failures;
	struct stats_app
	    stats; /* since the last report; see worker/app/stats.h */
};

struct client_app *apps_by_num(struct worker *, uint32_t num);
struct client_app *apps_by_id(struct worker *, struct str id);
/* Finds an app by its key, or by its old key while that is valid. */
struct client_app *apps_by_key(struct worker *, struct str key);
/* Adds a reference; conn->app is &a->app. */
struct app *client_app_ref(struct client_app *);
/* NULL is allowed. */
void client_app_unref(struct app *);
/*
 * The secret for this key: the old one if the key is the old one and still
 * valid, else the current one.
 */
struct auth_app client_app_auth(struct app *, struct str key);
void apps_free(struct worker *);

/*
 * A new broker is about to send every app: an app that is not sent before
 * apps_sweep() is gone.
 */
void apps_mark(struct worker *);
void apps_sweep(struct worker *);

/* Handlers of APP_SET and APP_DEL; also close clients that may not stay. */
int apps_on_set(struct worker *, const struct msg_app_set *);
int apps_on_del(struct worker *, const struct msg_app_del *);
/* Handler of APP_LOG. */
int apps_on_log(struct worker *, const struct msg_app_log *);
/* The client_app of a connection's app. */
static inline struct client_app *
client_app_of(struct app *app)
{
	return container_of(app, struct client_app, app);
}

#endif
