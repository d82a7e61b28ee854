/* SPDX-License-Identifier: MIT */
#ifndef WORKER_CLIENT_SOCKET_H
#define WORKER_CLIENT_SOCKET_H

/* A client of an app on its WebSocket. */

#include "worker/conn/ws.h"

extern const struct ws_handler client_socket;

#endif
