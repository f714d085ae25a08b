"""The commands that give the rows behind a figure, ready to be pasted into a shell."""

import shlex
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import groupby

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.status import signal_name
from exitsnoop.reports.overview.period import Period
from exitsnoop.reports.overview.whose import OTHERS, Whose

_SHOWN = "time, pid, comm, unit, cause_text"


def past(
    from_ns: int,
    to_ns: int,
    *,
    of: Whose | None = None,
    causes: Sequence[str] = (),
    status: int | None = None,
    failed: bool = True,
) -> str:
    """Return the `exitsnoop past` that shows exits.

    Args:
        from_ns: from when, nanoseconds since the epoch.
        to_ns: until when.
        of: only theirs.
        causes: only those with these kinds of cause.
        status: only those with this wait status.
        failed: only what failed.
    """
    words = ["exitsnoop", "past", "-xw" if failed else "-w"]
    if of is not None and of != OTHERS:
        words += ["-n", _pattern(of.comm)]
        if of.within and of.within.isprintable() and "," not in of.within:
            words += ["-c", of.within]
    known = [cause for cause in causes if cause]
    if known:
        words += ["--cause", ",".join(known)]
    if status is not None:
        number = status & 0x7F
        words += ["--signal", signal_name(number)] if number else ["--code", str(status >> 8)]
    return shlex.join([*words, *_times(from_ns, to_ns)])


def sql(period: Period, conditions: dict[str, str | int | None], *more: str) -> str:
    """Return the `exitsnoop sql` that shows exits of a period, where `past` has no such filter.

    Args:
        period: the period.
        conditions: what columns must have; None for unknown.
        more: other conditions.
    """
    terms = ["failed = 1", *(f"{name} {_is(value)}" for name, value in conditions.items()), *more]
    statement = f"SELECT {_SHOWN} FROM exits WHERE {' AND '.join(terms)}"
    times = _times(period.from_ns, period.to_ns)
    return f"{shlex.join(['exitsnoop', 'sql', *times])} {_quoted(statement)}"


def _quoted(statement: str) -> str:
    """Return a word for a shell: in double quotes, if a person can read it so."""
    if any(character in statement for character in '"$`\\!'):
        return shlex.quote(statement)
    return f'"{statement}"'


def why(pid: int, wall_ns: int) -> str:
    """Return the `exitsnoop why` for a death."""
    return shlex.join(["exitsnoop", "why", str(pid), *_times(wall_ns - SECOND_NS, wall_ns)])


def _is(value: str | int | None) -> str:
    if value is None:
        return "IS NULL"
    return f"= {value}" if isinstance(value, int) else f"= {literal(value)}"


def literal(text: str) -> str:
    """Return a text in SQL, in which a control character has no place."""
    parts = []
    for is_plain, some in groupby(text, str.isprintable):
        if is_plain:
            parts.append("'" + "".join(some).replace("'", "''") + "'")
        else:
            parts += [f"char({ord(one)})" for one in some]
    return " || ".join(parts) or "''"


def _times(from_ns: int, to_ns: int) -> list[str]:
    return ["--since", _utc(from_ns // SECOND_NS), "--until", _utc(-(-to_ns // SECOND_NS))]


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pattern(comm: str) -> str:
    """Return the shell pattern for a name, as -n takes it."""
    made = ""
    for character in comm:
        if character == "\ufffd":
            made += "*"
        elif character == "," or not character.isprintable():
            made += "?"
        elif character in "*?[]\\!^":
            made += f"\\{character}"
        else:
            made += character
    return made or "''"
