"""The priority of the tracer: while it waits for a CPU its buffers fill, and exits are lost."""

import os
import time

from exitsnoop.host.processes import idle_ticks, stat

LOOK_S = 0.25
# Shares of a CPU: from which use on we are in the way, and how much more idle another CPU must be.
USED, MORE = 0.02, 0.25
PROCESSOR = 36  # of the fields after the name in /proc/PID/stat


class Priority:
    """Gives this thread the lowest real-time priority, if the kernel permits that.

    Then it runs before all threads without one; its children do not inherit it. This takes
    CAP_SYS_NICE, so make one before you drop privileges. A nice value would not do: it only counts
    within a session, where the scheduler groups by session (sched_autogroup_enabled), or within a
    cgroup.

    The thread uses no more CPU time than rows take: it sleeps in between, and the kernel limits it
    (sched_rt_runtime_us).
    """

    def __init__(self) -> None:
        lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
        try:
            os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, lowest)
        except OSError:  # not permitted: lost exits are counted, at least
            self._cpus: set[int] = set()
        else:
            self._cpus = os.sched_getaffinity(0)
        self._looked_at = float("-inf")
        self._idle: dict[int, int] = {}
        self._used = 0.0

    def give_way(self) -> None:
        """Move to another CPU if that one was idle and ours was not; call it after each batch.

        A real-time thread wakes on the CPU where it slept, and displaces the thread that runs
        there. If that one is bound to the CPU, every row would cost it time.
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
        """Move. rates: idle ticks per second of each CPU; used: our share of ours."""
        second = os.sysconf("SC_CLK_TCK")
        try:
            ours = int(stat(os.getpid())[PROCESSOR])
            best = max(self._cpus & rates.keys(), key=rates.__getitem__, default=ours)
            if rates.get(best, 0) > rates.get(ours, second) + (used + MORE) * second:
                os.sched_setaffinity(0, {best})
                os.sched_setaffinity(0, self._cpus)  # it stays where it is now
        except OSError:
            pass  # we may use other CPUs by now: then we stay
