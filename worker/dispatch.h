/* SPDX-License-Identifier: MIT */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include "shared/ipc/ipc.h"

/* What a worker does with each message from the broker. */
extern const ipc_handler worker_handlers[IPC_NTYPES];

#endif
