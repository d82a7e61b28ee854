/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_FIRST_APP_H
#define CLI_MASTER_FIRST_APP_H

struct conf;

/*
 * Makes the app in the environment (env_names.def), unless there is one with
 * its id: then nothing changes.  Wipes its secret from the environment.  0, or
 * -1 and *why (free(3) it).
 */
int first_app_make(const struct conf *, char **why);
/* Only whether it could be made: 0, or -1 and *why (free(3) it). */
int first_app_check(char **why);

#endif
