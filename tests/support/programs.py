"""The C programs that tests run."""

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


def compiled(source: Path, directory: Path) -> Iterator[Path]:
    """Compile a program; remove its directory at the end, with the cores that it left there."""
    program = directory / source.stem
    flags = ["-O1", "-static", "-pthread", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", program, source], check=True)
    yield program
    shutil.rmtree(directory)
