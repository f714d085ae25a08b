/* SPDX-License-Identifier: Apache-2.0
 *
 * How many events were missed by all programs.
 *
 * An event that the first program missed is offered to the others in turn, and its task may be preempted
 * meanwhile. So at any moment more events may seem missed than are: those on their way from one program
 * to the next. They pass, while an event missed by all stays missed. So the least that many looks found
 * over a while is settled.
 */
#ifndef EXITSNOOP_MISSES_H
#define EXITSNOOP_MISSES_H

#include <stdbool.h>

#include <linux/types.h>

#define SETTLING_NS 100000000 /* a look every millisecond, or fewer */
#define SETTLING_LOOKS 10

struct misses {
	__u64 before;  /* what was missed until all programs were attached: not all could see it */
	__u64 settled; /* the events that no program saw */
	__u64 least;   /* of the looks since `since`, if there were any */
	__u64 since;   /* the time of the first look that found more than is settled */
	unsigned int looks;
};

/* Takes a look: how many events the first program missed and no other has seen. Returns whether `settled`
 * has what there is to it; if not, another look is due.
 */
bool misses_look(struct misses *misses, __u64 missed, __u64 now_ns);

#endif
