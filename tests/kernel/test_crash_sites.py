"""Where a process crashed: crashes.c says what will happen, addr2line and /proc/PID/maps where."""

import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
from support.crashes import assert_stack, assert_thread, build, crash
from support.machine import kernel_has
from support.truth import record_of, recorded
from support.waiting import until

if platform.machine() != "x86_64":
    pytest.skip("registers are read on x86-64 only", allow_module_level=True)
if not kernel_has("bpf_loop"):
    pytest.skip("the kernel has no bpf_loop()", allow_module_level=True)

BUILDS = {
    "no frame pointers": ["-fomit-frame-pointer"],
    "frame pointers": ["-fno-omit-frame-pointer"],
    "static": ["-static-pie"],
    "static at a fixed address": ["-static", "-no-pie"],
    "no build ID": ["-Wl,--build-id=none"],
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The program, built in each of these ways."""
    directory = tmp_path_factory.mktemp("crashes")
    built = {}
    for name, flags in BUILDS.items():
        built[name] = build(directory / name.replace(" ", "_"), *flags)
    return built


FAULTS = [
    # way, what it does, the innermost function, what lies there
    ("read_null", "read", "die_read", "none"),
    ("write_null", "write", "die_write", "none"),
    ("write_code", "write", "die_write", "file"),
    ("write_constant", "write", "die_write", "file"),
    ("read_none", "read", "die_read", "reserved"),
    ("write_read_only", "write", "die_write", "anonymous"),
]


@pytest.mark.parametrize("where", ["", "thread"])
@pytest.mark.parametrize(("way", "access", "function", "kind"), FAULTS)
def test_faults(
    programs: dict[str, Path], way: str, access: str, function: str, kind: str, where: str
) -> None:
    program = programs["no frame pointers"]
    told = crash(program, way, where)
    cause = told.cause
    assert (cause.kind, cause.address, cause.access) == ("fault", told.address, access)
    assert_thread(told, program)
    assert cause.at
    assert (cause.at.module, cause.at.function) == (str(program), function)
    assert f" in {program.name} {function}+{cause.at.function_offset:#x}" in cause.text
    assert_stack(told, program, function)
    assert cause.mapping
    assert cause.mapping.kind == kind
    there = told.mapping(told.address)
    assert (there is None) == (kind == "none")
    if kind == "file" and there:
        assert cause.mapping.path == there[4]
        assert cause.mapping.offset == told.address - there[0] + there[3]
        assert "read-only" in cause.text
    assert ("(reserved, no access)" in cause.text) == (kind == "reserved")


@pytest.mark.parametrize("build", BUILDS)
def test_builds(programs: dict[str, Path], build: str) -> None:
    program = programs[build]
    told = crash(program, "write_null")
    assert told.cause.at
    assert told.cause.at.function == "die_write"
    assert_stack(told, program, "die_write")
    notes = subprocess.check_output(["readelf", "-n", program], text=True)
    build_id = re.search(r"Build ID: (\w+)", notes)
    assert told.cause.at.build_id == (build_id[1] if build_id else None)


@pytest.mark.parametrize(
    ("way", "kind"), [("call_data", "file"), ("call_heap", "heap"), ("call_stack", "stack")]
)
def test_what_may_not_be_executed(programs: dict[str, Path], way: str, kind: str) -> None:
    program = programs["no frame pointers"]
    told = crash(program, way)
    assert (told.cause.access, told.cause.address) == ("execute", told.address)
    assert told.cause.mapping
    assert told.cause.mapping.kind == kind
    assert "not executable" in told.cause.text
    assert_stack(told, program, "die_call")


def test_a_call_of_a_null_pointer(programs: dict[str, Path]) -> None:
    program = programs["no frame pointers"]
    told = crash(program, "call_null")
    assert (told.cause.access, told.cause.address) == ("execute", 0)
    assert told.cause.at is None
    assert_stack(told, program, "die_call")
    assert f"called from {program.name} die_call+" in told.cause.text


def test_a_fault_in_the_c_library(programs: dict[str, Path]) -> None:
    """The text has who called it, too."""
    program = programs["no frame pointers"]
    told = crash(program, "strlen")
    assert told.cause.address == 24
    assert told.cause.at
    assert re.search(r"/libc[.-]", told.cause.at.module or "")
    assert f", called from {program.name} die_strlen+0x" in told.cause.text
    assert_stack(told, program, "die_strlen")


@pytest.mark.parametrize("place", ["disk", "tmpfs"])
def test_a_file_that_was_truncated(programs: dict[str, Path], tmp_path: Path, place: str) -> None:
    file = tmp_path / "table" if place == "disk" else Path("/dev/shm") / f"table-{os.getpid()}"
    told = crash(programs["no frame pointers"], "read_truncated", file=file)
    file.unlink()
    assert told.cause.si_code == "BUS_ADRERR"
    assert told.cause.mapping == ("file", str(file), 8200)
    assert f"beyond the end of {file} (4.0K" in told.cause.text
    assert told.cause.at
    assert told.cause.at.function == "die_read"


@pytest.mark.parametrize("where", ["", "thread"])
@pytest.mark.parametrize("how", [[], ["signal"], ["altstack"]])
@pytest.mark.parametrize("way", ["recursion", "large"])
def test_stack_overflows(programs: dict[str, Path], way: str, how: list[str], where: str) -> None:
    program = programs["no frame pointers"]
    told = crash(program, way, where, *how)
    cause = told.cause
    assert cause.kind == "fault"
    assert "stack overflow" in cause.text, cause
    assert cause.reraised == (True if how == ["altstack"] else None)
    assert_thread(told, program)
    assert cause.at
    assert cause.at.function == f"die_{way}"
    if way == "recursion":
        assert cause.stack_complete is False
        assert cause.stack
        assert {one.function for one in cause.stack} == {"die_recursion"}
    if where and not how and way == "recursion":
        assert cause.mapping
        assert cause.mapping.kind == "guard"


@pytest.mark.parametrize("where", ["", "thread"])
@pytest.mark.parametrize(
    ("way", "caller", "rest"),
    [("abort", "die_abort", []), ("assert", "die_assert", []), ("qsort", "compare", ["die_qsort"])],
)
@pytest.mark.parametrize("build", ["no frame pointers", "static", "static at a fixed address"])
def test_who_called_abort(
    programs: dict[str, Path], way: str, caller: str, rest: list[str], where: str, build: str
) -> None:
    program = programs[build]
    told = crash(program, way, where)
    assert told.cause.kind == "abort"
    assert_thread(told, program)
    assert re.match(rf"abort\(\) in {program.name} {caller}\+0x", told.cause.text)
    if build == "no frame pointers":  # in others the library is a part of the program
        assert_stack(told, program, caller, *rest)


@pytest.mark.parametrize(
    ("way", "trap"),
    [
        ("int3", "breakpoint"),
        ("hlt", "privileged instruction (hlt)"),
        ("swapgs", "privileged instruction (swapgs)"),
        ("rdtsc", "instruction that the process has disabled (rdtsc)"),
        ("movaps", "unaligned access, or a wild pointer"),
        ("write_wild", "wild pointer (not a canonical address)"),
    ],
)
def test_faults_without_an_address(programs: dict[str, Path], way: str, trap: str) -> None:
    program = programs["no frame pointers"]
    told = crash(program, way)
    function = "die_write" if way == "write_wild" else f"die_{way}"
    assert (told.cause.trap, told.cause.address, told.cause.mapping) == (trap, None, None)
    assert_stack(told, program, function)
    assert f"{trap} in {program.name} {function}+" in told.cause.text


def test_a_wild_frame_pointer_is_no_stack_pointer(programs: dict[str, Path]) -> None:
    told = crash(programs["no frame pointers"], "frame")
    assert told.cause.trap == "wild pointer (not a canonical address)"
    assert told.cause.text.startswith(f"bus error, {told.cause.trap} in ")
    assert " die_frame+" in told.cause.text


@pytest.mark.parametrize("how", ["signal", "at_once"])
def test_a_fault_that_was_raised_again(programs: dict[str, Path], how: str) -> None:
    """Also where the signal is not blocked meanwhile: then the handler is on the stack."""
    program = programs["no frame pointers"]
    told = crash(program, "write_null", "", how)
    cause = told.cause
    assert (cause.kind, cause.reraised, cause.address) == ("fault", True, 8)
    assert cause.at
    assert cause.at.function == "die_write"
    assert cause.mapping == ("none", None, None)
    assert cause.stack
    names = [one.function for one in cause.stack if one.module == str(program)]
    before = ["raise_again"] if how == "at_once" else []
    assert names[: 4 + len(before)] == [*before, "die_write", "middle", "outer", "main"]
    assert cause.stack_complete


def test_a_handler_that_crashes(programs: dict[str, Path]) -> None:
    """The cause is what the handler did; its stack has what came before."""
    program = programs["no frame pointers"]
    told = crash(program, "read_null", "", "crash_too")
    cause = told.cause
    assert (cause.kind, cause.address, cause.access) == ("fault", 16, "write")
    assert cause.stack
    names = [one.function for one in cause.stack if one.module == str(program)]
    assert names[:4] == ["die_write", "crash_too", "die_read", "middle"]


def test_the_row_of_the_thread_that_crashed(programs: dict[str, Path]) -> None:
    program = programs["no frame pointers"]
    with recorded(why=True, per_thread=True) as exits:
        process = subprocess.Popen([program, "write_null", "thread"], stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=60)
    tid = int(out.split()[1])
    rows = {one.tid: one for one in exits if one.pid == process.pid}
    assert rows.keys() == {tid, process.pid}
    cause = rows[tid].cause
    assert cause
    assert cause.kind == "fault"
    assert cause.at
    other = rows[process.pid].cause
    assert other
    assert (other.kind, other.thread, other.at) == ("other_thread", cause.thread, None)
    assert other.thread
    who = f"thread {other.thread.comm}[{tid}]"
    assert other.text == f"ended by {who}: segfault writing 0x8 (SEGV_MAPERR)"


def test_a_program_of_another_root(programs: dict[str, Path], tmp_path: Path) -> None:
    """As in a container: its files are looked for where its parent has them."""
    program = programs["static"]
    (tmp_path / program.name).write_bytes(program.read_bytes())
    (tmp_path / program.name).chmod(0o755)
    script = (
        f"mount --bind {tmp_path} {tmp_path} && cd {tmp_path} && mkdir old && pivot_root . old && "
        f"/{program.name} abort; read line"
    )
    with recorded(why=True) as exits:
        view = {"LD_LIBRARY_PATH": "/old/lib/x86_64-linux-gnu", "PATH": os.environ["PATH"]}
        words = ["unshare", "--mount", "sh", "-c", script]
        parent = subprocess.Popen(words, env=view, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        until(lambda: any(one.comm == program.name for one in exits))
        parent.communicate(timeout=60)
    (cause,) = [one.cause for one in exits if one.comm == program.name]
    assert cause
    assert cause.at
    assert cause.at.module == f"/{program.name}"
    assert f"in {program.name} die_abort+" in cause.text


def test_a_program_that_was_replaced(programs: dict[str, Path], tmp_path: Path) -> None:
    """Its symbols are not those of the file that has its name now."""
    program = tmp_path / "program"
    program.write_bytes(programs["no frame pointers"].read_bytes())
    program.chmod(0o755)
    other = programs["frame pointers"]
    with recorded(why=True) as exits:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {program} paused"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"paused\n"
        program.unlink()
        program.write_bytes(other.read_bytes())
        process.communicate(b"\n", timeout=60)
    cause = record_of(exits, process.pid).cause
    assert cause
    assert cause.at
    assert cause.at.module == f"{program} (deleted)"
    assert cause.at.function is None
    assert f"in program+{cause.at.offset:#x}" in cause.text
