"""The kernel layer: real exits under the running kernel. Needs root and BTF."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loops import looping
from support.needs import need_to_trace
from support.pace import SLOW
from support.programs import compiled
from support.stage import Stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the machine is slow, leave out four of five cases of what is the same everywhere."""
    if not SLOW:
        return
    cases: Counter[str] = Counter()
    left_out = []
    for item in items:
        if item.get_closest_marker("no_kernel") and isinstance(item, pytest.Function):
            if cases[item.originalname] % 5:
                left_out.append(item)
            cases[item.originalname] += 1
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the kernel layer")


@pytest.fixture(scope="session")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program endings.c, in a directory that takes its cores."""
    yield from compiled(HERE / "endings.c", tmp_path_factory.mktemp("endings"))


@pytest.fixture(scope="session")
def refuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program refuse.c."""
    yield from compiled(HERE / "refuse.c", tmp_path_factory.mktemp("refuse"))


@pytest.fixture(scope="session")
def deaths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program deaths.c."""
    yield from compiled(HERE / "deaths.c", tmp_path_factory.mktemp("deaths"))


@pytest.fixture(scope="session")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program lives.c."""
    yield from compiled(HERE / "lives.c", tmp_path_factory.mktemp("lives"))


@pytest.fixture
def life(lives: Path) -> Iterator[Stage]:
    """Processes of lives.c, and cgroups for them."""
    with Stage(lives) as stage:
        yield stage


@pytest.fixture
def stage(deaths: Path) -> Iterator[Stage]:
    """Processes of deaths.c, and cgroups for them."""
    with Stage(deaths) as stage:
        yield stage


@pytest.fixture
def busy_cpus() -> Iterator[None]:
    """Every CPU has something else to do, all the time."""
    with contextlib.ExitStack() as loads:
        for _ in os.sched_getaffinity(0):
            loads.enter_context(looping(":"))
        yield
