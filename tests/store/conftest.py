"""Fixtures for the tests of the recording."""

import os
from pathlib import Path

import pytest
from support.machine import need
from support.recorded import compiled_shim


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A path for a recording, which is not there yet, and which all users can reach."""
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(above.stat().st_mode | 0o011)
    return tmp_path / "store"


@pytest.fixture
def as_root() -> None:
    """Root: who can become a user without rights, and mount."""
    need(os.geteuid() == 0, "needs root: run `make test`, or `sudo make test`")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between SQLite and the disk."""
    return compiled_shim(tmp_path_factory.mktemp("shim"))
