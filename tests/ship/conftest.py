"""Fixtures for the tests of what is delivered elsewhere."""

import os

import pytest
from support.machine import need


@pytest.fixture
def as_root() -> None:
    """Root: who can become a user without rights."""
    need(os.geteuid() == 0, "needs root: run `make test`, or `sudo make test`")
