"""The words of an answer: plain text of at most 80 columns, without color.

The order is that of the questions that come up: what happened and when, the evidence, what it was,
what it used, what else ended then, how often it happened before, and what was not recorded.
"""

from collections.abc import Iterable, Iterator, Sequence

from exitsnoop.host.clock import SECOND_NS
from exitsnoop.model.cause import Oom, Sender
from exitsnoop.model.cgroup import pod
from exitsnoop.model.exit import Exit
from exitsnoop.model.words import SHELLS, human_bytes, shell_meaning
from exitsnoop.reports import company, crash, killer, systemd
from exitsnoop.reports.history import Group, History
from exitsnoop.reports.living import Living
from exitsnoop.reports.loops import Loop
from exitsnoop.reports.paragraphs import WIDTH, laid_out, wrapped
from exitsnoop.reports.target import PIDS_SHOWN
from exitsnoop.reports.verdicts import (
    brief,
    chain,
    command,
    ends_in_words,
    mostly,
    name,
    owner,
    process,
    verdict,
)
from exitsnoop.reports.when import ago, length, local, local_and_ago
from exitsnoop.reports.why import Answer, Story
from exitsnoop.sinks.escape import word as escaped

_LABEL = 10
_ID_DIGITS = 64
_MOST_CAUSES = 4
_MOST_LIVING = 5
_MOST_REUSED = 3
_KINDS = {
    "pid": "the PID {}",
    "name": "processes named {}",
    "unit": "the unit {}",
    "container": "the container {}",
    "exe": "the executable {}",
    "cgroup": "the cgroup {}",
}
# Of what was looked for, where nothing was found.
_NAMES = {"name": "a process, unit or container named {}"}
_PATHS = dict.fromkeys(("exe", "cgroup"), "an executable, script or cgroup {}")


def texts(
    answer: Answer,
    missing: Sequence[str],
    every: Iterable[Exit] | None,
    *,
    is_missing: bool,
    ascii_only: bool = False,
) -> Iterator[str]:
    """Iterate over the parts of the answer, ready to be written.

    Args:
        answer: what is known.
        missing: a line for each thing that is not known, from reports.gaps.
        every: deaths to list after it, if that is wanted.
        is_missing: whether nothing at all was recorded in the time that was asked about.
        ascii_only: escape what is not ASCII, for a reader that does not take UTF-8.
    """
    yield laid_out(_rows(answer, missing, is_missing), _LABEL, ascii_only=ascii_only)
    if every is not None:
        yield "\nAll deaths, the newest first:\n"
        for one in every:
            clock = local(one.wall_ns, answer.now_ns)
            line = f"{clock}  {name(one)}, after {_age(one)}: {brief(one)}"
            lines = wrapped(line, WIDTH, ascii_only=ascii_only)
            yield "".join(f"{line}\n" for line in lines)


def _rows(answer: Answer, missing: Sequence[str], is_missing: bool) -> list[tuple[str, list[str]]]:
    story = answer.story
    if story is None:
        return [("", _nothing(answer, is_missing)), ("Missing", list(missing))]
    of, now_ns = story.exit, answer.now_ns
    return [
        ("", _headline(of, now_ns)),
        ("", _taken(answer, story)),
        ("Evidence", _evidence(story)),
        ("Where", crash.where(of)),
        ("What", _what(of)),
        ("Used", _used(of)),
        ("Together", company.together(of, story.cascade)),
        ("Near", company.beside(of, story.around)),
        ("Loop", [line for loop in story.history.loops[-1:] for line in _loop(loop, now_ns)]),
        ("History", _history(story.history, answer)),
        ("Now", _now(answer, story)),
        ("Missing", list(missing)),
    ]


def _headline(of: Exit, now_ns: int) -> list[str]:
    return [
        f"{name(of)} {verdict(of)}.",
        f"That was at {local_and_ago(of.wall_ns, now_ns)}. It had run for {_age(of)}.",
    ]


def _age(of: Exit) -> str:
    return length(of.boot_ns - of.start_boot_ns)


def _taken(answer: Answer, story: Story) -> list[str]:
    """Return how X led to this death, where that is not clear."""
    found = story.found
    lines = []
    if found.also:
        others = " and ".join(
            f"{_KINDS[one.kind].format(escaped(one.text))} (--as {one.kind})"
            for one, _ in found.also
        )
        kind = _KINDS[found.target.kind].format(escaped(found.target.text))
        lines.append(f"This is about {kind}; it could also be {others}.")
    if (path := found.target.instead_of) is not None:
        lines.append(
            f"No executable {escaped(path)} is recorded; a script is known by its name, so this is "
            f"about {_KINDS['name'].format(escaped(found.target.text))}."
        )
    if story.asked is not None:
        lines.append(f"{name(story.asked)} ended last; this one was the first of a cascade.")
    if found.others:
        lines.append(_reused(found.others, answer.now_ns))
    if found.later is not None:
        lines.append(
            f"Since then {name(found.later)} ended well, at "
            f"{local_and_ago(found.later.wall_ns, answer.now_ns)}."
        )
    return lines


def _reused(others: Sequence[Exit], now_ns: int) -> str:
    """Return which processes had the same PID before; of those that failed, how they ended."""
    named = "; ".join(
        f"{escaped(one.comm)}, {local(one.wall_ns, now_ns)}"
        + (f": {brief(one)}" if one.status else "")
        for one in others[:_MOST_REUSED]
    )
    count = "Another process" if len(others) == 1 else f"{len(others)} other ones"
    many = f"More than {PIDS_SHOWN} other ones" if len(others) > PIDS_SHOWN else count
    return f"{many} had the same PID before: {named} (--all)."


def _evidence(story: Story) -> list[str]:
    of = story.exit
    cause = of.cause
    lines = systemd.reason(of, story.asked_by)
    if story.killer is not None and not lines:
        lines += _killer(story.killer, of)
    if cause is not None and cause.oom is not None:
        oom = cause.oom
        if oom.cgroup is not None:
            lines.append(
                f"The limit of {escaped(oom.cgroup)} was hit: {human_bytes(oom.limit or 0)}."
            )
        lines.append(
            f"When it was chosen it held {human_bytes(oom.anon)} of its own, "
            f"{human_bytes(oom.file)} of files and {human_bytes(oom.shmem)} shared. "
            f"{_trigger(process(oom.trigger.comm, oom.trigger.pid), of)}"
        )
        lines += _filled(oom)
    if cause is not None and cause.kind == "exited" and (said := _said_by_code(story)):
        lines.append(said)
    return lines


def _filled(oom: Oom) -> list[str]:
    """Return what filled the cgroup; what is unknown only if most of it was not the process's."""
    parts = {
        "of processes": oom.cgroup_anon,
        "in tmpfs or shared memory": oom.cgroup_shmem,
        "in the page cache": oom.cgroup_file,
        "in the kernel": oom.cgroup_kernel,
        "in sockets": oom.cgroup_sock,
    }
    known = [
        f"{human_bytes(size)} {where}"
        for where, size in parts.items()
        if size is not None and size >= (oom.limit or 0) // 100
    ]
    if known:
        return [f"That cgroup held {', '.join(known)}."]
    others = (oom.limit or 0) - oom.anon - oom.file - oom.shmem
    if others <= (oom.limit or 0) // 2:
        return []
    return [
        f"The other {human_bytes(others)} were not its own: other processes of that "
        "cgroup, files in a tmpfs, or the page cache."
    ]


def _trigger(trigger: str, of: Exit) -> str:
    whose = "It" if trigger == name(of) else trigger
    return f"{whose} had asked for more memory."


def _killer(known: killer.Killer, of: Exit) -> list[str]:
    sender, own = known.sender, known.exit
    args = killer.args(known)
    user = sender.user or (own.user if own else None)
    who = f"{process(sender.comm, sender.pid)}, {owner(user, sender.uid)}"
    lines = [f"{who}: {command(args)}" if args else f"{who}; its arguments are unknown"]
    if known.ancestors:
        lines.append(chain(known.ancestors, process(sender.comm, sender.pid)))
    elif known.ancestors is None and sender.ppid > 0:
        lines.append(f"Its parent was PID {sender.ppid}, of which nothing is recorded.")
    place = sender if sender.cgroup is not None else own
    if place is not None and place.cgroup != of.cgroup and (where := _where(place)):
        lines.append(f"It ran {', '.join(where)}.")
    if own is not None and own.status:
        lines.append(f"Its own end: it {verdict(own)}.")
    return lines


def _said_by_code(story: Story) -> str | None:
    """Return what the exit code means, where the program is known to follow the convention."""
    of, code = story.exit, story.exit.exit_code or 0
    if started := systemd.start(of):
        return started
    meaning = shell_meaning(code) if {of.comm, (of.exe or "").rpartition("/")[2]} & SHELLS else None
    if meaning is None or any(link.relation == "passed_on" for link in story.cascade):
        return None
    unseen = "; no such child is recorded near it" if code > 128 else ""
    return f"In a shell, {code} stands for: {meaning}{unseen}."


def _where(of: Exit | Sender) -> list[str]:
    """Return where it ran."""
    found = []
    if of.unit:
        found.append(f"in {escaped(of.unit)}")
    elif of.cgroup and of.cgroup != "/" and not of.container:
        found.append(f"in the cgroup {escaped(of.cgroup)}")
    if of.container:
        found.append(f"in the {of.container.runtime} container {_called(of, of.container.id)}")
    if of.cgroup and (inside := pod(of.cgroup)):
        within = f" of the namespace {escaped(of.namespace)}" if of.namespace else ""
        found.append(f"in the pod {escaped(of.pod_name) if of.pod_name else inside}{within}")
    return found


def _called(of: Exit | Sender, id_: str) -> str:
    """Return what a container is called, with the other names that people know it by."""
    hostname = of.hostname if isinstance(of, Exit) else None
    known = [of.container_name, id_[:12], None if id_.startswith(hostname or "") else hostname]
    first, *others = dict.fromkeys([escaped(one) for one in known if one])
    if isinstance(of, Exit) and of.pod_name == hostname:  # it comes with the pod
        others = [one for one in others if one != escaped(hostname or "")]
    return f"{first} ({', '.join(others)})" if others else first


def _what(of: Exit) -> list[str]:
    lines = []
    if of.args:
        lines.append(command(of.args, truncated=bool(of.args_truncated)))
    if of.exe and of.exe != (of.args or [""])[0]:
        lines.append(f"executable {escaped(of.exe)}")
    facts = [] if of.uid is None else [owner(of.user, of.uid)]
    facts += _where(of)
    if facts:
        lines.append(", ".join(facts))
    if of.ancestors:
        lines.append(chain(of.ancestors, name(of), truncated=bool(of.ancestors_truncated)))
    elif of.parent_comm is not None:
        lines.append(f"child of {process(of.parent_comm, of.ppid)}")
    else:
        lines.append(f"child of PID {of.ppid}")
    return lines


def _used(of: Exit) -> list[str]:
    facts = []
    if of.cpu_user is not None and of.cpu_system is not None:
        cpu_ns = round((of.cpu_user + of.cpu_system) * SECOND_NS)
        facts.append(f"{length(cpu_ns)} of CPU time")
    if of.max_rss:  # 0 if it was killed before the kernel had counted a page
        facts.append(f"at most {human_bytes(of.max_rss)} of memory")
    return [", ".join(facts)] if facts else []


def _loop(loop: Loop, now_ns: int) -> list[str]:
    is_recent = now_ns - loop.to_ns < max(3 * loop.every_s, 30) * SECOND_NS
    last = ago(loop.to_ns, now_ns) if is_recent else f"at {local(loop.to_ns, now_ns)}"
    lines = [
        f"A crash loop: {loop.deaths:,} deaths since {local(loop.from_ns, now_ns)}, the last "
        f"{last}; one every {length(round(loop.every_s * SECOND_NS))}, {mostly(loop)}."
    ]
    if loop.good is not None:
        lines.append(
            f"The last run before it that lasted was {name(loop.good)}: {_age(loop.good)}, "
            f"until {local(loop.good.wall_ns, now_ns)}."
        )
    return lines


def _history(known: History, answer: Answer) -> list[str]:
    began_ns, now_ns = (answer.recorded or (0, 0))[0], answer.now_ns
    if not known.total:
        return _uncounted(known, now_ns)
    span = "in 7 days"
    if began_ns > known.since_ns:
        span = f"since the recording began at {local(began_ns, now_ns)}"
    causes = [
        f"{count:,} {ends_in_words(kind, status)}"
        for (kind, status), count in list(known.by_cause.items())[:_MOST_CAUSES]
    ]
    left = known.total - sum(list(known.by_cause.values())[:_MOST_CAUSES])
    causes += [f"{left:,} in other ways"] if left else []
    if known.total == 1:
        once = f"{_group(known.group)} ended once {span}: this time."
        return [once, *_uncounted(known, now_ns)]
    ended = f"{_group(known.group)} ended {known.total:,} times {span}"
    lines = [f"{ended}: {', '.join(causes)}.", *_uncounted(known, now_ns)]
    if known.first_seen_ns is not None:
        lines.append(f"First seen: {local_and_ago(known.first_seen_ns, now_ns)}.")
    return lines


def _uncounted(known: History, now_ns: int) -> list[str]:
    """Return what the counts by the hour have forgotten, so that there may be more."""
    lines = []
    if known.nameless:
        exits = "1 exit is" if known.nameless == 1 else f"{known.nameless:,} exits are"
        lines.append(f"There may be more: {exits} counted without a name, for want of room.")
    if known.counted_ns is not None and known.counted_ns > known.since_ns:
        since = local(known.counted_ns, now_ns)
        lines.append(f"There may be more: not all exits before {since} are counted any more.")
    return lines


def _group(which: Group) -> str:
    what = escaped(which.name or which.exe or "")
    if which.unit:
        return f"{what} in {escaped(which.unit)}"
    if which.pod:
        return f"{what} in its pod"
    if which.container:
        if len(which.container) == _ID_DIGITS:
            return f"{what} in its container"
        return f"{what} in the container {escaped(which.container)}"
    return what


def _now(answer: Answer, story: Story | None) -> list[str]:
    """Return which processes of X run now."""
    running = answer.living
    if not running:
        return []
    if answer.asked.kind == "pid":
        (one,) = running
        since = f", for {length(_running_ns(one, answer.now_ns))}" if story else ""
        verb = "is another process now" if story else "still runs"
        return [f"PID {one.pid} {verb}: {escaped(one.comm)}{since}."]
    listed = ", ".join(process(one.comm, one.pid) for one in running[:_MOST_LIVING])
    more = f" and {len(running) - _MOST_LIVING} more" if len(running) > _MOST_LIVING else ""
    runs = "is running" if len(running) == 1 else "are running"
    return [f"{listed}{more} {runs}."]


def _running_ns(one: Living, now_ns: int) -> int:
    from exitsnoop.host.clock import wall_offset_ns

    return max(0, now_ns - wall_offset_ns() - one.start_boot_ns)


def _nothing(answer: Answer, is_missing: bool) -> list[str]:
    """Return why there is no answer."""
    asked, now_ns = answer.asked, answer.now_ns
    if asked.kind == "last":
        what = "nothing that failed"
    else:
        kinds = _PATHS if asked.text.startswith("/") else _NAMES
        any_kind = kinds if len(answer.kinds) > 1 and asked.kind in kinds else _KINDS
        what = f"no death of {any_kind[asked.kind].format(escaped(asked.text))}"
    if is_missing:
        return [f"Nothing was recorded then: {what} can be found.", *_now(answer, None)]
    since = local(answer.about[0], now_ns)
    until = "" if answer.about[1] >= now_ns else f" until {local(answer.about[1], now_ns)}"
    lines = [f"The recording has {what} since {since}{until}.", *_now(answer, None)]
    if answer.similar:
        lines.append(f"It has processes named {', '.join(map(escaped, answer.similar))}.")
    return lines
