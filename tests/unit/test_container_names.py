"""From the names that people give containers to their ids, as docker and others keep them."""

import json
from pathlib import Path

import pytest

from exitsnoop.host import containers

ID = "4f3a" * 16
OTHER = "5b2c" * 16


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where docker, podman and nerdctl keep their state."""
    for name, place in (("_DOCKER", "docker"), ("_NERDCTL", "nerdctl")):
        monkeypatch.setattr(containers, name, str(tmp_path / place))
    tops = (str(tmp_path / "podman"), str(tmp_path / "podman-run"))
    monkeypatch.setattr(containers, "_PODMAN", tops)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_finds_its_own(disk: Path) -> None:
    write(disk / "docker" / ID / "config.v2.json", json.dumps({"Name": "/web"}))
    write(disk / "docker" / OTHER / "config.v2.json", json.dumps({"Name": "/db"}))
    listed = [{"id": OTHER, "names": ["web", "alias"]}, {"id": "x"}]
    write(disk / "podman/overlay-containers/containers.json", json.dumps(listed))
    write(disk / "nerdctl" / "1935db59" / "names" / "default" / "shop", f"{ID}\n")
    assert containers.ids("web") == [ID, OTHER]
    assert containers.ids("alias") == [OTHER]
    assert containers.ids("shop") == [ID]
    assert containers.ids("we") == []


@pytest.mark.parametrize(
    "place",
    [
        "podman/vfs-containers/containers.json",
        "podman/btrfs-containers/containers.json",
        "podman/overlay-containers/volatile-containers.json",
        "podman-run/overlay-containers/volatile-containers.json",
    ],
)
def test_podman_names_its_folders_after_the_storage_driver(disk: Path, place: str) -> None:
    """As podman 4.3 with the driver vfs does, which was looked at."""
    write(disk / place, json.dumps([{"id": ID, "names": ["web"]}]))
    assert containers.ids("web") == [ID]


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '{"Name": 7}', '[{"names": null}]', "\0"])
def test_what_cannot_be_read_is_not_there(disk: Path, text: str) -> None:
    write(disk / "docker" / ID / "config.v2.json", text)
    write(disk / "podman/overlay-containers/containers.json", text)
    assert containers.ids("web") == []


def test_nothing_is_there(disk: Path) -> None:
    assert not list(disk.iterdir())
    assert containers.ids("web") == []
