/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_NOTIFY_H
#define CLI_MASTER_NOTIFY_H

#include <stdint.h>

/*
 * Tells a service manager how we are, as sd_notify(3) does: one datagram to
 * the socket that NOTIFY_SOCKET names.  Without that variable: nothing.
 */
void notify(const char *state);

/*
 * How often, in milliseconds, the service manager wants to hear WATCHDOG=1:
 * three times in the time after which it ends us (WATCHDOG_USEC).  0: never.
 */
uint64_t notify_period(void);

#endif
