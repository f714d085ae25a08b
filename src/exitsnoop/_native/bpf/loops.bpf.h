/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Loops: by bpf_loop(), which came with v5.17, the verifier follows one turn, else each.
 */
#ifndef EXITSNOOP_LOOPS_BPF_H
#define EXITSNOOP_LOOPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Calls take(number, &walk) so many times at most, until it returns other than 0. */
#ifdef LOOPS
#define WALK(most, take, walk) bpf_loop(most, take, &(walk), 0)
#else
#define WALK(most, take, walk)                                                                     \
	do {                                                                                       \
		for (__u32 number = 0; number < (most); number++)                                  \
			if (take(number, &(walk)))                                                 \
				break;                                                             \
	} while (0)
#endif

#endif
