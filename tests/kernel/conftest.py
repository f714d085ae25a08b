"""The kernel layer: real exits under the running kernel. Needs root and BTF."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import SLOW, need_to_trace
from support.programs import compiled, looping
from support.stage import Stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out some of the cases of a test.

    Where the machine is slow, that is four of five of what is the same everywhere. With CASES=1/4
    in the environment, it is three of four of every test, but never all: the second, the sixth and
    so on remain. CASES=0/4 to 3/4 are together all cases.
    """
    functions = [item for item in items if isinstance(item, pytest.Function)]
    wanted, of = map(int, os.environ.get("CASES", "0/1").split("/"))
    seen: Counter[tuple[Path, str]] = Counter()
    cases = Counter((item.path, item.originalname) for item in functions)
    left_out = set()
    for item in functions:
        test = (item.path, item.originalname)
        share = min(5 if SLOW and item.get_closest_marker("no_kernel") else of, cases[test])
        if seen[test] % share != wanted % share:
            left_out.add(item)
        seen[test] += 1
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    need_to_trace("the kernel layer")


@pytest.fixture(scope="session")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program endings.c, in a directory that takes its cores."""
    yield from compiled(HERE / "endings.c", tmp_path_factory.mktemp("endings"))


@pytest.fixture
def vforks(endings: Path, tmp_path: Path) -> Path:
    """The program endings.c by a name that no other process has, so that a filter finds its own."""
    program = tmp_path / f"vforks-{os.getpid()}"
    shutil.copy(endings, program)
    return program


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


# Notes what is imported once all capabilities are gone, from the standard library, too.
LATE_IMPORTS = """
import os, sys
noted = os.open({path!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
def note(event, given):
    if event == "import":
        with open("/proc/self/status") as status:
            gone = "CapPrm:\\t0000000000000000" in status.read()
        if gone and given[0] not in sys.builtin_module_names:
            os.write(noted, f"{{given[0]}}\\n".encode())
sys.addaudithook(note)
"""


@pytest.fixture
def private_copy(tmp_path: Path) -> Iterator[Path]:
    """The package in a directory that only nobody may enter: root can without capabilities not.

    Nothing may be imported there once they are gone: the standard library may be as private.
    """
    import exitsnoop

    home = tmp_path / "home"
    late = tmp_path / "late"
    package = Path(exitsnoop.__file__).parent
    shutil.copytree(package, home / "exitsnoop")
    libraries = package.with_name("exitsnoop.libs")  # a wheel that brings libbpf has them there
    if libraries.exists():
        shutil.copytree(libraries, home / "exitsnoop.libs")
    (home / "sitecustomize.py").write_text(LATE_IMPORTS.format(path=str(late)))
    for path in [home, *home.rglob("*")]:
        os.chown(path, 65534, 65534)
    home.chmod(0o700)
    yield home
    assert late.read_text() == ""


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
