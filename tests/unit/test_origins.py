"""Who the senders of signals are: what is remembered of them has a bound in bytes."""

import tracemalloc

from support.blocks import note

from exitsnoop.decode.origins import MOST_BYTES, Origins
from exitsnoop.decode.signals import NOBODY, Evidence
from exitsnoop.layout import EVIDENCE_SEEN, SENDER_ORIGIN

MANY = 4000


def origin(pid: int) -> bytes:
    """A sender whose executable has the longest path, of bytes that are not UTF-8."""
    exe = b"\0".join([b"%09d" % pid, *[b"\xff" * 250] * 15, b"top", b"", b""])
    head = note(
        SENDER_ORIGIN, origin=1, pid=pid, ancestors_bytes=0, cgroup_bytes=0, exe_bytes=len(exe)
    )
    return head + exe


def exe_of(origins: Origins, pid: int) -> str | None:
    evidence = Evidence(EVIDENCE_SEEN, NOBODY._replace(pid=pid), origin=1)
    return origins.complete(evidence).sender.exe


def test_long_paths_have_a_bound() -> None:
    origins = Origins()
    tracemalloc.start()
    try:
        for pid in range(1, MANY):
            origins.add(origin(pid))
            assert exe_of(origins, pid)
        assert tracemalloc.get_traced_memory()[0] < 2 * MOST_BYTES
    finally:
        tracemalloc.stop()
    assert exe_of(origins, 1) is None
    assert exe_of(origins, MANY - 1)
