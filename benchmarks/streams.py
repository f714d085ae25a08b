"""Streams: what the BPF programs send for a load, recorded, to be decoded again and again.

The same bytes always cost the same, whatever else the machine does; so two versions of the code
can be compared on one stream.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from exitsnoop.decode.exits import EVENT
from exitsnoop.filters.filters import Filters
from exitsnoop.kernel.plan import plan
from exitsnoop.kernel.session import open_session
from exitsnoop.layout import LEFT
from exitsnoop.model.fields import COLLECTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from exitsnoop.kernel.session import Session

FIELDS = set(COLLECTED) - {"cause"}
BATCH = 256
_RING_BYTES = 64 << 20
_PAUSE_S = 0.001
_GO = "read go; "
_FLAGS = "-nostdinc -Iinclude -Iarch/x86/include -D__KERNEL__ -std=gnu11 -Wall -O2 -fno-PIE"

# Each is a script for sh, with the program exits.c and how many exits it makes.
LOADS = {
    "vfork": "exec {program} processes {count} {cpu}",
    "shell": "i=0; while [ $i -lt {count} ]; do /bin/true item $i; i=$((i+1)); done",
    "make": "i=0; while [ $i -lt $(({count}/4)) ]; do f=drivers/net/file$i; i=$((i+1)); "
    f"sh -c \"sh -c '/bin/true cc1 -quiet {_FLAGS} $f.c -o $f.s; /bin/true as -o $f.o $f.s; :' "
    f'gcc {_FLAGS} -c -o $f.o $f.c; :"; done',
    "deaths": "exec {program} deaths {count} {cpu}",
}

Drained = tuple[bytes, list[bytes], bool]


class Stream:
    """A session that gives what another one gave.

    Args:
        drained: what drain() gives, call by call.
    """

    def __init__(self, drained: Sequence[Drained]) -> None:
        self._drained = list(drained)
        self._ready = os.eventfd(1)

    def filenos(self) -> tuple[int, ...]:
        """Return a descriptor that is always readable."""
        return (self._ready,)

    def drain(self, _most: int) -> Drained:
        """Return the next part; the last says that it is the last."""
        return self._drained.pop(0)

    def lost(self) -> tuple[int, int]:
        """Return zeros, as the next: nothing is lost."""
        return 0, 0

    def signals_recorded(self) -> int:
        """Return 0."""
        return 0

    def detach(self) -> None:
        """Do nothing, as the next two."""

    def settle(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def script(load: str, program: str, count: int) -> str:
    """Return the script for sh that makes so many exits."""
    return LOADS[load].format(program=program, count=count, cpu=min(os.sched_getaffinity(0)))


def record(load: str, program: str, count: int) -> list[Drained]:
    """Run a load, as root; return what the BPF programs sent, in full batches.

    It is taken while the load runs: in a ring that fills up, crashes leave out where they were.
    """
    with subprocess.Popen(
        ["/bin/sh", "-c", _GO + script(load, program, count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        traced = Filters(tree=[process.pid], why=True, fields=FIELDS)
        session = open_session(plan(traced, unwanted=False), ring_bytes=_RING_BYTES)
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.close()
        parts: list[Drained] = [(b"", [], False)]
        while process.poll() is None:
            _take(session, parts)
            time.sleep(_PAUSE_S)
    while not _take(session, parts):
        pass
    exits, notes, _ = parts.pop()
    assert session.lost() == (0, 0)
    session.close()
    return [*parts, (exits, notes, True)]


def _take(session: "Session", parts: list[Drained]) -> bool:
    """Drain once, and add what there was; return whether that was all."""
    exits, notes, _ = parts.pop()
    block, more, complete = session.drain(BATCH - len(exits) // EVENT.size)
    exits += block
    number = partial(int.from_bytes, byteorder=sys.byteorder)
    # These are sent only because of the filter.
    notes += [note for note in more if number(note[8:16]) != LEFT]
    parts.append((exits, notes, False))
    if len(exits) >= BATCH * EVENT.size:
        parts.append((b"", [], False))
    return complete
