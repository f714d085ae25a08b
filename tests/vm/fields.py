"""In a guest: find out what its kernel gives of an exit; print that as a line of JSON.

Each answer comes from a record, of a process that was made for the question, or from the kernel
itself; kernels.py makes the tables of docs/kernels.md of them.
"""

import json
import os
import tempfile
from pathlib import Path
from signal import SIGKILL, SIGSEGV, SIGSYS, SIGTERM

from support.causes import cause_of
from support.cgroups import mounts
from support.programs import compile_static
from support.stage import Stage
from support.truth import record_of, recorded, run

from exitsnoop.kernel.features import exit_has_memory, has_loops, tracepoints_are_preemptible
from exitsnoop.model.fields import COLLECTED
from exitsnoop.model.plain import KEYS

SOURCES = Path(__file__).parents[1] / "kernel"
MUCH = 256 << 20  # bytes, more than this process has
ID = "fedcba9876543210" * 4
POD = ("kubepods", "burstable", "pod0a1b2c3d-1111-2222-3333-444455556666", ID)
USER_UNIT = ("user-1000.slice", "user@1000.service", "app.slice", "b.service")

Answers = dict[str, str]


def known(*values: object) -> str:
    return "null" if all(value is None for value in values) else "yes"


def tops() -> dict[str, Path]:
    """Where cgroups can be made, by controller of version 1; "" is version 2."""
    found = {}
    for path, kind, options in mounts():
        if kind == "cgroup2":
            found[""] = path
        elif kind == "cgroup":
            found |= dict.fromkeys(options, path)
    return found


def fields(program: Path) -> Answers:
    """Of a process that exits, and one that a signal ends."""
    pids = []
    log_of_container()
    with recorded(fields=list(COLLECTED), why=True) as exits, Stage(program) as stage:
        for names in (POD, USER_UNIT):
            puppet = stage.puppet()
            group = tops()[""]
            for name in names:
                group = stage.cgroup(group, name)
            (group / "cgroup.procs").write_text(str(puppet.pid))
            puppet.ask("fill", MUCH)
            if names is POD:
                puppet.die("exit", 3)
            else:
                puppet.process.send_signal(SIGTERM)
                puppet.wait()
            pids.append(puppet.pid)
    records = [record_of(exits, pid) for pid in pids]
    return {f"`{name}`": known(*(getattr(record, name) for record in records)) for name in KEYS}


def log_of_container() -> None:
    """Make what kubelet makes for a container, in a guest that forgets it."""
    uid = POD[2].removeprefix("pod")
    for name in (f"pods/shop_api_{uid}", f"containers/api_shop_web-{ID}.log"):
        (Path("/var/log") / name).mkdir(parents=True, exist_ok=True)


def peaks(program: Path) -> Answers:
    with Stage(program) as stage:
        before = stage.puppet()
        before.ask("fill", MUCH)
        with recorded(fields=["max_rss"]) as exits:
            small = stage.puppet()
            small.die("exit", 0)
            before.die("exit", 0)
    told = {puppet: record_of(exits, puppet.pid).max_rss for puppet in (small, before)}
    return {
        "`max_rss`, if it was less than before the exec": known(told[small]),
        "`max_rss` of what ran before the trace": known(told[before]),
    }


def causes(program: Path) -> Answers:
    with recorded(why=True) as exits, Stage(program) as stage:
        victim = stage.puppet()
        victim.die("break_filter", "process", "getppid")
        assert victim.wait() == -SIGSYS
    cause = record_of(exits, victim.pid).cause
    assert cause
    assert cause.kind == "seccomp"
    return {"`cause`: the `syscall` of SECCOMP_RET_KILL_PROCESS": known(cause.syscall)}


def crashes(program: Path) -> Answers:
    """A write to an address where nothing is mapped."""
    with recorded(why=True) as exits, Stage(program) as stage:
        victim = stage.puppet()
        victim.die("touch", 0x40)
        assert victim.wait() == -SIGSEGV
    cause = record_of(exits, victim.pid).cause
    assert cause
    assert cause.kind == "fault"
    return {
        "`cause`: `address` and `thread` of a crash": known(cause.address, cause.thread),
        "`cause`: `at`, `stack` and `mapping` of a crash": known(
            cause.at, cause.stack, cause.mapping
        ),
    }


def senders(program: Path) -> Answers:
    """A process in another cgroup sends a signal."""
    with recorded(why=True) as exits, Stage(program) as stage:
        victim, sender = stage.puppet(), stage.puppet()
        group = tops()[""]
        for name in POD:
            group = stage.cgroup(group, name)
        (group / "cgroup.procs").write_text(str(sender.pid))
        sender.kill(victim, SIGTERM)
        assert victim.wait() == -SIGTERM
    told = cause_of(exits, victim).sender
    assert told
    return {
        "`sender`: `exe`, `cgroup` and `ancestors`": known(told.exe, told.cgroup, told.ancestors),
        "`sender`: `meant_for` of kill()": known(told.meant_for),
    }


def memory(program: Path) -> Answers:
    """A process takes more memory than its cgroup may have."""
    with recorded(why=True) as exits, Stage(program) as stage:
        victim, group = stage.puppet(), stage.memory_cgroup()
        group.set_limit(32 << 20)
        (group.path / "cgroup.procs").write_text(str(victim.pid))
        victim.tell("fill", MUCH)
        assert victim.wait() == -SIGKILL
    oom = cause_of(exits, victim).oom
    assert oom
    return {
        "`oom`: `anon`, `limit` and `usage`": known(oom.anon, oom.limit, oom.usage),
        "`oom`: `cgroup_anon`, `cgroup_file` and `cgroup_shmem`": known(
            oom.cgroup_anon, oom.cgroup_file, oom.cgroup_shmem
        ),
        "`oom`: `cgroup_kernel`": known(oom.cgroup_kernel),
    }


def statuses(program: Path) -> Answers:
    """All threads leave by a raw exit: the leader with 248, then another with 7."""
    with recorded() as exits:
        (ending,) = run(program, "run", "leader_first_raw", 7)
    record = record_of(exits, ending.pid)
    assert record.status == ending.status
    code = os.waitstatus_to_exitcode(record.status)
    return {
        "`status`, if every thread leaves by itself: of": {248: "the leader", 7: "the last"}[code]
    }


def features(program: Path) -> Answers:
    found = tops()
    with Stage(program) as stage:
        has_kill = (stage.cgroup(found[""]) / "cgroup.kill").exists()
    answers = {
        "the event of an exit tells if it is the last thread's": exit_has_memory(),
        "programs of tracepoints may be preempted": tracepoints_are_preemptible(),
        "BPF programs may call bpf_loop()": has_loops(),
        "`cgroup.kill`": has_kill,
        "cgroups of version 1: pids": "pids" in found,
        "cgroups of version 1: memory": "memory" in found,
    }
    return {question: "yes" if answer else "no" for question, answer in answers.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        lives, deaths, endings = (
            compile_static(SOURCES / f"{name}.c", Path(directory))
            for name in ("lives", "deaths", "endings")
        )
        special = peaks(lives) | statuses(endings) | causes(deaths) | crashes(deaths)
        special |= senders(deaths) | memory(lives)
        tables = {"fields": fields(lives), "special": special, "features": features(deaths)}
    print("GIVES", json.dumps(tables))  # noqa: T201 - to the host


main()
