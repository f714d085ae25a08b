"""The headline of a report: what is worst now, what is new, what was not recorded, in words."""

from typing import Literal, NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.outcomes import OUTCOMES, outcome
from exitsnoop.model.words import human_bytes
from exitsnoop.reports.overview.before import News
from exitsnoop.reports.overview.failures import Looping
from exitsnoop.reports.overview.gather import Overview
from exitsnoop.reports.overview.period import Period
from exitsnoop.reports.overview.whose import OTHERS, Whose
from exitsnoop.reports.verdicts import ends_in_words, mostly
from exitsnoop.reports.when import length, local
from exitsnoop.sinks.escape import word

_MOST = 3
_SURE = 0.95
_SEVERITY = {one.name: nth for nth, one in enumerate(OUTCOMES)}


class Finding(NamedTuple):
    """A sentence of the headline.

    Attributes:
        about: "now", "new" or "missing".
        text: the sentence; names in it are escaped.
        part: the name of the part of the report that shows more.
    """

    about: Literal["now", "new", "missing"]
    text: str
    part: str


def findings(of: Overview) -> list[Finding]:
    """Return the headline, the most important first."""
    return [
        *(Finding("now", text, part) for text, part in _now(of)),
        *(Finding("new", text, "ways") for text in _new(of)),
        *(Finding("missing", f"{text[0].upper()}{text[1:]}.", "missing") for text in of.missing),
    ]


def label(of: Whose) -> str:
    """Return whose deaths they are, for people: "api.service", "sh in cron.service"; escaped."""
    if of == OTHERS:
        return "other programs"
    comm = word(of.comm)
    if of.unit:
        unit = word(of.unit)
        return unit if of.unit.partition(".")[0].startswith(of.comm) else f"{comm} in {unit}"
    if of.pod:
        return f"{comm} in the pod {of.pod[:8]}"
    return f"{comm} in the container {word(of.container[:12])}" if of.container else comm


def ends(cause: str, status: int, count: int) -> str:
    """Return how processes ended, with their number: "14 OOM kills", "3 times code 2"."""
    if cause == "oom":
        return "1 OOM kill" if count == 1 else f"{count:,} OOM kills"
    return f"{times(count)} {ends_in_words(cause, status)}"


def times(count: int) -> str:
    """Return "once", "twice", "14 times"."""
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def span(of: Period) -> str:
    """Return how long the period is, in words."""
    return length(of.to_ns - of.from_ns)


def seen_until(of: Overview) -> int:
    """Return until when it was recorded: the end of the period, or the begin of a gap there."""
    at_end = [gap for gap in of.gaps if gap.lost is None and gap.to_ns >= of.period.to_ns]
    return max(of.period.from_ns, at_end[-1].from_ns) if at_end else of.period.to_ns


def goes_on(of: Overview, one: Looping) -> bool:
    """Return whether a loop had not come to its end when the recording, or the period, ended."""
    return seen_until(of) - one.loop.to_ns < max(3 * one.loop.every_s, 30) * SECOND_NS


def state(of: Overview, one: Looping) -> str:
    """Return whether a loop goes on, in words; "" if it ended."""
    if not goes_on(of, one):
        return ""
    return "it goes on" if is_seen_to_the_end(of) else "it went on when the recording ended"


def is_seen_to_the_end(of: Overview) -> bool:
    """Return whether the end of the period was recorded."""
    return seen_until(of) >= of.period.to_ns


def _now(of: Overview) -> list[tuple[str, str]]:
    """Return sentences about what is worst, each with the part that shows it."""
    going = sorted(
        (one for one in of.loops if goes_on(of, one)),
        key=lambda one: (_SEVERITY[outcome(one.loop.cause).name], -one.loop.deaths),
    )
    said = [(_loop(of, one), "loops") for one in going[:_MOST]]
    if len(going) > _MOST:
        said.append((f"{len(going) - _MOST} more crash loops go on.", "loops"))
    if said:
        return said
    if not of.failed:
        return [(_nothing_failed(of), "causes")]
    if of.loops:
        said = [(_loop(of, one), "loops") for one in of.loops[:1]]
    worst = of.ways[0]
    last = local(worst.last_ns, of.period.now_ns)
    text = f"{label(worst.whose)} failed most: {ends(*worst[1:4])}, the last at {last}."
    return [("No crash loop goes on.", "loops"), *said, (text, "ways")]


def _loop(of: Overview, one: Looping) -> str:
    loop, now_ns = one.loop, of.period.now_ns
    every = length(round(loop.every_s * SECOND_NS))
    deaths = ends(loop.cause, loop.status, loop.deaths)
    if any((death.cause, death.status) != (loop.cause, loop.status) for death in one.deaths):
        deaths = f"{loop.deaths:,} deaths, {mostly(loop)}"
    when = f"since {local(loop.from_ns, now_ns)}"
    verb = "has been"
    if not goes_on(of, one):
        verb, when = "was", f"from {local(loop.from_ns, now_ns)} to {local(loop.to_ns, now_ns)}"
    elif not is_seen_to_the_end(of):
        verb, when = "had been", f"{when} when the recording ended"
    how = f"{deaths}, one every {every}{_limit(of, one)}"
    return f"{label(one.whose)} {verb} in a crash loop {when}: {how}."


def _limit(of: Overview, one: Looping) -> str:
    """Return the limit of memory that a loop runs into."""
    if one.loop.cause != "oom":
        return ""
    for full in of.full:
        within = f"{one.whose.within}/"
        if full.cgroup and full.limit and within.startswith(f"{full.cgroup}/"):
            return f"; its limit is {human_bytes(full.limit)}"
    return ""


def _nothing_failed(of: Overview) -> str:
    if count := sum(of.exits):
        processes = "1 process" if count == 1 else f"{count:,} processes"
        return f"Nothing failed: {processes} ended with exit(0)."
    if of.gaps:
        return "No process ended while it was recorded."
    return "No process ended."


def _new(of: Overview) -> list[str]:
    before = of.before
    ago = length(of.period.from_ns - of.period.against_ns)
    if not before.is_known:
        much = "Next to nothing" if before.recorded > 0 else "Nothing"
        return [f"{much} was recorded in the {ago} before: there is nothing to compare with."]
    doubt = ""
    if before.recorded < _SURE:
        doubt = (
            f" Only {before.recorded:.0%} of the {ago} before were recorded, so it may be older."
        )
    new = sorted(
        filter(of.is_new, of.ways),
        key=lambda one: (_SEVERITY[outcome(one.cause).name], -one.times),
    )
    if not new:
        return [f"No new way to fail, compared with the {ago} before.{doubt}"]
    listed = "; ".join(_news(of, one) for one in new[:_MOST])
    more = f"; {len(new) - _MOST} more" if len(new) > _MOST else ""
    return [f"Not seen before: {listed}{more}.{doubt}"]


def _news(of: Overview, one: News) -> str:
    first = local(one.first_ns, of.period.now_ns)
    return f"{label(one.whose)}, {ends(one.cause, one.status, one.times)}, first at {first}"
