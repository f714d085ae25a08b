"""The deaths that `exitsnoop top` counts: the same from a stretch of time as one by one."""

from pathlib import Path
from typing import Any

import pytest
from support.recorded import exits, writer

from exitsnoop.store.recording import Recording
from exitsnoop.top.deaths import after, during

ID = "4f3a" * 16
DOCKER = f"/system.slice/docker-{ID}.scope"


@pytest.mark.parametrize(
    ("names", "group"),
    [
        ({"cgroup": DOCKER}, ID),
        ({"cgroup": DOCKER, "container_name": "db"}, "db"),
        ({"cgroup": DOCKER, "container_name": "app", "pod_name": "web-0"}, "web-0/app"),
        ({"cgroup": DOCKER, "pod_name": "web-0"}, ID),
        ({"cgroup": "/system.slice/cron.service"}, None),
    ],
)
def test_a_container_has_its_name(store: Path, names: dict[str, Any], group: str | None) -> None:
    recorder = writer(store)
    recorder.add(exits(range(1, 21), **names))
    assert recorder.close() == 0
    recording = Recording(store)
    at_once = during(recording, 0, 1 << 62).deaths
    assert {one.container for one in at_once} == {group}
    one_by_one = list(after(recording, 0, recording.newest_id()))
    assert sorted(one[:9] for one in one_by_one) == sorted(one[:9] for one in at_once)
