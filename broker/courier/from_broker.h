/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_FROM_BROKER_H
#define BROKER_COURIER_FROM_BROKER_H

#include "shared/ipc/ipc.h"

/* The handlers of messages from the broker. */
extern const ipc_handler from_broker_handlers[IPC_NTYPES];

#endif
