"""`exitsnoop timeline -- COMMAND`: a real build, by make and cc, and what it is known to be."""

import os
import re
import shlex
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos
from support.command import run
from support.machine import need

FILES = 40
MAKEFILE = """\
objects := $(patsubst %,f%.o,$(shell seq FILES))
all: killed failing
program: $(objects)
	cc -o $@ $^
%.o: %.c
	cc -c -o $@ $<
failing: program
	./program && false
killed: program
	sleep 1000 & kill -9 $$!; wait $$!
"""


class Read:
    """A trace: names of tracks, each with that of the track above; lives; arrows."""

    def __init__(self, path: Path) -> None:
        self.names: dict[int, str] = {}
        self.above: dict[str, str] = {}
        self.lives: dict[str, Any] = {}
        self.spans: dict[str, list[int]] = {}
        arrows: dict[int, list[str]] = {}
        for packet in protos.Trace.FromString(path.read_bytes()).packet:
            track, event = packet.track_descriptor, packet.track_event
            if packet.HasField("track_descriptor"):
                self.names[track.uuid] = track.name
                self.above[track.name] = self.names.get(track.parent_uuid, "")
            elif packet.HasField("track_event"):
                name = self.names[event.track_uuid]
                if event.type != 3:
                    self.spans.setdefault(name, []).append(packet.timestamp)
                if event.type == 1:
                    self.lives[name] = {one.name: one for one in event.debug_annotations}
                for flow in (*event.flow_ids, *event.terminating_flow_ids):
                    arrows.setdefault(flow, []).append(name)
        self.arrows = {tuple(names) for names in arrows.values()}

    def count(self, program: str) -> int:
        return sum(name.startswith(f"{program}[") for name in self.lives)


def program(name: str) -> str:
    return name.partition("[")[0]


def test_a_build(exitsnoop: str, tmp_path: Path) -> None:
    """Each compiler is there once, below what started it; what failed, and what was killed."""
    need(shutil.which("make") is not None and shutil.which("cc") is not None, "needs make and cc")
    for nth in range(1, FILES + 1):
        body = "int main(void){return 0;}" if nth == 1 else f"int f{nth}(void){{return {nth};}}"
        (tmp_path / f"f{nth}.c").write_text(body)
    (tmp_path / "Makefile").write_text(MAKEFILE.replace("FILES", str(FILES)))
    files = [tmp_path / "build.pftrace", tmp_path / "build.html"]
    words = [word for file in files for word in ("-o", str(file))]
    done = run(exitsnoop, "timeline", *words, "--", "make", "-sk", "-j4", "-C", str(tmp_path))
    assert done.returncode == 2, done.stderr  # make's
    assert len([*tmp_path.glob("*.o")]) == FILES
    trace = Read(files[0])
    assert trace.count("cc1") == trace.count("as") == FILES
    assert trace.count("make") == trace.count("program") == 1
    above = Counter(
        (program(name), program(trace.above[name])) for name in trace.lives if "[" in name
    )
    (compiler,) = {above for (name, above) in above if name == "cc1"}  # cc or gcc
    assert above["cc1", compiler] == FILES
    assert {above for (name, above) in above if name == compiler} <= {"make", "sh"}
    (victim,) = [name for name, known in trace.lives.items() if "signal" in known]  # sh, or sleep
    assert trace.lives[victim]["outcome"].string_value == "killed by a process"
    assert trace.lives[victim]["signal"].string_value == "SIGKILL"
    killer = trace.above[victim]
    assert (killer, victim) in trace.arrows
    (make,) = [name for name in trace.lives if program(name) == "make"]
    assert trace.lives[make]["exit_code"].int_value == 2
    assert [name for name in trace.arrows if name == (make, make)] == []
    assert sum(trace.spans["critical path"][1::2]) - sum(trace.spans["critical path"][::2]) == (
        trace.spans[make][1] - trace.spans[make][0]
    )
    assert f"killed by {killer}, SIGKILL" in done.stderr or "code 1" in done.stderr
    page = files[1].read_text()
    assert "cc1" in page
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


SIDE_BY_SIDE = """\
all: second beside
second: first
\t-cat /dev/zero >pipe
first:
\thead -c 1 begun
beside:
\techo >begun; exec sleep 0.1 <pipe
"""


def test_the_critical_path_of_a_real_tree(exitsnoop: str, tmp_path: Path) -> None:
    """Two jobs one after the other, of which the second ends last; one beside them is not on it.

    That one ends the first, as make may wait for it alone once the first is gone. It keeps its end
    of a pipe until the kernel has reported its exit, and closes it then: this ends the second.
    """
    (tmp_path / "Makefile").write_text(SIDE_BY_SIDE)
    for fifo in ("begun", "pipe"):
        os.mkfifo(tmp_path / fifo)
    file = tmp_path / "build.pftrace"
    words = ["make", "-s", "-j3", "-C", str(tmp_path)]
    done = run(exitsnoop, "timeline", "-o", str(file), "--", *words)
    assert done.returncode == 0
    path = re.search(r"On its critical path: (.*)", done.stderr)
    assert path
    on_it = set(re.findall(r"(\w+) [\d.]+ (?:s|ms|us) \(", path[1]))
    assert on_it - {"sh"} == {"make", "head", "cat"}
    trace = Read(file)
    args = {one["args"].string_value for one in trace.lives.values() if "args" in one}
    assert args >= {"head -c 1 begun", "cat /dev/zero", "sleep 0.1"}


def test_what_still_runs_is_said(exitsnoop: str, tmp_path: Path) -> None:
    script = f"sleep 1000 >/dev/null 2>&1 & echo $! >{shlex.quote(str(tmp_path / 'pid'))}"
    file = tmp_path / "left.html"
    done = run(exitsnoop, "timeline", "-o", str(file), "--", "sh", "-c", script)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert done.returncode == 0
    assert "1 process still ran when the command ended; --linger waits for it" in done.stderr
    assert "1 process still ran when the command ended" in file.read_text()
    lingering = "sleep 0.2 >/dev/null 2>&1 & true"
    done = run(exitsnoop, "timeline", "-o", str(file), "--linger", "--", "sh", "-c", lingering)
    assert "still ran when the command ended" not in done.stderr
    assert "2 processes" in done.stderr


def test_arguments_are_left_out(exitsnoop: str, tmp_path: Path) -> None:
    secret = "hunter2"
    for option in (["--no-args"], ["--redact", "hunter."]):
        files = [tmp_path / "x.pftrace", tmp_path / "x.html"]
        words = [word for file in files for word in ("-o", str(file))]
        command = ["sh", "-c", f"true {secret}; exit 3"]
        done = run(exitsnoop, "timeline", *words, *option, "--", *command)
        assert done.returncode == 3
        assert secret not in done.stderr
        assert all(secret.encode() not in file.read_bytes() for file in files)


@pytest.mark.parametrize("wanted", [["-x"], ["-n", "false"]])
def test_filters(exitsnoop: str, tmp_path: Path, wanted: list[str]) -> None:
    file = tmp_path / "some.pftrace"
    command = ["sh", "-c", "true; /bin/false; exit 0"]
    assert run(exitsnoop, "timeline", "-o", str(file), *wanted, "--", *command).returncode == 0
    trace = Read(file)
    assert [program(name) for name in trace.lives if "[" in name] == ["false"]


def test_what_cannot_be_written_is_refused_before_it_runs(exitsnoop: str, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    done = run(exitsnoop, "timeline", "-o", str(tmp_path / "no" / "x"), "--", "touch", str(ran))
    assert done.returncode == os.EX_IOERR
    assert not ran.exists()


def test_a_trace_to_a_pipe(exitsnoop: str, tmp_path: Path) -> None:
    script = f"{exitsnoop} timeline -o - -- sh -c 'exit 0' >{tmp_path}/trace; exit $?"
    assert run("sh", "-c", script).returncode == 0
    assert Read(tmp_path / "trace").count("sh") == 1


LATE = """\
import sys
from exitsnoop.cli import command, main
drop, before = command.drop, set()
command.drop = lambda **kept: (before.update(sys.modules), drop(**kept))
main(sys.argv[1:])
print(sorted({*sys.modules} - before))
"""


def test_nothing_is_imported_after_privileges_are_dropped(tmp_path: Path) -> None:
    """Then this process may not be able to read the package."""
    files = [tmp_path / "x.pftrace", tmp_path / "x.html"]
    words = [word for file in files for word in ("-o", str(file))]
    script = "sleep 60 & kill -9 $!; wait $!"
    done = run(
        sys.executable, "-c", LATE, "timeline", *words, "--no-args", "--", "sh", "-c", script
    )
    assert (done.stdout, done.stderr.count("SIGKILL")) == ("[]\n", 1)
