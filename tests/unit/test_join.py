"""What is kept of processes until their exits: none gets what belongs to another."""

from support.blocks import EXIT, note, pack

from exitsnoop import layout
from exitsnoop.decode.exits import decode
from exitsnoop.model.cause import Cause
from exitsnoop.tracing.join import Clues

PID, START, LATER = 4242, 77, 99


def oom(start_boot_ns: int) -> bytes:
    return note(
        layout.OOM_EVIDENCE,
        pid=PID,
        start_boot_ns=start_boot_ns,
        anon_pages=3,
    )


def killed(start_boot_ns: int) -> bytes:
    return note(
        layout.SIGNAL_EVIDENCE,
        pid=PID,
        start_boot_ns=start_boot_ns,
        flags=layout.EVIDENCE_SEEN | layout.EVIDENCE_OOM | layout.EVIDENCE_KERNEL,
    )


def cause(clues: Clues, start_boot_ns: int) -> Cause:
    ended = pack(
        EXIT,
        pid=PID,
        tid=PID,
        start_boot_ns=start_boot_ns,
        status=9,
        last_thread=1,
    )
    (found,) = clues.complete(decode(ended, 0)).column("cause")
    assert isinstance(found, Cause)
    assert found.kind == "oom"
    return found


def test_figures_of_the_oom_killer_are_those_of_the_process() -> None:
    clues = Clues(frozenset({"why"}))
    clues.add([oom(START), killed(START)])
    assert cause(clues, START).oom


def test_figures_left_behind_are_not_given_to_who_has_the_pid_later() -> None:
    """The rest of what was known of the first was lost, as the buffer was full."""
    clues = Clues(frozenset({"why"}))
    clues.add([oom(START)])
    clues.add([killed(LATER)])
    assert cause(clues, LATER).oom is None
