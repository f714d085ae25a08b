/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What the BPF programs, the extension and Python agree on: records, limits, flags; what filters look for is
 * in filter_sets.h. These are the only definitions. The build makes layout.py of them (write-layout), for
 * Python, and has the C compiler check every number in there (layout.c).
 *
 * For write-layout, a constant is one #define or one enumerator with a value, and a struct has one field
 * a line. A last field `parts` is sent only as far as it is used; it is not in layout.py.
 */
#ifndef EXITSNOOP_EVENT_H
#define EXITSNOOP_EVENT_H

#include <stdbool.h>

#include <linux/types.h>

#define COMM_BYTES 16 /* TASK_COMM_LEN: 15 bytes and a NUL */
#define MAX_CPUS 8192 /* the largest CONFIG_NR_CPUS anywhere; a power of two, as the next */
#define MAX_RINGS 64

/* What the programs remember at most. The maps of the first four forget the oldest; those of v6.15 and before
 * hand each possible CPU so many entries that others cannot use (commit d4adf1c9ee77), so plan.py adds them.
 */
#define MAX_REPORTED 4096 /* events that were seen */
#define MAX_ENDING 16384  /* signals that took effect: processes that are ending */
#define MAX_ORIGINS 1024  /* senders that the programs remember as reported */
#define MAX_VICTIMS 256	  /* threads that killed a process in the name of the kernel */
#define LRU_SHARE 128
#define MAX_OOM_KILLS 1024
#define MAX_GROUP_EXITS 1024   /* processes of which a thread called exit_group() */
#define MAX_KEPT 16384	       /* signals that wait, or were handled */
#define MOST_KEPT_OF_USER 4096 /* of those, of a user who is not root */

/* How many programs are offered an event where one of them may be preempted: see once.bpf.h. */
#define PROGRAMS_PER_EVENT 4

struct exit_event {
	__u64 boot_ns;	     /* when it exited (CLOCK_BOOTTIME) */
	__u64 start_boot_ns; /* when it was created (CLOCK_BOOTTIME); survives exec */
	__u32 pid;	     /* kernel: tgid */
	__u32 tid;	     /* kernel: pid; equals pid in a process's record */
	__u32 ppid;	     /* kernel: real_parent->tgid */
	__u16 status;	     /* as waitpid stores it */
	bool last_thread;    /* the process ended with it; always true unless per_thread */
	bool wanted;	     /* it passed the filters; always true unless send_unwanted */
	char raw_comm[COMM_BYTES];
};

/* All other records are notes. A note begins with boot_ns, as an exit does, but with this bit set; its
 * kind follows. What belongs to an exit is sent before it.
 */
#define NOTE (1ULL << 63)

struct note_head {
	__u64 boot_ns;
	__u64 kind; /* enum note_kind */
};

enum note_kind {
	SIGNAL_EVIDENCE = 1,
	OOM_EVIDENCE = 2,
	EXIT_CONTEXT = 3,
	EXEC_IMAGE = 4,
	FORKED = 5,
	GONE = 6, /* a process ended, but its exit is not sent, because nobody asked for it */
	LEFT = 7, /* a process is no longer in `tree`; the record of its exit, if any, comes before */
	HANDLED_SIGNAL = 8,
	SENDER_ORIGIN = 9,
	CRASH_SITE = 10,
	THREAD_END = 11,
};

/* With `why`: a signal that ended a process (SIGNAL_EVIDENCE), or came before (HANDLED_SIGNAL). */
#define TTY_BYTES 16
#define ARGS_BYTES 128
#define CODE_BYTES 16 /* no instruction of x86 is longer */

enum signal_evidence_flags {
	EVIDENCE_SEEN = 1 << 0,		/* when it was sent; else only OOM, SECCOMP, REBOOT hold */
	EVIDENCE_OOM = 1 << 1,		/* the OOM killer had chosen the process */
	EVIDENCE_SECCOMP = 1 << 2,	/* the last thread had a seccomp filter */
	EVIDENCE_TAKES_EFFECT = 1 << 3, /* it was not blocked: no later one ends the process */
	EVIDENCE_SEVERAL = 1 << 4, /* others were pending, and which comes first is not known */
	EVIDENCE_NO_INFO = 1 << 5, /* SEND_SIG_NOINFO: sent by the kernel for the sender */
	EVIDENCE_KERNEL = 1 << 6,  /* SEND_SIG_PRIV: sent by the kernel */
	EVIDENCE_SELF = 1 << 7,	   /* the sender is the process itself */
	EVIDENCE_SENDER_EXITING = 1 << 8, /* the sender was about to end */
	EVIDENCE_SENDER_IS_INIT = 1 << 9, /* the sender is init of a PID namespace of the process */
	EVIDENCE_SENDER_TRACES = 1 << 10, /* by ptrace */
	EVIDENCE_PDEATHSIG = 1 << 11,	  /* the process had asked for it (PR_SET_PDEATHSIG) */
	EVIDENCE_OF_SENDER = 1 << 12, /* the siginfo is on the sender's stack: no timer made it */
	EVIDENCE_SENDER_GOES_ON = 1 << 13, /* a thread was about to end, but not its process */
	EVIDENCE_REBOOT = 1 << 14,   /* the SIGKILL for init, at reboot(2) in its PID namespace */
	EVIDENCE_IN_EXEC = 1 << 15,  /* the process was in exec, and could not go back */
	EVIDENCE_TRAP = 1 << 16,     /* what is marked with x86 is known */
	EVIDENCE_NO_STACK = 1 << 17, /* the stack pointer points to nothing that is in memory */
	EVIDENCE_SHARES_VICTIM = 1 << 18, /* it shares its memory with the OOM killer's victim */
	EVIDENCE_IGNORED = 1 << 19,	/* of HANDLED_SIGNAL: it had no handler, but was ignored */
	EVIDENCE_BLOCKED = 1 << 20,	/* of HANDLED_SIGNAL: it had none, but was blocked */
	EVIDENCE_FORGOTTEN = 1 << 21,	/* not SEEN: it was, but there were too many */
	EVIDENCE_OF_TRACER = 1 << 22,	/* the sender is the tracer, which made it up */
	EVIDENCE_SENDER_CALL = 1 << 23, /* what is known of the sender's system call is known */
	EVIDENCE_OF_OTHER = 1 << 24, /* with per_thread: `thread` ended the process, not this one */
	EVIDENCE_STRICT = 1 << 25,   /* the last thread was in the strict mode of seccomp */
	EVIDENCE_TRACED = 1 << 26,   /* not SEEN: it had a tracer, the sender here */
	EVIDENCE_LOCKED = 1 << 27,   /* the task was locked, as the OOM killer locks its victim */
	EVIDENCE_DUMPED = 1 << 28, /* of HANDLED_SIGNAL: it had its default action, to dump core */
	EVIDENCE_SAME_CGROUPS = 1 << 29, /* the sender is in the same cgroups as the process */
	EVIDENCE_REALTIME = 1 << 30,	 /* `limit` is RLIMIT_RTTIME, in microseconds */
};

/* Whether a handler of the signal had returned when its thread ended, or had not begun. */
enum handler_state {
	HANDLER_UNKNOWN = 0,
	HANDLER_RUNS = 1,
	HANDLER_RETURNED = 2,
	HANDLER_WAITS = 3,   /* not for being blocked */
	HANDLER_STOPPED = 4, /* the same; the process was stopped when it was sent */
	HANDLER_OF_INIT = 5, /* there is none: init ignores what it does not handle */
};

/* Of a thread that the kernel forces a signal on (SI_KERNEL), on x86. */
enum forced_flags {
	FORCED_HAS_SIGNAL_STACK = 1, /* it has one, by sigaltstack() */
	FORCED_ON_SIGNAL_STACK = 2,  /* and its stack pointer is there */
	FORCED_RSEQ = 4, /* its rseq area cannot be read, or says that a critical section runs */
};

struct signal_evidence {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns; /* with pid: the process that the signal was sent to */
	__u64 sent_boot_ns;
	__u64 address;	   /* si_addr */
	__u64 stack_start; /* the highest address of the first thread's stack */
	__u64 trap_error;  /* x86: what the CPU said of that exception */
	__u64 system_call; /* x86: the number of the system call that the thread is in; ~0: none */
	__u64 instruction; /* x86: the address of the instruction that it is at */
	__u64 stack_pointer; /* x86 */
	__u64 limit;  /* by signal: RLIMIT_CPU in seconds, RLIMIT_FSIZE or RLIMIT_STACK in bytes */
	__u64 origin; /* with sender_pid: the sender_origin; 0: none was sent */
	__u64 sender_argument; /* x86: the first argument of the sender's system call */
	__u64 sender_options;  /* x86: the fourth */
	__u64 blocked;	/* the signals that its thread blocked before the handler ran: bit N-1 */
	__u64 task;	/* where the kernel has that thread; 0: unknown */
	__u64 timer_ns; /* of a timer: how often it goes off; 0: once; ~0: unknown */
	__u32 pid;
	__u32 uid;
	__u32 flags;
	__s32 si_code;
	__s32 syscall;
	__u32 syscall_arch; /* AUDIT_ARCH_... */
	__u32 thread;	    /* the TID that it was sent to; 0: to the process */
	__u32 taken_by;	    /* the TID that it was delivered to; 0: not seen */
	__u16 handler;	    /* of HANDLED_SIGNAL: enum handler_state */
	__u16 forced;	    /* enum forced_flags */
	__u16 signal;
	__u16 trap; /* x86: the number of the CPU's last exception in that thread */
	__u32 sender_pid;
	__u32 sender_tid;
	__u32 sender_ppid;
	__u32 sender_uid;
	__u32 sender_args_bytes; /* may be more than fit */
	__u32 sender_call;	 /* x86: the number of the system call that the sender is in */
	__s32 timer_clock;	 /* of timer_create(): CLOCK_..., if timer_ns is known */
	__u32 earlier; /* of HANDLED_SIGNAL: requests before it, the last one in the lowest byte */
	char thread_comm[COMM_BYTES];
	char code[CODE_BYTES]; /* x86: the instruction, and what follows */
	char sender_comm[COMM_BYTES];
	char tty[TTY_BYTES];	      /* controlling terminal of the process, "" for none */
	char sender_args[ARGS_BYTES]; /* each ended by a NUL */
};

/* THREAD_END, with `why` and per_thread: a thread that another one of its process ended, not by a signal. */
enum thread_end_how {
	ENDED_BY_EXIT_GROUP = 1,
	ENDED_BY_EXEC = 2,
};

struct thread_end {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns; /* with pid: the exit that it belongs to */
	__u32 pid;
	__u32 how; /* enum thread_end_how */
	__u32 by;  /* the TID of the other one; 0: not found */
	char comm[COMM_BYTES];
	__u32 padding; /* to a multiple of 8 bytes */
};

/* A path is sent as its names, the nearest first, each ended by a NUL; an empty name comes last if the
 * path is complete. "/", which no name can be, comes first if the file or directory was removed.
 */
#define NAME_BYTES 256 /* NAME_MAX and a NUL */
#define CGROUP_PATH_BYTES 2048
#define PATH_BYTES 4096 /* PATH_MAX */

/* OOM_EVIDENCE, with `why`: the memory of a process that the kernel kills. */
struct oom_evidence {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u32 pid;
	__u32 cgroup_bytes; /* 0: no cgroup hit its limit, the whole system was out of memory */
	__u64 anon_pages;
	__u64 file_pages;
	__u64 shmem_pages;
	__u64 swap_pages;
	__u64 limit_pages;
	__u64 usage_pages;		/* of the cgroup that hit its limit */
	char cgroup[CGROUP_PATH_BYTES]; /* the cgroup that hit its limit */
};

/* CRASH_SITE, with `why`: where a thread was when a signal that dumps core ended its process. Addresses are
 * those of the process. What is at most of them is found by the thread itself, before it dies.
 */
#define MAX_FRAMES 64
#define MAX_REGIONS 16
#define SITE_PATH_BYTES 4096
#define SITE_STACK_BYTES 8192

enum crash_site_flags {
	SITE_HAS_REGISTERS = 1 << 0,
};

enum crash_region_flags {
	REGION_READABLE = 1 << 0,
	REGION_WRITABLE = 1 << 1,
	REGION_EXECUTABLE = 1 << 2,
	REGION_HUGETLB = 1 << 3,
	REGION_HAS_FILE = 1 << 4,
	REGION_WRITTEN = 1 << 5, /* no mapping: the file that was written beyond RLIMIT_FSIZE */
};

/* A mapping of the process; or see REGION_WRITTEN. */
struct crash_region {
	__u64 start;
	__u64 end;
	__u64 offset; /* of its start, in the file */
	__u64 inode;
	__u64 file_bytes;
	__u32 device;
	__u32 file_system; /* the magic number of statfs() */
	__u32 flags;
	__u16 path_at; /* in `paths` */
	__u16 path_bytes;
};

struct crash_frame { /* struct bpf_stack_build_id */
	__s32 status;
	char build_id[20];
	__u64 offset; /* in the file, if the status is BPF_STACK_BUILD_ID_VALID */
};

struct crash_site {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns; /* with pid: the exit that it belongs to */
	__u64 address;	     /* of the fault */
	__u64 instruction;   /* that had the fault; 0: not known */
	__u64 heap_start;
	__u64 heap_end;
	__u64 stack_start; /* the highest address of the first thread's stack */
	__u64 ip;	   /* x86: the registers of the thread, as it goes on in user space */
	__u64 sp;
	__u64 bp;
	__u64 bx;
	__u64 r12;
	__u64 r13;
	__u64 r14;
	__u64 r15;
	__u64 link; /* arm64: the register with the address to return to, if no call has changed it */
	__u64 stack_at; /* where the copy of the stack begins: at sp, or where memory begins above it */
	__u32 pid;
	__u32 thread;
	__u32 signal;
	__u32 flags;
	__u32 regions_count;
	__u32 frames_count;
	__u32 build_ids_count;
	__u32 stack_bytes; /* what could be copied of the stack: `parts` */
	char thread_comm[COMM_BYTES];
	char regions[MAX_REGIONS * sizeof(struct crash_region)];
	char frames[MAX_FRAMES * 8];				 /* the innermost first */
	char build_ids[MAX_FRAMES * sizeof(struct crash_frame)]; /* of the same */
	char paths[SITE_PATH_BYTES];
	char parts[SITE_STACK_BYTES];
};

/* EXIT_CONTEXT: who it was, where, and what it used. What was not requested is 0. */
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

/* The sum of a process's threads; with per_thread, the one thread. CPU times come as they were sampled
 * (user_ns, system_ns) and as they were measured (run_ns): wait4 reports the measured time, divided in
 * the proportion of the samples.
 */
struct exit_context {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns; /* with tid: the exit that it belongs to */
	__u64 user_ns;
	__u64 system_ns;
	__u64 run_ns;
	__u64 reported_user_ns; /* what the kernel reported last, which never falls */
	__u64 reported_system_ns;
	__u64 peak_pages;
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 minor_faults;
	__u64 major_faults;
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	__u64 exec_id; /* of the image that it ran */
	__u32 tid;
	__u32 flags;
	__u32 nspid;
	__u32 uid; /* from here to the end of the host name, it is often the same as before */
	__u16 cgroup_bytes; /* lengths of what is in `parts`, in this order */
	__u16 hostname_bytes;
	__u16 ancestors_bytes;
	__u16 cwd_bytes;
	bool ancestors_truncated;
	char parent_comm[COMM_BYTES];
	char parts[CGROUP_PATH_BYTES + HOSTNAME_BYTES + MAX_ANCESTORS * sizeof(struct ancestor) +
		   PATH_BYTES];
};

/* SENDER_ORIGIN, with `why`: a process that sends a signal, where it runs, and what started it. It is sent
 * ahead of what is known of its signals: once, and again when it has changed or some time has passed.
 */
struct sender_origin {
	__u64 boot_ns;
	__u64 kind;
	__u64 origin; /* with pid: what signal_evidence calls it */
	__u32 pid;
	__u16 ancestors_bytes; /* lengths of what is in `parts`, in this order */
	__u16 cgroup_bytes;
	__u16 exe_bytes;
	char parts[MAX_ANCESTORS * sizeof(struct ancestor) + CGROUP_PATH_BYTES + PATH_BYTES];
};

/* EXEC_IMAGE: what a process runs since an exec, the path of the executable and the arguments. */
#define MAX_ARGS_BYTES 16384

enum exec_image_flags {
	IMAGE_ARGS_UNREAD = 1 << 0, /* they are not in memory */
};

struct exec_image {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;  /* with pid: the process */
	__u64 peak_pages;     /* of all images before */
	__u64 all_args_bytes; /* may be more than are sent */
	__u32 pid;
	__u32 flags;
	__u32 exe_bytes; /* lengths of what is in `parts`, in this order */
	__u32 args_bytes;
	__u64 exec_id; /* counts the execs, including the parent's before the fork */
	char parts[PATH_BYTES + MAX_ARGS_BYTES];
};

/* FORKED: a process that starts with the image of another. */
struct forked {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u64 parent_start_boot_ns;
	__u64 exec_id;
	__u32 pid;
	__u32 parent_pid;
};

/* GONE and LEFT. */
struct gone {
	__u64 boot_ns;
	__u64 kind;
	__u64 start_boot_ns;
	__u64 pid;
};

#endif
