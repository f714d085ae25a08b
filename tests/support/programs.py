"""C programs: compiled for a test, alone or with the extension; and loads that go on and on."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

NATIVE = Path(__file__).parents[2] / "src" / "exitsnoop" / "_native"


def sanitized(source: Path, directory: Path, parts: Sequence[str], *libraries: str) -> Path:
    """Compile a program with these parts of the extension, for AddressSanitizer and UBSan."""
    program = directory / source.stem
    flags = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [source, *(NATIVE / part for part in parts)]
    subprocess.run(["cc", *flags, "-o", program, *sources, *libraries], check=True)
    return program


def compile_static(source: Path, directory: Path) -> Path:
    """Compile a program that needs no library of the machine's.

    It is taken from the directory $COMPILED, if it is there: a compiler that is emulated is slow.
    """
    program = directory / source.stem
    compiled_before = Path(os.environ.get("COMPILED", "/none"), source.stem)
    if compiled_before.exists():
        return Path(shutil.copy(compiled_before, program))
    flags = ["-O1", "-static", "-pthread", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", program, source], check=True)
    return program


def compiled(source: Path, directory: Path) -> Iterator[Path]:
    """Compile a program; remove its directory at the end, with the cores that it left there."""
    yield compile_static(source, directory)
    shutil.rmtree(directory)


@contextlib.contextmanager
def looping(body: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that does this over and over: at most as long as the thread that entered lives."""
    alone = f"[ $PPID = {os.getpid()} ] || exit"  # the parent ended before the request
    words = ["setpriv", "--pdeathsig", "KILL", "/bin/sh", "-c"]
    loop = subprocess.Popen([*words, f"{alone}; while :; do {body}; done"])
    try:
        yield loop
    finally:
        loop.kill()
        loop.wait()
