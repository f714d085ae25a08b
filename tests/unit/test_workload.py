"""The workload of a process: what machines and instances have alike."""

import pytest

from exitsnoop.model.cgroup import Container
from exitsnoop.model.workload import workload

DOCKER = Container("docker", "0123456789abcdef" * 4)


@pytest.mark.parametrize(
    ("unit", "user_unit", "container", "found"),
    [
        ("nginx.service", None, None, "nginx.service"),
        ("getty@tty1.service", None, None, "getty@.service"),
        ("postgresql@15-main.service", None, None, "postgresql@.service"),
        ("api-8080.service", None, None, "api-8080.service"),
        ("session-12.scope", None, None, "session-.scope"),
        ("session-c2.scope", None, None, "session-.scope"),
        ("init.scope", None, None, "init.scope"),
        ("run-r0a1b2c3d4e.scope", None, None, "run-.scope"),
        ("run-u17.service", None, None, "run-.service"),
        ("user@1000.service", "app-firefox-4711.scope", None, "app-firefox-.scope"),
        (
            "user@1000.service",
            "snap.firefox-0d9c7b1e-aaaa-4000-8000-abcdefabcdef.scope",
            None,
            "snap.firefox-.scope",
        ),
        ("docker-0123.scope", None, DOCKER, "job"),
        (None, None, None, ""),
    ],
)
def test_the_workload(
    unit: str | None, user_unit: str | None, container: Container | None, found: str
) -> None:
    assert workload(unit, user_unit, container, "job") == found
    named = workload(unit, user_unit, container, "job", "shop")
    assert named == ("shop" if container else found)
