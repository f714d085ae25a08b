/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What the kernel side sends: the one definition of the record. records.py decodes it;
 * tests/unit/test_layout.py holds the two together. Include after a header that defines __u64
 * and its kin (linux/types.h).
 */
#ifndef EXITSNOOP_EVENT_H
#define EXITSNOOP_EVENT_H

#define COMM_BYTES 16 /* TASK_COMM_LEN: 15 bytes and a NUL */

struct exit_event {
	__u64 boot_ns;	     /* when it exited (CLOCK_BOOTTIME) */
	__u64 start_boot_ns; /* when it was created (CLOCK_BOOTTIME); survives exec */
	__u32 pid;	     /* kernel: tgid */
	__u32 tid;	     /* kernel: pid; equals pid in a process's record */
	__u32 ppid;	     /* kernel: real_parent->tgid */
	__u16 status;	     /* as waitpid stores it */
	__u8 last_thread;    /* the process ended with it; always 1 unless per_thread */
	__u8 unused;
	char comm[COMM_BYTES];
};

_Static_assert(sizeof(struct exit_event) == 48, "records.py decodes 48 bytes");

#endif
