"""Verdicts: what ended a process, in one sentence; and who a process was, in words."""

from collections.abc import Callable, Sequence

from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.model.exit import Exit
from exitsnoop.model.status import signal_name
from exitsnoop.model.words import came_first, from_container, human_bytes, which
from exitsnoop.reports.loops import Loop
from exitsnoop.reports.when import length
from exitsnoop.sinks.escape import escape, word
from exitsnoop.sinks.shell import shell_word

_LONGEST_ARGS = 300
_OWN_WORDS = {"killed", "self", "pipe", "terminal"}  # what came before, of these kinds


def process(comm: str, pid: int) -> str:
    """Return a process as "nginx[812]"."""
    return f"{word(comm)}[{pid}]"


def name(exit_: Exit) -> str:
    """Return the process of an exit as "nginx[812]"."""
    return process(exit_.comm, exit_.pid)


def owner(user: str | None, uid: int | None) -> str:
    """Return whose it was: "user www-data", "uid 33" if that user has no name."""
    if user:
        return f"user {word(user)}"
    return "an unknown user" if uid is None else f"uid {uid}"


def command(args: Sequence[str], *, truncated: bool = False) -> str:
    """Return arguments as a shell takes them back, with "..." at the end if some are left out."""
    while len(args) > 1 and not args[-1]:  # a program that wrote a title over its arguments
        args = args[:-1]
    text = escape(args[0], spaces=False) if len(args) == 1 else " ".join(map(shell_word, args))
    if len(text) > _LONGEST_ARGS or truncated:
        return f"{text[:_LONGEST_ARGS]} ..."
    return text


def chain(ancestors: Sequence[Ancestor], last: str, *, truncated: bool = False) -> str:
    """Return what started what, the oldest first: "cron[812] -> sh[5099] -> pkill[5120]"."""
    above = [process(one.comm, one.pid) for one in reversed(ancestors)]
    return " -> ".join([*(["..."] if truncated else []), *above, last])


def verdict(exit_: Exit) -> str:
    """Return what happened to the process, to follow its name: "was killed by kill[812] ..."."""
    cause = exit_.cause
    if cause is None:
        return f"{_ended(exit_)}; why was not recorded"
    say = _VERDICTS.get(cause.kind)
    text = f"{_ended(exit_)}: {_told(cause)}"
    if say:
        text = f"{say(exit_, cause)}{_before(exit_, cause)}"
    return f"{text}, and left a core" if exit_.core_dumped else text


def brief(exit_: Exit) -> str:
    """Return the same in few words, for a list: "killed by kill[812], SIGKILL", "code 3"."""
    cause = exit_.cause
    if cause is None or cause.kind == "exited":
        return f"{exit_.exit if exit_.status else 'code 0'}{_before(exit_, cause) if cause else ''}"
    if cause.kind == "oom":
        return "out of memory"
    if cause.kind == "killed":
        return f"killed by {_by(cause.sender)}, {exit_.signal_name}"
    return _told(cause)


def ends_in_words(kind: str, status: int) -> str:
    """Return a kind of end in few words, for counts: "killed by SIGKILL", "code 3"."""
    number = status & 0x7F
    if not number:
        return f"code {status >> 8 & 0xFF}"
    if kind in ("", "unknown", "kernel"):
        return f"SIG{signal_name(number)}"
    return _KINDS.get(kind, kind).format(f"SIG{signal_name(number)}")


def mostly(loop: Loop) -> str:
    """Return how the deaths of a crash loop ended: "most: code 3", "most often: code 3"."""
    which = "most" if loop.is_most else "most often"
    return f"{which}: {ends_in_words(loop.cause, loop.status)}"


_KINDS = {
    "killed": "killed by {}",
    "self": "{} to itself",
    "abort": "abort()",
    "fault": "crashed by {}",
    "oom": "out of memory",
    "pipe": "closed pipe",
    "cpu_limit": "CPU time limit",
    "file_limit": "file size limit",
    "parent_death": "parent died",
    "namespace": "PID namespace ended",
    "tracer": "tracer died",
    "other_thread": "another thread ended it",
}


def _ended(exit_: Exit) -> str:
    if exit_.signal is None:
        return f"exited with code {exit_.exit_code}"
    return f"was ended by {exit_.signal_name}"


def _by(sender: Sender | None) -> str:
    return process(sender.comm, sender.pid) if sender else "a process"


def _killed(exit_: Exit, cause: Cause) -> str:
    sender = cause.sender
    parent = "its parent " if sender and sender.pid == exit_.ppid else ""
    return f"was killed by {parent}{_by(sender)}{_from(sender, exit_)} with {exit_.signal_name}"


def _from(sender: Sender | None, exit_: Exit) -> str:
    """Return the container of a sender; "" if that is the one of the process, or if it is none."""
    if sender is None or (sender.container, sender.pod) == (exit_.container, exit_.pod):
        return ""
    return escape(from_container(sender), spaces=False)


def _before(exit_: Exit, cause: Cause) -> str:
    """Return what came before the end, if the text of the cause reports it."""
    after = cause.after
    if after is None or after.text is None or cause.kind in _WITH_TEXT:
        return ""
    source = f" on {after.tty}" if after.tty else ""
    if after.kind == "self":
        source = " from itself"
    elif after.sender:
        is_same = cause.sender is not None and cause.sender.pid == after.sender.pid
        parent = "its parent " if after.sender.pid == exit_.ppid else ""
        who = "the same" if is_same else f"{parent}{_by(after.sender)}{_from(after.sender, exit_)}"
        source = f" from {who}"
    how = which(after.handled)
    ago = f", {length(round(after.seconds * 1e9))} after"
    if after.kind == "pipe":
        return f"{ago} it wrote to a pipe or socket that nobody reads ({after.signal_name}{how})"
    if after.kind not in _OWN_WORDS:
        return f"{ago} {escape(after.text, spaces=False)}"
    return f"{ago} {after.signal_name}{source}{how}{came_first(after.earlier or ())}"


def _told(cause: Cause) -> str:
    return escape(cause.text, spaces=False)


def _itself(exit_: Exit, cause: Cause) -> str:
    if cause.meant_for == "process group":
        return f"sent {exit_.signal_name} to its process group, and so to itself"
    return f"sent itself {exit_.signal_name}"


def _oom(_: Exit, cause: Cause) -> str:
    oom = cause.oom
    if oom is None:
        return "was killed by the kernel, which was out of memory"
    if oom.cgroup is None or oom.limit is None:
        return "was killed by the kernel: the whole system was out of memory"
    return f"was killed by the kernel: its cgroup reached its limit of {human_bytes(oom.limit)}"


_VERDICTS: dict[str, Callable[[Exit, Cause], str]] = {
    "exited": lambda exit_, _: _ended(exit_),
    "killed": _killed,
    "self": _itself,
    "abort": lambda _, cause: f"called {_told(cause)} (SIGABRT)",
    "fault": lambda exit_, cause: f"crashed with {exit_.signal_name}: {_told(cause)}",
    "oom": _oom,
    "pipe": lambda *_: "wrote to a pipe or socket that nobody reads (SIGPIPE)",
    "cpu_limit": lambda _, cause: f"reached its {_told(cause)}",
    "file_limit": lambda _, cause: f"reached its {_told(cause)}",
}
"""Words for causes whose own text, after the signal, would be less clear."""
_WITH_TEXT = {"abort", "fault", "cpu_limit", "file_limit"}
