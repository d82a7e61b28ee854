/* SPDX-License-Identifier: MIT */
#ifndef CLI_CMD_CONF_ASK_H
#define CLI_CMD_CONF_ASK_H

#include <stddef.h>

struct conf;

/*
 * For pusherctl when the configuration cannot be read: the one that the
 * running daemon has in force.  0 and *conf (conf_clear() it), or -1: no
 * daemon of this configuration answers.
 */
int conf_ask(
    struct conf *, const char *file, char *const *arguments, size_t narguments);
/*
 * The path of the database of the daemon behind this control socket, or NULL
 * when none answers; free(3) it.
 */
char *conf_ask_database(const char *control_path);

#endif
