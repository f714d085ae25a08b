"""`exitsnoop top` on a real terminal, with real deaths. Needs root and BTF."""

import pytest
from support.machine import need_to_trace


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the live view")
