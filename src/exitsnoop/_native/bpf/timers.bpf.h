/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Which timer of a process went off: how often it does, and by which clock. The kernel sends the signal in the
 * timer's interrupt, with the siglock held that also guards the process's list of timers.
 */
#ifndef EXITSNOOP_TIMERS_BPF_H
#define EXITSNOOP_TIMERS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "evidence.bpf.h"
#include "kernel_types.bpf.h"

enum { SIGALRM = 14, SIGVTALRM = 26, SIGPROF = 27 };

#define SI_TIMER (-2)
#define CPUCLOCK_PROF 0 /* include/linux/posix-timers.h */
#define CPUCLOCK_VIRT 1
#define MOST_TIMERS 32 /* that are looked at */

/* The timer of timer_create() that has this siginfo. It is a part of the timer; before v6.13 it stands alone, and
 * the timers of the process are searched, if it has no more than MOST_TIMERS. The list begins with a pointer to
 * the first one in all versions.
 */
static struct k_itimer *timer_of(struct signal_struct *group, __u64 info)
{
	struct k_itimer___since_6_13 *newer = NULL;
	__u64 head = (__u64)&group->posix_timers, at = head;

	if (bpf_core_field_exists(newer->sigq.info))
		return (void *)(info - bpf_core_field_offset(newer->sigq.info));
	for (int i = 0; i < MOST_TIMERS; i++) {
		struct k_itimer *timer = NULL;

		if (bpf_probe_read_kernel(&at, sizeof(at), (void *)at) || !at || at == head)
			break;
		timer = (void *)(at - bpf_core_field_offset(timer->list));
		if (info == (__u64)BPF_CORE_READ(timer, sigq) +
				    bpf_core_field_offset(struct sigqueue, info))
			return timer;
	}
	return NULL;
}

/* Adds what is known of the timer to the evidence that is being made, where timer_ns is the address of the
 * siginfo; signal_struct is that of the process's. Like add_sender() it is verified once.
 */
__noinline int add_timer(__u64 signal_struct)
{
	struct signal_evidence *evidence = signal_scratch_here();
	struct signal_struct *group = (void *)signal_struct;
	struct k_itimer *timer;
	__u64 info;

	if (!evidence)
		return 0;
	info = evidence->timer_ns;
	evidence->timer_ns = NONE;
	if (evidence->si_code == SI_TIMER) {
		if (evidence->flags & EVIDENCE_OF_SENDER) /* forged */
			return 0;
		timer = timer_of(group, info);
		if (!timer)
			return 0;
		evidence->timer_ns = BPF_CORE_READ(timer, it_interval);
		evidence->timer_clock = BPF_CORE_READ(timer, it_clock);
	} else if (evidence->signal == SIGALRM) {
		evidence->timer_ns = BPF_CORE_READ(group, it_real_incr);
	} else if (evidence->signal == SIGVTALRM) {
		evidence->timer_ns = BPF_CORE_READ(group, it[CPUCLOCK_VIRT].incr);
	} else if (evidence->signal == SIGPROF) {
		evidence->timer_ns = BPF_CORE_READ(group, it[CPUCLOCK_PROF].incr);
	}
	return 0;
}

#endif
