"""The Debian package in dist/. tests/systemd/test_package.py installs it."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support.machine import need
from support.services import need_program

from exitsnoop.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "exitsnoop"
EPOCH = re.findall(r"SOURCE_DATE_EPOCH := (\d+)", (ROOT / "Makefile").read_text())[0]


def run(*command: str | Path) -> str:
    """Run a command to its end; return what it says."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def package() -> Path:
    need_program("dpkg-deb")
    found = list((ROOT / "dist").glob("*.deb"))
    need(len(found) == 1, "there is no Debian package: run `make test`, or `make deb` before")
    return found[0]


@pytest.fixture(scope="module")
def content(package: Path) -> dict[str, str]:
    """The mode and the owner of each file."""
    lines = run("dpkg-deb", "--contents", package).splitlines()
    return {line.split()[5].lstrip("."): " ".join(line.split()[:2]) for line in lines}


def test_lintian_has_nothing_to_say(package: Path) -> None:
    lintian = [need_program("lintian"), "--allow-root", "--fail-on", "error,warning"]
    done = subprocess.run([*lintian, package], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_same_tree_gives_the_same_bytes(package: Path, tmp_path: Path) -> None:
    """Whoever makes it, and where."""
    (wheel,) = (ROOT / "build" / "wheel").glob("*.whl")
    subprocess.run(
        [ROOT / "tools" / "make-deb", wheel, ROOT / "build" / "manual", tmp_path],
        check=True,
        cwd="/",
        umask=0o077,
        env={"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": EPOCH, "TZ": "Asia/Tokyo"},
    )
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()


def test_has_all_that_is_installed(content: dict[str, str]) -> None:
    there = "/usr/lib/python3/dist-packages/exitsnoop"
    modules = {f"{there}/{file.relative_to(PACKAGE)}" for file in PACKAGE.rglob("*.py")}
    assert modules | {f"{there}/_native.abi3.so", f"{there}/layout.py"} <= content.keys()
    pages = {f"/usr/share/man/man1/exitsnoop-{name}.1.gz" for name in VERBS}
    assert pages | {"/usr/share/man/man1/exitsnoop.1.gz"} <= content.keys()
    assert {
        "/lib/systemd/system/exitsnoop.service",
        "/lib/systemd/system/exitsnoop-journal.service",
        "/lib/systemd/system/exitsnoop-ship.service",
        "/usr/share/bash-completion/completions/exitsnoop",
        "/usr/lib/systemd/catalog/exitsnoop.catalog",
        "/usr/share/doc/exitsnoop/changelog.gz",
        "/usr/share/doc/exitsnoop/copyright",
        "/usr/share/doc/exitsnoop/docs/recorder.md",
        "/usr/share/fish/vendor_completions.d/exitsnoop.fish",
        "/usr/share/zsh/vendor-completions/_exitsnoop",
    } <= content.keys()


def test_does_not_meet_the_command_of_libbpf_tools(content: dict[str, str]) -> None:
    """Debian's libbpf-tools has /usr/sbin/exitsnoop. Everything belongs to root, without setuid."""
    assert content["/usr/bin/exitsnoop"] == "-rwxr-xr-x root/root"
    assert not [path for path in content if "sbin" in path]
    assert set(content.values()) == {
        *("drwxr-xr-x root/root", "-rw-r--r-- root/root", "-rwxr-xr-x root/root")
    }


def test_takes_the_libraries_of_debian(package: Path, content: dict[str, str]) -> None:
    depends = run("dpkg-deb", "--field", package, "Depends")
    assert "python3 (>= 3.10)" in depends
    assert "libbpf1 (>= " in depends
    assert not [path for path in content if ".libs/" in path]


def test_says_under_which_licences_it_is(package: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "--extract", package, tmp_path)
    text = (tmp_path / "usr/share/doc/exitsnoop/copyright").read_text()
    assert "License: Apache-2.0" in text
    assert "License: Expat or GPL-2" in text
    assert "Permission is hereby granted" in text
    assert "@" not in text
