"""The wheel in dist/: what is in it, and that it asks nothing of the machine it is installed on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.machine import need

pytestmark = pytest.mark.timeout(2400)  # a system may have to be downloaded
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PACKAGE = ROOT / "src" / "exitsnoop"
EPOCH = (ROOT / "Makefile").read_text().partition("SOURCE_DATE_EPOCH := ")[2].partition("\n")[0]
BUILT_FROM = ["src", "LICENSES", "LICENSE", "README.md", "meson.build", "pyproject.toml"]


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command to its end, with the environment's tools in reach; return its output."""
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PATH": path, "SOURCE_DATE_EPOCH": EPOCH},
    ).stdout


@pytest.fixture(scope="session")
def wheel() -> Path:
    wheels = list((ROOT / "dist").glob("*.whl"))
    need(bool(wheels), "there is no wheel to test: run `make test`, or `make wheel` before")
    assert len(wheels) == 1
    return wheels[0]


@pytest.fixture(scope="session")
def content(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def pythons() -> list[Path]:
    """Every interpreter on this machine that the wheel is meant for."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [Path(sys.base_prefix, "bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    places += pyenv.glob("versions/*/bin")
    found = set()
    for file in (file for place in places for file in place.glob("python3.*")):
        version = re.fullmatch(r"python3\.(\d+)", file.name)
        if version and int(version[1]) >= 10:
            found.add(file.resolve())
    return sorted(found)


def test_tag(wheel: Path) -> None:
    """The tool auditwheel has read which versions of glibc its libraries ask for."""
    assert re.fullmatch(r"exitsnoop-[^-]+-cp310-abi3-manylinux_2_28_[a-z0-9_]+\.whl", wheel.name)


def test_uses_only_the_stable_abi(wheel: Path) -> None:
    run("abi3audit", "--strict", wheel)


def test_holds_the_whole_package(content: set[str]) -> None:
    sources = {f"exitsnoop/{file.relative_to(PACKAGE)}" for file in PACKAGE.rglob("*.py*")}
    sources = {name for name in sources if "__pycache__" not in name}
    assert {"exitsnoop/_native.pyi", "exitsnoop/py.typed"} <= content
    assert sources <= content, "a file is not named in src/exitsnoop/meson.build"


@pytest.mark.parametrize("library", ["libbpf", "libelf"])
def test_brings_its_libraries(content: set[str], library: str) -> None:
    assert any(name.startswith(f"exitsnoop.libs/{library}-") for name in content)


def test_brings_the_licences_of_its_libraries(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        libraries = {Path(name).name.partition("-")[0] for name in names if ".libs/lib" in name}
        assert {"libbpf", "libelf"} <= libraries
        for library in libraries:
            (text,) = (name for name in names if name.endswith(f"/licenses/{library}.txt"))
            assert b"GPL" in archive.read(text)


READ = """
import ctypes, sys
from pathlib import Path
from exitsnoop import _native

[library] = Path(_native.__file__).parents[1].glob("exitsnoop.libs/libelf-*")
libelf, size = ctypes.CDLL(str(library)), ctypes.c_size_t()
libelf.elf_begin.restype = libelf.elf_rawfile.restype = ctypes.c_void_p
libelf.elf_version(1)
with open(sys.executable, "rb") as file:
    elf = ctypes.c_void_p(libelf.elf_begin(file.fileno(), 1, None))
    assert libelf.elf_rawfile(elf, ctypes.byref(size))
assert size.value == Path(sys.executable).stat().st_size
"""


def test_its_libelf_knows_the_size_of_a_file(wheel: Path, tmp_path: Path) -> None:
    """It asks the extension, as older versions of glibc have no fstat()."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    [library] = tmp_path.glob("exitsnoop.libs/libelf-*")
    imported = run("readelf", "--dyn-syms", "--wide", library)
    assert re.findall(r"\S*fstat\S*", imported) == ["exitsnoop_fstat"]
    run(sys.executable, "-c", READ, cwd=tmp_path)


def test_the_extension_is_hardened(wheel: Path, tmp_path: Path) -> None:
    """Checked copies, guarded stacks, nothing writable that is code or a table of functions."""
    with zipfile.ZipFile(wheel) as archive:
        extension = archive.extract("exitsnoop/_native.abi3.so", tmp_path)
    segments = run("readelf", "--segments", "--wide", extension)
    assert re.search(r"GNU_STACK .* RW +0x", segments)
    assert "GNU_RELRO" in segments
    assert "BIND_NOW" in run("readelf", "--dynamic", extension)
    imported = run("readelf", "--dyn-syms", "--wide", extension)
    assert "__stack_chk_fail" in imported
    assert re.search(r"__\w+_chk@GLIBC", imported)


@pytest.mark.parametrize("python", pythons(), ids=str)
def test_installs_and_imports(wheel: Path, python: Path, tmp_path: Path) -> None:
    there = tmp_path / "bin" / "python"
    run(python, "-m", "venv", "--without-pip", tmp_path)
    run("python", "-m", "pip", "-q", "--python", there, "install", "--no-index", "--no-deps", wheel)
    module = run(
        there, "-c", "from exitsnoop import _native; print(_native.__file__)", cwd=tmp_path
    )
    assert module.startswith(str(tmp_path))


def members(wheel: Path) -> list[tuple[str, Any, bytes]]:
    """Return what a wheel has, in its order; permissions are those of the source."""
    with zipfile.ZipFile(wheel) as archive:
        return [(one.filename, one.date_time, archive.read(one)) for one in archive.infolist()]


def test_sdist_is_what_is_committed_and_builds(tmp_path: Path) -> None:
    need((ROOT / ".git").exists(), "an sdist is made from a git checkout")
    clone = tmp_path / "clone"  # so that root leaves nothing in the user's checkout
    run("git", "clone", "--quiet", ROOT, clone)
    run("python", "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, clone)
    [sdist] = tmp_path.glob("*.tar.gz")
    run("tar", "-x", "-f", sdist, "-C", tmp_path)
    tree = tmp_path / sdist.name.removesuffix(".tar.gz")
    held = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}
    assert held == {*run("git", "ls-files", cwd=clone).splitlines(), "PKG-INFO"}
    where: list[str | Path] = ["-Cbuild-dir=build/meson", "--outdir", tmp_path]
    run("python", "-m", "build", "--wheel", "--no-isolation", *where, tree)
    [built] = tmp_path.glob("*.whl")
    if not run("git", "status", "--porcelain", "--", *BUILT_FROM):
        [made] = (ROOT / "build" / "wheel").glob("*.whl")
        assert members(built) == members(made), "the same tree gave other bytes elsewhere"


def test_who_builds_it_makes_no_difference(wheel: Path, tmp_path: Path) -> None:
    """The same bytes, also where nobody else may read the files that one makes."""
    [made] = (ROOT / "build" / "wheel").glob("*.whl")
    run("wheel", "unpack", "--dest", tmp_path, made)
    [tree] = (path for path in tmp_path.iterdir() if path.is_dir())
    run("chmod", "--recursive", "go=", tree)
    (tmp_path / "private").mkdir()
    run("wheel", "pack", "--dest-dir", tmp_path / "private", tree)
    [private] = (tmp_path / "private").iterdir()
    bundle = f"umask 077; {ROOT}/tools/bundle {private} {tmp_path}/bundled"
    run("sh", "-c", bundle)
    [again] = (tmp_path / "bundled").iterdir()
    assert again.read_bytes() == wheel.read_bytes()


INSTALL_AND_TRACE = """
for tool in cc gcc clang bpftool; do
    if command -v "$tool"; then exit 1; fi
done
test -z "$(find / -xdev '(' -name 'libbpf*' -o -name 'libelf*' ')' -print)"
python3 -m venv /venv
/venv/bin/pip install --quiet --no-index --no-deps /mnt/*.whl
exec /venv/bin/exitsnoop
"""


def test_traces_on_a_machine_without_compiler_or_libbpf(wheel: Path) -> None:
    need(os.geteuid() == 0, "tracing needs root: run `make test`, or `sudo make test`")
    need(bool(shutil.which("mmdebstrap")), "a bare system is made by mmdebstrap: run it on Debian")
    bare_system = [str(ROOT / "tools/bare-debian"), "python3,python3-venv", str(wheel.parent)]
    machine = subprocess.Popen(
        [*bare_system, "sh", "-euc", INSTALL_AND_TRACE],
        stdout=subprocess.PIPE,
        bufsize=0,  # readline() must leave to communicate() what comes after the line
    )
    try:
        assert machine.stdout
        assert machine.stdout.readline().startswith(b"PCOMM"), "it did not come to tracing"
        ended = subprocess.Popen(["sh", "-c", "exit 7"])
        ended.wait()
        machine.send_signal(signal.SIGINT)
        rows, _ = machine.communicate(timeout=60)
    finally:
        machine.kill()
        machine.wait()
    assert machine.returncode == 0
    mine = [row for row in rows.decode().splitlines() if row.split()[1] == str(ended.pid)]
    assert len(mine) == 1
    assert mine[0].endswith("code 7")
