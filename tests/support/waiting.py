"""Waits for what can only be looked at."""

import select
import time
from collections.abc import Callable

PATIENCE_S = 120


def until(holds: Callable[[], bool]) -> None:
    """Wait for what can only be looked at."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        select.select([], [], [], 0.001)
