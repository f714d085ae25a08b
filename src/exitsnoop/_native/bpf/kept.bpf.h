/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * What is remembered of living processes until they end: signals that wait for them, and signals that they
 * handled. Nothing takes the place of what is remembered of another process, and a user can only take a
 * share of the room: so nobody can have the evidence of others forgotten. What found no room is marked.
 */
#ifndef EXITSNOOP_KEPT_BPF_H
#define EXITSNOOP_KEPT_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "event.h"
#include "evidence.bpf.h"
#include "task.bpf.h"

/* 1 to 64: the signal waits. Then what the process handled, and what stopped it. */
enum kept_sort { REQUEST = 65, FAULT = 66, OTHER_FAULT = 67, STOPPED = 68 };

struct kept_key {
	__u32 pid;
	__u32 sort;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct kept_key);
	__type(value, struct signal_evidence);
	__uint(max_entries, MAX_KEPT);
} kept SEC(".maps");

/* The processes that have entries in `kept`, or would have if there were room. */
struct living {
	__u64 start_boot_ns;
	__u64 sorts[2];	 /* bit N-1: sort N is in `kept` */
	__u64 forgotten; /* bit N-1: signal N found no room */
	__u32 count;	 /* of the entries */
	__u32 account;	 /* whose room they take */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, struct living);
	__uint(max_entries, MAX_KEPT);
} living SEC(".maps");

/* How many entries of `kept` each user has. Users that are a multiple of this apart share their room. */
#define ACCOUNTS 4096

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, ACCOUNTS);
} accounts SEC(".maps");

__u64 forgot_ns; /* when something was forgotten last that no process is marked with */

#define USER_NAMESPACES 4

/* The account of a user: 0 is root's. In user namespaces it is that of whoever made the outermost: he may
 * have thousands of users there. Those in namespaces nested deeper than USER_NAMESPACES share the last one.
 */
static __noinline __u32 account_of(struct task_struct *leader)
{
	const struct cred *cred = BPF_CORE_READ(leader, real_cred);
	struct user_namespace *namespace = BPF_CORE_READ(cred, user_ns);
	__u32 uid = BPF_CORE_READ(cred, uid.val);

	for (int i = 0; i < USER_NAMESPACES; i++) {
		if (!BPF_CORE_READ(namespace, level))
			return uid ? 1 + (uid - 1) % (ACCOUNTS - 2) : 0;
		uid = BPF_CORE_READ(namespace, owner.val);
		namespace = BPF_CORE_READ(namespace, parent);
	}
	return ACCOUNTS - 1;
}

static struct living *living_of(struct task_struct *leader, __u32 pid, __u64 started)
{
	struct living *found = bpf_map_lookup_elem(&living, &pid);
	struct living new = { .start_boot_ns = started };

	if (!found) {
		new.account = account_of(leader);
		bpf_map_update_elem(&living, &pid, &new, BPF_NOEXIST);
		return bpf_map_lookup_elem(&living, &pid);
	}
	if (found->start_boot_ns != started) { /* it has the PID of one whose exit was missed */
		found->start_boot_ns = started;
		found->forgotten = 0;
	}
	return found;
}

static bool has_room(struct living *of, __u64 *taken)
{
	return taken && (!of->account || *taken < MOST_KEPT_OF_USER);
}

/* Keeps the evidence that is being made, of the process with this leader, given by its address. Returns whether
 * it was kept. It is called with the siglock of the process held. Like add_sender() it is verified once.
 */
__noinline int keep(__u64 leader, __u32 sort)
{
	struct signal_evidence *evidence = signal_scratch_here();
	struct kept_key key = { .sort = sort };
	__u64 bit = 1ULL << ((sort - 1) & 63), *taken, *sorts;
	struct living *of;

	if (!evidence)
		return false;
	key.pid = evidence->pid;
	of = living_of((void *)leader, key.pid, evidence->start_boot_ns);
	if (!of) {
		forgot_ns = evidence->sent_boot_ns;
		return false;
	}
	sorts = sort > 64 ? &of->sorts[1] : &of->sorts[0];
	if (*sorts & bit)
		return !bpf_map_update_elem(&kept, &key, evidence, BPF_ANY);
	taken = bpf_map_lookup_elem(&accounts, &of->account);
	if (has_room(of, taken) && !bpf_map_update_elem(&kept, &key, evidence, BPF_ANY)) {
		*sorts |= bit;
		of->count++;
		__sync_fetch_and_add(taken, 1);
		return true;
	}
	if (sort <= 64)
		of->forgotten |= bit;
	return false;
}

/* Returns what is kept of this sort of a process, NULL if nothing. */
static struct signal_evidence *kept_of(__u32 pid, __u32 sort, __u64 started)
{
	struct kept_key key = { .pid = pid, .sort = sort };
	struct signal_evidence *evidence = bpf_map_lookup_elem(&kept, &key);

	return evidence && evidence->start_boot_ns == started ? evidence : NULL;
}

/* Whether a signal of the process was seen, and found no room. */
static bool was_forgotten(__u32 pid, int signal, __u64 started)
{
	struct living *of = bpf_map_lookup_elem(&living, &pid);

	if (of && of->start_boot_ns == started && of->forgotten & BIT(signal))
		return true;
	return forgot_ns > started;
}

/* Call it when a process ends, whether that is reported or not. Like add_sender() it is verified once. */
__noinline int drop_kept(__u32 pid)
{
	struct kept_key key = { .pid = pid };
	struct living *of;
	__u64 *taken;

	if (!why) /* it is verified even so, and there are no maps then */
		return 0;
	of = bpf_map_lookup_elem(&living, &pid);
	if (!of)
		return 0;
	for (__u32 sort = 1; of->count && sort <= STOPPED; sort++) {
		key.sort = sort;
		if ((sort > 64 ? of->sorts[1] : of->sorts[0]) >> ((sort - 1) & 63) & 1)
			bpf_map_delete_elem(&kept, &key);
	}
	taken = bpf_map_lookup_elem(&accounts, &of->account);
	if (taken)
		__sync_fetch_and_add(taken, -(__u64)of->count);
	return bpf_map_delete_elem(&living, &pid);
}

#endif
