"""In a guest, whose memory is small: provoke the OOM killer; print what was reported, as JSON."""

import json
import sys
from pathlib import Path

from support.causes import cause_of
from support.cgroups import MemoryCgroup
from support.processes import Puppet
from support.stage import Stage
from support.truth import recorded

from exitsnoop import Exit

LIMIT = 32 << 20
TOO_MUCH = 64 << 30


def victim(stage: Stage) -> Puppet:
    """Start one that the OOM killer takes before all others."""
    puppet = stage.puppet()
    Path(f"/proc/{puppet.pid}/oom_score_adj").write_text("1000")
    return puppet


def limited(stage: Stage) -> MemoryCgroup:
    group = stage.memory_cgroup()
    group.set_limit(LIMIT)
    return group


def told(exits: list[Exit], puppet: Puppet) -> dict[str, object]:
    cause = cause_of(exits, puppet)
    told: dict[str, object] = {"pid": puppet.pid, "kind": cause.kind, "text": cause.text}
    if cause.oom:
        told |= cause.oom._asdict() | {"trigger": cause.oom.trigger._asdict()}
    return told


def main(program: Path) -> None:
    Path("/proc/self/oom_score_adj").write_text("-1000")
    with recorded(why=True) as exits, Stage(program) as stage:
        one, group, outer = limited(stage), limited(stage), limited(stage)
        (group.path / "memory.oom.group").write_text("1")
        inner = stage.memory_cgroup(outer)
        (inner.path / "memory.oom.group").write_text("1")
        alone, nested, whole = victim(stage), victim(stage), victim(stage)
        members = [victim(stage) for _ in range(3)]
        paths = {"alone": one.join(alone), "outer": str(Path(inner.join(nested)).parent)}
        for member in members:
            paths["group"] = group.join(member)
        for puppet in (alone, nested, members[0], whole):
            puppet.tell("allocate", TOO_MUCH)
            puppet.wait()
        lowered, writer, asked = stage.memory_cgroup(), stage.puppet(), victim(stage)
        squeezed = victim(stage)
        paths["lowered"] = lowered.join(squeezed)
        squeezed.ask("allocate", LIMIT)
        writer.ask("put", lowered.path / "memory.max", LIMIT // 4)
        squeezed.wait()
        writer.ask("put", "/proc/sysrq-trigger", "f")
        asked.wait()
        victims = (alone, nested, *members, whole, squeezed, asked)
        statuses = [puppet.wait() for puppet in victims]
    results = {
        "statuses": statuses,
        "paths": paths,
        "alone": told(exits, alone),
        "nested": told(exits, nested),
        "members": [told(exits, member) for member in members],
        "whole": told(exits, whole),
        "writer": writer.pid,
        "squeezed": told(exits, squeezed),
        "asked": told(exits, asked),
    }
    print(json.dumps(results))  # noqa: T201 - to the host


main(Path(sys.argv[1]))
