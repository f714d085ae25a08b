"""`exitsnoop report` as a command: what time it is about, its statuses, its progress."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages.conftest import END_NS
from support.recorded import BOOT, OFFSET_NS, SECOND_NS, START_NS, exits, record, writer

from exitsnoop import cli

COMMAND = os.path.join(os.path.dirname(sys.executable), "exitsnoop")
DAY_S = 86_400


def made(store: Path, end_ns: int, seconds: int = 3600, lost: int = 0) -> None:
    """An exit a second up to a time; each fifth one fails with 1."""
    offset_ns = end_ns - START_NS - seconds * SECOND_NS
    boot_ns = [START_NS + nth * SECOND_NS + 7 for nth in range(seconds)]
    some = exits(
        range(seconds),
        offset_ns=offset_ns,
        boot_ns=boot_ns,
        start_boot_ns=[at - SECOND_NS // 4 for at in boot_ns],
    )
    recorder = writer(store, boot=BOOT._replace(began_ns=offset_ns))
    recorder.add(some, lost)
    recorder.commit()
    assert recorder.close() == 0


def report(store: Path, *words: str) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC0")
        run = subprocess.run(
            [COMMAND, "report", "--store", str(store), *words],
            capture_output=True,
            text=True,
            check=False,
        )
    return run.returncode, run.stdout, run.stderr


def end(seconds: int = 0) -> str:
    return f"@{END_NS // SECOND_NS + seconds}"


def test_the_time_that_it_is_about(store: Path) -> None:
    made(store, END_NS)
    status, text, messages = report(
        store, "--since", end(-600), "--until", end(), "--against", "5m"
    )
    assert (status, messages) == (0, "")
    words = " ".join(text.split())
    assert "(10 min)" in words
    assert "600 ended, 120 failed (20 %); in the 5 min before:" in words
    assert "a column 20 s" in words
    status, text, _ = report(store, "--until", end())
    assert status == 0
    assert "3,600 ended, 720 failed" in text, "without --since, from where the recording begins"
    status, text, _ = report(store, "--boot", BOOT.boot_id[:8], "--until", end())
    assert "3,600 ended, 720 failed" in text


def test_statuses(store: Path, tmp_path: Path) -> None:
    assert report(store)[0] == 3
    made(store, END_NS, 60, lost=7)
    status, text, _ = report(store, "--until", end())
    assert status == os.EX_IOERR
    assert "7 exits" in text
    status, text, messages = report(store, "--since", end(-2 * DAY_S), "--until", end(-DAY_S))
    assert (status, text) == (3, "")
    assert "nothing was recorded" in messages
    for wrong in (["--since", "soon"], ["--against", "soon"], ["--color", "red"], ["x"]):
        assert report(store, *wrong)[0] == 2, wrong
    status, _, messages = report(store, "--until", end(), "-o", f"{tmp_path}/none/page.html")
    assert status == os.EX_IOERR
    assert "cannot write" in messages


def test_a_damaged_file(store: Path) -> None:
    """It is reported, and no traceback."""
    made(store, END_NS, 3600)
    (segment,) = store.glob("exits-*.db")
    content = bytearray(segment.read_bytes())
    content[4096 * 40 :] = b"\xa5" * (len(content) - 4096 * 40)
    segment.write_bytes(content)
    status, _, messages = report(store, "--since", end(-600), "--until", end())
    assert status == os.EX_IOERR
    assert messages.startswith("exitsnoop: a file of the recording cannot be read (")
    assert messages.count("\n") == 1


def test_a_file_is_whole_or_as_it_was(store: Path, tmp_path: Path) -> None:
    made(store, END_NS, 60)
    page = tmp_path / "page.html"
    page.write_text("before")
    assert report(store, "--since", end(DAY_S), "-o", str(page))[0] == 3
    assert page.read_text() == "before"
    assert report(store, "--until", end(), "-o", str(page)) == (0, "", "")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert page.read_text().endswith("</html>\n")


def test_a_page_is_for_its_owner(store: Path, tmp_path: Path) -> None:
    """Arguments are in it."""
    made(store, END_NS, 60)
    page = tmp_path / "page.html"
    assert report(store, "--until", end(), "-o", str(page)) == (0, "", "")
    assert page.stat().st_mode & 0o777 == 0o600


def test_little_is_known(store: Path) -> None:
    """A single exit, which ended well."""
    single = exits([1], offset_ns=OFFSET_NS, status=[0])
    record(store, single)
    now_s = (OFFSET_NS + START_NS) // SECOND_NS
    words = ["--since", f"@{now_s - 5}", "--until", f"@{now_s + 1}"]
    status, text, _ = report(store, *words)
    assert status == 0
    assert "Nothing failed: 1 process ended with exit(0)." in " ".join(text.split())


def test_progress_is_for_terminals(store: Path, tmp_path: Path) -> None:
    """What takes longer than a second says so; the line is gone at the end."""
    made(store, END_NS, 3600)
    ours, theirs = pty.openpty()
    slow = "import time, exitsnoop.reports.overview.lives as it; real = it.lives\n" + (
        "now = 0.0\ntime.monotonic = lambda: now\n"
        "def lives(asking):\n global now\n for _ in range(30):\n"
        "  asking.say('waiting'); now += 0.05\n"
        " return real(asking)\nit.lives = lives\n"
        "import sys; from exitsnoop.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["report", "--store", str(store), "--until", end(), "-o", str(tmp_path / "page")]
    with subprocess.Popen(
        [sys.executable, "-c", slow, *words], stderr=theirs, stdout=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert re.search(rb"\r\x1b\[K1 s so far; waiting", said)
    assert said.endswith(b"\r\x1b[K")


def test_it_needs_no_python_package() -> None:
    """The page is made with what Python has."""
    script = (
        "import sys; before = {*sys.modules}; import exitsnoop.pages.page, exitsnoop.pages.digest; "
        "print(*({*sys.modules} - before))"  # Debian adds to those before
    )
    modules = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    tops = {name.partition(".")[0] for name in modules}
    assert "exitsnoop" in tops
    assert tops <= {*sys.stdlib_module_names, "exitsnoop"}


def test_the_command(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made(store, END_NS, 60)
    assert cli.main(["report", "--store", str(store), "--until", end(), "--color", "always"]) == 0
    assert "\x1b[38;5;" in capfd.readouterr().out
