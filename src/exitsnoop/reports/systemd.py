"""What systemd has to do with an end: it sent the signal, or it could not start the program."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import After
from exitsnoop.model.exit import Exit
from exitsnoop.reports.cascade import killer
from exitsnoop.reports.verdicts import chain, command, name, owner
from exitsnoop.sinks.escape import word
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

_INIT = 1
_VERBS = (
    *("stop", "restart", "try-restart", "condrestart", "reload-or-restart", "kill"),
    "try-reload-or-restart",
)
_BEFORE_NS = 10 * SECOND_NS  # with --no-block, systemctl may be gone before the unit is
_AFTER_NS = 120 * SECOND_NS  # it waits for the end, and with "restart" for the new start
_MOST = 50

# systemd.exec(5), "Process Exit Codes": why systemd could not become the program.
_CODES = {
    200: ("CHDIR", "WorkingDirectory= could not be entered"),
    203: ("EXEC", "the program could not be executed: it is missing, or not executable"),
    205: ("LIMITS", "a Limit...= could not be set"),
    208: ("STDIN", "StandardInput= could not be set up"),
    209: ("STDOUT", "StandardOutput= could not be set up"),
    210: ("CHROOT", "RootDirectory= could not be entered"),
    216: ("GROUP", "the group of Group= could not be taken"),
    217: ("USER", "the user of User= could not be taken: there may be none of that name"),
    218: ("CAPABILITIES", "its capabilities could not be set"),
    219: ("CGROUP", "its cgroup could not be set up"),
    222: ("STDERR", "StandardError= could not be set up"),
    224: ("PAM", "the session of PAMName= could not be opened"),
    226: ("NAMESPACE", "its mounts and namespaces could not be set up: a path may be missing"),
    228: ("SECCOMP", "its SystemCallFilter= could not be set"),
    233: ("RUNTIME_DIRECTORY", "RuntimeDirectory= could not be set up"),
    238: ("STATE_DIRECTORY", "StateDirectory= could not be set up"),
    239: ("CACHE_DIRECTORY", "CacheDirectory= could not be set up"),
    240: ("LOGS_DIRECTORY", "LogsDirectory= could not be set up"),
    241: ("CONFIGURATION_DIRECTORY", "ConfigurationDirectory= could not be set up"),
    243: ("CREDENTIALS", "its credentials could not be set up"),
}


def start(of: Exit) -> str | None:
    """Return why systemd could not become the program, in words; None if it had become it."""
    is_systemd = (of.exe or "").rpartition("/")[2] in ("systemd", "systemd-executor")
    if not (is_systemd and of.comm.startswith("(") and of.exit_code in _CODES):
        return None
    code, meaning = _CODES[of.exit_code]
    return f"systemd could not start the program: {of.exit_code} is its code {code}, {meaning}."


def reason(of: Exit, asked_by: Exit | None) -> list[str]:
    """Return why systemd sent the signal, in words; [] if it was not systemd.

    Args:
        of: what it ended.
        asked_by: the process that asked for it, if one is known.
    """
    if not _sent_by_systemd(of):
        return []
    signal, after = _first_and_last(of)
    lines = []
    if asked_by is not None:
        who = owner(asked_by.user, asked_by.uid)
        said = command(asked_by.args or (), truncated=bool(asked_by.args_truncated))
        lines = [f"{name(asked_by)}, {who}, asked for it: {said}"]
        if asked_by.ancestors:
            truncated = bool(asked_by.ancestors_truncated)
            lines.append(chain(asked_by.ancestors, name(asked_by), truncated=truncated))
    if signal == "SIGKILL" and after:
        lines.append("systemd sends SIGKILL to what has not ended within TimeoutStopSec=.")
    elif not lines and signal == "SIGABRT":
        lines.append("systemd sends SIGABRT to a service that missed its watchdog (WatchdogSec=).")
    elif not lines:
        lines.append(
            "systemd does that to stop or restart a unit, when its main process has ended, and "
            "when RuntimeMaxSec= or TimeoutStartSec= is over."
        )
    return [*lines, _journal(of)]


def asked_by(recording: Recording, of: Exit, boot: Query) -> Exit | None:
    """Return the systemctl that named the unit, and ran when systemd sent the first signal.

    None if systemd sent none, or if no such process is recorded. One that systemd refused is left
    out: a user who may not stop the unit; root always may, and its systemctl fails if a job does.

    Args:
        recording: where it may be.
        of: what systemd ended.
        boot: a query for the boot of that exit.
    """
    if not _sent_by_systemd(of):
        return None
    _, after = _first_and_last(of)
    before_ns = round(after.seconds * SECOND_NS) if after else 0
    query = replace(
        boot,
        names=["systemctl"],
        since_ns=of.wall_ns - before_ns - _BEFORE_NS,
        until_ns=of.wall_ns + _AFTER_NS,
        limit=_MOST,
    )
    found = [
        one
        for batch in recording.select(query).batches()
        for one in batch
        if one.start_boot_ns <= of.boot_ns - before_ns
        and (one.uid == 0 or one.exit_code == 0)
        and _names(one.args or (), of.unit or "")
    ]
    return max(found, key=lambda one: one.start_boot_ns, default=None)


def _names(args: Sequence[str], unit: str) -> bool:
    """Whether the arguments of systemctl ask for the end of a unit."""
    verb = next((place for place, one in enumerate(args) if one in _VERBS), len(args))
    return any(
        fnmatchcase(unit, form) for one in args[verb + 1 :] for form in (one, f"{one}.service")
    )


def _first_and_last(of: Exit) -> tuple[str | None, After | None]:
    """Return the signal that it got last, and what systemd had sent before; None if nothing."""
    after = of.cause.after if of.cause else None
    if after is not None and (after.sender is None or after.sender.pid != _INIT):
        after = None
    if of.signal is None and after is not None:
        return after.signal_name, None
    return of.signal_name, after


def _sent_by_systemd(of: Exit) -> bool:
    sender = killer(of)
    return sender is not None and (sender.pid, sender.comm) == (_INIT, "systemd") and bool(of.unit)


def _journal(of: Exit) -> str:
    return f"Its journal says more: journalctl -u {word(of.unit or '')}"
