"""The unit of the service, and where it is refused; a guest with systemd runs it."""

import os
import shutil
from pathlib import Path

import pytest
from support.machine import need

from exitsnoop import cli
from exitsnoop.recorder import install as service
from exitsnoop.recorder.install import CannotInstall, install, quoted, unit

ROOT = Path(__file__).parents[2]


def test_the_unit_is_the_packaged_one_with_the_command() -> None:
    packaged = (ROOT / "packaging" / "exitsnoop.service").read_text()
    assert unit(["/usr/bin/exitsnoop", "record"]) == packaged
    made = unit(["/opt/a b/exitsnoop", "record", "--redact", r"pw=(\S+)", "--max-size", "2G"])
    expected = r'ExecStart="/opt/a b/exitsnoop" record --redact "pw=(\\S+)" --max-size 2G'
    assert made == packaged.replace("ExecStart=/usr/bin/exitsnoop record", expected)


def test_a_group_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "adm", lambda: None)
    made = unit(["/usr/bin/exitsnoop", "record"])
    assert "Group=" not in made
    assert "StateDirectory=exitsnoop" in made


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/exitsnoop", "/usr/bin/exitsnoop"),
        ("--max-size=2G", "--max-size=2G"),
        ("", '""'),
        ("a b", '"a b"'),
        ("$HOME", '"$$HOME"'),
        ("50%", '"50%%"'),
        ('say "it"', r'"say \"it\""'),
        ("back\\slash", r'"back\\slash"'),
        (";", '";"'),
        ("'", '"\'"'),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert quoted(word) == written


def test_without_systemd_it_is_refused_in_words(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(service, "RUNS", tmp_path / "none")
    for word in ("--install", "--uninstall"):
        assert cli.main(["record", word]) in (os.EX_IOERR, os.EX_NOPERM)
    assert "systemd does not run here" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--store", "/x"], "leave out --store"),
        (["--redact", "("], "not a regular expression"),
        (["-u", "no such user"], "no such user"),
        (["--status"], "not allowed with argument"),
    ],
)
def test_a_service_that_would_not_start_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["record", "--install", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_code_that_others_can_change_does_not_become_a_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need(os.geteuid() == 0, "needs root: run `make test`, or `sudo make test`")
    script = tmp_path / "exitsnoop"
    shutil.copy("/bin/true", script)
    monkeypatch.setattr(service, "RUNS", tmp_path)
    monkeypatch.setattr(service, "UNITS", tmp_path)
    monkeypatch.setattr("sys.argv", [str(script)])
    for owner, mode in ((65534, 0o755), (0, 0o777)):
        os.chown(script, owner, 0)
        script.chmod(mode)
        with pytest.raises(CannotInstall, match=f"others than root can change {script}"):
            install([])
    assert not list(tmp_path.glob("*.service"))
