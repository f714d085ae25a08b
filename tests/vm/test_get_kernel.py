"""get-kernel, where the archives do not do what they should."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from needs import need

GET_KERNEL = Path(__file__).with_name("get-kernel")
TIMEOUT_S = 2
AT_MOST_S = (
    20 * TIMEOUT_S
)  # each file is asked for twice, and another in its place; apt waits between


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of who takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_an_archive_that_never_answers(silent: int, tmp_path: Path) -> None:
    """It fails, says so, and leaves nothing in its cache."""
    need(os.geteuid() == 0, "other sources for apt, of this process alone, need root")
    sources = tmp_path / "apt"
    sources.mkdir()
    host = f"http://127.0.0.1:{silent}"
    (sources / "sources.list").write_text(
        f"deb {host}/debian x main\ndeb {host}/debian-security x main\n"
    )
    script = (
        f"mount --bind {sources} /etc/apt && exec {GET_KERNEL} bookworm linux-image-cloud-amd64"
    )
    cache = tmp_path / "cache"
    environ = {"XDG_CACHE_HOME": str(cache), "MIRROR_TIMEOUT_S": str(TIMEOUT_S)}
    begun = time.monotonic()
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=10 * AT_MOST_S,
        check=False,
    )
    took = time.monotonic() - begun
    assert result.returncode != 0
    assert took < AT_MOST_S
    assert f"Failed to fetch {host}/debian/" in result.stderr, result.stderr
    assert list((cache / "exitsnoop" / "kernels").iterdir()) == []
