"""The workload of a process: what machines and instances have alike."""

import pytest

from exitsnoop.model.workload import workload

ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("cgroup", "container_name", "found"),
    [
        ("/system.slice/nginx.service", None, "nginx.service"),
        ("/system.slice/system-getty.slice/getty@tty1.service", None, "getty@.service"),
        ("/system.slice/postgresql@15-main.service", None, "postgresql@.service"),
        ("/system.slice/api-8080.service", None, "api-8080.service"),
        ("/user.slice/user-0.slice/session-12.scope", None, "session.scope"),
        ("/user.slice/user-0.slice/session-c2.scope", None, "session.scope"),
        ("/init.scope", None, "init.scope"),
        ("/system.slice/run-r0a1b2c3d4e5f60718293a4b5c6d7e8f9.scope", None, "run.scope"),
        ("/system.slice/run-u17.service", None, "run.service"),
        (f"/system.slice/docker-{ID}.scope", "api", "api"),
        (f"/system.slice/docker-{ID}.scope", None, "docker"),
        ("/lxc/web/init", None, "web"),
        ("/", None, ""),
        (None, None, ""),
    ],
)
def test_the_workload(cgroup: str | None, container_name: str | None, found: str) -> None:
    assert workload(cgroup, container_name) == found
