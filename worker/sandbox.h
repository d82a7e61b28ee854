/* SPDX-License-Identifier: MIT */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

/*
 * The option sandbox: from here on this process may only make the system
 * calls that a serving worker needs (seccomp(2)).  What it may not open, start
 * or trace is refused with EPERM and logged; starting a program or tracing one
 * ends it.  Dies when the kernel does not do it: who asks for a sandbox shall
 * not run without one.
 */
void sandbox_enter(void);

#endif
