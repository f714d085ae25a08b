"""What `exitsnoop why` says of real services that really died. Needs root and BTF."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import support.flight
from support.flight import Answers, Flight, run_command
from support.machine import need_to_trace
from support.programs import compiled


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the layer of answers")


@pytest.fixture
def answers(exitsnoop: str, tmp_path: Path) -> Answers:
    """Asks a recording, which is not there yet."""
    return Answers(tmp_path / "store", lambda words: run_command([exitsnoop, *words]))


@pytest.fixture
def flight(exitsnoop: str, answers: Answers) -> Flight:
    """Records what ends in the block, for `answers`."""
    return lambda: support.flight.flight(exitsnoop, answers.store)


@pytest.fixture(scope="session")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program deaths.c of the kernel layer."""
    source = Path(__file__).parents[1] / "kernel" / "deaths.c"
    yield from compiled(source, tmp_path_factory.mktemp("deaths"))
