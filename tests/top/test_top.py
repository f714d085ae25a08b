"""`exitsnoop top` in a real tmux of 80 columns and 24 lines, while real processes die."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.command import UNPRIVILEGED, become, run
from support.recorder import Recorder, recording
from support.screens import Screen, screen
from support.waiting import until

from exitsnoop.sinks.width import width_of
from exitsnoop.store.directory import adm

SHELL = Path("/bin/sh").resolve()
HOSTILE = "[red]x[/] \x1b[2J\r\n漢字\u202e %(x)s"


def program(folder: Path, name: str) -> Path:
    """Return a shell by a name that no other process has: its deaths are a group."""
    path = folder / name
    shutil.copy(SHELL, path)
    return path


def die(program: Path, how: str) -> int:
    """Let it die; return its PID."""
    with subprocess.Popen([program, "-c", how]) as process:
        process.wait()
    return process.pid


@contextmanager
def top(exitsnoop: str, folder: Path, *options: str, **env: str) -> Iterator[Screen]:
    """Run it by executable, where no recorder runs but that of --store."""
    words = [exitsnoop, "top", "--by", "executable", *options]
    nowhere = {"EXITSNOOP_STORE": str(folder / "nowhere"), **env}
    with screen(folder, words, nowhere) as shown:
        yield shown


@pytest.fixture
def recorder(exitsnoop: str, store: Path) -> Iterator[Recorder]:
    """A recorder that records to `store`."""
    with recording(exitsnoop, store) as started:
        yield started


@pytest.mark.usefixtures("recorder")
def test_what_dies_is_shown_by_group_with_its_loop(
    exitsnoop: str, store: Path, tmp_path: Path
) -> None:
    crashing, killed = program(tmp_path, "crashing"), program(tmp_path, "killed")
    with top(exitsnoop, tmp_path, "--store", str(store)) as shown:
        shown.wait("live ", "recording in ", "EXECUTABLE")
        for _ in range(4):
            last = die(crashing, "exit 3")
        die(killed, "kill -TERM $$")
        shown.write(f"/{tmp_path}\n")  # a part of the paths of both
        row = shown.wait("code 3", "SIGTERM to itself")
        (line,) = [line for line in row if "/crashing" in line]
        assert re.fullmatch(r".*/crashing +LOOP +[\d.]+ +4 code 3 .*[▁-█] +[\d.]+ m?s", line)
        assert not re.search(r"/killed +LOOP", "\n".join(row))
        shown.type("Enter")  # its last deaths
        rows = shown.wait(f"crashing[{last}]", "the last deaths", "LOOP: 4 deaths since")
        assert [line.split()[1:] and "code 3" in line for line in rows].count(True) == 5
        shown.type("w")
        shown.wait(f"crashing[{last}] exited with code 3.", "crash loop")
        shown.type("Escape")
        shown.wait(": the last deaths")
        shown.type("Escape")
        shown.wait("EXECUTABLE")
        shown.type("q")
        shown.wait("ended with 0")


def test_the_past_is_there_and_what_was_not_recorded(
    exitsnoop: str, recorder: Recorder, store: Path, tmp_path: Path
) -> None:
    mine = program(tmp_path, "mine")
    die(mine, "exit 4")
    with top(exitsnoop, tmp_path, "--store", str(store)) as shown:
        shown.wait("/mine", "code 4", "nobody looked before", "had not begun")
        shown.type("p")
        shown.wait("PAUSED at")
        die(mine, "exit 5")
        until(lambda: len([one for one in recorder.exits() if one.exe == str(mine)]) == 2)
        assert "code 5" not in shown.text()
        shown.type("Left")
        shown.wait("PAST ", "nobody looked at all", "what died then is not known")
        shown.type("End")
        shown.wait("live ", "/mine", "code 5")
        recorder.stop(signal.SIGKILL)
        shown.wait("NOBODY LOOKS NOW: no recorder runs since")
    with top(exitsnoop, tmp_path, "--store", str(store)) as shown:
        shown.wait("PAST ", "NOBODY LOOKS NOW", "/mine", "code 5")


def test_where_nobody_records_it_traces_by_itself_and_leaves_nothing(
    exitsnoop: str, tmp_path: Path
) -> None:
    mine = program(tmp_path, "mine")
    with top(exitsnoop, tmp_path) as shown:
        shown.wait("traced by itself", " ended, ")
        die(mine, "exit 6")
        shown.wait("/mine", "code 6")
        (top_pid,) = children(shown.pid)
        (recorder_pid,) = children(top_pid)
        own = Path(os.readlink(f"/proc/{recorder_pid}/fd/2")).parent
        assert own.name.startswith("exitsnoop-top-")
        os.kill(top_pid, signal.SIGKILL)  # it cannot clean up
        shown.wait("ended with 137")
    until(lambda: not own.exists())


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.usefixtures("recorder")
@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_name_breaks_the_screen_and_no_color_is_followed(
    exitsnoop: str, store: Path, tmp_path: Path, no_color: str
) -> None:
    hostile = program(tmp_path, HOSTILE.replace("/", "|"))
    last = die(hostile, "kill -KILL $$")
    env = {"NO_COLOR": no_color} if no_color else {}
    with top(exitsnoop, tmp_path, "--store", str(store), **env) as shown:
        shown.write("/%\n")
        lines = shown.wait("SIGKILL to itself")
        assert lines[0].startswith("exitsnoop top")
        assert lines[23].startswith("/%")
        shown.resize(200, 24)
        title, row = shown.wait("漢字")[3:5]
        assert r"/[red]x[|]\ \033[2J\r\n漢字\342\200\256\ %(x)s " in row
        assert width_of(row.partition("SIGKILL")[0]) == title.index("LAST FAILURE")
        colors = re.findall(r"\x1b\[[\d;]*m", "".join(shown.lines(colors=True)))
        colored = [one for one in colors if re.search(r"[\[;](?:3[0-7]|[34]8|9[0-7])(?:[;m])", one)]
        assert bool(colored) != bool(no_color)
        shown.type("Enter")
        shown.wait(f"…[{last}]", "sent itself SIGKILL")
        shown.type("w")
        shown.wait("sent itself SIGKILL.", "What ")
        shown.resize(40, 10)
        until(lambda: len(shown.lines()) == 10 and "exitsnoop top" in shown.lines()[0])


@pytest.mark.usefixtures("recorder")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_with_the_terminal_as_it_was(
    exitsnoop: str, store: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with top(exitsnoop, tmp_path, "--store", str(store)) as shown:
        shown.wait("live ")
        os.kill(children(shown.pid)[0], number)
        lines = shown.wait("ended with 0")
        assert lines[0] == "ended with 0"


def test_it_says_what_it_lacks(exitsnoop: str, tmp_path: Path) -> None:
    without = [sys.executable, "-c", "import sys; sys.modules['textual'] = None; "]
    without[-1] += "from exitsnoop.cli import main; sys.exit(main(['top']))"
    found = subprocess.run(without, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr == (
        "exitsnoop: top needs Textual, which is not installed: pip install 'exitsnoop[tui]'\n"
    )
    plain = run(exitsnoop, "top")
    assert (plain.returncode, plain.stderr.count("\n")) == (2, 1)
    assert "top needs a terminal" in plain.stderr
    with screen(tmp_path, [exitsnoop, "top", "--store", str(tmp_path / "none")]) as shown:
        shown.wait("there is no recording in", "ended with 3")


def test_without_a_recording_and_privileges_it_says_what_to_do(
    exitsnoop: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    words = [*UNPRIVILEGED, exitsnoop, "top"]
    with screen(tmp_path, words, {"EXITSNOOP_STORE": str(tmp_path / "none")}) as shown:
        shown.wait("no recorder writes to", "sudo exitsnoop top", "ended with 77")
    folders = [*Path("/dev/shm").glob("exitsnoop-top-*"), *Path("/tmp").glob("exitsnoop-top-*")]
    assert not [path for path in folders if path.stat().st_uid == 65534]


def test_a_user_without_privileges_reads_the_recording(
    exitsnoop: str, store: Path, tmp_path: Path
) -> None:
    mine = program(tmp_path, "mine")
    with recording(exitsnoop, store, "-n", "mine") as recorder:  # others fail in other ways
        die(mine, "exit 7")
        until(lambda: any(one.exe == str(mine) for one in recorder.exits()))
        _reads(exitsnoop, store, tmp_path)


def _reads(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    group = adm()
    assert group is not None
    reader = become(
        ["--reuid=65534", "--regid=65534", f"--groups={group}"], "-all,+dac_read_search"
    )
    words = [*reader, exitsnoop, "top", "--store", str(store), "--by", "container"]
    with screen(tmp_path, words) as shown:
        shown.wait("live ", "recording in", "CONTAINER", "(no container)", "code 7")
        shown.type("g")
        shown.wait("EXECUTABLE", "/mine", "code 7")
