"""Why it died: puts together all that a recording knows of a death, and of what belongs to it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.derived import timestamps
from exitsnoop.model.exit import Exit
from exitsnoop.reports import cascade, history, killer, living, systemd, target
from exitsnoop.reports.cascade import WINDOW_NS, Link, Near
from exitsnoop.reports.history import SPAN_NS, History
from exitsnoop.reports.killer import Killer
from exitsnoop.reports.living import Living
from exitsnoop.reports.target import Death, Found, Target
from exitsnoop.store.coverage import Filtered, Gap
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

AROUND_NS = 5 * SECOND_NS
"""What ended so long before or after counts as near in time."""
_FAILED_NEAR, _NEAR = 300, 100
_MOST_SIMILAR, _LEAST_SIMILAR = 5, 3
_MOST_A_SECOND = 20_000  # exits; so ids say which files need not be opened


class Story(NamedTuple):
    """A death, and what belongs to it.

    Attributes:
        found: the death, and how X led to it.
        exit: its exit.
        killer: the process that its cause blames; None if there is none.
        asked_by: the systemctl that asked systemd for it; None if that is not known.
        cascade: the deaths that hang together with it, the first of them first; [] if none does.
        around: what failed near in time, without evidence of a connection.
        history: what happened to its group before.
        asked: the newest death of X, if the story is about another: the first of its cascade.
    """

    found: Found
    exit: Exit
    killer: Killer | None
    asked_by: Exit | None
    cascade: list[Link]
    around: list[Exit]
    history: History
    asked: Exit | None


class Answer(NamedTuple):
    """The answer to `why X`.

    Attributes:
        asked: what X was taken for.
        story: None if no such death is recorded.
        living: processes that are X and run now.
        recorded: from when to when exits were recorded, nanoseconds since the epoch; None if never.
        gaps: what was not recorded in the time that the answer is about.
        filtered: when in that time only exits that pass filters were recorded.
        about: that time, nanoseconds since the epoch.
        now_ns: the time of the answer.
        similar: names like X that are recorded, if no death of X is.
        kinds: of all that X can be.
    """

    asked: Target
    story: Story | None
    living: list[Living]
    recorded: tuple[int, int] | None
    gaps: list[Gap]
    filtered: list[Filtered]
    about: tuple[int, int]
    now_ns: int
    similar: Sequence[str] = ()
    kinds: Sequence[str] = ()


def answer(
    recording: Recording,
    candidates: list[Target],
    asked_about: tuple[int, int],
    now_ns: int,
    around_ns: int = AROUND_NS,
) -> Answer:
    """Return the answer.

    Args:
        recording: where it is from.
        candidates: what X can be.
        asked_about: the time that is searched, nanoseconds since the epoch.
        now_ns: the time now.
        around_ns: how far away in time other deaths are mentioned.

    Raises NotReadable, StoreTooNew.
    """
    found = target.find(recording, candidates)
    asked = found.target if found else candidates[0]
    story = _story(recording, found, around_ns) if found else None
    coverage = recording.coverage()
    stretches = coverage.stretches
    about = asked_about
    if story and stretches:
        of = story.exit
        begin_ns = of.wall_ns - max(SPAN_NS, of.boot_ns - of.start_boot_ns)
        about = (max(begin_ns, stretches[0].from_ns), about[1])
    return Answer(
        asked=asked,
        story=story,
        living=living.living(recording, asked),
        recorded=(stretches[0].from_ns, stretches[-1].to_ns) if stretches else None,
        gaps=coverage.gaps(*about),
        filtered=coverage.filtered(*about),
        about=about,
        now_ns=now_ns,
        similar=() if story else _similar(recording, asked),
        kinds=[*dict.fromkeys(one.kind for one in candidates)],
    )


def _similar(recording: Recording, asked: Target) -> Sequence[str]:
    name = asked.text.rpartition("/")[2]
    if asked.kind == "pid" or len(name) < _LEAST_SIMILAR or set(name) & set("*?["):
        return ()
    return recording.similar(name, _MOST_SIMILAR)


def _story(recording: Recording, found: Found, around_ns: int) -> Story:
    death = found.death
    boot = boot_of(recording, death.exit)
    near = _near(recording, death, boot, around_ns)
    links = cascade.cascade(death.exit, near)
    asked = None
    if links and links[0].exit.status and found.target.kind != "pid":
        root = _in_target(recording, found.target, links[0].exit)
        if root is not None and root.id != death.id:
            asked, death = death.exit, root
            near = _near(recording, death, boot, around_ns)
            links = cascade.cascade(death.exit, near)
    before = history.history(recording, death.exit, death.id, death.exit.wall_ns)
    return Story(
        found=found,
        exit=death.exit,
        killer=killer.find(recording, death.exit, boot, near.exits),
        asked_by=systemd.asked_by(recording, death.exit, boot),
        cascade=links,
        around=[
            one
            for one in cascade.beside(death.exit, near, links, around_ns)
            if not (before.loops and before.group.has(one))
        ],
        history=before,
        asked=asked,
    )


def alone(recording: Recording, death: Death, now_ns: int) -> Answer:
    """Return the answer about one death, without its history and what is missing: for a list."""
    exit_ = death.exit
    boot = boot_of(recording, exit_)
    near = _near(recording, death, boot, AROUND_NS)
    links = cascade.cascade(exit_, near)
    which = Target("pid", str(exit_.pid), boot)
    story = Story(
        found=Found(which, death, [], [], None),
        exit=exit_,
        killer=killer.find(recording, exit_, boot, near.exits),
        asked_by=systemd.asked_by(recording, exit_, boot),
        cascade=links,
        around=cascade.beside(exit_, near, links, AROUND_NS),
        history=History(history.group(exit_), exit_.wall_ns, 0, 0, {}, None, []),
        asked=None,
    )
    return Answer(which, story, [], None, [], [], (exit_.wall_ns, exit_.wall_ns), now_ns)


def boot_of(recording: Recording, exit_: Exit) -> Query:
    """Return a query for the boot of an exit."""
    began_ns = exit_.wall_ns - exit_.boot_ns
    boots = recording.boots()
    nearest = min(boots, key=lambda boot: abs(boot.began_ns - began_ns), default=None)
    return Query(boot_id=nearest.boot_id if nearest else None, newest_first=True)


def _in_target(recording: Recording, which: Target, exit_: Exit) -> Death | None:
    """Return an exit as a death of the target, None if it is none."""
    at = Query(
        pids=[exit_.pid],
        since_ns=max(which.query.since_ns or 0, exit_.wall_ns - SECOND_NS),
        until_ns=exit_.wall_ns + SECOND_NS,
    )
    query = replace(
        which.query, pids=at.pids, since_ns=at.since_ns, until_ns=at.until_ns, failed=False
    )
    for death in target.each(recording, query):
        if cascade.key(death.exit) == cascade.key(exit_):
            return death
    return None


def _near(recording: Recording, death: Death, boot: Query, around_ns: int) -> Near:
    """Return deaths near in time: failures, and some others; and the parent, whenever it ended."""
    exit_ = death.exit
    window_ns = max(around_ns, WINDOW_NS)
    within = replace(boot, since_ns=exit_.wall_ns - window_ns, until_ns=exit_.wall_ns + window_ns)
    far = window_ns * _MOST_A_SECOND // SECOND_NS
    before = replace(within, before_id=death.id, after_id=max(0, death.id - far))
    after = replace(within, after_id=death.id, before_id=death.id + far, newest_first=False)
    queries = [
        replace(query, failed=failed, limit=limit)
        for query in (before, after)
        for failed, limit in ((True, _FAILED_NEAR), (False, _NEAR))
    ]
    found = [exit_]
    for query in queries:
        found += [
            one for batch in recording.select(query).batches() for one in batch if one.last_thread
        ]
    parent = killer.ended(recording, exit_.ppid, exit_, boot)
    return Near([*found, *([parent] if parent else [])])


def record(given: Answer) -> dict[str, Any]:
    """Return the answer as plain data, which JSON can have: docs/why.schema.json describes it."""
    story = given.story
    return {
        "target": {"kind": given.asked.kind, "text": given.asked.text},
        "exit": story.exit.to_dict() if story else None,
        "killer": _killer(story.killer) if story and story.killer else None,
        "asked_by": story.asked_by.to_dict() if story and story.asked_by else None,
        "cascade": [_link(link) for link in story.cascade] if story else [],
        "around": [one.to_dict() for one in story.around] if story else [],
        "history": _history(story.history) if story else None,
        "recorded": _times(*given.recorded) if given.recorded else None,
        "gaps": [
            {**_times(max(0, gap.from_ns), gap.to_ns), "why": gap.why, "lost": gap.lost}
            for gap in given.gaps
        ],
        "filtered": [
            {**_times(one.from_ns, one.to_ns), "filters": one.filters} for one in given.filtered
        ],
        "living": [{"pid": one.pid, "comm": one.comm} for one in given.living],
        "also": _also(story.found) if story else [],
    }


def _time(wall_ns: int) -> str:
    return timestamps([wall_ns])[0]


def _times(from_ns: int, to_ns: int) -> dict[str, Any]:
    return {"from": _time(from_ns), "to": _time(to_ns)}


def _killer(known: Killer) -> dict[str, Any]:
    ancestors = known.ancestors
    return {
        "pid": known.sender.pid,
        "ppid": known.sender.ppid,
        "comm": known.sender.comm,
        "uid": known.sender.uid,
        "args": _args(known),
        "ancestors": None
        if ancestors is None
        else [{"pid": one.pid, "comm": one.comm} for one in ancestors],
        "exit": known.exit.to_dict() if known.exit else None,
    }


def _args(known: Killer) -> list[str] | None:
    """Return its arguments: all of them, if its own exit has them."""
    args = killer.args(known)
    return None if args is None else list(args)


def _link(link: Link) -> dict[str, Any]:
    to = None if link.to is None else link.to.pid
    return {**link.exit.to_dict(), "relation": link.relation, "to": to}


def _history(known: History) -> dict[str, Any]:
    by_cause: dict[str, int] = {}
    for (kind, _), count in known.by_cause.items():
        by_cause[kind or "not recorded"] = by_cause.get(kind or "not recorded", 0) + count
    return {
        "since": _time(known.since_ns),
        "count": known.total,
        "failed": known.failed,
        "nameless": known.nameless,
        "counted_since": None if known.counted_ns is None else _time(known.counted_ns),
        "by_cause": by_cause,
        "first_seen": None if known.first_seen_ns is None else _time(known.first_seen_ns),
        "loops": [
            {
                **_times(loop.from_ns, loop.to_ns),
                "deaths": loop.deaths,
                "every_s": loop.every_s,
                "cause": loop.cause or None,
            }
            for loop in known.loops
        ],
    }


def _also(found: Found) -> list[dict[str, Any]]:
    """Return what else X could be, and the other processes that had its PID."""
    kinds = [(one.kind, exit_) for one, exit_ in found.also]
    reused = [("pid", exit_) for exit_ in found.others]
    return [{"kind": kind, **exit_.to_dict()} for kind, exit_ in (*kinds, *reused)]
