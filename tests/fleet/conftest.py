"""Fixtures for the tests of what goes to a fleet."""

import os

import pytest
from support.machine import need


@pytest.fixture
def as_root() -> None:
    """Root: who can mount."""
    need(os.geteuid() == 0, "needs root: run `make test`, or `sudo make test`")
