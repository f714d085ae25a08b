"""Real programs that die as their users know it: what is said of them. Needs root and BTF."""

import pytest
from support.machine import need_to_trace


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the layer of programs")
