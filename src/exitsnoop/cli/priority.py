"""The priority of the tracer: while it waits for a CPU its buffers fill, and exits are lost."""

import os
import resource
import time

from exitsnoop.host.processes import idle_ticks, stat

LOOK_S = 0.25
# Shares of a CPU: from which use on we are in the way, and how much more idle another CPU must be.
USED, MORE = 0.02, 0.25
# The share of a CPU that we may use for long, and how many seconds more until others go first. What
# was too much is paid back at that rate, too.
ALLOWED, CREDIT_S = 0.1, 2.0
PROCESSOR = 36  # of the fields after the name in /proc/PID/stat


class Priority:
    """Gives this thread the lowest real-time priority, if the kernel permits that.

    Then it runs before all threads without one; its children do not inherit it. This takes
    CAP_SYS_NICE, so make one before you drop privileges. A nice value would not do: it only counts
    within a session, where the scheduler groups by session (sched_autogroup_enabled), or within a
    cgroup.

    Whoever starts processes decides how much there is to do. So the thread goes back to the usual
    priority when it uses more than a small share of a CPU for long, until that has been made up
    for. The kernel limits it, too (sched_rt_runtime_us).
    """

    def __init__(self) -> None:
        # If not permitted: lost exits are counted.
        self._goes_first = _is_not_timed() and _schedule(os.SCHED_RR)
        self._may_go_first = self._goes_first
        self._looked_at = float("-inf")
        self._idle: dict[int, int] = {}
        self._used = self._overdraft = 0.0
        if self._goes_first:
            _permit_to_go_first_again()

    def extend(self) -> None:
        """Let the calling thread go first, too: one that has little to do."""
        if self._may_go_first:
            _schedule(os.SCHED_RR)

    def give_way(self) -> None:
        """Let others go first if that is due, or leave them this CPU; call it after each batch.

        A real-time thread wakes on the CPU where it slept, and displaces the thread that runs
        there. If that one is bound to the CPU, every row would cost it time.
        """
        now = time.monotonic()
        since = now - self._looked_at
        if not self._may_go_first or since < LOOK_S:
            return
        used = time.thread_time()
        share = (used - self._used) / since
        self._account(used - self._used, since)
        if self._goes_first and len(os.sched_getaffinity(0)) > 1:
            idle = idle_ticks() if share > USED else {}
            rates = {
                cpu: (idle[cpu] - self._idle[cpu]) / since for cpu in idle if cpu in self._idle
            }
            if rates:
                self._move_to_idle(rates, share)
            self._idle = idle
        self._looked_at, self._used = now, used

    def _account(self, used_s: float, since_s: float) -> None:
        """Take or give up the priority, by the CPU time that was used in a time."""
        overdraft = self._overdraft + used_s - ALLOWED * since_s
        self._overdraft = min(max(overdraft, 0), CREDIT_S)
        if self._goes_first and self._overdraft == CREDIT_S:
            self._goes_first = not _schedule(os.SCHED_OTHER)
        elif not self._goes_first and not self._overdraft:
            self._goes_first = _schedule(os.SCHED_RR)

    def _move_to_idle(self, rates: dict[int, float], used: float) -> None:
        """Move. rates: idle ticks per second of each CPU; used: our share of ours."""
        second = os.sysconf("SC_CLK_TCK")
        try:
            ours = int(stat(os.getpid())[PROCESSOR])
            cpus = os.sched_getaffinity(0)  # which `taskset` may have changed
            best = max(cpus & rates.keys(), key=rates.__getitem__, default=ours)
            if rates.get(best, 0) > rates.get(ours, second) + (used + MORE) * second:
                os.sched_setaffinity(0, {best})
                os.sched_setaffinity(0, cpus)  # it stays where it is now
        except OSError:
            pass  # we may use other CPUs by now: then we stay


def _schedule(policy: int) -> bool:
    """Give this thread the lowest priority of a policy; return whether that is permitted."""
    lowest = os.sched_param(os.sched_get_priority_min(policy))
    try:
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, lowest)
    except OSError:
        return False
    return True


def _is_not_timed() -> bool:
    """Return whether a real-time thread may work for long; else the kernel would kill us for it."""
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY,) * 2)
    except (OSError, ValueError):
        return False
    return True


def _permit_to_go_first_again() -> None:
    """Have the lowest real-time priority permitted without capabilities: by CAP_SYS_RESOURCE."""
    lowest = os.sched_get_priority_min(os.SCHED_RR)
    try:
        resource.setrlimit(resource.RLIMIT_RTPRIO, (lowest, lowest))
    except (OSError, ValueError):
        pass  # then it is given up for good
