"""Files that are there whole or not at all."""

import inspect
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from exitsnoop.fleet.pending import Pending


def write(directory: Path, trace: Any) -> None:
    with Pending(private=True) as pending:
        sys.settrace(trace)
        try:
            pending.name(pending.new(directory), "whole")
        finally:
            sys.settrace(None)


# The file that open() has just returned is nobody's then: Python closes it, and warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("function", [Pending.new, Pending.name])
def test_a_signal_at_any_line_leaves_no_file(function: Any, tmp_path: Path) -> None:
    """A handler that calls sys.exit() can run between any two lines."""
    lines, first = inspect.getsourcelines(function)
    ended_at = set()
    for end_at in range(first, first + len(lines)):

        def step(frame: FrameType, event: str, _: object, end_at: int = end_at) -> Any:
            if event == "return" or (event == "line" and frame.f_lineno == end_at):
                ended_at.add(end_at)
                raise SystemExit
            return step

        def enter(frame: FrameType, _event: str, _: object, step: Any = step) -> Any:
            return step if frame.f_code is function.__code__ else None

        directory = tmp_path / str(end_at)
        with pytest.raises(SystemExit):
            write(directory, enter)
        assert not directory.exists() or not os.listdir(directory)
    assert ended_at
