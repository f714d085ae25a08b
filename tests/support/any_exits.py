"""Exits of any kind, for tests that search for those that break something."""

from typing import get_args

from hypothesis import strategies as st

from exitsnoop.model.cause import (
    KINDS,
    After,
    At,
    Cause,
    Mapped,
    MappingKind,
    Oom,
    Sender,
    Thread,
    Timer,
)
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit

texts = st.text(st.characters(codec="utf-8"), max_size=20)
senders = st.builds(
    Sender,
    *(st.integers(0, 2**22), st.integers(0, 2**22), texts, st.integers(0, 2**32 - 1)),
    st.none() | st.lists(texts, max_size=3).map(tuple),
    st.booleans(),
    *(st.none() | st.integers(0, 2**22), *[st.none() | texts] * 4),
    st.none() | st.builds(Container, texts, texts),
    st.none() | texts,
    st.none() | st.lists(st.builds(Ancestor, st.integers(0, 2**22), texts), max_size=3).map(tuple),
    *[st.none() | texts] * 4,
)
ats = st.builds(
    At,
    *(texts, st.none() | texts, st.none() | st.integers(0, 2**62)),
    *(st.none() | texts, st.none() | st.integers(0, 2**62)),
)
threads = st.builds(Thread, st.integers(0, 2**22), texts)
timers = st.builds(Timer, texts, st.none() | st.floats(0, 1e9))
causes = st.builds(
    Cause,
    *(st.sampled_from(KINDS), texts, st.none() | senders, st.none() | texts, st.none() | texts),
    *(st.none() | st.integers(0, 2**64 - 1), st.none() | st.integers(-1, 2**31 - 1)),
    *(st.none() | st.integers(0, 2**63), st.none() | texts),
    st.none()
    | st.builds(
        Oom,
        *(*[st.integers(0, 2**50)] * 3, st.none() | texts, st.none(), senders),
        *[st.none() | st.integers(0, 2**50)] * 7,
    ),
    st.none() | threads,
    *(st.sampled_from([None, "read", "write", "execute"]), st.none() | texts),
    st.sampled_from([None, True]),
    st.none()
    | st.builds(
        After,
        *(st.integers(1, 64), texts, st.floats(0, 1e9), st.sampled_from(KINDS), texts),
        *(st.none() | senders, st.none() | st.integers(0, 2**64 - 1), st.none() | texts),
        st.none() | st.integers(0, 2**63 - 1),
        st.none() | st.lists(texts, min_size=1, max_size=3).map(tuple),
        *(st.none() | texts, st.none() | st.integers(-1, 2**31 - 1), st.none() | threads),
        *(st.sampled_from([None, "read", "write", "execute"]), st.none() | ats),
        *(st.none() | timers, st.none() | texts),
    ),
    at=st.none() | ats,
    stack=st.none() | st.lists(ats | st.just(At(None)), min_size=1, max_size=3).map(tuple),
    stack_complete=st.none() | st.booleans(),
    mapping=st.none()
    | st.builds(
        Mapped,
        st.sampled_from(get_args(MappingKind)),
        st.none() | texts,
        st.none() | st.integers(0, 2**62),
    ),
    timer=st.none() | timers,
    path=st.none() | texts,
    meant_for=st.sampled_from([None, "process group"]),
)
pids = st.integers(1, 2**22)
made_up = st.builds(
    lambda **known: Exit(**known),
    boot_ns=st.integers(10**12, 10**12 + 10**10),
    start_boot_ns=st.integers(0, 10**12),
    pid=pids,
    ppid=pids,
    tid=pids,
    nspid=st.none() | pids,
    status=st.integers(0, 0xFFFF),
    wall_ns=st.integers(0, 2**62),
    raw_comm=st.binary(min_size=16, max_size=16),
    last_thread=st.booleans(),
    cause=st.none() | causes,
    args=st.none() | st.lists(texts, max_size=4).map(tuple),
    args_truncated=st.just(False),
    ancestors=st.none() | st.lists(st.builds(Ancestor, pids, texts), max_size=5).map(tuple),
    ancestors_truncated=st.none() | st.booleans(),
    uid=st.none() | st.integers(0, 2**32 - 1),
    **dict.fromkeys(("exe", "user", "hostname", "cgroup", "parent_comm"), st.none() | texts),
    **dict.fromkeys(("max_rss", "read_bytes", "minor_faults"), st.none() | st.integers(0, 2**62)),
    **dict.fromkeys(
        ("cpu_user", "cpu_system"), st.none() | st.integers(0, 10**15).map(lambda ns: ns / 10**9)
    ),
)
