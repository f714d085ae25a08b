"""What came before the end: signals that the process handled, ignored or blocked.

Most programs handle a signal that asks them to end: they log, clean up, and exit with a code, or
send themselves the signal again. A supervisor kills those that do not end in time.
"""

from exitsnoop import layout
from exitsnoop.causes.rules import judge
from exitsnoop.causes.senders import named, place, run_by
from exitsnoop.causes.traps import NO_ROOM, NO_ROOM_ON_SIGNAL_STACK
from exitsnoop.decode.signals import Evidence
from exitsnoop.model.cause import (
    FAULTS,
    PATIENCE_S,
    PIPE,
    REQUESTS,
    STOPS,
    SYS,
    XFSZ,
    After,
    Cause,
)
from exitsnoop.model.status import signal_name
from exitsnoop.model.words import came_first, shell_meaning, which

_WAITS = {layout.HANDLER_WAITS: "waiting", layout.HANDLER_STOPPED: "stopped"}
_AT_ONCE_S = 0.1
FAILED_WRITE_S = 1
_RETURNED_S = 0.01  # Go's handler returns to code that writes the stack, and exits
_NS = 1_000_000_000
_AGAIN = "again after it was handled"
_BY_ITSELF = frozenset(("exited", "abort", "self"))
_PASSING = frozenset(("pipe", "file_limit", "timer"))
_COUNTED = frozenset(("fault", "timer", "pipe", "cpu_limit", "file_limit", "hangup"))


def with_handled(
    cause: Cause,
    evidence: Evidence | None,
    handled: list[Evidence],
    *,
    signal: int | None,
    pid: int,
    boot_ns: int,
    ppid: int = 0,
) -> Cause:
    """Return the cause, with what came before the end.

    A signal that ended the process, but was not kept as one that could, had a handler when it was
    sent: it was blocked, and the handler was taken away before it was delivered.

    Args:
        cause: of the end by itself.
        evidence: what it rests on.
        handled: what is known of the signals before.
        signal: the signal that ended the process; None if it exited.
        pid: the process.
        ppid: its parent.
        boot_ns: when it ended, by the boot clock.
    """
    handled = [_as_taken(one, evidence, signal) for one in _with_one_fault(handled, evidence)]
    for first in handled:
        if first.signal != signal or _how(first):
            continue
        if evidence and first.sent_boot_ns == evidence.sent_boot_ns:  # it was blocked first
            continue
        if evidence and _is_again(first, evidence):
            return cause._replace(text=f"{cause.text}, {_AGAIN}", reraised=True)
        original = judge(first.signal, _with_site(first, evidence), pid=pid, ppid=ppid)
        if not (evidence and evidence.flags & layout.EVIDENCE_SEEN):
            return original
        if cause.kind in ("self", "abort") and original.kind != "unknown":
            text = f"{original.text}, raised {_AGAIN}"
            cause = original._replace(text=text, reraised=True)
            if original.kind not in ("self", "abort"):
                return cause
            handled = [one for one in handled if one is not first]  # why it did so came before
            break
    sent = evidence.sent_boot_ns if evidence else 0
    before = [one for one in handled if one.sent_boot_ns != sent]
    if not before:
        return cause
    writes = [one for one in before if _is_failed_write(one)]
    found = cause
    for some in ([one for one in before if one not in writes], writes):
        if some and found.text == cause.text:
            last = max(some, key=lambda one: one.sent_boot_ns)
            seconds = max(0, boot_ns - last.sent_boot_ns) / _NS
            after = _after(cause, last, some, (pid, ppid), seconds)
            if some is not writes or after.text != cause.text:
                found = after
    return found


def _earlier(last: Evidence, handled: list[Evidence]) -> tuple[str, ...]:
    """Return the names of other requests that came before the last signal, the oldest first."""
    if last.signal not in REQUESTS | STOPS:
        return ()
    before = [
        one
        for one in handled
        if one.signal in REQUESTS
        and not one.flags & layout.EVIDENCE_SELF
        and last.sent_boot_ns - one.sent_boot_ns <= PATIENCE_S * _NS
    ]
    numbers = [
        number
        for one in before
        for number in (0 if one is last else one.signal, *one.earlier.to_bytes(4, "little"))
    ]
    numbers = [one for one in dict.fromkeys(numbers) if one not in (0, last.signal)]
    return tuple([f"SIG{signal_name(one)}" for one in reversed(numbers)])


def _is_failed_write(handled: Evidence) -> bool:
    """Whether a process that ignores the signal went on with an error instead.

    It says something only if the process failed at once. What it was asked before says more.
    """
    return handled.signal in (PIPE, XFSZ) and _how(handled) == "ignored"


def _with_one_fault(handled: list[Evidence], last: Evidence | None) -> list[Evidence]:
    """Leave one fault of several threads: of the one that ended the process, or whose handler ran.

    A handler may report a crash while other threads have faults on purpose: the first one counts.
    """
    faults = [one for one in handled if one.si_code > 0 and one.signal in (*FAULTS, SYS)]
    if len(faults) < 2:
        return handled

    def weight(fault: Evidence) -> tuple[bool, bool, int]:
        is_last = bool(last and last.thread and fault.thread == last.thread)
        runs = fault.handler == layout.HANDLER_RUNS
        return is_last, runs, -fault.sent_boot_ns if runs else fault.sent_boot_ns

    told = max(faults, key=weight)
    return [one for one in handled if one is told or one not in faults]


def _as_taken(first: Evidence, last: Evidence | None, signal: int | None) -> Evidence:
    """Return a signal that was blocked as one that was not, if the process took it before the end.

    The kernel drops a signal of the same number while the first one waits.
    """
    if not (last and last.flags & layout.EVIDENCE_SEEN and first.signal == signal):
        return first
    if first.sent_boot_ns >= last.sent_boot_ns or bool(first.thread) != bool(last.thread):
        return first
    return first._replace(flags=first.flags & ~layout.EVIDENCE_BLOCKED)


def _is_again(first: Evidence, last: Evidence) -> bool:
    """Whether a fault came twice: its handler restored the default action, and returned."""
    where = [one.trap and one.trap.instruction for one in (first, last)]
    return (
        first.si_code > 0
        and last.flags & layout.EVIDENCE_SEEN != 0
        and (first.si_code, first.address) == (last.si_code, last.address)
        and first.thread == last.thread
        and where[0] == where[1]
    )


def _with_site(first: Evidence, last: Evidence | None) -> Evidence:
    """Add where the thread was, if the one that had the first signal also took the last."""
    site = last.site if last else None
    if first.site or not site or (first.thread and first.thread.tid != site.thread.tid):
        return first
    return first._replace(site=site)


def _how(handled: Evidence) -> str:
    """Return what the process did with a signal; "" if it had a handler."""
    if handled.flags & layout.EVIDENCE_IGNORED:
        of_init = handled.handler == layout.HANDLER_OF_INIT
        return "init without handler" if of_init else "ignored"
    if handled.flags & layout.EVIDENCE_DUMPED:
        return "dumping core"
    if handled.signal in STOPS:
        return "stopping"
    if handled.handler in _WAITS:
        return _WAITS[handled.handler]
    return "blocked" if handled.flags & layout.EVIDENCE_BLOCKED else ""


def _after(
    cause: Cause, handled: Evidence, others: list[Evidence], who: tuple[int, int], seconds: float
) -> Cause:
    first = judge(handled.signal, handled, pid=who[0], ppid=who[1])
    after = After(
        handled.signal,
        f"SIG{signal_name(handled.signal)}",
        seconds,
        first.kind,
        _how(handled) or "handled",
        first.sender,
        first.address,
        first.tty,
        first.limit,
        syscall=first.syscall,
        thread=first.thread,
        access=first.access,
        at=first.at,
        timer=first.timer,
        path=first.path,
    )
    text = cause.text
    if _is_told(cause, after, handled.handler):
        if after.handled == "handled":  # a shell's code is then its own, not a command's
            text = text.removesuffix(f": {shell_meaning(128 + after.signal)}")
        names = _earlier(handled, others)
        told = f"{_what(cause, first, after, handled, who)}{came_first(names)}"
        text += f", {_duration(seconds)} after {told}"
        after = after._replace(earlier=names or None, text=told)
    return cause._replace(text=text, after=after)


def _is_told(cause: Cause, after: After, handler: int) -> bool:
    """Return whether the text reports it: not the fault for whose handler there was no room.

    Some runtimes take faults on purpose (JVM, Go): once the handler has returned, the end may have
    nothing to do with it.
    """
    if after.handled in ("dumping core", "stopping"):
        return True
    if cause.trap in (NO_ROOM, NO_ROOM_ON_SIGNAL_STACK) and after.signal_name == "SIGSEGV":
        return False
    if (after.signal in FAULTS or after.signal == SYS) and after.kind != "killed":
        if cause.kind == "exited" and cause.text == "exit 0":
            return False
        if handler == layout.HANDLER_RUNS:
            return after.seconds <= PATIENCE_S
        if handler == layout.HANDLER_RETURNED:
            return after.seconds <= _RETURNED_S
        return cause.kind != "exited" or after.seconds <= _AT_ONCE_S
    if after.kind in _PASSING:  # a program handles each, and goes on
        return after.seconds <= FAILED_WRITE_S and cause.kind in _BY_ITSELF
    return after.seconds <= PATIENCE_S


def _what(
    cause: Cause, first: Cause, after: After, handled: Evidence, whose: tuple[int, int]
) -> str:
    if first.kind in ("killed", "self"):
        who = "itself"
        if first.sender:
            of = place(first.sender, handled)
            who = f"{named(first.sender)}{of}{run_by(first.sender, *whose)}"
        if first.sender and cause.sender and first.sender.pid == cause.sender.pid:
            who = "the same"
        text = f"{after.signal_name} from {who}"
    elif first.kind in _COUNTED:
        text = f"{'an' if first.text[0] in 'ai' else 'a'} {first.text}"
    else:
        text = first.text
    if after.handled == "dumping core":
        return f"{text}, while it dumped core"
    if (first.kind, after.handled) == ("pipe", "ignored"):
        return "it wrote to a closed pipe (SIGPIPE, which it ignored)"
    return f"{text}{which(after.handled)}"


def _duration(seconds: float) -> str:
    if seconds < 0.0001:
        return f"{seconds * 1_000_000:.0f} us"
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
