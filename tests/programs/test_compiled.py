"""Go and Rust: their runtimes handle faults, and abort() from within."""

import os
import subprocess
from pathlib import Path

import pytest
from support.machine import kernel_has
from support.services import need_program, one
from support.truth import recorded

from exitsnoop import Cause

GO = """
package main
import ("os"; "unsafe")
//go:noinline
func check(n int) { if n > 0 { panic("no") } }
//go:noinline
func touch() int { return *(*int)(unsafe.Pointer(uintptr(0x40))) }
func main() { if os.Args[1] == "panic" { check(len(os.Args)) }; touch() }
"""
RUST = """
#[inline(never)]
fn give_up<T: Copy>(x: T, n: usize) -> T {
    let inner = move |n: usize| { if n > 0 { std::process::abort() } x };
    inner(n)
}
#[inline(never)]
fn touch() -> u8 { unsafe { *(0x40 as *const u8) } }
fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words[1].as_str() {
        "abort" => { give_up(3u64, words.len()); }
        "touch" => { touch(); }
        _ => { std::thread::spawn(touch).join().unwrap(); }
    }
}
"""


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    if not kernel_has("bpf_loop"):
        pytest.skip("the kernel has no bpf_loop()")


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("go")
    (directory / "demo.go").write_text(GO)
    home = {**os.environ, "GOCACHE": str(directory / "cache"), "GO111MODULE": "off"}
    command = [need_program("go"), "build", "-o", "demo", "demo.go"]
    subprocess.run(command, cwd=directory, env=home, check=True)
    return directory / "demo"


@pytest.fixture(scope="module")
def rust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("rust")
    (directory / "demo.rs").write_text(RUST)
    command = [need_program("rustc"), "-C", "symbol-mangling-version=v0", "-o", "demo", "demo.rs"]
    subprocess.run(command, cwd=directory, check=True)
    return directory / "demo"


def ended(program: Path, way: str, **more: str) -> Cause:
    with recorded(why=True) as exits:
        process = subprocess.Popen(
            [program, way], stderr=subprocess.DEVNULL, env={**os.environ, **more}
        )
        returncode = process.wait()
    return one(exits, process.pid, returncode)


@pytest.mark.parametrize(("way", "function"), [("panic", "main.check"), ("touch", "main.touch")])
def test_go_aborts_where_the_program_was(go: Path, way: str, function: str) -> None:
    cause = ended(go, way, GOTRACEBACK="crash")
    assert cause.kind == "abort"
    assert cause.text.startswith(f"abort() in demo {function}+0x")
    assert (" after a segfault reading 0x40 in demo main.touch+0x" in cause.text) == (
        way == "touch"
    )


def test_go_exits_after_a_fault(go: Path) -> None:
    cause = ended(go, "touch")
    assert (cause.kind, cause.after and cause.after.address) == ("exited", 0x40)


@pytest.mark.parametrize("way", ["touch", "thread"])
def test_a_fault_in_rust_is_one(rust: Path, way: str) -> None:
    cause = ended(rust, way)
    assert (cause.kind, cause.address, cause.reraised) == ("fault", 0x40, True)
    assert cause.text.startswith("segfault reading 0x40 in demo demo::touch+0x")
    assert cause.text.endswith(", again after it was handled")


def test_a_closure_of_a_generic_function(rust: Path) -> None:
    cause = ended(rust, "abort")
    assert cause.kind == "abort"
    assert cause.text.startswith("abort() in demo 'demo::give_up::{closure}'+0x")
