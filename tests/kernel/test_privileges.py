"""What exitsnoop may do once it traces, and what COMMAND may: against /proc and the kernel."""

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import CAPABLE, NOBODY, Terminal, become, run, running, tracing
from support.machine import need
from support.stage import Stage

from exitsnoop import Tracer
from exitsnoop._native import drop_privileges

CAP_KILL = 1 << 5
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
NONE = dict.fromkeys(SETS, 0)
EVERYTHING = ["-w", "-a", "-o", "+exe,user,container,unit,max_rss,hostname,ancestors"]
NO_ROWS = ["--output", "/dev/null"]
SHOW = ["grep", "-E", "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)", "/proc/self/status"]
SOMEBODY = 54321
PTRACE_SEIZE = 0x4206


def credentials(pid: int) -> list[dict[str, int]]:
    """Return the sets of capabilities and NoNewPrivs, a dictionary for each thread."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        found.append({name: int(fields[name], 16) for name in (*SETS, "NoNewPrivs")})
    return found


@pytest.mark.parametrize("options", [[], ["-w"], EVERYTHING, ["--tree", "1"], ["-P", "1"]])
def test_nothing_is_kept_to_trace(exitsnoop: str, options: list[str]) -> None:
    with tracing(exitsnoop, *options) as tracer:
        threads = credentials(tracer.process.pid)  # names of users have one of their own
        assert threads == [{**NONE, "NoNewPrivs": 1}] * max(1, len(threads))


def test_what_was_never_there_cannot_be_got(exitsnoop: str) -> None:
    """Of the bounding set only who has CAP_SETPCAP can take."""
    with tracing(exitsnoop, prefix=CAPABLE) as tracer:
        (now,) = credentials(tracer.process.pid)
    assert now == {**NONE, "CapBnd": now["CapBnd"], "NoNewPrivs": 1}


def test_only_the_one_to_signal_command_is_kept(exitsnoop: str) -> None:
    with running(exitsnoop, "--", "sleep", "1000") as tracer:
        kept = {**NONE, "CapPrm": CAP_KILL, "CapEff": CAP_KILL, "NoNewPrivs": 1}
        assert credentials(tracer.process.pid) == [kept, kept]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_reaches_a_command_that_changed_its_user(exitsnoop: str, number: int) -> None:
    change = ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
    words = ["--", *change, "/bin/sh", "-c", "echo ready; exec sleep 1000"]
    with running(exitsnoop, *NO_ROWS, *words) as tracer:
        assert tracer.header == "ready\n"
        tracer.process.send_signal(number)
        assert tracer.process.wait(timeout=60) == 128 + number


@pytest.mark.parametrize("prefix", [[], CAPABLE], ids=["root", "nobody"])
def test_command_has_the_privileges_that_it_has_without_us(
    exitsnoop: str, prefix: list[str]
) -> None:
    plain = run(SHOW[0], *SHOW[1:], prefix=prefix)
    assert len(plain.stdout.splitlines()) == 11
    told = run(exitsnoop, *NO_ROWS, "--", *SHOW, prefix=prefix)
    assert (told.returncode, told.stdout) == (0, plain.stdout)


def test_setuid_programs_work_in_command(exitsnoop: str, tmp_path: Path) -> None:
    program = tmp_path / "id"
    shutil.copy(shutil.which("id") or "", program)
    program.chmod(0o4755)
    nosuid = os.statvfs(program).f_flag & os.ST_NOSUID
    assert not nosuid, f"{tmp_path} is mounted nosuid: the test needs another TMPDIR"
    result = run(exitsnoop, *NO_ROWS, "--", str(program), "-u", prefix=CAPABLE)
    assert (result.returncode, result.stdout) == (0, "0\n")


def attach(pid: int) -> str:
    """Trace a process as root without capabilities; return what the kernel says to that."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        drop_privileges(0)
        done = ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_SEIZE, pid, None, None) == 0
        os.write(writer, b"attached" if done else os.strerror(ctypes.get_errno()).encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def test_others_of_its_user_may_not_look_into_it(exitsnoop: str) -> None:
    """As they may into any other process that has no more capabilities than they."""
    with (
        tracing(exitsnoop) as tracer,
        tracing("sh", "-c", "echo ready; exec sleep 1000", prefix=become([], "-all")) as other,
    ):
        assert credentials(other.process.pid) == [{**NONE, "NoNewPrivs": 0}]
        assert attach(other.process.pid) == "attached"
        assert attach(tracer.process.pid) == os.strerror(errno.EPERM)


def test_the_library_leaves_its_caller_alone() -> None:
    before = credentials(os.getpid())
    with Tracer(why=True, fields=["args"], tree=[os.getpid()]):
        assert credentials(os.getpid()) == before


# --- what is needed after the capabilities are gone ---


def test_root_can_run_what_is_in_anothers_home(
    exitsnoop: str, private_copy: Path, tmp_path: Path
) -> None:
    """Nothing that every column, cause and format needs is loaded too late."""
    env = {**os.environ, "PYTHONPATH": str(private_copy), "COLUMNS": "200"}
    there = run(sys.executable, "-c", "import exitsnoop; print(exitsnoop.__file__)", env=env)
    assert there.stdout.startswith(str(private_copy))
    columns = run(exitsnoop, "-o", "help", env=env).stdout
    names = ",".join(line.split()[0] for line in columns.splitlines())
    assert "user_unit" in names
    script = """
        sh -c 'kill -SEGV $$'; nosuchcommand 2>/dev/null
        setpriv --reuid=1 --clear-groups sh -c 'exit 3'
    """
    for form in ([], ["--json"], ["--csv"]):
        rows = tmp_path / "rows"
        words = [*form, "-o", names, "--output", str(rows), "--", "sh", "-c", script]
        result = run(exitsnoop, *words, env=env)
        assert result.returncode == 3
        assert "Traceback" not in result.stderr
        assert "SEGV" in rows.read_text()


def test_so_they_can_on_a_terminal(
    exitsnoop: str, private_copy: Path, tmp_path: Path, stage: Stage
) -> None:
    """Where the width of a name counts; and with the name of a system call."""
    env = {**os.environ, "PYTHONPATH": str(private_copy), "LC_ALL": "C.UTF-8"}
    program = tmp_path / "日本"
    shutil.copy(shutil.which("true") or "", program)
    victim = stage.puppet()
    with Terminal(exitsnoop, "-a", "-w", "-o", "+user", columns=200, env=env) as terminal:
        terminal.line("PCOMM")
        subprocess.run([program, "本" * 300], check=True)
        assert terminal.line("日本").endswith("…")
        victim.die("break_filter", "trap")
        assert "getppid" in terminal.line("signal 31 (SYS)")


def test_who_lives_is_known_where_proc_hides_it() -> None:
    """As from nobody, where it is mounted with hidepid; not from root, whose group is let in."""
    script = (
        "import subprocess\n"
        "from exitsnoop.host.processes import all_pids, exists\n"
        "gone = subprocess.Popen(['true'])\n"
        "gone.wait()\n"
        "print(1 in all_pids(), exists(1), exists(gone.pid))\n"
    )
    hide = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    apart = ["unshare", "--mount", "sh", "-c", hide, "sh", *become(NOBODY, "-all,+dac_read_search")]
    result = run(sys.executable, "-c", script, prefix=apart)
    assert result.stdout == "False True False\n"


def test_what_is_run_is_not_taken_from_where_it_is_run(exitsnoop: str, tmp_path: Path) -> None:
    """Not from the current directory; from PYTHONPATH it is, which sudo and -I keep away."""
    need(bool(shutil.which("sudo")), "sudo is not installed")
    (tmp_path / "exitsnoop.py").write_text("raise SystemExit('not ours')")
    (tmp_path / "argparse.py").write_text("raise SystemExit('not ours')")
    module = ["-m", "exitsnoop"]
    path = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def told(*words: str, environ: dict[str, str] | None = None) -> str:
        said = subprocess.run(
            [*words, "--version"],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout
        return said.splitlines()[-1].split()[0]  # sudo may first say that it knows no such host

    assert told(exitsnoop) == "exitsnoop"
    assert told("sudo", "-n", exitsnoop, environ=path) == "exitsnoop"
    assert told(sys.executable, "-I", *module, environ=path) == "exitsnoop"
    assert told(exitsnoop, environ=path) == "not"
    assert told(sys.executable, *module) == "not"
