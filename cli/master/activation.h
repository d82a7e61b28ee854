/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_ACTIVATION_H
#define CLI_MASTER_ACTIVATION_H

/* Sockets from a service manager (sd_listen_fds(3)). */

#include <stddef.h>

#define ACTIVATION_FIRST 3 /* descriptors from this one on */
#define ACTIVATION_MAX 64

/*
 * How many there are; they are at ACTIVATION_FIRST, and are now non-blocking
 * and close-on-exec.  Takes the variables out of the environment.
 */
size_t activation_take(void);

#endif
