"""A short run of what `make fuzz` does for longer."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from support.machine import need, some

FUZZER = Path(__file__).parents[1] / "fuzz" / "decoders.py"


def test_nothing_that_a_guided_search_finds_breaks_the_decoders(tmp_path: Path) -> None:
    has_it = importlib.util.find_spec("atheris") is not None
    need(has_it, "the guided search needs atheris, which has wheels for x86_64 with glibc")
    runs = some(30_000)
    result = subprocess.run(
        [sys.executable, "-B", FUZZER, f"-runs={runs}", "-seed=6"],
        cwd=tmp_path,  # where it leaves what broke them
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    assert f"Done {runs} runs" in result.stdout
