/* SPDX-License-Identifier: MIT */
#ifndef CLI_MASTER_NOTIFY_H
#define CLI_MASTER_NOTIFY_H

#include <stdint.h>

/*
 * Reports the state to a service manager, as sd_notify(3) does: one datagram to
 * the socket in NOTIFY_SOCKET.  Without that variable: nothing.
 */
void notify(const char *state);

/*
 * The interval in milliseconds in which the service manager expects WATCHDOG=1:
 * a third of the time after which it kills the service (WATCHDOG_USEC).  0:
 * never.
 */
uint64_t notify_period(void);

#endif
