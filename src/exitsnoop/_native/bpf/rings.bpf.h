/* SPDX-License-Identifier: MIT OR GPL-2.0-only
 *
 * Where records go: ring buffers, each shared by some of the CPUs.
 *
 * A reservation takes the ring's spin lock, for which all CPUs that share the ring queue;
 * docs/performance.md has what that costs, and kernel/rings.py decides who shares one. reader.c puts the
 * records of all rings in order of time.
 */
#ifndef EXITSNOOP_RINGS_BPF_H
#define EXITSNOOP_RINGS_BPF_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

const volatile bool several_rings = false;
const volatile __u8 ring_of_cpu[MAX_CPUS] = { 0 };

/* object.c makes the rings, and says how many and how large: `ring`, or, if there are several, those in
 * `rings`. `rings` is not used for a single one, as putting a map into another waits for an RCU grace
 * period.
 */
struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct ring);
} rings SEC(".maps");

static inline void *own_ring(void)
{
	__u32 which = ring_of_cpu[bpf_get_smp_processor_id() & (MAX_CPUS - 1)];

	return bpf_map_lookup_elem(&rings, &which);
}

/* A record to fill and to submit; NULL if the ring is full. */
static inline void *reserve(const __u64 bytes)
{
	void *own;

	if (!several_rings)
		return bpf_ringbuf_reserve(&ring, bytes, 0);
	own = own_ring();
	return own ? bpf_ringbuf_reserve(own, bytes, 0) : NULL;
}

/* Whether most of the ring is free. What is large, and can be done without, leaves the rest to exits: a crowd
 * that crashes at one stroke would fill it with what it sends of each place.
 */
static inline bool has_much_room(void)
{
	void *own;

	if (!several_rings)
		return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) <
		       bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE) / 8;
	own = own_ring();
	return own && bpf_ringbuf_query(own, BPF_RB_AVAIL_DATA) <
			      bpf_ringbuf_query(own, BPF_RB_RING_SIZE) / 8;
}

/* The first field of a note, taken as it is begun: reader.c's ordering relies on that. */
static inline __u64 note_time(void)
{
	return NOTE | bpf_ktime_get_boot_ns();
}

/* Copies a note of any size. Returns 0, or an error if the ring is full. */
static inline long send_note(void *note, __u64 bytes)
{
	void *own;

	*(__u64 *)note = note_time();
	if (!several_rings)
		return bpf_ringbuf_output(&ring, note, bytes, 0);
	own = own_ring();
	return own ? bpf_ringbuf_output(own, note, bytes, 0) : -1;
}

#endif
