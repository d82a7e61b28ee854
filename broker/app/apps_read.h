/* SPDX-License-Identifier: MIT */
#ifndef BROKER_APP_APPS_READ_H
#define BROKER_APP_APPS_READ_H

/* Reads the apps from the database. */

struct broker;

/*
 * Reads the database and tells every worker the changes. 0, or -1 and *why
 * (free(3) it): nothing has changed.
 */
int apps_read(struct broker *, char **why);
/*
 * Reads the apps at the start.  If the database cannot be read, the apps that
 * the previous broker read are used until it can. -1 and *why: there are none.
 */
int apps_start(struct broker *, char **why);
/*
 * Once a second, without waiting: reads them again if the last reading, or its
 * copy for the next broker, has failed.
 */
void apps_try(struct broker *);

#endif
