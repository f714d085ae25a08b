"""Crashes that a handler had first, and rare ways to crash: crashes.c says what will happen."""

import os
import platform
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support.crashes import Told, assert_stack, assert_thread, build, crash
from support.machine import kernel_has
from support.truth import record_of, recorded

if platform.machine() != "x86_64":
    pytest.skip("registers are read on x86-64 only", allow_module_level=True)
if not kernel_has("bpf_loop"):
    pytest.skip("the kernel has no bpf_loop()", allow_module_level=True)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("crashes") / "program", "-fomit-frame-pointer")


def assert_place(told: Told, program: Path, function: str) -> None:
    at = told.cause.at
    assert at
    assert (at.module, at.function) == (str(program), function)
    assert f" in {program.name} {function}+{at.function_offset:#x}" in told.cause.text


@pytest.mark.parametrize("where", ["", "thread"])
def test_a_fault_that_comes_again_is_one(program: Path, where: str) -> None:
    """As in Rust: the handler restores the default, and returns to the instruction."""
    told = crash(program, "write_null", where, "returns")
    cause = told.cause
    assert (cause.kind, cause.address, cause.reraised) == ("fault", 8, True)
    assert cause.after is None
    assert cause.text.endswith(", again after it was handled")
    assert_thread(told, program)
    assert_place(told, program, "die_write")
    assert_stack(told, program, "die_write")


@pytest.mark.parametrize("how", ["to_process", "to_first"])
def test_the_place_is_that_of_the_thread_that_had_the_fault(program: Path, how: str) -> None:
    """The first thread takes the signal that the handler sends, while it waits for the other."""
    told = crash(program, "write_null", "thread", how)
    cause = told.cause
    assert (cause.kind, cause.address, cause.reraised) == ("fault", 8, True)
    assert told.tid != told.pid
    assert_thread(told, program)
    assert_place(told, program, "die_write")
    assert cause.stack is None


def test_one_variable_that_is_larger_than_the_stack(tmp_path: Path) -> None:
    """It reaches far below where the kernel leaves room for the stack."""
    pointers = build(tmp_path / "pointers", "-fno-omit-frame-pointer")
    told = crash(pointers, "huge")
    assert "stack overflow" in told.cause.text, told.cause
    assert_place(told, pointers, "die_huge")


def test_a_stack_pointer_that_went_astray_is_no_overflow(tmp_path: Path) -> None:
    pointers = build(tmp_path / "pointers", "-fno-omit-frame-pointer")
    told = crash(pointers, "astray")
    assert (told.cause.address, told.cause.access) == (2**64 - 8, "write")
    assert "overflow" not in told.cause.text, told.cause
    assert_place(told, pointers, "die_astray")


def test_a_fault_in_generated_code(program: Path) -> None:
    told = crash(program, "generated")
    assert (told.cause.address, told.cause.access, told.cause.at) == (16, "write", None)
    assert " in generated code (of no file)" in told.cause.text


def test_a_fault_in_the_code_of_the_kernel_is_not_called_generated() -> None:
    script = "import ctypes; ctypes.CDLL(None).clock_gettime(1, ctypes.c_void_p(64))"
    with recorded(why=True) as exits:
        python = subprocess.Popen(["/usr/bin/python3", "-c", script])
        python.wait()
    cause = record_of(exits, python.pid).cause
    assert cause
    assert " in the vDSO" in cause.text


def test_a_jump_to_the_vsyscall_page(program: Path) -> None:
    told = crash(program, "vsyscall")
    assert told.cause.kind == "fault"
    assert "vsyscall" in told.cause.text or told.cause.address == 0xFFFFFFFFFF600010


@pytest.mark.parametrize("where", ["", "thread"])
def test_what_the_library_found(program: Path, where: str) -> None:
    told = crash(program, "free", where)
    place = rf"abort\(\) in {program.name} die_free\+0x\w+"
    found = rf"{place}, free\(\) found a corrupted heap(, thread.*)?"
    assert re.fullmatch(found, told.cause.text), told.cause


LIBRARY = """
import ctypes, sys
function = ctypes.CDLL(sys.argv[1]).function
print("up", flush=True)
sys.stdin.read(1)
function()
"""


def test_a_library_that_is_cut_short_while_it_is_in_use(tmp_path: Path) -> None:
    """As by a copy over it. The kernel protects only the file of the program itself."""
    source, library = tmp_path / "library.c", tmp_path / "library.so"
    source.write_text("int function(void) { return 1; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    with recorded(why=True) as exits:
        process = subprocess.Popen(
            ["/usr/bin/python3", "-c", LIBRARY, library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        os.truncate(library, 0)
        process.communicate("x", timeout=60)
    assert process.returncode == -signal.SIGBUS
    cause = record_of(exits, process.pid).cause
    assert cause
    assert (cause.kind, cause.si_code) == ("fault", "BUS_ADRERR")
    assert f"beyond the end of {library} (0" in cause.text
