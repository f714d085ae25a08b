"""What happens to the tracer and around it. Needs root and BTF, as the kernel layer does."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import need_to_trace
from support.programs import compiled

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the layer of faults")


@pytest.fixture(scope="session")
def _loads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from compiled(HERE / "loads.c", tmp_path_factory.mktemp("loads"))


@pytest.fixture
def loads(_loads: Path, tmp_path: Path) -> Path:
    """The program loads.c, with a name that no other process has."""
    return Path(shutil.copy(_loads, tmp_path / f"load-{os.getpid()}"))
