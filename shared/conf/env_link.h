/* SPDX-License-Identifier: MIT */
#ifndef SHARED_CONF_ENV_LINK_H
#define SHARED_CONF_ENV_LINK_H

/*
 * Variables that Kubernetes (enableServiceLinks) and Docker (--link) write into
 * every container for each service beside it.  A service named "pusherd" or
 * "soketi-metrics-server" gives names that look like options.
 */

#include <stdbool.h>

#include "shared/base/str.h"

/*
 * Is this a variable of a service?  Name and value must both have the form:
 * X_SERVICE_HOST=10.0.0.1, X_PORT=tcp://10.0.0.1:6001 and so on.
 */
bool env_link_is(struct str name, struct str value);
/* The same for a name alone, with the value of this process's environment. */
bool env_link_has(const char *name);
/*
 * The sentence about variables of this kind with one of these prefixes: free(3)
 * it; NULL: there are none.
 */
char *env_link_note(const char *const *prefixes, size_t n);

#endif
