"""Fixtures for the tests of the recording."""

import os
from pathlib import Path

import pytest
from support.flight import Answers
from support.machine import need
from support.recorded import compiled_shim

from exitsnoop.cli import main


@pytest.fixture
def as_root() -> None:
    """Root: who can become a user without rights, and mount."""
    need(os.geteuid() == 0, "needs root: run `make test`, or `sudo make test`")


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between SQLite and the disk."""
    return compiled_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def answers(store: Path, capfd: pytest.CaptureFixture[str]) -> Answers:
    """Asks the recording in `store`, in this process."""

    def run(words: list[str]) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main(words)
        return (status, *capfd.readouterr())

    return Answers(store, run)
