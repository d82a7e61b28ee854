/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CONF_ASK_H
#define CLI_CMD_CONF_ASK_H

#include <stddef.h>

#include "shared/conf/conf.h"
#include "shared/json/json_slice.h"

/*
 * The configuration that the running daemon has in force, for use when the file
 * cannot be read.  0 and *conf (conf_clear() it), or -1: no daemon of this
 * configuration answers.
 */
int conf_ask(
    struct conf *, const char *file, char *const *arguments, size_t narguments);
/*
 * The path of the database of the daemon at this control socket, or NULL when
 * none answers; free(3) it.
 */
char *conf_ask_database(const char *control_path);
/* Calls back with a row of the verb `config`, if it has all of these values. */
void conf_ask_read(struct json row, conf_each_fn, void *arg);

#endif
