"""The file of --output: who may read it, and that nobody else chooses which it is."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from support.command import run

from exitsnoop.cli.output import CannotWrite, Output


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("options", "private"),
    [
        ([], False),
        (["-o", "exe"], False),
        (["-a"], True),
        (["-w"], True),
        (["--json", "-o", "cause"], True),
        (["-o", "args", "--csv"], True),
    ],
)
def test_arguments_are_for_the_owner_alone(
    exitsnoop: str, tmp_path: Path, options: list[str], private: bool
) -> None:
    """A file that is there keeps its permissions."""
    before = os.umask(0o022)
    try:
        rows, there = tmp_path / "rows", tmp_path / "there"
        there.touch()
        for path in (rows, there):
            result = run(exitsnoop, *options, "--output", str(path), "--", "true")
            assert result.returncode == 0, result.stderr
            assert path.read_text()
        assert mode(rows) == (0o600 if private else 0o644)
        assert mode(there) == 0o644
    finally:
        os.umask(before)


@pytest.mark.parametrize("direct", [True, False])
def test_a_link_of_another_user_in_a_sticky_directory_is_refused(
    exitsnoop: str, tmp_path: Path, direct: bool
) -> None:
    """As with fs.protected_symlinks, also where that is off or the link is behind another one."""
    sticky, precious = tmp_path / "sticky", tmp_path / "precious"
    sticky.mkdir()
    sticky.chmod(0o1777)
    precious.write_text("precious")
    link = sticky / "rows"
    link.symlink_to(precious)
    os.lchown(link, 65534, 65534)
    named = link
    if not direct:
        named = tmp_path / "named"
        named.symlink_to("sticky/rows")
    result = run(exitsnoop, "--output", str(named), "--", "true")
    assert (result.returncode, precious.read_text()) == (74, "precious")
    assert "is a symbolic link of another user" in result.stderr
    with pytest.raises(CannotWrite, match="symbolic link of another user"):
        Output(str(named))


def test_links_of_its_own_and_elsewhere_are_followed(exitsnoop: str, tmp_path: Path) -> None:
    sticky, target = tmp_path / "sticky", tmp_path / "target"
    sticky.mkdir()
    sticky.chmod(0o1777)
    own, elsewhere = sticky / "own", tmp_path / "elsewhere"
    for link in (own, elsewhere):
        link.symlink_to(target)
    os.lchown(elsewhere, 65534, 65534)
    for path in (own, elsewhere, Path("/dev/stdout")):
        target.unlink(missing_ok=True)
        result = run(exitsnoop, "--output", str(path), "--", "true")
        assert result.returncode == 0, result.stderr
        assert "true" in (result.stdout or target.read_text())


@pytest.mark.parametrize("form", ["--json", "--csv"])
@pytest.mark.parametrize("options", [["--no-args"], ["--redact", "hunter2"], ["--redact", "=(.*)"]])
def test_secrets_in_arguments_are_hidden(exitsnoop: str, form: str, options: list[str]) -> None:
    columns = "comm,exe,cause" if options == ["--no-args"] else "comm,args,cause"
    result = subprocess.run(
        [exitsnoop, form, *options, "-o", columns, "--", "sh", "-c", "kill -TERM $$", "t=hunter2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 128 + 15
    assert "hunter2" not in result.stdout
    if form == "--json":
        *_, row = map(json.loads, result.stdout.splitlines())
        if options == ["--no-args"]:
            assert not {"args", "args_truncated"} & {*row, *row["cause"].get("sender", {})}
        else:
            assert row["args"][-1].replace("t=", "") == "***"


def test_what_is_hidden_is_not_asked_for(exitsnoop: str) -> None:
    for words in (["-a"], ["-o", "+args"]):
        result = run(exitsnoop, "--no-args", *words)
        assert result.returncode == 2
        assert "leave out -a, and args of -o" in result.stderr
    assert run(exitsnoop, "--redact", "(", "--", "true").returncode == 2


def test_a_mistake_leaves_the_file_as_it_was(exitsnoop: str, tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_text("before")
    assert run(exitsnoop, "--redact", "(", "--output", str(file)).returncode == 2
    assert file.read_text() == "before"
