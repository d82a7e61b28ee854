/* SPDX-License-Identifier: MIT */
#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/*
 * Tells a service manager how we are, as sd_notify(3) does: one datagram to
 * the socket that NOTIFY_SOCKET names.  Without that variable: nothing.
 */
void notify(const char *state);

#endif
