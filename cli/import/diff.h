/* SPDX-License-Identifier: MIT */
#ifndef CLI_IMPORT_DIFF_H
#define CLI_IMPORT_DIFF_H

/* The changes that an import would make to an app.  Pure. */

struct app;

/*
 * A setting with another value; texts are valid during the call, "on" and
 * "off" for booleans.  Of a secret both are NULL: only that it changes is
 * said.
 */
typedef void (*import_diff_fn)(
    void *arg, const char *setting, const char *from, const char *to);

/*
 * Calls back for everything in `now` that differs from `old`, credentials
 * first, then the settings in the order of app_settings.def.  Returns how many.
 */
unsigned import_diff(
    const struct app *old, const struct app *now, import_diff_fn, void *arg);

#endif
