/* SPDX-License-Identifier: MIT */
#ifndef BROKER_DISPATCH_H
#define BROKER_DISPATCH_H

#include "shared/ipc/ipc.h"

/* The handlers of messages from a worker (a struct peer). */
extern const ipc_handler broker_handlers[IPC_NTYPES];
/* Those of its messages that come from the stream of a cluster. */
extern const ipc_handler cluster_handlers[IPC_NTYPES];

#endif
