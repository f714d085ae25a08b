/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel cannot do for a thread, so that it forces SIGSEGV on it. */
#ifndef DEATHS_FORCED_H
#define DEATHS_FORCED_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <time.h>

#include "../puppet.h"
#include "faults.h"
#include "preparations.h"

#define SIGNAL_STACK_BYTES 65536
#define PAGE_BYTES 65536 /* at most */

static void raise_deeper(int signal)
{
	raise(signal);
}

static sigjmp_buf before_fault;

static void go_back(int signal)
{
	siglongjmp(before_fault, signal);
}

static void survive_fault(void)
{
	signal(SIGSEGV, go_back);
	if (!sigsetjmp(before_fault, 1))
		*(volatile char *)new_page(PROT_NONE) = 1;
	signal(SIGSEGV, SIG_DFL);
	answer("survived");
}

/* A signal whose handler has a stack of its own, below which is nothing. */
static void raise_on_signal_stack(int protection)
{
	struct sigaction action = { .sa_handler = raise_deeper,
				    .sa_flags = SA_ONSTACK | SA_NODEFER };
	char *below = mmap(NULL, PAGE_BYTES + SIGNAL_STACK_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = below + PAGE_BYTES, .ss_size = SIGNAL_STACK_BYTES };

	if (below == MAP_FAILED)
		fail("mmap");
	check(mprotect(stack.ss_sp, SIGNAL_STACK_BYTES, protection));
	check(sigaltstack(&stack, NULL));
	check(sigaction(SIGTERM, &action, NULL));
	answer("raising");
	raise(SIGTERM);
}

static void overflow_signal_stack(void)
{
	raise_on_signal_stack(PROT_READ | PROT_WRITE);
}

static void have_no_signal_stack(void)
{
	raise_on_signal_stack(PROT_NONE);
}

/* A handler for a signal that comes while the thread computes: the kernel looks at the rseq area then. After
 * a system call it need not (since v6.19).
 */
static void interrupt_soon(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG };
	struct itimerspec each = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t timer;

	signal(SIGURG, do_nothing);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer));
	check(timer_settime(timer, 0, &each, NULL));
}

/* "overwrite_rseq BYTES", with so much of the stack in use */
static void overwrite_rseq(void)
{
	volatile char used[number(1)];
	struct rseq *rseq = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if (!__rseq_size)
		fail("rseq");
	memset((void *)used, 1, sizeof(used));
	answer("overwriting");
	interrupt_soon();
	*(volatile uint64_t *)&rseq->rseq_cs = 0xdeadbeef;
	for (;;)
		; /* computes */
}

#endif
