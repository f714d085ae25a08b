"""The C programs that tests run."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


def compiled(source: Path, directory: Path) -> Iterator[Path]:
    """Compile a program; remove its directory at the end, with the cores that it left there."""
    program = directory / source.stem
    flags = ["-O1", "-static", "-pthread", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", program, source], check=True)
    yield program
    shutil.rmtree(directory)
