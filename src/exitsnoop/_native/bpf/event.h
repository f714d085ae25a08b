/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What the kernel side sends: the one definition of the record. records.py decodes it;
 * tests/unit/test_layout.py holds the two together. Include after a header that defines __u64
 * and its kin (linux/types.h).
 */
#ifndef EXITSNOOP_EVENT_H
#define EXITSNOOP_EVENT_H

#include <stddef.h>

#define COMM_BYTES 16 /* TASK_COMM_LEN: 15 bytes and a NUL */
#define MAX_CPUS 8192 /* CONFIG_NR_CPUS is not more anywhere; both are powers of two */
#define MAX_RINGS 64

struct exit_event {
	__u64 boot_ns;	     /* when it exited (CLOCK_BOOTTIME) */
	__u64 start_boot_ns; /* when it was created (CLOCK_BOOTTIME); survives exec */
	__u32 pid;	     /* kernel: tgid */
	__u32 tid;	     /* kernel: pid; equals pid in a process's record */
	__u32 ppid;	     /* kernel: real_parent->tgid */
	__u16 status;	     /* as waitpid stores it */
	__u8 last_thread;    /* the process ended with it; always 1 unless per_thread */
	__u8 wanted;	     /* the filters let it pass; always 1 unless send_unwanted */
	char comm[COMM_BYTES];
};

_Static_assert(sizeof(struct exit_event) == 48, "records.py decodes 48 bytes");

/* All other records are notes. They begin with boot_ns, as exits do, but with its highest bit set, and
 * go on with their kind. What belongs to an exit is sent before it.
 */
#define NOTE (1ULL << 63)

enum note_kind {
	SIGNAL_EVIDENCE = 1,
	OOM_EVIDENCE = 2,
	EXIT_CONTEXT = 3,
	EXEC_IMAGE = 4,
	FORKED = 5,
	GONE = 6,
	LEFT = 7,
};

/* With `why`: what is known of the signal that ended a process. */
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
	__u64 boot_ns;
	__u64 kind;
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

_Static_assert(sizeof(struct signal_evidence) == 248, "evidence.py decodes 248 bytes");

/* A path is sent as the names on it, the nearest first, each ended by a NUL; at last an empty one, if
 * the whole path is there.
 */
#define NAME_BYTES 256 /* NAME_MAX and a NUL */
#define CGROUP_PATH_BYTES 2048

struct oom_evidence {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u32 pid;
	__u32 cgroup_bytes; /* 0: no cgroup's limit was hit, the whole system was out of memory */
	__u64 anon_pages;
	__u64 file_pages;
	__u64 shmem_pages;
	__u64 limit_pages;
	char cgroup[CGROUP_PATH_BYTES]; /* whose limit it was */
};

_Static_assert(sizeof(struct oom_evidence) == 2112, "evidence.py decodes 2112 bytes");

/* Who it was, where, and what it used. Only what was asked for is there, the rest is 0. */
#define HOSTNAME_BYTES 65 /* __NEW_UTS_LEN and a NUL */
#define MAX_ANCESTORS 32

enum exit_context_flags {
	CONTEXT_PARTIAL = 1 << 0,  /* there were more threads than could be added up */
	CONTEXT_OWN_PEAK = 1 << 1, /* peak_pages is that of the image */
};

struct ancestor {
	__u32 pid;
	char comm[COMM_BYTES];
};

/* All of a process; per thread, of the thread. CPU times as sampled and as measured: what wait4 tells
 * is the second, divided as the first.
 */
struct exit_context {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns; /* with tid: whose it is */
	__u64 user_ns;
	__u64 system_ns;
	__u64 run_ns;
	__u64 told_user_ns; /* what was last told of it, which never falls */
	__u64 told_system_ns;
	__u64 peak_pages;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 minor_faults;
	__u64 major_faults;
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	__u64 exec_id; /* of the image it ran */
	__u32 tid;
	__u32 flags;
	__u32 uid;
	__u32 nspid;
	__u16 cgroup_bytes; /* lengths of the parts of `parts`, in this order */
	__u16 hostname_bytes;
	__u16 ancestors; /* how many */
	__u16 more_ancestors;
	char parent_comm[COMM_BYTES];
	char parts[CGROUP_PATH_BYTES + HOSTNAME_BYTES + MAX_ANCESTORS * sizeof(struct ancestor)];
};

#define EXIT_CONTEXT_HEAD offsetof(struct exit_context, parts)
_Static_assert(EXIT_CONTEXT_HEAD == 168, "context.py decodes a head of 168 bytes");

/* What a process runs since an exec: the path of the executable and the arguments. */
#define EXE_PATH_BYTES 4096
#define MAX_ARGS_BYTES 16384

enum exec_image_flags {
	IMAGE_ARGS_UNREAD = 1 << 0, /* they are not in memory */
	IMAGE_EXE_DELETED = 1 << 1, /* the file has no name any more */
};

struct exec_image {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;  /* with pid: whose it is */
	__u64 peak_pages;     /* of all images before */
	__u64 all_args_bytes; /* may be more than are sent */
	__u32 pid;
	__u32 flags;
	__u32 exe_bytes; /* lengths of the parts of `parts`, in this order */
	__u32 args_bytes;
	__u64 exec_id; /* counts the execs, of the parents' before the fork, too */
	char parts[EXE_PATH_BYTES + MAX_ARGS_BYTES];
};

#define EXEC_IMAGE_HEAD offsetof(struct exec_image, parts)
_Static_assert(EXEC_IMAGE_HEAD == 64, "images.py decodes a head of 64 bytes");

/* A process that starts with the image of another. */
struct forked {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u64 parent_start_boot_ns;
	__u64 exec_id;
	__u32 pid;
	__u32 parent_pid;
};

/* GONE: a process that ended without a record of its exit, as nobody asked for it. LEFT: one that is
 * no more in `tree`; its record, if it has one, comes before.
 */
struct gone {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u64 pid;
};

/* A set of shell patterns as one automaton, see globs.py: bit N of the words is element N. */
#define GLOB_WORDS 4

struct glob_set {
	__u64 accepts[256][GLOB_WORDS]; /* the elements that take this byte */
	__u64 stars[GLOB_WORDS];	/* the elements that take any bytes */
	__u64 starts[GLOB_WORDS];	/* the first element of each pattern */
	__u64 ends[GLOB_WORDS];		/* the bit after the last element of each */
};

/* A cgroup's path to look for, in the order that paths are sent in. */
#define MAX_CGROUP_FILTERS 8
#define CGROUP_FILTER_BYTES 512

struct cgroup_filter {
	__u32 bytes;
	char path[CGROUP_FILTER_BYTES];
};

#endif
