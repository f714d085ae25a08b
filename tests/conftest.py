"""Fixtures for all layers."""

import os
import sys

import pytest


@pytest.fixture(scope="session")
def exitsnoop() -> str:
    """The installed command."""
    return os.path.join(os.path.dirname(sys.executable), "exitsnoop")
