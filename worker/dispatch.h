/* SPDX-License-Identifier: MIT */
#ifndef WORKER_DISPATCH_H
#define WORKER_DISPATCH_H

#include "shared/ipc/ipc.h"

/* The handler of each message from the broker. */
extern const ipc_handler worker_handlers[IPC_NTYPES];

#endif
