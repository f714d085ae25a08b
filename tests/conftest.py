"""For all layers: a supervised run, a time limit for each test, the installed command."""

import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from support import supervisor
from support.machine import limit


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Go on in a process of which nothing is left behind, and in which no signal is ignored."""
    if not config.option.collectonly:
        supervisor.supervise()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each test the time limit of this machine; without a mark it is that of the project."""
    mark = item.get_closest_marker("timeout")
    seconds = limit(float(mark.args[0] if mark else item.config.getini("timeout")))
    item.add_marker(pytest.mark.timeout(seconds), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the run if the time limit does not end a test, as its teardown or C code hangs."""
    mark = item.get_closest_marker("timeout")
    assert mark
    supervisor.note_test(item.nodeid, mark.args[0])
    try:
        return (yield)
    finally:
        supervisor.note_end_of_test()


@pytest.fixture
def store() -> Iterator[Path]:
    """A path for a recording, which is not there yet, and which all users can reach.

    It is not below tmp_path: each run of pytest closes what is above that to others.
    """
    with tempfile.TemporaryDirectory(prefix="exitsnoop-") as everybodys:
        os.chmod(everybodys, 0o755)
        yield Path(everybodys) / "store"


@pytest.fixture(scope="session")
def exitsnoop() -> str:
    """The installed command."""
    return os.path.join(os.path.dirname(sys.executable), "exitsnoop")
