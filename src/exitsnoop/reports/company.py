"""What else ended, in words: cascades, and what was only near in time."""

from collections.abc import Sequence

from exitsnoop.host.clock import times_of_day
from exitsnoop.model.exit import Exit
from exitsnoop.reports.cascade import Link, ended_by, key, sent_itself
from exitsnoop.reports.verdicts import brief, name, process
from exitsnoop.reports.when import length
from exitsnoop.sinks.escape import word

MOST_LINES = 8
_MOST_NEAR = 4
_ITSELF = ", and itself with them."


def together(of: Exit, links: Sequence[Link]) -> list[str]:
    """Return how a cascade hangs together, and its deaths, the first of them first."""
    if not links:
        return []
    first = links[0].exit
    count = len(links)
    if key(first) == key(of):
        lines = [f"This was the first of {count} deaths that belong together."]
    else:
        lines = [
            f"{name(first)} was the first of {count} deaths that belong together; this one "
            f"followed {_later(first, of)}."
        ]
    reasons = dict.fromkeys(_reason(link) for link in links if link.to is not None)
    more = [reason.removesuffix(_ITSELF) for reason in reasons if reason.endswith(_ITSELF)]
    lines += [reason for reason in reasons if reason.removesuffix(".") not in more]
    return lines + _listed([link.exit for link in links], of)


def beside(of: Exit, around: Sequence[Exit]) -> list[str]:
    """Return what failed near in time: relatives first, then the nearest. What is alike is one."""
    if not around:
        return []
    many, them = f"{len(around)} more failures", "them"
    if len(around) == 1:
        many, them = "1 more failure", "it"
    alike: dict[tuple[str, str, str], list[Exit]] = {}
    for one in sorted(around, key=lambda one: (not _kinship(one, of), _apart_ns(one, of))):
        alike.setdefault((one.comm, _kinship(one, of), brief(one)), []).append(one)
    shown = list(alike.values())[:_MOST_NEAR]
    left = len(around) - sum(map(len, shown))
    return [
        f"{many} near in time; nothing recorded connects {them} to this one, so it may be chance:",
        *(_alike(some, of) for some in sorted(shown, key=lambda some: some[0].boot_ns)),
        *_more(left),
    ]


def _alike(exits: Sequence[Exit], of: Exit) -> str:
    more = f" and {len(exits) - 1} more" if len(exits) > 1 else ""
    return _line(exits[0], of, f"{_kinship(exits[0], of)}{more}")


def _kinship(one: Exit, of: Exit) -> str:
    """Return how a process is related to another: " (its parent)"; "" if it is not."""
    if one.pid == of.ppid:
        return " (its parent)"
    if one.ppid == of.pid:
        return " (its child)"
    return " (same parent)" if one.ppid == of.ppid and one.ppid != 1 else ""


def _listed(exits: Sequence[Exit], of: Exit) -> list[str]:
    """Return a line for each exit: the first ones, and the one in question."""
    shown = [one for nth, one in enumerate(exits) if nth < MOST_LINES or key(one) == key(of)]
    return [*(_line(one, of, "") for one in shown), *_more(len(exits) - len(shown))]


def _more(left: int) -> list[str]:
    return [f"  and {left} more (--json has them)"] if left else []


def _line(exit_: Exit, of: Exit, related: str) -> str:
    """Return an exit in one line, with the local time; a mark is before the one in question."""
    (clock,) = times_of_day([exit_.wall_ns], utc=False)
    mark = ">" if key(exit_) == key(of) else " "
    return f"{mark} {clock}  {name(exit_)}{related}: {brief(exit_)}"


def _apart_ns(one: Exit, other: Exit) -> int:
    return abs(one.boot_ns - other.boot_ns)


def _later(first: Exit, then: Exit) -> str:
    return f"{length(max(0, then.boot_ns - first.boot_ns))} later"


def _reaction(exit_: Exit, by: str) -> str:
    """Return what a parent did when one of its children had failed."""
    if exit_.ppid == 1 and exit_.unit:  # also what had another parent, before that one died
        did = "killed" if exit_.signal else "ended"
        return f"{by} then {did} what was left of {word(exit_.unit)}."
    did = "killed its other children" if exit_.signal else "told its other children to end"
    return f"{by}, the parent of all, then {did}."


def _did_to(exit_: Exit, what: str) -> str:
    """Return what the sender of a signal did: "killed them", "told them to end"."""
    return f"killed {what}" if exit_.signal else f"told {what} to end"


def _did(exit_: Exit, to: Exit) -> str:
    """Return what the same sender did to two."""
    if sent_itself(exit_) or sent_itself(to):
        return f"killed them{_ITSELF}".removesuffix(".")
    if bool(exit_.signal) == bool(to.signal):
        return _did_to(exit_, "them")
    first, then = sorted((exit_, to), key=lambda one: one.boot_ns)
    return f"{_did_to(first, name(first))}, and {_did_to(then, 'others')}"


def _reason(link: Link) -> str:
    """Return why a death belongs to the cascade. The same for several deaths is said once."""
    exit_, to = link.exit, link.to or link.exit
    sender = ended_by(exit_)
    by = process(sender.comm, sender.pid) if sender else "?"
    parent = process(exit_.parent_comm or "?", exit_.ppid)
    oom = exit_.cause.oom if exit_.cause else None
    child = f"its child {name(to)}"
    return {
        "parent_death": f"When {name(to)} died, its children that had asked for it were ended.",
        "namespace": f"{name(to)} was the init of their PID namespace, which ended with it.",
        "tracer": f"When its tracer {name(to)} died, the kernel ended what it traced.",
        "parent_reacted": _reaction(exit_, by),
        "same_sender": f"The same {by} {_did(exit_, to)}.",
        "same_oom": "The OOM killer took them together from "
        + (f"the cgroup {word(oom.cgroup)}." if oom and oom.cgroup else "the whole system."),
        "same_terminal": "The same terminal sent them the signal.",
        "killed_child": f"{name(exit_)} {_did_to(to, child)}, then exited itself.",
        "passed_on": f"{name(exit_)} exited with what {child} had ended with"
        + (f" (128 + signal {to.signal})." if to.signal else "."),
        "sibling": f"They are children of {parent}, and exited with a code right after the first "
        "was ended. Which signal asked them to was not recorded.",
    }[link.relation]
