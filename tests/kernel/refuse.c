// SPDX-License-Identifier: Apache-2.0
/* refuse CALL ERRNO COMMAND...: runs COMMAND where the kernel refuses a system call with ERRNO, by a
 * seccomp filter: every BPF program if CALL is "load", to drop capabilities if it is "capset", perf events
 * if it is "perf". If ERRNO is "kill", it kills the process.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD_WORD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))

static unsigned int number_of(const char *call)
{
	if (strcmp(call, "load") == 0)
		return SYS_bpf;
	return strcmp(call, "perf") == 0 ? SYS_perf_event_open : SYS_capset;
}

int main(int argc, char **argv)
{
	const char *call = argc > 1 ? argv[1] : "", *answer = argc > 2 ? argv[2] : "";
	int loads = strcmp(call, "load") == 0;
	struct sock_filter filter[] = {
		LOAD_WORD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number_of(call), 0, 3),
		LOAD_WORD(args[0]),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, BPF_PROG_LOAD, 0, loads),
		BPF_STMT(BPF_RET | BPF_K, strcmp(answer, "kill") == 0
						  ? SECCOMP_RET_KILL_PROCESS
						  : SECCOMP_RET_ERRNO | (unsigned int)atoi(answer)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	if (argc < 4 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("refuse");
		return 1;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 1;
}
