"""What a release is made of, as tools/sbom.py lists it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.machine import need

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel() -> Path:
    found = list((ROOT / "dist").glob("*.whl"))
    need(len(found) == 1, "there is no wheel: run `make test`, or `make wheel` before")
    return found[0]


@pytest.fixture(scope="module")
def text(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = tmp_path_factory.mktemp("sbom") / "sbom.json"
    subprocess.run(
        [sys.executable, "-B", ROOT / "tools" / "sbom.py", output, wheel],
        check=True,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1767225600"},
    )
    return output.read_text()


@pytest.fixture(scope="module")
def made(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def test_it_is_cyclonedx(text: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_names_the_file_by_its_hash(wheel: Path, made: dict[str, Any]) -> None:
    (file,) = made["metadata"]["component"]["components"]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert (file["name"], file["hashes"][0]["content"]) == (wheel.name, digest)
    assert made["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"


def test_names_each_library_that_the_wheel_brings(wheel: Path, made: dict[str, Any]) -> None:
    """By the package that it came from, and its version."""
    with zipfile.ZipFile(wheel) as archive:
        brought = [Path(name).name for name in archive.namelist() if ".libs/lib" in name]
    listed = [one for one in made["components"] if one["scope"] == "required"]
    assert len(brought) == len(listed)
    for name in brought:
        library = re.split(r"[-.]", name)[0]
        (found,) = [one for one in listed if one["name"].startswith(library)]
        shown = subprocess.check_output(
            ["dpkg-query", "--show", "--showformat=${Version}", found["name"]], text=True
        )
        assert found["version"] == shown


def test_names_each_tool_of_the_build(made: dict[str, Any]) -> None:
    """Those that are pinned, with the hashes that pip checks, and the compilers."""
    tools = {one["name"]: one for one in made["components"] if one["scope"] == "excluded"}
    for name in ("build.txt", "wheel.txt"):
        pins = (ROOT / "tools" / "requirements" / name).read_text()
        for package, number in re.findall(r"^([\w.-]+)==(\S+)", pins, re.M):
            assert tools[package]["version"] == number
            assert tools[package]["hashes"]
    assert {"gcc", "clang", "libbpf-dev"} <= tools.keys()
