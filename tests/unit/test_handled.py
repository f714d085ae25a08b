"""What came before the end, in words: no kernel."""

from typing import Any

import pytest

from exitsnoop import layout
from exitsnoop.causes.handled import with_handled
from exitsnoop.causes.rules import judge
from exitsnoop.decode.signals import NOBODY, Evidence
from exitsnoop.model.cause import Sender, Thread

SEEN, SELF = layout.EVIDENCE_SEEN, layout.EVIDENCE_SELF
IGNORED, BLOCKED = layout.EVIDENCE_IGNORED, layout.EVIDENCE_BLOCKED
BOB, EVE = Sender(712, 1, "bob", 0), Sender(9, 1, "eve", 0)
END = 10**12


def sent(
    signal: int, seconds: float, sender: Sender = BOB, flags: int = SEEN, **more: Any
) -> Evidence:
    at = END - round(seconds * 1e9)
    return Evidence(flags, sender, signal=signal, sent_boot_ns=at, **more)


TERM, FAULT = sent(15, 0.02), sent(11, 0.001, flags=SEEN | SELF, si_code=1, address=64)
IGNORING, BLOCKING = (sent(15, 10, flags=SEEN | how) for how in (IGNORED, BLOCKED))
RAISED = sent(0, 0, flags=SEEN | SELF, si_code=-6)
KILLED, ASKED = (f"killed by bob[712] ({name})" for name in ("SIGKILL", "SIGTERM"))
AGAIN = sent(11, 0, flags=SEEN | SELF, si_code=1, address=64)
ALARM = sent(14, 0.02, NOBODY, flags=SEEN | layout.EVIDENCE_KERNEL)
CLOSED = sent(13, 0.02, NOBODY, flags=SEEN | SELF | layout.EVIDENCE_NO_INFO)
UNREAD = CLOSED._replace(flags=CLOSED.flags | IGNORED)
FULL = UNREAD._replace(signal=25, limit=4096)
TOO_LARGE = "a file size limit of 4.0K (SIGXFSZ), which it ignored"
WROTE = "it wrote to a closed pipe (SIGPIPE, which it ignored)"
BLOCKED_BY = " from bob[712], which it blocked"
BY_EVE = "killed by eve[9] (SIGKILL)"
SEGFAULT = "segfault at 0x40 (SEGV_MAPERR)"
LONG_AGO = sent(15, 91)
STOPPED = sent(19, 3600)
SECOND, THIRD = TERM._replace(earlier=0x02), TERM._replace(earlier=0x020F0102)
PAUSED = sent(20, 5, NOBODY, flags=SEEN | layout.EVIDENCE_KERNEL, tty="pts3")
TABLE = [
    # status, what ended it, what came before, the text
    (0, None, TERM, "exit 0, 0.02 s after SIGTERM from bob[712]"),
    (143 << 8, None, TERM, "exit 143, 0.02 s after SIGTERM from bob[712]"),
    (0, None, LONG_AGO, "exit 0"),
    (9, sent(9, 0), IGNORING, f"{KILLED}, 10.0 s after SIGTERM from the same, which it ignored"),
    (9, sent(9, 0, EVE), BLOCKING, f"{BY_EVE}, 10.0 s after SIGTERM{BLOCKED_BY}"),
    (6, RAISED._replace(signal=6), FAULT, f"abort(), 1.0 ms after a {SEGFAULT}"),
    (11, RAISED._replace(signal=11), FAULT, f"{SEGFAULT}, raised again after it was handled"),
    (11, AGAIN, FAULT, f"{SEGFAULT}, again after it was handled"),
    (
        11,
        AGAIN._replace(address=128),
        FAULT,
        f"segfault at 0x80 (SEGV_MAPERR), 1.0 ms after a {SEGFAULT}",
    ),
    (
        11,
        AGAIN._replace(thread=Thread(7, "io")),
        FAULT,
        f"segfault at 0x40 (SEGV_MAPERR), thread io[7], 1.0 ms after a {SEGFAULT}",
    ),
    (1 << 8, None, ALARM, "exit 1, 0.02 s after an alarm (alarm or setitimer, SIGALRM)"),
    (1 << 8, None, CLOSED, "exit 1, 0.02 s after a closed pipe"),
    (1 << 8, None, CLOSED._replace(sent_boot_ns=END - 2 * 10**9), "exit 1"),
    (9, sent(9, 0, EVE), CLOSED, BY_EVE),
    (1 << 8, None, UNREAD, f"exit 1, 0.02 s after {WROTE}"),
    (6, RAISED._replace(signal=6), UNREAD, f"abort(), 0.02 s after {WROTE}"),
    (1 << 8, None, FULL, f"exit 1, 0.02 s after {TOO_LARGE}"),
    (3 << 8, None, FAULT, f"exit 3, 1.0 ms after a {SEGFAULT}"),
    (3 << 8, None, FAULT._replace(sent_boot_ns=END - 10**9), "exit 3"),
    (0, None, FAULT, "exit 0"),
    (15, None, TERM, ASKED),
    (15, RAISED._replace(signal=15), TERM, f"{ASKED}, raised again after it was handled"),
    (
        6,
        RAISED._replace(signal=6),
        sent(6, 0.001, flags=SEEN | SELF, si_code=-6),
        "abort(), raised again after it was handled",
    ),
    (15, RAISED._replace(signal=15), BLOCKING, f"{ASKED}, raised again after it was handled"),
    (9, sent(9, 0), SECOND, f"{KILLED}, 0.02 s after SIGTERM from the same (SIGINT came first)"),
    (
        9,
        sent(9, 0, EVE),
        THIRD,
        f"{BY_EVE}, 0.02 s after SIGTERM from bob[712] (SIGHUP and SIGINT came first)",
    ),
    (
        9,
        sent(9, 0),
        STOPPED,
        f"{KILLED}, 3600.0 s after SIGSTOP from the same, which had stopped it",
    ),
    (9, sent(9, 0), PAUSED, f"{KILLED}, 5.00 s after ctrl-z on pts/3, which had stopped it"),
    (2, RAISED._replace(signal=2), TERM, "sent itself SIGINT, 0.02 s after SIGTERM from bob[712]"),
]


@pytest.mark.parametrize(("status", "evidence", "before", "text"), TABLE)
def test_text(status: int, evidence: Evidence | None, before: Evidence, text: str) -> None:
    signal = status & 0x7F or None
    alone = judge(status, evidence)
    cause = with_handled(alone, evidence, [before], signal=signal, pid=1, boot_ns=END)
    assert cause.text == text
    assert bool(cause.reraised) == ("again after" in text)


def test_a_request_before_a_stop() -> None:
    cause = with_handled(
        judge(9, sent(9, 0)), sent(9, 0), [SECOND, sent(19, 0.01)], signal=9, pid=1, boot_ns=END
    )
    told = "0.01 s after SIGSTOP from the same, which had stopped it"
    assert cause.text == f"{KILLED}, {told} (SIGINT and SIGTERM came first)"


@pytest.mark.parametrize(
    ("code", "before", "meant"),
    [(143, TERM, ""), (137, TERM, ": 128+9, as after SIGKILL of a command")],
)
def test_a_shell_that_had_the_signal_itself_says_nothing_of_a_command(
    code: int, before: Evidence, meant: str
) -> None:
    alone = judge(code << 8, None, comm="sh")
    cause = with_handled(alone, None, [before], signal=None, pid=1, boot_ns=END)
    assert cause.text == f"exit {code}{meant}, 0.02 s after SIGTERM from bob[712]"


@pytest.mark.parametrize(
    ("before", "wrote_s", "text", "signal"),
    [
        (TERM, 0.001, ", 0.02 s after SIGTERM from bob[712]", 15),
        (LONG_AGO, 0.02, f", 0.02 s after {WROTE}", 13),
        (LONG_AGO, 2, "", 15),
        (None, 2, "", None),
    ],
)
def test_a_write_that_failed_is_told_if_nothing_else_is(
    before: Evidence | None, wrote_s: float, text: str, signal: int | None
) -> None:
    write = UNREAD._replace(sent_boot_ns=END - round(wrote_s * 1e9))
    both = [one for one in (before, write) if one]
    cause = with_handled(judge(1 << 8, None), None, both, signal=None, pid=1, boot_ns=END)
    assert cause.text == f"exit 1{text}"
    assert (cause.after and cause.after.signal) == signal


RUNS, RETURNED = layout.HANDLER_RUNS, layout.HANDLER_RETURNED
IO, GC = Thread(7, "io"), Thread(8, "gc")


@pytest.mark.parametrize(
    ("handlers", "by", "address"),
    [
        ((RUNS, RETURNED), None, 0x10),
        ((RETURNED, RUNS), None, 0x20),
        ((RUNS, RUNS), None, 0x10),
        ((RETURNED, RETURNED), None, 0x20),
        ((RUNS, RUNS), GC, 0x20),
        ((RETURNED, RUNS), IO, 0x10),
    ],
)
def test_of_the_faults_of_two_threads_the_one_that_matters(
    handlers: tuple[int, int], by: Thread | None, address: int
) -> None:
    first, second = (
        sent(11, ago, flags=SEEN | SELF, si_code=1, address=at, thread=thread, handler=handler)
        for ago, at, thread, handler in zip((2, 1), (0x10, 0x20), (IO, GC), handlers, strict=True)
    )
    end = RAISED._replace(signal=6, thread=by) if by else None
    status = 6 if by else 3 << 8
    for both in ([first, second], [second, first]):
        alone = judge(status, end)
        cause = with_handled(alone, end, both, signal=6 if by else None, pid=1, boot_ns=END)
        assert cause.after
        assert cause.after.address == address


def test_what_is_not_told_is_evidence_all_the_same() -> None:
    cause = with_handled(judge(0, None), None, [LONG_AGO], signal=None, pid=1, boot_ns=END)
    assert cause.after
    assert cause.after.signal_name == "SIGTERM"
    assert (cause.after.seconds, cause.after.sender) == (91, BOB)


def test_the_signal_that_ended_it_is_not_before_the_end() -> None:
    """It was blocked when it was sent, and so was kept as one that might not end it."""
    ending = sent(15, 5)
    cause = with_handled(judge(15, ending), ending, [ending], signal=15, pid=1, boot_ns=END)
    assert cause.after is None
