"""Who gets a CPU first: a tracer that waits for one loses exits as soon as its buffers are full."""

import os
import time

from exitsnoop.host.processes import idle_ticks, stat

LOOK_S = 0.25
# Shares of a CPU: what we must use to be in anyone's way, and how much more idle another must be.
USED, MORE = 0.02, 0.25
PROCESSOR = 36  # in what follows the name in /proc/PID/stat


class Priority:
    """This thread runs before all that has no real-time priority, if the kernel permits that.

    What it starts later is as it was before. That takes CAP_SYS_NICE, so it comes before privileges
    are dropped. A nice value would not do: it counts only inside a session, where sessions are
    groups to the scheduler (sched_autogroup_enabled), or inside a cgroup.

    The lowest of the real-time priorities, and no more of a CPU than rows take: the thread sleeps
    in between, and the kernel bounds it (sched_rt_runtime_us).
    """

    def __init__(self) -> None:
        lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        try:
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, lowest)
        except OSError:  # not permitted: then exits that are lost will be counted
            self._cpus: set[int] = set()
        else:
            self._cpus = os.sched_getaffinity(0)
        self._looked_at = float("-inf")
        self._idle: dict[int, int] = {}
        self._used = 0.0

    def give_way(self) -> None:
        """Leave the CPU to others, if one was idle while ours was not; call it after each batch.

        A real-time thread wakes where it slept, and before what runs there, as long as that has no
        such priority, too: who is bound to that CPU would pay for every row.
        """
        now = time.monotonic()
        since = now - self._looked_at
        if len(self._cpus) < 2 or since < LOOK_S:
            return
        used = time.thread_time()
        share = (used - self._used) / since
        idle = idle_ticks() if share > USED else {}
        rates = {cpu: (idle[cpu] - self._idle[cpu]) / since for cpu in idle if cpu in self._idle}
        if rates:
            self._move_to_idle(rates, share)
        self._looked_at, self._idle, self._used = now, idle, used

    def _move_to_idle(self, rates: dict[int, float], used: float) -> None:
        """rates: idle ticks a second of each CPU; used: of ours, by us."""
        second = os.sysconf("SC_CLK_TCK")
        try:
            ours = int(stat(os.getpid())[PROCESSOR])
            best = max(self._cpus & rates.keys(), key=rates.__getitem__, default=ours)
            if rates.get(best, 0) > rates.get(ours, second) + (used + MORE) * second:
                os.sched_setaffinity(0, {best})
                os.sched_setaffinity(0, self._cpus)  # where it is now is where it stays
        except OSError:
            pass  # the CPUs that we may have are others by now: then we stay
