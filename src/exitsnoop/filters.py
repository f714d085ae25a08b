"""What to trace: one definition, used by the command line, the API and the kernel side."""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from exitsnoop.causes import (
    ABRT,
    FAULTS,
    HUP,
    INT,
    KILL,
    KINDS,
    PIPE,
    QUIT,
    SYS,
    XCPU,
    XFSZ,
    Cause,
)
from exitsnoop.status import SIGNAL_NAMES

PID_MAX = 4_194_304  # PID_MAX_LIMIT of 64-bit kernels

# Kinds that come with some signals only: the kernel side sends no others where these are asked for.
SIGNALS_OF_KIND: dict[str, set[int]] = {
    "exited": set(),
    "abort": {ABRT},
    "fault": set(FAULTS),
    "oom": {KILL},
    "seccomp": {SYS},
    "pipe": {PIPE},
    "cpu_limit": {XCPU, KILL},
    "file_limit": {XFSZ},
    "terminal": {INT, QUIT},
    "hangup": {HUP},
    "namespace": {KILL},
    "tracer": {KILL},
}


class Filters(NamedTuple):
    """What to trace. Each field has the name of its option and of its tunable in exit.bpf.c.

    Attributes:
        pids: only these processes; empty for all.
        failed: only what did not end with exit(0).
        signals, codes: only what ended by one of these signals, or with one of these codes; both
            empty for all.
        causes: only what had one of these kinds of cause; empty for all. What the kernel side
            cannot tell apart is left to passes().
        why: find out the cause.
        per_thread: a record for every thread that ends, not for every process.
    """

    pids: tuple[int, ...] = ()
    failed: bool = False
    per_thread: bool = False
    why: bool = False
    signals: frozenset[int] = frozenset()
    codes: frozenset[int] = frozenset()
    causes: frozenset[str] = frozenset()

    @classmethod
    def checked(
        cls,
        *,
        pids: Iterable[int] = (),
        failed: bool = False,
        per_thread: bool = False,
        why: bool = False,
        signals: Iterable[int] = (),
        codes: Iterable[int] = (),
        causes: Iterable[str] = (),
    ) -> "Filters":
        """Return filters that make sense.

        Raises ValueError for a number or kind that cannot be, or if nothing could ever pass.
        """
        filters = cls(
            tuple(dict.fromkeys(pids)),
            bool(failed),
            bool(per_thread),
            bool(why),
            frozenset(signals),
            frozenset(codes),
            frozenset(causes),
        )
        for pid in filters.pids:
            if not 0 < pid <= PID_MAX:
                raise ValueError(f"{pid} is not a PID: a PID is 1 to {PID_MAX}")
        for signal in filters.signals:
            if signal not in SIGNAL_NAMES:
                raise ValueError(f"{signal} is not a signal: a signal is 1 to 64")
        for code in filters.codes:
            if not 0 <= code <= 255:
                raise ValueError(f"{code} is not an exit code: a code is 0 to 255")
        for kind in filters.causes:
            if kind not in KINDS:
                raise ValueError(f"{kind!r} is not a kind of cause: they are {', '.join(KINDS)}")
        if filters.causes:
            filters = filters._replace(why=True)
        signal_set, code_set = filters.statuses()
        if not (signal_set or code_set - ({0} if failed else set())):
            raise ValueError("no process can end in all of the ways asked for at once")
        return filters

    def statuses(self) -> tuple[set[int], set[int]]:
        """Return the signals and the exit codes that a process may end with to be of interest."""
        signals, codes = set(SIGNAL_NAMES), set(range(256))
        if self.signals or self.codes:
            signals, codes = set(self.signals), set(self.codes)
        if self.causes:
            signals &= set().union(
                *(SIGNALS_OF_KIND.get(kind, SIGNAL_NAMES) for kind in self.causes)
            )
            codes = codes if "exited" in self.causes else set()
        return signals, codes

    def status_words(self) -> bytes:
        """Return the same as exit.bpf.c's signal_set and code_set; nothing if all are wanted."""
        if not (self.signals or self.codes or self.causes):
            return b""
        signals, codes = self.statuses()
        words = [sum(1 << signal - 1 for signal in signals)]
        words += [
            sum(1 << code - at for code in codes if code // 64 == at // 64)
            for at in (0, 64, 128, 192)
        ]
        return struct.pack("=5Q", *words)

    def passes(self, cause: Cause | None) -> bool:
        """Return whether an exit that the kernel side sent is of interest."""
        return not self.causes or (cause is not None and cause.kind in self.causes)
