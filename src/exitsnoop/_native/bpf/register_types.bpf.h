/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * The registers of user space that exitsnoop reads: see kernel_types.bpf.h.
 */
#ifndef EXITSNOOP_REGISTER_TYPES_BPF_H
#define EXITSNOOP_REGISTER_TYPES_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs { /* x86 */
	unsigned long r10;
	unsigned long dx;
	unsigned long di;
	unsigned long r15;
	unsigned long r14;
	unsigned long r13;
	unsigned long r12;
	unsigned long bp;
	unsigned long bx;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long sp;
};

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 pstate;
	int syscallno;
};

#pragma clang attribute pop

#endif
