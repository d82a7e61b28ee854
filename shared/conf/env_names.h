/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_ENV_NAMES_H
#define SHARED_CONF_ENV_NAMES_H

/*
 * Environment variables of other servers (env_names.def).  Those for apps come
 * in families, SOKETI_, PUSHER_ and REVERB_: the first one with an id, a key
 * and a secret counts.
 */

#include <stddef.h>

struct app;
struct conf;

enum env_kind { ENV_SETS, ENV_MAKES, ENV_ASKS, ENV_KEEPS, ENV_SKIPS, ENV_ENDS };

struct env_name {
	const char *name;
	const char *target;  /* an option, or a setting of an app */
	const char *choices; /* ENV_ASKS */
	const char *why;
	enum env_kind kind;
	int unit;
};

extern const struct env_name env_names[];
extern const size_t env_names_n;

/*
 * Sets options, and adds notes for the operator to conf->notes.  0, or -1 and
 * *why (free(3) it).
 */
int env_names_apply(struct conf *, char **why);
/*
 * The app in the environment: 1 and *app (app_clear() it), 0: none, -1 and *why
 * (free(3) it).
 */
int env_names_app(struct app *, char **why);
/* Overwrites secrets in the environment of this process. */
void env_names_wipe(void);

#endif
