/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor or the kernel refuses: addresses, instructions and system calls. */
#ifndef DEATHS_FAULTS_H
#define DEATHS_FAULTS_H

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../puppet.h"

#define STACK_BYTES 65536

static void *new_page(int protection)
{
	void *page = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? (fail("mmap"), NULL) : page;
}

static void touch(void)
{
	answer("touching");
	*(volatile char *)number(1) = 1;
}

static void touch_read_only(void)
{
	char *address = (char *)new_page(PROT_READ) + 123;

	answer("%p", (void *)address);
	*(volatile char *)address = 1;
}

static void touch_truncated(void) /* "touch_truncated FILE": a mapping that its file left */
{
	int fd = (int)check(open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0600));
	char *address;

	check(ftruncate(fd, 4096));
	address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(ftruncate(fd, 0));
	answer("%p", (void *)(address + 45));
	address[45] = 1;
}

#if defined(__x86_64__)
asm(".text\n"
    "divide_here: xorl %ecx, %ecx\n"
    "divides_here: divl %ecx\n"
    "illegal_here: ud2\n"
    "trap_here: int3\n"
    "privileged_here: hlt\n"
    "unaligned_here: movaps 1(%rsp), %xmm0\n"
    "ill_framed_here: movq $0x5a5a, %rsp\n movl $15, %eax\n syscall\n");
#elif defined(__aarch64__)
asm(".text\n"
    ".balign 4\n"
    "illegal_here: udf #0\n"
    "trap_here: brk #0\n");
#endif
extern char divide_here[], divides_here[], illegal_here[], trap_here[];
extern char privileged_here[], unaligned_here[], ill_framed_here[];

static const struct instruction {
	const char *name;
	char *start, *faults;
} instructions[] = {
#if defined(__x86_64__)
	{ "divide", divide_here, divides_here },
	{ "illegal", illegal_here, illegal_here },
	{ "trap", trap_here, trap_here },
	{ "privileged", privileged_here, privileged_here },
	{ "unaligned", unaligned_here, unaligned_here },
	{ "ill_framed", ill_framed_here, ill_framed_here }, /* rt_sigreturn() of no frame */
	{ "vsyscall", (char *)0xffffffffff600010, NULL },
#elif defined(__aarch64__) /* where a division by zero is zero */
	{ "illegal", illegal_here, illegal_here },
	{ "trap", trap_here, trap_here },
	{ "misaligned", illegal_here + 2, illegal_here + 2 },
#endif
	{ NULL, NULL, NULL },
};

static void call(void) /* "call INSTRUCTION" */
{
	for (const struct instruction *instruction = instructions; instruction->name; instruction++)
		if (is(1, instruction->name)) {
			answer("%p", (void *)instruction->faults);
			((void (*)(void))instruction->start)();
		}
	fail("this machine");
}

static int recurse(volatile char *above);
static int (*volatile deeper)(volatile char *) = recurse; /* GCC warns of what is meant here */

static int recurse(volatile char *above)
{
	volatile char frame[4096];

	frame[0] = *above;
	return deeper(frame) + frame[0];
}

static void overflow(void)
{
	struct rlimit limit = { STACK_BYTES, STACK_BYTES };
	char start = 0;

	check(setrlimit(RLIMIT_STACK, &limit));
	answer("recursing");
	recurse(&start);
}

static __attribute__((noinline)) void use_large_frame(void)
{
	volatile char frame[20 << 20];

	frame[number(1)] = 1;
	(void)frame[0];
}

static void overflow_at_once(void) /* "overflow_at_once PLACE", in one large frame */
{
	struct rlimit limit = { STACK_BYTES, STACK_BYTES };

	check(setrlimit(RLIMIT_STACK, &limit));
	answer("calling");
	use_large_frame();
}

static void read_nothing(void) /* "read_nothing ADDRESS" */
{
	answer("reading");
	(void)*(volatile char *)number(1);
}

static void run_nothing(void) /* "run_nothing ADDRESS" */
{
	answer("running");
	((void (*)(void))number(1))();
}

static void break_filter(void) /* "break_filter process|thread|trap lseek|getppid" */
{
	int call = is(2, "lseek") ? SYS_lseek : SYS_getppid;
	unsigned int action = is(1, "process")	? SECCOMP_RET_KILL_PROCESS
			      : is(1, "thread") ? SECCOMP_RET_KILL_THREAD
						: SECCOMP_RET_TRAP;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { 4, code };

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
	answer("%d", call);
	syscall(call, -1, 0L, 0);
}

#endif
