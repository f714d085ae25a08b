"""Who gets a CPU first: a tracer that waits for one loses exits as soon as its buffers are full."""

import contextlib
import os


def go_first() -> None:
    """Let this thread run before all that has no real-time priority, if the kernel permits that.

    What it starts later is as it was before. That takes CAP_SYS_NICE, so it comes before privileges
    are dropped. A nice value would not do: it counts only inside a session, where sessions are
    groups to the scheduler (sched_autogroup_enabled), or inside a cgroup.

    The lowest of the real-time priorities, and no more of a CPU than rows take: the thread sleeps
    in between, and the kernel bounds it (sched_rt_runtime_us).
    """
    with contextlib.suppress(OSError):  # not permitted: then exits that are lost will be counted
        os.sched_setscheduler(
            0,
            os.SCHED_RR | os.SCHED_RESET_ON_FORK,
            os.sched_param(os.sched_get_priority_min(os.SCHED_RR)),
        )
