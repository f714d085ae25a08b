// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* What a record costs when CPUs share a ring: one of an exit's size is reserved and submitted. `shared`
 * uses one ring, `apart` one for each of two CPUs. The kernel runs them as tests (BPF_PROG_TEST_RUN).
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "../src/exitsnoop/_native/bpf/event.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Nobody reads them: they must take all of a test. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 20);
} first SEC(".maps"), second SEC(".maps");

static int send(void *ring)
{
	struct exit_event *event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);

	if (!event)
		return 0;
	__builtin_memset(event, 0, sizeof(*event));
	event->boot_ns = bpf_ktime_get_boot_ns();
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("socket")
int shared(struct __sk_buff *buffer)
{
	(void)buffer;
	return send(&first);
}

SEC("socket")
int apart(struct __sk_buff *buffer)
{
	(void)buffer;
	return bpf_get_smp_processor_id() & 1 ? send(&second) : send(&first);
}
