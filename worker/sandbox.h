/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

/*
 * The option sandbox: from here on this process may only make the system
 * calls that a serving worker needs (seccomp(2)).  Opening a file is
 * refused with EPERM and logged; starting a program or tracing one ends the
 * process.  Dies when the kernel refuses the sandbox: the process must not run
 * without the one that was asked for.
 */
void sandbox_enter(void);

#endif
