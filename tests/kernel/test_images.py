"""What processes run, against /proc/PID while they live and what was given to exec."""

import os
import shutil
from pathlib import Path

import pytest
from support.processes import Puppet, kill_off
from support.stage import Stage
from support.truth import record_of, recorded

from exitsnoop import Exit, Tracer
from exitsnoop.layout import MAX_ARGS_BYTES

FIELDS = ("args", "args_truncated", "exe")


def cmdline(pid: int) -> tuple[str, ...]:
    raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    assert raw.endswith(b"\0"), raw
    return tuple(arg.decode("utf-8", "replace") for arg in raw[:-1].split(b"\0"))


def exe(pid: int) -> str:
    return os.fsencode(os.readlink(f"/proc/{pid}/exe")).decode("utf-8", "replace")


def assert_ran(record: Exit, args: tuple[str, ...], path: str) -> None:
    assert (record.args, record.args_truncated, record.exe) == (args, False, path)


def end(puppet: Puppet) -> tuple[tuple[str, ...], str]:
    """Have it exit; return what /proc told of it until then."""
    told = cmdline(puppet.pid), exe(puppet.pid)
    puppet.die("exit", 0)
    return told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        [b""],
        [b"", b"", b"a", b""],
        [b"--two words", b" "],
        [b"line\nline\r\n", b"\t\x1b[31m"],
        ["Käse".encode(), b"\xff\xfe", b"\xc3"],
    ],
)
def test_args_are_those_given_to_exec(life: Stage, arguments: list[bytes]) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=arguments)
        told = end(puppet)
    given = tuple(arg.decode("utf-8", "replace") for arg in arguments)
    assert told == ((str(life.program), *given), str(life.program))
    assert_ran(record_of(exits, puppet.pid), *told)


@pytest.mark.parametrize("how", ["retitle", "move_args"])
def test_args_stay_those_of_the_exec(life: Stage, how: str) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=[b"--one", b"--two"])
        first = cmdline(puppet.pid), exe(puppet.pid)
        puppet.ask(how, "another-title")
        assert cmdline(puppet.pid)[0] == "another-title"
        puppet.die("exit", 0)
    assert_ran(record_of(exits, puppet.pid), *first)


@pytest.mark.parametrize("size", [MAX_ARGS_BYTES, MAX_ARGS_BYTES + 1, 128 * 1024])
def test_args_are_cut_at_a_size(life: Stage, size: int) -> None:
    room = size - len(os.fsencode(life.program)) - 1
    arguments = [b"%07d" % n for n in range(room // 8)]
    arguments[-1] += b"x" * (room % 8)
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=arguments)
        shown = "\0".join((*cmdline(puppet.pid), ""))
        end(puppet)
    assert len(shown) == size
    record = record_of(exits, puppet.pid)
    assert record.args
    kept = "\0".join(record.args)
    assert kept == shown[:MAX_ARGS_BYTES].removesuffix("\0")
    assert record.args_truncated == (size > MAX_ARGS_BYTES)
    assert record.exe == str(life.program)


@pytest.mark.parametrize("eldest_first", [False, True])
def test_who_is_forked_runs_what_the_parent_ran(life: Stage, eldest_first: bool) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=[b"worker"])
        pids = [puppet.pid, *map(int, puppet.ask("descend", 4).split())]
        told = {pid: (cmdline(pid), exe(pid)) for pid in pids}
        for pid in pids if eldest_first else reversed(pids):
            kill_off(pid)
    assert set(told.values()) == {((str(life.program), "worker"), str(life.program))}
    for pid in pids:
        assert_ran(record_of(exits, pid), *told[pid])


def test_what_ran_before_and_what_it_forks_and_runs_then(life: Stage) -> None:
    puppet = life.puppet(arguments=[b"early", b"", b"\xff"])
    early = int(puppet.ask("descend", 1))
    told = cmdline(puppet.pid), exe(puppet.pid)
    with recorded(fields=FIELDS) as exits:
        late = int(puppet.ask("fork", 0).split()[0])
        spawned = int(puppet.ask("spawn", "quit").split()[0])
        kill_off(early)
        puppet.die("exit", 0)
    for pid in (early, late, puppet.pid):
        assert_ran(record_of(exits, pid), *told)
    assert_ran(record_of(exits, spawned), ("spawn", "quit"), str(life.program))


def test_what_ran_before_and_has_lost_its_leader(life: Stage) -> None:
    puppet = life.puppet(arguments=[b"early"])
    told = cmdline(puppet.pid), exe(puppet.pid)
    puppet.ask("hand_over")
    with recorded(fields=FIELDS) as exits:
        puppet.die("exit", 0)
    assert_ran(record_of(exits, puppet.pid), *told)


def test_who_loses_its_leader(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=[b"late"])
        told = cmdline(puppet.pid), exe(puppet.pid)
        puppet.ask("hand_over")
        child = int(puppet.ask("fork", 0).split()[0])
        puppet.die("exit", 0)
    for pid in (puppet.pid, child):
        assert_ran(record_of(exits, pid), *told)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("leader_first", [False, True])
def test_exec_by_another_thread_than_the_leader(
    life: Stage, leader_first: bool, before: bool
) -> None:
    early = life.puppet() if before else None
    with recorded(fields=FIELDS) as exits:
        puppet = early or life.puppet()
        if leader_first:
            puppet.ask("hand_over")
        ready = puppet.ask("in_thread", "exec", life.program, "from", "a-thread")
        assert ready == f"ready {puppet.pid}"
        told = end(puppet)
    assert told[0] == (str(life.program), "from", "a-thread")
    assert_ran(record_of(exits, puppet.pid), *told)


def test_the_last_exec_counts(life: Stage, tmp_path: Path) -> None:
    other = Path(shutil.copy(life.program, tmp_path / "other"))
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(arguments=[b"first"])
        puppet.ask("exec", other, "second")
        puppet.ask("exec", life.program, "third")
        puppet.ask("exec", other, "last")
        told = end(puppet)
    assert told == ((str(other), "last"), str(other))
    assert_ran(record_of(exits, puppet.pid), *told)


def test_an_exec_that_found_no_room_is_not_taken_for_the_parents(life: Stage) -> None:
    """Of a child whose exec was not told, but whose exit was, the arguments are not known."""
    sizes: dict[int, int] = {}
    found: dict[int, tuple[str, ...] | None] = {}
    with Tracer(fields=["args"], ring_bytes=4096) as tracer:
        puppet = life.puppet()
        while None not in found.values():  # until the buffer was full in the middle of a life
            assert len(sizes) < 20_000
            for _ in range(40):
                size = len(sizes) % 97 + 1
                sizes[int(puppet.ask("vfork", "quit", "x" * size).split()[0])] = size
            ended = {record.pid: record.args for record in tracer.read()}
            found |= {pid: args for pid, args in ended.items() if pid in sizes}
    for pid, args in found.items():
        assert args in (None, ("vfork", "quit", "x" * sizes[pid]))


@pytest.mark.parametrize("how", ["vfork", "spawn"])
def test_the_shortest_of_lives(life: Stage, how: str) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        pids = [int(puppet.ask(how, "quit", number).split()[0]) for number in range(300)]
    for number, pid in enumerate(pids):
        record = record_of(exits, pid)
        assert_ran(record, (how, "quit", str(number)), str(life.program))


def test_a_script_is_run_by_its_interpreter(life: Stage, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{life.program} --an option\n")
    script.chmod(0o755)
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(program=script, arguments=[b"argument"])
        told = end(puppet)
    args = (str(life.program), "--an option", str(script), "argument")
    assert told == (args, str(life.program))
    record = record_of(exits, puppet.pid)
    assert_ran(record, *told)
    assert record.comm == "script"


# --- exe ---


@pytest.mark.parametrize(
    "name",
    [
        b"a name",
        b"line\nline",
        b"in (deleted)",
        b"\xff\xfe",
        b"n" * 255,
        b"/".join([b"deep"] * 20),
        b"/".join([b"long" * 60] * 14),
    ],
)
def test_exe_is_a_path(life: Stage, tmp_path: Path, name: bytes) -> None:
    program = tmp_path / os.fsdecode(name)
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(life.program, program)
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(program=program)
        told = end(puppet)
    assert told[1] == os.fsencode(program).decode("utf-8", "replace")
    assert_ran(record_of(exits, puppet.pid), *told)


def test_exe_is_what_a_symlink_leads_to(life: Stage, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(life.program)
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(program=link)
        told = end(puppet)
    assert told == ((str(link),), str(life.program))
    assert_ran(record_of(exits, puppet.pid), *told)


def test_exe_is_as_it_was_at_the_exec(life: Stage, tmp_path: Path) -> None:
    """/proc follows the file: it shows a new name, or that it is deleted."""
    programs = [Path(shutil.copy(life.program, tmp_path / name)) for name in ("removed", "renamed")]
    with recorded(fields=FIELDS) as exits:
        puppets = [life.puppet(program=program) for program in programs]
        programs[0].unlink()
        programs[1].rename(tmp_path / "another")
        told = [end(puppet)[1] for puppet in puppets]
    assert told == [f"{programs[0]} (deleted)", str(tmp_path / "another")]
    for program, puppet in zip(programs, puppets, strict=True):
        assert_ran(record_of(exits, puppet.pid), puppet.args, str(program))


def test_exe_of_a_file_deleted_before_the_exec(life: Stage, tmp_path: Path) -> None:
    doomed = Path(shutil.copy(life.program, tmp_path / "doomed"))
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("exec_deleted", doomed, "x")
        told = end(puppet)
    assert told == ((str(doomed), "x"), f"{doomed} (deleted)")
    assert_ran(record_of(exits, puppet.pid), *told)


def test_exe_of_no_file_system(life: Stage) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("exec_memfd", "in-memory", "x")
        told = end(puppet)
    assert told == (("in-memory", "x"), "/memfd:in-memory (deleted)")
    assert_ran(record_of(exits, puppet.pid), *told)


@pytest.fixture
def root(life: Stage, tmp_path: Path) -> Path:
    """A directory that contains only the program of lives.c."""
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(life.program, root / "program")
    return root


def test_exe_in_a_bind_mount(life: Stage, root: Path, tmp_path: Path) -> None:
    place = tmp_path / "place" / "inner"
    place.mkdir(parents=True)
    mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet(
            *("unshare", "--mount", "sh", "-c", mount, "sh", str(root), str(place)),
            program=place / "program",
        )
        told = end(puppet)
    assert told[1] == str(place / "program")
    assert_ran(record_of(exits, puppet.pid), *told)


def test_exe_in_a_root_of_its_own(life: Stage, root: Path) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet()
        puppet.ask("pivot", root)
        puppet.ask("exec", "/program")
        told = end(puppet)
    assert told == (("/program",), "/program")
    assert_ran(record_of(exits, puppet.pid), *told)


def test_exe_in_a_changed_root(life: Stage, root: Path) -> None:
    with recorded(fields=FIELDS) as exits:
        puppet = life.puppet("chroot", str(root), program=Path("/program"))
        told = end(puppet)
    assert told == (("/program",), str(root / "program"))
    assert_ran(record_of(exits, puppet.pid), *told)
