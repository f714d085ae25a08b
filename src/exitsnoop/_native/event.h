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

/* With `why`, the exit of a process that a signal ended is preceded by what is known of that signal.
 * The kinds of record are told apart by their size.
 */
#define TTY_BYTES 16
#define ARGS_BYTES 128

enum signal_evidence_flags {
	EVIDENCE_SEEN = 1 << 0,	   /* the signal was seen as it was sent; else only the next two */
	EVIDENCE_OOM = 1 << 1,	   /* the OOM killer had chosen the process */
	EVIDENCE_SECCOMP = 1 << 2, /* the last thread had a seccomp filter */
	EVIDENCE_TAKES_EFFECT = 1 << 3, /* it was not blocked: no later one ends the process */
	EVIDENCE_SEVERAL = 1 << 4, /* others were pending, and which comes first is not known */
	EVIDENCE_NO_INFO = 1 << 5, /* SEND_SIG_NOINFO: sent by the kernel for the sender */
	EVIDENCE_KERNEL = 1 << 6,  /* SEND_SIG_PRIV: sent by the kernel */
	EVIDENCE_SELF = 1 << 7,	   /* the sender is the process itself */
	EVIDENCE_SENDER_EXITING = 1 << 8, /* the sender was about to end */
	EVIDENCE_SENDER_IS_INIT = 1 << 9, /* of a PID namespace that the process is in */
	EVIDENCE_SENDER_TRACES = 1 << 10, /* by ptrace */
	EVIDENCE_PDEATHSIG = 1 << 11,	  /* the process had asked for it (PR_SET_PDEATHSIG) */
	EVIDENCE_OF_SENDER = 1 << 12, /* its siginfo is on the sender's stack, not a timer's own */
};

struct signal_evidence {
	__u64 start_boot_ns; /* with pid: the process it was sent to */
	__u64 address;	     /* si_addr */
	__u64 stack_start;   /* of the first thread, its highest address */
	__u64 limit; /* RLIMIT_CPU in seconds, RLIMIT_FSIZE or RLIMIT_STACK in bytes, by signal */
	__u32 pid;
	__u32 flags;
	__s32 si_code;
	__s32 syscall;
	__u32 syscall_arch; /* AUDIT_ARCH_... */
	__u32 thread;	    /* the TID it was sent to; 0: to the process */
	__u32 sender_pid;
	__u32 sender_ppid;
	__u32 sender_uid;
	__u32 sender_args_bytes; /* may be more than fit */
	char sender_comm[COMM_BYTES];
	char tty[TTY_BYTES];	      /* controlling terminal of the process, "" for none */
	char sender_args[ARGS_BYTES]; /* each ended by a NUL */
};

_Static_assert(sizeof(struct signal_evidence) == 232, "evidence.py decodes 232 bytes");

#define CGROUP_NAME_BYTES 256 /* NAME_MAX and a NUL */
#define CGROUP_PATH_BYTES 2048

struct oom_evidence {
	__u64 start_boot_ns;
	__u32 pid;
	__u32 cgroup_bytes; /* 0: no cgroup's limit was hit, the whole system was out of memory */
	__u64 anon_pages;
	__u64 file_pages;
	__u64 shmem_pages;
	__u64 limit_pages;
	/* Whose limit it was: the names on its path, the nearest first, each ended by a NUL; at last an
	 * empty one, if the whole path is there.
	 */
	char cgroup[CGROUP_PATH_BYTES];
};

_Static_assert(sizeof(struct oom_evidence) == 2096, "evidence.py decodes 2096 bytes");

#endif
