/* SPDX-License-Identifier: MIT */
/*
 * sandbox.c: the system calls that a worker may make.  A compromised worker can
 * use the sockets that it has and create no others except Unix datagram sockets
 * (to syslog).  It connects to no socket: the master gives it a link to a new
 * broker.  It opens no file.  A refused call gets EPERM and a line in the log
 * and does not end the process: a call that a library makes once a year must
 * not disconnect all clients.  Calls that only an attacker makes end the
 * process.  Must be entered when everything is open.
 */

#include "worker/sandbox.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "shared/base/base.h"
#include "shared/base/log.h"
#include "shared/proc/proc.h"

#define SOCK_TYPES 0xf /* socket(2): the rest are flags */

static const int allowed[] = {
	/* sockets that are there */
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(close),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	SCMP_SYS(socketpair), /* without an address */
	SCMP_SYS(write),
	SCMP_SYS(writev),
	/* descriptors */
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* metadata of a file, not its content */
	SCMP_SYS(lseek),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev2),
	/* the loop */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(nanosleep),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pselect6),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_yield),
	SCMP_SYS(select),
	SCMP_SYS(time),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	/* memory; mmap and mprotect are below */
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	/* signals and the end */
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	/* identity and place of the process */
	SCMP_SYS(getcpu),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
};

/* No library of ours does this. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(kexec_load),
	SCMP_SYS(mount),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace),
};

/* Makes the refused call return -EPERM; false on an unknown architecture. */
static bool
return_eperm(ucontext_t *u)
{
#if defined(__x86_64__)
	u->uc_mcontext.gregs[REG_RAX] = -EPERM;
	return true;
#elif defined(__aarch64__)
	u->uc_mcontext.regs[0] = (uint64_t)-EPERM;
	return true;
#else
	(void)u;
	return false;
#endif
}

/* In the middle of our own code: the call that caused it waits for us. */
static void
on_refused(int sig, siginfo_t *si, void *context)
{
	static bool inside; /* the log may need a refused call, too */
	char *name;

	if (inside) {
		if (!return_eperm(context))
			exit(1);
		return;
	}
	inside = true;
	name = seccomp_syscall_resolve_num_arch(si->si_arch, si->si_syscall);
	log_warnx("sandbox: system call %s (%d) is refused",
	    name == NULL ? "?" : name, si->si_syscall);
	free(name);
	inside = false;
	if (!return_eperm(context))
		exit(1);
}

static int
add_rules(scmp_filter_ctx ctx)
{
	int r = 0;
	size_t i;

	for (i = 0; r == 0 && i < nitems(allowed); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; r == 0 && i < nitems(deadly); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
		    SCMP_A0(SCMP_CMP_EQ, AF_UNIX),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, SOCK_TYPES, SOCK_DGRAM));
	if (r == 0) /* abort(3), and no signal to another process */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (r == 0) /* proc_title() */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (r == 0) /* reads a limit, but sets none */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
		    1, SCMP_A2(SCMP_CMP_EQ, 0));
	/* Memory never becomes code. */
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

void
sandbox_enter(void)
{
	scmp_filter_ctx ctx;
	int r = -ENOMEM;

	tzset(); /* syslog(3) would open a file for it, OpenSSL another one */
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	proc_trap(SIGSYS, on_refused);
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (ctx != NULL)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_rules(ctx);
	if (r == 0)
		r = seccomp_load(ctx); /* sets no_new_privs */
	if (r != 0) {
		errno = -r;
		fatal("the option sandbox is on, but it cannot be entered");
	}
	seccomp_release(ctx);
	log_debug("sandbox: entered");
}
