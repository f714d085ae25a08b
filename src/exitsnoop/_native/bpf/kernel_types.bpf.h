/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Every kernel structure field exitsnoop reads, and no other. libbpf relocates them by name against
 * the running kernel's BTF (CO-RE), so order, offsets and what is left out do not matter.
 * A name with three underscores is a flavour: the part before them is the kernel's name.
 */
#ifndef EXITSNOOP_KERNEL_TYPES_BPF_H
#define EXITSNOOP_KERNEL_TYPES_BPF_H

#include <linux/types.h>

#include "event.h"
#include "file_types.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_long_t;

struct qspinlock {
	atomic_t val; /* 0: not held */
};

struct raw_spinlock {
	struct qspinlock raw_lock;
};

struct spinlock {
	struct raw_spinlock rlock;
};

struct percpu_counter {
	__s64 count;
};

struct maple_tree {
	void *ma_root;
};

struct fs_struct {
	struct path pwd;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long hiwater_rss;
	struct maple_tree mm_mt;
	unsigned long start_brk;
	unsigned long brk;
	unsigned long start_stack;
	unsigned long arg_start;
	unsigned long arg_end;
	/* Since Linux kernel commit f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter") (in
	 * v6.2). `count` is behind by what the CPUs have not added to it yet.
	 */
	struct percpu_counter rss_stat[4];
};

struct mm_struct___before_6_2 {
	struct {
		atomic_long_t count[4];
	} rss_stat;
};

struct tty_struct {
	char name[64];
};

struct rlimit {
	unsigned long rlim_cur;
	unsigned long rlim_max;
};

struct sched_rt_entity {
	unsigned long timeout;
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct list_head {
	struct list_head *next;
};

struct sigpending {
	struct list_head list;
	sigset_t signal;
};

struct kernel_siginfo {
	int si_signo;
	int si_code;
	union {
		struct {
			void *_addr;
		} _sigfault;
		struct {
			int _syscall;
			unsigned int _arch;
		} _sigsys;
	} _sifields;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct task_cputime_atomic {
	atomic64_t utime;
	atomic64_t stime;
};

struct thread_group_cputimer {
	struct task_cputime_atomic cputime_atomic;
};

struct task_io_accounting {
	__u64 read_bytes;
	__u64 write_bytes;
};

struct seqcount {
	unsigned int sequence;
};

struct seqcount_spinlock {
	struct seqcount seqcount;
};

typedef struct {
	struct seqcount_spinlock seqcount;
} seqlock_t;

struct prev_cputime {
	__u64 utime;
	__u64 stime;
};

struct cpu_itimer {
	__u64 incr; /* ns; 0: it goes off once */
};

struct signal_struct {
	atomic_t live;	     /* threads that have not passed the middle of do_exit() */
	int group_exit_code; /* what waitpid reports, once SIGNAL_GROUP_EXIT is set */
	unsigned int flags;
	int nr_threads;
	struct task_struct *curr_target; /* a thread that is not released: see context.bpf.h */
	struct sigpending shared_pending;
	struct list_head posix_timers;	       /* of timer_create() */
	__s64 it_real_incr;		       /* ns; 0: it goes off once */
	struct cpu_itimer it[2];	       /* PROF and VIRTUAL */
	struct thread_group_cputimer cputimer; /* runs while RLIMIT_CPU is set */
	struct tty_struct *tty;
	struct rlimit rlim[16];
	struct mm_struct *oom_mm; /* set when the OOM killer chooses the process, and kept */
	struct task_struct *group_exec_task; /* is in exec, and waits for the others to end */
	struct list_head thread_head;	     /* of the threads that are not released yet */
	seqlock_t stats_lock; /* guards what follows: what the released threads used */
	__u64 utime;
	__u64 stime;
	struct prev_cputime prev_cputime;
	unsigned long long sum_sched_runtime;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long nvcsw;
	unsigned long nivcsw;
	struct task_io_accounting ioac;
	unsigned long maxrss; /* pages: the peak of all images; final by the last thread's exit */
};

/* Before Linux kernel commit 60700e38fb68 ("signal: Remove the helper signal_group_exit") (in v5.17). */
struct signal_struct___before_5_17 {
	struct task_struct *group_exit_task;
};

struct sigqueue {
	struct list_head list; /* the first field in all versions */
	struct kernel_siginfo info;
};

struct k_itimer { /* of timer_create() */
	struct list_head list;
	int it_clock;
	__s64 it_interval; /* ns; 0: it goes off once */
	struct sigqueue *sigq;
};

/* Since "posix-timers: Embed sigqueue in struct k_itimer" (in v6.13). */
struct k_itimer___since_6_13 {
	struct sigqueue sigq;
};

typedef struct {
	__u32 val;
} kuid_t;

struct user_namespace {
	struct user_namespace *parent;
	int level; /* 0: the first */
	kuid_t owner;
};

struct cred {
	kuid_t uid;
	struct user_namespace *user_ns;
};

struct upid {
	int nr;
	void *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct seccomp {
	int mode;
};

struct page_counter {
	atomic_long_t usage;
	unsigned long max;
};

struct kernfs_node {
	const char *name;
	/* Since Linux kernel commit 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent.") (in
	 * v6.15).
	 */
	struct kernfs_node *__parent;
};

struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
};

struct cgroup {
	int level; /* below the root, which has 0 */
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct mem_cgroup {
	struct cgroup_subsys_state css; /* the first field in all versions */
	struct page_counter memory;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp; /* that of version 2 */
};

enum cgroup_subsys_id {
	memory_cgrp_id,
	pids_cgrp_id,
};

struct new_utsname {
	char nodename[HOSTNAME_BYTES];
};

struct uts_namespace {
	struct new_utsname name;
};

struct pid_namespace {
	struct pid_namespace *parent;
	struct task_struct *child_reaper;
	int reboot; /* the signal that its init seems to end by, after reboot(2) in it */
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct pid_namespace *pid_ns_for_children;
};

struct sched_entity {
	__u64 sum_exec_runtime; /* behind by what ran since the last tick */
};

struct thread_struct { /* x86 */
	unsigned long trap_nr;
	unsigned long error_code;
};

struct task_struct {
	struct thread_struct thread;
	void *stack;
	unsigned int flags;
	unsigned int ptrace;
	struct mm_struct *mm;
	int exit_code;
	unsigned long jobctl;
	unsigned int in_execve : 1;
	int pdeath_signal;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent; /* the tracer, while it is traced */
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	const struct cred *real_cred;
	char comm[COMM_BYTES];
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	struct sigpending pending;
	struct sched_rt_entity rt;
	void *rseq; /* of user space */
	unsigned long sas_ss_sp;
	unsigned long sas_ss_size;
	sigset_t blocked;
	sigset_t real_blocked; /* blocked, while in sigtimedwait() */
	struct spinlock alloc_lock;
	struct seccomp seccomp;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	struct list_head thread_node;
	__u64 self_exec_id;
	__u64 utime;
	__u64 stime;
	struct prev_cputime prev_cputime;
	struct sched_entity se;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long nvcsw;
	unsigned long nivcsw;
	struct task_io_accounting ioac;
};

/* Before Linux kernel commit cf25e24db61c ("time: Rename tsk->real_start_time to ->start_boottime")
 * (in v5.5), and in all of RHEL 8.
 */
struct task_struct___before_5_5 {
	__u64 real_start_time;
};

/* Since Linux kernel commit faba9d250eae ("rseq: Introduce struct rseq_data") (in v6.19). */
struct rseq_data {
	void *usrptr;
};

struct task_struct___rseq_data {
	struct rseq_data rseq;
};

/* What programs of a perf event get, since Linux kernel commit 3e816361e94a ("sched/tracepoints: Move and
 * extend the sched_process_exit() tracepoint") (in v6.16).
 */
struct trace_event_raw_sched_process_exit {
	bool group_dead;
};

#pragma clang attribute pop

#endif
