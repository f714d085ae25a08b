"""Many processes that end at one stroke, and signals by thousands: no cause is forgotten.

Until Linux commit d4adf1c9ee77 ("bpf: Adjust free target to avoid global starvation of LRU map", in
v6.16) an LRU map hands each CPU 128 entries, which others cannot use. `make test-kernels CPUS=4`
shows whether the maps have room for that.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGILL, SIGKILL, SIGTERM
from typing import Any

import pytest
from support.machine import some
from support.programs import compiled
from support.stage import Stage
from support.strokes import Told, check, on_each, stroke, told
from support.truth import recorded
from support.waiting import until

from exitsnoop import Cause, Exit
from exitsnoop.layout import MOST_KEPT_OF_USER

CPUS = sorted(os.sched_getaffinity(0), reverse=True)[:8]
CROWD = 4 * MOST_KEPT_OF_USER // 52  # each of them is sent so many signals


@pytest.fixture(scope="module")
def strokes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program strokes.c."""
    yield from compiled(Path(__file__).with_name("strokes.c"), tmp_path_factory.mktemp("strokes"))


@pytest.mark.parametrize("what", ["kill", "exit"])
def test_20_at_a_time_on_the_highest_cpus(strokes: Path, what: str) -> None:
    for cpu in CPUS[:4]:
        on_each([cpu], strokes, what, 20)
    on_each(CPUS, strokes, what, 20)


def test_oom_kills_on_every_cpu(strokes: Path, stage: Stage) -> None:
    group = stage.memory_cgroup()
    group.set_limit(8 << 20)
    for cpu in CPUS:
        on_each([cpu], strokes, "oom", 4, group.path)


@pytest.mark.parametrize("how", ["kill", "crash"])
def test_a_group_killed_at_one_stroke(strokes: Path, how: str) -> None:
    """What is sent of where so many crash takes no room of exits."""
    at_one_stroke(strokes, how, CPUS[0], some(10_000))


def test_a_cgroup_killed_at_one_stroke(strokes: Path, life: Stage) -> None:
    at_one_stroke(strokes, "cgroup", life.unified_cgroup(), some(10_000))


def at_one_stroke(program: Path, *words: Any) -> None:
    """Check that the sender of each kill is known."""
    with recorded(why=True) as exits:
        sender, ends = stroke(program, *words)
    assert len(ends) == words[-1]
    check(exits, sender, ends, "kill")


def causes_of(exits: list[Exit], program: Path) -> dict[int, Cause | None]:
    """Return the causes by PID, which others may have had before."""
    return {ended.pid: ended.cause for ended in exits if ended.comm == program.name}


def started(program: Path, *words: object) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [program, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_flood_by_nobody_takes_no_room_of_others(strokes: Path) -> None:
    """The cause says what found no room; and the next flood has as much room as this one."""
    floods: list[Told] = []
    others: list[int] = []

    def wait() -> "subprocess.Popen[str]":
        """Start a process that blocks a signal of ours."""
        process = started(strokes, "hold")
        process.send_signal(SIGTERM)
        return process

    with recorded(why=True) as exits:
        for _ in range(2):
            before = wait()
            crowd = started(strokes, "flood", CROWD)
            for process in (before, wait()):
                process.communicate()
                assert process.returncode == -SIGTERM
                others.append(process.pid)
            floods.append(told(crowd.communicate()[0]))

    causes = causes_of(exits, strokes)
    for pid in others:
        assert (cause := causes[pid])
        assert (cause.kind, cause.sender and cause.sender.pid) == ("killed", os.getpid())
    for flood in floods:
        *killed, last = flood
        assert len(flood) == CROWD
        assert {flood[pid] for pid in killed} == {SIGKILL}
        assert {cause.kind for pid in killed if (cause := causes[pid])} == {"killed"}
        assert flood[last] & 0x7F == SIGILL  # which is taken before all others
        assert (cause := causes[last])
        text = "SIGILL, seen being sent, but forgotten: there were too many signals"
        assert (cause.kind, cause.text) == ("unknown", text)


def test_users_of_a_namespace_share_the_room_of_its_maker(strokes: Path) -> None:
    """Nobody makes one with 65,535 users; the first of them finds no room where nobody has none."""
    with tempfile.TemporaryDirectory() as everybodys, recorded(why=True) as exits:
        os.chmod(everybodys, 0o755)
        reachable = shutil.copy(strokes, everybodys)
        crowd = started(strokes, "flood", CROWD)
        words = ["setpriv", "--reuid=0", "--regid=0", "--clear-groups", reachable, "flood", "1"]
        inside = subprocess.Popen(
            ["unshare", "--user", "--keep-caps", "sh", "-c", 'read go; exec "$@"', "sh", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=65534,
            group=65534,
            extra_groups=[],
        )
        ours = os.readlink("/proc/self/ns/user")
        until(lambda: os.readlink(f"/proc/{inside.pid}/ns/user") != ours)
        for kind in ("uid_map", "gid_map"):
            Path(f"/proc/{inside.pid}/{kind}").write_text("0 100000 65535\n")
        assert inside.stdin
        assert inside.stdout
        inside.stdin.write("go\n")
        inside.stdin.flush()
        assert inside.stdout.readline() == "ready\n"
        ((pid, _),) = told(inside.communicate()[0]).items()
        crowd.communicate()
    causes = causes_of(exits, strokes)
    assert (cause := causes[pid])
    assert (cause.kind, "forgotten" in cause.text) == ("unknown", True)
