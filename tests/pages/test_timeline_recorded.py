"""`exitsnoop timeline` over a recording: its stretch, its filters, boots, statuses."""

import os
import re
from pathlib import Path

import pytest
from pages.test_timeline_trace import parsed
from support.builds import BUILD, ended
from support.recorded import BOOT, OFFSET_NS, SECOND_NS, START_NS, record

from exitsnoop import cli

BEGIN_S = (OFFSET_NS + START_NS) // SECOND_NS


def timeline(store: Path, path: Path, *words: str) -> int:
    return cli.main(["timeline", "--store", str(store), "-o", str(path), *words])


def stretch(since: float, until: float) -> list[str]:
    return [f"--since=@{BEGIN_S + since:.1f}", f"--until=@{BEGIN_S + until:.1f}"]


def names(path: Path) -> set[str]:
    found = parsed(path.read_bytes())
    return {found.tracks[uuid].name for uuid, events in found.events.items() if events}


@pytest.fixture
def recorded(store: Path) -> Path:
    record(store, ended(BUILD, status=[512, 0, 0, 256, 0]))
    return store


def test_a_stretch(recorded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Those that ended in it; what began before is cut, what it waited for is its path."""
    path = tmp_path / "a.pftrace"
    assert timeline(recorded, path, *stretch(0, 20)) == 0
    told = capfd.readouterr().err
    assert names(path) >= {"make[10]", "cc[11]", "cc1[12]", "cc[13]", "ld[14]", "critical path"}
    assert "exitsnoop: 5 processes in 10.00 s, 2 failed" in told
    assert "make[10] took 10.00 s. On its critical path: cc1 4.50 s (45 %)" in told
    assert timeline(recorded, path, *stretch(5.6, 20)) == 0
    told = capfd.readouterr().err
    assert not names(path) & {"cc1[12]", "cc[13]"}
    assert "2 processes began before this time line: their bars are cut at the left" in told


def test_a_page_of_a_stretch(recorded: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    assert timeline(recorded, path, *stretch(0, 20)) == 0
    content = path.read_text()
    assert "<title>web1: when its processes ran</title>" in content
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["-x"], {"make[10]", "cc[13]"}),
        (["-n", "cc*"], {"cc[11]", "cc[13]", "cc1[12]"}),
        (["-n", "!cc*"], {"make[10]", "ld[14]"}),
        (["-p", "14"], {"ld[14]"}),
        (["--min-age", "4s"], {"make[10]", "cc[11]", "cc1[12]"}),
    ],
)
def test_filters(recorded: Path, tmp_path: Path, words: list[str], left: set[str]) -> None:
    path = tmp_path / "a.pftrace"
    assert timeline(recorded, path, *stretch(0, 20), *words) == 0
    found = parsed(path.read_bytes())
    lives = {
        found.tracks[uuid].name
        for uuid, events in found.events.items()
        if any(event.type == 1 for _, event in events)
    }
    assert lives - {"critical path", "not recorded"} == left


def test_each_boot_has_its_own_pids(store: Path, tmp_path: Path) -> None:
    """After a reboot another process has the PID that the parent had before."""
    record(store, ended([(10, 1, 0, 9, "make")]))
    offset_ns = OFFSET_NS + 60 * SECOND_NS
    other = BOOT._replace(boot_id=BOOT.boot_id.replace("0001", "0002"), began_ns=offset_ns)
    later = ended([(20, 10, 1, 2, "child")], parent_comm=["other"])
    walls = [at + offset_ns for at in later.column("boot_ns")]
    record(store, later.replace(wall_ns=walls), boot=other)
    path = tmp_path / "a.pftrace"
    assert timeline(store, path, *stretch(0, 200)) == 0
    found = parsed(path.read_bytes())
    child = found.tracks[found.named("child[20]")]
    assert found.tracks[child.parent_uuid].name == "other[10]"
    assert {"make[10]", "child[20]"} <= names(path)
    assert timeline(store, path, "--boot", other.boot_id) == 0
    assert "make[10]" not in names(path)


def test_what_was_not_recorded(
    store: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.html"
    assert timeline(store, path) == 3
    record(store, ended(BUILD))
    assert timeline(store, path, *stretch(-100, -50)) == 3
    assert "nothing was recorded" in capfd.readouterr().err
    assert not path.exists()


def test_usage(recorded: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Options of the recording are not for a COMMAND, those of a COMMAND not for the recording."""
    path = tmp_path / "a.html"
    wrong = {
        ("--",): "there is no COMMAND after --",
        ("--since", "1h", "--", "true"): "are for a recording: leave out COMMAND",
        ("--linger",): "--linger is for COMMAND",
        ("--redact", "("): "is not a regular expression",
    }
    for words, message in wrong.items():
        with pytest.raises(SystemExit) as left:
            cli.main(["timeline", "-o", str(path), *words])
        assert left.value.code == 2
        assert message in capfd.readouterr().err
    assert not path.exists()
    with pytest.raises(SystemExit) as left:
        timeline(recorded, path, "make", "-j8")
    assert left.value.code == 2


def test_a_directory_that_is_not_there(recorded: Path, tmp_path: Path) -> None:
    assert timeline(recorded, tmp_path / "no" / "a.html", *stretch(0, 20)) == os.EX_IOERR


def test_the_usual_file(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["timeline", "--store", str(recorded), *stretch(0, 20)]) == 0
    assert names(tmp_path / "timeline.pftrace") >= {"make[10]"}


def test_secrets_are_left_out(recorded: Path, tmp_path: Path) -> None:
    for name in ("a.pftrace", "a.html"):
        path = tmp_path / name
        assert timeline(recorded, path, *stretch(0, 20)) == 0
        assert re.search(rb"job 1[0-4]\b", path.read_bytes())
        assert timeline(recorded, path, *stretch(0, 20), "--no-args") == 0
        assert not re.search(rb"job 1[0-4]\b", path.read_bytes())
