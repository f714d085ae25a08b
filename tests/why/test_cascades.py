"""Deaths that hang together: PostgreSQL, and workers that the OOM killer takes."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.command import NOBODY, become
from support.flight import Answers, Flight
from support.machine import need
from support.stage import Stage
from support.supervisor import children_of
from support.waiting import until

MIB = 1 << 20
LIMIT = 48 * MIB
OWNER = 65534
FAST = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", "autovacuum=on"]


def programs_of_postgres() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    need(bool(found), "needs PostgreSQL: tools/system-packages test python3")
    return found[-1].parent


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A server, which does not run as root."""
    programs = programs_of_postgres()
    os.chown(folder, OWNER, OWNER)
    drop: list[str | Path] = [*become(NOBODY, "-all,+dac_read_search")]  # whoever owns the folders
    data = folder / "data"
    init = [*drop, programs / "initdb", "--no-sync", "--auth=trust", "--username=web", "-D", data]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    server = [*drop, programs / "postgres", "-D", data, "-k", folder, *FAST]
    process = subprocess.Popen(server, stderr=subprocess.DEVNULL, cwd=folder)
    try:
        until((folder / ".s.PGSQL.5432").exists)
        yield process
    finally:
        left = children_of(process.pid)
        process.kill()
        process.wait()
        for pid in left:  # each is in a session of its own
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def comm_and_args(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def test_postgres_ends_all_when_one_is_killed(
    flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    """The first of the cascade is the one that was killed; the others follow from it."""
    folder = tmp_path / "pg"
    folder.mkdir()
    with postgres(folder) as server, flight():
        until(lambda: any("walwriter" in comm_and_args(pid) for pid in children_of(server.pid)))
        until(lambda: any("launcher" in comm_and_args(pid) for pid in children_of(server.pid)))
        before = children_of(server.pid)
        victim = next(pid for pid in before if "walwriter" in comm_and_args(pid))
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        until(lambda: not {*before} & {*children_of(server.pid)})
    told = answers.record("postgres")
    assert told["exit"]["pid"] == victim, "what is asked about is the first, not the last"
    assert told["exit"]["signal_name"] == "SIGKILL"
    assert told["killer"]["args"] == ["kill", "-KILL", str(victim)]
    assert told["killer"]["ancestors"][0]["pid"] == os.getpid()
    assert {one["pid"] for one in told["cascade"]} == set(before)
    assert told["cascade"][0]["pid"] == victim
    for one in told["cascade"][1:]:
        assert one["to"] == victim
        assert one["exit_code"] == 2 or one["signal_name"] == "SIGQUIT"
        assert one["relation"] == "parent_reacted"
    other = next(pid for pid in before if pid != victim)
    text = " ".join(answers.ask(other).split())
    assert f"postgres[{victim}] was the first of {len(before)} deaths that belong" in text


def test_workers_that_take_too_much_memory(flight: Flight, answers: Answers, deaths: Path) -> None:
    """Their parent lives on, and starts others: the limit, how full, and each of them."""
    with Stage(deaths) as stage:
        group = stage.memory_cgroup()
        group.set_limit(LIMIT)
        with flight():
            parent = stage.puppet()
            path = group.join(parent)
            workers = []
            for _ in range(4):
                worker = stage.puppet()
                group.join(worker)
                worker.tell("allocate", 2 * LIMIT)
                assert worker.wait() == -signal.SIGKILL
                workers.append(worker.pid)
            assert parent.process.poll() is None
    told = answers.record("deaths")
    assert told["exit"]["pid"] == workers[-1]
    assert told["exit"]["cause"]["kind"] == "oom"
    assert told["exit"]["cause"]["oom"]["cgroup"] == path
    assert told["history"]["by_cause"]["oom"] == len(workers)
    (loop,) = told["history"]["loops"]
    assert (loop["deaths"], loop["cause"]) == (len(workers), "oom")
    text = " ".join(answers.ask(workers[0]).split())
    assert "was killed by the kernel: its cgroup reached its limit of 48.0M." in text
    assert f"The limit of {path} was hit: 48.0M." in text


def test_what_filled_a_cgroup_was_not_the_victim_s(
    flight: Flight, answers: Answers, deaths: Path
) -> None:
    """Files in a tmpfs count for the cgroup, and no process has them."""
    script = (
        'echo 0 > "$2/cgroup.procs"; mount -t tmpfs none /mnt; '
        'head -c 40M /dev/zero > /mnt/full; exec "$1"'
    )
    with Stage(deaths) as stage:
        group = stage.memory_cgroup()
        group.set_limit(LIMIT)
        with flight():
            prefix = ["unshare", "--mount", "sh", "-c", script, "sh", str(deaths)]
            victim = stage.puppet(*prefix, program=group.path)
            victim.tell("allocate", LIMIT)
            assert victim.wait() == -signal.SIGKILL
    text = " ".join(answers.ask(victim.pid).split())
    # The kernel logs its figures for 10 kills in 5 s.
    assert (
        "40.0M in tmpfs or shared memory" in text
        or "were not its own: other processes of that cgroup, files in a tmpfs" in text
    )
