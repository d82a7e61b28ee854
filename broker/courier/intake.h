/* SPDX-License-Identifier: MIT */
#ifndef BROKER_COURIER_INTAKE_H
#define BROKER_COURIER_INTAKE_H

#include "shared/ipc/ipc.h"

/* What the courier does with each message from the broker. */
extern const ipc_handler intake_handlers[IPC_NTYPES];

#endif
