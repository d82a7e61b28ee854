/* SPDX-License-Identifier: MIT */
/*
 * proc_usage.c: processor time and memory of this process, and the memory into
 * which the master writes its own.  Owns nothing: the mapping lives as long as
 * the processes.  Each number is written in one piece; two numbers of different
 * moments do no harm.  Must never wait.
 */

#include "shared/proc/proc_usage.h"

#include <sys/resource.h>

#include "shared/base/shm.h"
#include "shared/proc/memory.h"

#define US_PER_S 1000000

uint64_t
proc_usage_cpu_us(void)
{
	struct rusage r;

	if (getrusage(RUSAGE_SELF, &r) == -1)
		return 0;
	return ((uint64_t)r.ru_utime.tv_sec + (uint64_t)r.ru_stime.tv_sec) *
	    US_PER_S +
	    (uint64_t)r.ru_utime.tv_usec + (uint64_t)r.ru_stime.tv_usec;
}

struct proc_usage *
proc_usage_map(void)
{
	return shm_map("usage", sizeof(struct proc_usage));
}

void
proc_usage_put(struct proc_usage *u, const struct memory *m)
{
	__atomic_store_n(&u->cpu_us, proc_usage_cpu_us(), __ATOMIC_RELAXED);
	__atomic_store_n(&u->memory, memory_used(m), __ATOMIC_RELAXED);
}

void
proc_usage_get(const struct proc_usage *u, struct proc_usage *out)
{
	*out = (struct proc_usage){ 0 };
	if (u == NULL)
		return;
	out->cpu_us = __atomic_load_n(&u->cpu_us, __ATOMIC_RELAXED);
	out->memory = __atomic_load_n(&u->memory, __ATOMIC_RELAXED);
}
