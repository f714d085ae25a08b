"""An interpreter with a GIL of its own, beside the main one: exitsnoop refuses it in words."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import exitsnoop

# 3.13 renamed the module.
OWN_GIL = """\
code = '''
import exitsnoop
try:
    exitsnoop.Tracer()
except exitsnoop.TraceError as error:
    print(error, flush=True)
'''
try:
    import _interpreters
    assert not _interpreters.run_string(_interpreters.create("isolated"), code)
except ImportError:
    import _xxsubinterpreters
    _xxsubinterpreters.run_string(_xxsubinterpreters.create(isolated=True), code)
"""


def python_with_such_interpreters() -> str | None:
    """Return a Python of this machine where an interpreter may have a GIL of its own."""
    usual = [shutil.which(f"python3.{minor}") for minor in range(12, 20)]
    of_pyenv = sorted(map(str, Path.home().glob(".pyenv/versions/3.*/bin/python3")))
    for found in filter(None, (sys.executable, *usual, *of_pyenv)):
        asks = [found, "-c", "import sys; sys.exit(sys.version_info < (3, 12))"]
        if not subprocess.run(asks, stderr=subprocess.DEVNULL, check=False).returncode:
            return found
    return None


def test_an_interpreter_with_a_gil_of_its_own_is_refused_in_words() -> None:
    python = python_with_such_interpreters()
    if python is None:  # no preparation brings one, so CI may skip this
        pytest.skip("there is no Python 3.12 or later on this machine")
    package = str(Path(exitsnoop.__file__).parents[1])
    told = subprocess.run(
        [python, "-c", OWN_GIL],
        env={**os.environ, "PYTHONPATH": package},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert told == (
        "exitsnoop does not work in an interpreter with a GIL of its own: "
        "use it in the main interpreter of an ordinary build of Python\n"
    )
