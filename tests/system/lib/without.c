/* SPDX-License-Identifier: MIT */
/*
 * Runs a program that cannot make one system call, as on an older kernel or in
 * a container that does not know it: NUMBER ERRNO PROGRAM ARGUMENT...
 */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0,
		    offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1,
		    (unsigned)strtoul(argv[1], NULL, 10) },
		{ BPF_RET | BPF_K, 0, 0,
		    SECCOMP_RET_ERRNO | (unsigned)strtoul(argv[2], NULL, 10) },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (argc < 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		return 1;
	execv(argv[3], argv + 3);
	return 1;
}
