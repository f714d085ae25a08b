"""`exitsnoop -- COMMAND`: it is traced whole, and runs as if exitsnoop were not there."""

import json
import os
import pwd
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from support import truth
from support.command import (
    COLUMNS,
    NOBODY,
    ROW,
    UNPRIVILEGED,
    Terminal,
    parse_row,
    report,
    run,
    running,
    status_text,
)
from support.machine import need
from support.processes import kill_off
from support.programs import looping

from exitsnoop.model.status import signal_name

# Says each signal that it gets, until SIGUSR2; then it exits with 7.
TELLS_SIGNALS = """\
import signal, sys
signals = {signal.Signals[name] for name in sys.argv[1:]} | {signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
print("ready", flush=True)
while (number := signal.sigwait(signals)) != signal.SIGUSR2:
    print("got", number.name, flush=True)
sys.exit(7)
"""
# Leaves a process behind that ends with 5 when standard input does.
LEAVES_ORPHAN = "exec 3<&0; { read line <&3; exit 5; } >/dev/null 2>&1 & exit 3"


def sh(script: str) -> list[str]:
    return ["--", "/bin/sh", "-c", script]


def test_all_of_command_and_nothing_else_is_traced(
    exitsnoop: str, endings: Path, tmp_path: Path
) -> None:
    """From its first child on, of whatever kind, while others end all the time."""
    with looping("(exit 1)") as others:
        told = report(
            exitsnoop, tmp_path / "rows", *sh(f"cd {endings.parent}; exec {endings} storm 420 1")
        )
    happened = truth.parse(told.stdout)
    traced = {(e["pid"], e["boot_ns"]): e for e in told.exits}
    assert len(traced) == len(told.exits)
    assert not [e for e in told.exits if e["ppid"] == others.pid]
    command = told.exits[-1]
    assert (command["comm"], command["exit"]) == ("endings", "0")
    ours = sorted((e["pid"], e["exit"]) for e in told.exits if e["ppid"] == command["pid"])
    assert ours == sorted((e.pid, status_text(e.status, signal_name)) for e in happened)
    family = {command["pid"], *(e["pid"] for e in told.exits)}
    assert not [e for e in told.exits[:-1] if e["ppid"] not in family]


def test_the_first_children_of_command_are_not_missed(
    exitsnoop: str, endings: Path, tmp_path: Path
) -> None:
    told = report(exitsnoop, tmp_path / "rows", "--", str(endings), "vforks", "500")
    assert (told.status, told.stdout) == (0, "500\n")
    assert len(told.exits) == 501


@pytest.mark.parametrize(
    ("script", "status", "exit_text"),
    [
        ("exit 0", 0, "0"),
        ("exit 3", 3, "code 3"),
        ("exit 255", 255, "code 255"),
        ("kill -TERM $$", 128 + 15, "signal 15 (TERM)"),
        ("kill -KILL $$", 128 + 9, "signal 9 (KILL)"),
    ],
)
def test_the_status_is_that_of_command(
    exitsnoop: str, script: str, status: int, exit_text: str
) -> None:
    result = run(exitsnoop, *sh(script))
    header, row = result.stdout.splitlines()
    assert (result.returncode, header, parse_row(row).exit) == (status, COLUMNS, exit_text)


@pytest.mark.parametrize(
    ("command", "content", "status", "message"),
    [
        ("no-such-command", None, 127, "No such file or directory"),
        ("{}/nowhere", None, 127, "No such file or directory"),
        ("{}/file", "#!/nowhere\n", 126, "Permission denied"),
        ("{}", None, 126, "Permission denied"),
        ("", None, 127, "No such file or directory"),
    ],
)
def test_a_command_that_cannot_be_run(
    exitsnoop: str, tmp_path: Path, command: str, content: str | None, status: int, message: str
) -> None:
    """No process stays: run() waits until nobody holds the output."""
    if content:
        (tmp_path / "file").write_text(content)
    path = command.format(tmp_path)
    result = run(exitsnoop, "--linger", "--", path, "argument")
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr == f"exitsnoop: cannot run {path!r}: {message}\n"


def test_command_is_not_run_untraced(exitsnoop: str, tmp_path: Path) -> None:
    touch = ["--", "touch", str(tmp_path / "made")]
    result = run(exitsnoop, *touch, prefix=UNPRIVILEGED)
    assert (result.returncode, result.stdout) == (77, "")
    for words in (["-p", "1"], ["--tree", "1"], ["-u", "no such user"]):
        assert run(exitsnoop, *words, *touch).returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--"], "there is no COMMAND after --"),
        (["-x", "--"], "there is no COMMAND after --"),
        (["--linger"], "--linger is for COMMAND"),
        (["-p", "1", "--", "true"], "leave out COMMAND"),
        (["--tree", "1", "--", "true"], "leave out COMMAND"),
    ],
)
def test_usage_errors_leave_the_file_as_it_was(
    exitsnoop: str, tmp_path: Path, words: list[str], message: str
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("precious")
    result = run(exitsnoop, "--output", str(kept), *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr.splitlines()[-1]
    assert kept.read_text() == "precious"


def test_it_ends_with_command_though_an_orphan_lives(exitsnoop: str, tmp_path: Path) -> None:
    script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; exit 3"
    told = report(exitsnoop, tmp_path / "rows", *sh(script))
    orphan = int(told.stdout)
    try:
        assert Path(f"/proc/{orphan}/comm").read_text() == "sleep\n"
    finally:
        kill_off(orphan)
    assert (told.status, told.ends()) == (3, [("sh", "code 3")])
    assert told.summary.startswith("exitsnoop: 1 exit: 1 failed, ")


def test_linger_waits_for_the_orphan(exitsnoop: str) -> None:
    with running(exitsnoop, "--linger", *sh(LEAVES_ORPHAN)) as tracer:
        command = parse_row(tracer.stdout.readline())
        assert tracer.process.stdin
        tracer.process.stdin.close()
        (orphan,) = map(parse_row, tracer.rest())
        assert tracer.errors().startswith("exitsnoop: 2 exits: 2 failed, 0 killed")
    assert (command.exit, orphan.exit) == ("code 3", "code 5")
    assert tracer.process.returncode == 3


def test_a_signal_ends_lingering(exitsnoop: str) -> None:
    with running(exitsnoop, "--linger", *sh(LEAVES_ORPHAN)) as tracer:
        command = parse_row(tracer.stdout.readline())
        kill_off(command.pid)  # it is ending already; until it has, it would get the signal
        assert command.exit == "code 3"
        assert tracer.stop(signal.SIGTERM) == []
        assert tracer.errors().startswith("exitsnoop: 1 exit: 1 failed")
    assert tracer.process.returncode == 3


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT"])
def test_a_signal_reaches_command_once(exitsnoop: str, name: str) -> None:
    """A second one would be there before SIGUSR2, which ends COMMAND."""
    words = ["--json", "--", sys.executable, "-c", TELLS_SIGNALS, name]
    with running(exitsnoop, *words) as tracer:
        assert tracer.header == "ready\n"
        tracer.process.send_signal(signal.Signals[name])
        assert tracer.stdout.readline() == f"got {name}\n"
        (row,) = tracer.stop(signal.SIGUSR2)
    assert json.loads(row)["exit_code"] == 7
    assert tracer.process.returncode == 7


def test_a_signal_that_ends_command_ends_exitsnoop(exitsnoop: str) -> None:
    with running(exitsnoop, "--json", *sh("echo ready; exec sleep 1000")) as tracer:
        assert tracer.header == "ready\n"
        (row,) = tracer.stop(signal.SIGHUP)
    assert json.loads(row)["signal_name"] == "SIGHUP"
    assert tracer.process.returncode == 128 + signal.SIGHUP


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_of_the_terminal_reaches_command_once(exitsnoop: str, key: bytes, name: str) -> None:
    command = [sys.executable, "-c", TELLS_SIGNALS, name]
    with Terminal(exitsnoop, "--color=never", "--", *command) as terminal:
        terminal.line("ready")
        terminal.type(key)
        terminal.line(f"got {name}")
        terminal.process.send_signal(signal.SIGUSR2)
        lines = terminal.lines()
    assert sum(f"got {name}" in line for line in lines) == 1
    assert parse_row(lines[-2]).exit == "code 7"
    assert lines[-1].startswith("exitsnoop: 1 exit: 1 failed, 0 killed ")
    assert terminal.process.returncode == 7


def test_ctrl_c_shows_all_rows_and_the_summary(exitsnoop: str) -> None:
    script = "(exit 4); (exit 5); echo ready; exec sleep 1000"
    with Terminal(exitsnoop, "--color=never", *sh(script)) as terminal:
        terminal.line("ready")
        terminal.line("code 5")  # Ctrl-C drops what nobody has read from the terminal yet
        terminal.type(b"\x03")
        lines = terminal.lines()
    rows = [parse_row(line).exit for line in lines if ROW.fullmatch(line)]
    assert rows == ["code 4", "code 5", "signal 2 (INT)"]
    assert lines[-1].startswith("exitsnoop: 3 exits: 2 failed, 1 killed by a signal, 0 lost; ")
    assert terminal.process.returncode == 128 + signal.SIGINT


def test_standard_files_are_those_of_the_invoker(exitsnoop: str, tmp_path: Path) -> None:
    script = 'read a; read b; echo "out $a"; echo "err $b" >&2'
    told = report(exitsnoop, tmp_path / "rows", *sh(script), given="one\ntwo\n")
    assert (told.stdout, told.stderr) == ("out one\n", "err two\n")
    assert told.ends() == [("sh", "0")]


def test_arguments_are_passed_on_as_they_are(exitsnoop: str, tmp_path: Path) -> None:
    arguments = ["-x", "--", "--json", "", "two words", "--", "\udcff\n"]
    told = report(exitsnoop, tmp_path / "rows", *sh('printf "<%s>" "$@" | od -c'), "sh", *arguments)
    plain = run("/bin/sh", *sh('printf "<%s>" "$@" | od -c')[2:], "sh", *arguments)
    assert told.stdout == plain.stdout != ""


PREPARE = """\
import os, signal, sys
block, ignore, *command = sys.argv[1:]
signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python has changed
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
for name in filter(None, ignore.split(",")):
    signal.signal(signal.Signals[name], signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_SETMASK, [signal.Signals[n] for n in block.split(",") if n])
os.execvp(command[0], command)
"""


@pytest.mark.parametrize(
    ("block", "ignore"),
    [
        ("", ""),
        ("", "SIGHUP"),  # nohup
        ("", "SIGINT,SIGQUIT"),  # a shell's background
        ("", "SIGCHLD,SIGTERM,SIGUSR1"),
        ("SIGUSR1,SIGTERM,SIGCHLD,SIGALRM", ""),
    ],
)
def test_signals_are_set_as_without_exitsnoop(
    exitsnoop: str, tmp_path: Path, block: str, ignore: str
) -> None:
    prefix = [sys.executable, "-c", PREPARE, block, ignore]
    show = ["grep", "-E", "^(Sig|Shd)(Pnd|Blk|Ign|Cgt)", "/proc/self/status"]
    plain = run(show[0], *show[1:], prefix=prefix)
    assert len(plain.stdout.splitlines()) == 5
    assert report(exitsnoop, tmp_path / "rows", "--", *show, prefix=prefix).stdout == plain.stdout


def test_no_descriptor_leaks_into_command(exitsnoop: str, tmp_path: Path) -> None:
    show = ["ls", "/proc/self/fd"]
    plain = run(show[0], *show[1:]).stdout
    assert len(plain.splitlines()) >= 4
    assert report(exitsnoop, tmp_path / "rows", "-w", "-a", "--", *show).stdout == plain


def test_under_sudo_command_runs_as_who_called_it(exitsnoop: str, tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    groups = os.getgrouplist("nobody", nobody.pw_gid)
    env = {
        **os.environ,
        "SUDO_UID": str(nobody.pw_uid),
        "SUDO_GID": str(nobody.pw_gid),
        "SUDO_USER": "nobody",
    }
    script = 'id -ru; id -rg; id -G; echo "$HOME" "$USER" "$LOGNAME"; echo $$; exit 3'
    told = report(exitsnoop, tmp_path / "rows", *sh(script), env=env)
    *who, pid = told.stdout.splitlines()
    assert who == [
        str(nobody.pw_uid),
        str(nobody.pw_gid),
        " ".join(map(str, groups)),
        f"{nobody.pw_dir} nobody nobody",
    ]
    assert told.status == 3
    assert {e["uid"] for e in told.exits} == {nobody.pw_uid}
    assert told.exits[-1]["pid"] == int(pid)


def test_under_the_real_sudo(exitsnoop: str, tmp_path: Path) -> None:
    """With rules that only it sees: nobody may run anything as root."""
    need(bool(shutil.which("sudo")), "sudo is not installed")
    rules, rows = tmp_path / "sudoers", tmp_path / "rows"
    rules.write_text("nobody ALL=(root) NOPASSWD: ALL\n")
    rules.chmod(0o440)
    hide = 'mount --bind "$0" /etc/sudoers && exec "$@"'
    apart = ["unshare", "--mount", "sh", "-c", hide, str(rules)]
    as_nobody = ["setpriv", *NOBODY, "--inh-caps=-all", "--ambient-caps=-all"]
    script = "id -ru; id -rg; grep -E 'CapEff|NoNewPrivs' /proc/self/status; echo $HOME; exit 3"
    told = report(exitsnoop, rows, *sh(script), prefix=[*apart, *as_nobody, "sudo", "-n"])
    home = pwd.getpwnam("nobody").pw_dir
    assert told.stdout.splitlines() == [
        *("65534", "65534"),
        *(f"CapEff:\t{0:016x}", "NoNewPrivs:\t0"),
        home,
    ]
    assert (told.status, told.exits[-1]["uid"], rows.stat().st_uid) == (3, 65534, 0)


def test_under_sudo_of_a_user_without_a_name(exitsnoop: str, tmp_path: Path) -> None:
    env = {**os.environ, "SUDO_UID": "54321", "SUDO_GID": "54322"}
    script = "id -u; id -g; id -G; grep CapEff /proc/self/status"
    told = report(exitsnoop, tmp_path / "rows", *sh(script), env=env)
    assert told.stdout.splitlines() == ["54321", "54322", "54322", f"CapEff:\t{0:016x}"]


def test_a_reader_that_leaves_changes_nothing_for_command(exitsnoop: str, tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"read line; (exit 4); echo written >{done}; (exit 6); exit 3"
    with running(exitsnoop, *sh(script)) as tracer:
        tracer.stdout.close()
        assert tracer.process.stdin
        tracer.process.stdin.close()
        errors = tracer.errors()
        assert tracer.process.wait(timeout=60) == 3
    assert done.read_text() == "written\n"
    (summary,) = errors.splitlines()
    assert summary.startswith("exitsnoop: 3 exits: 3 failed, 0 killed by a signal, 0 lost; ")


def test_a_full_disk_changes_nothing_for_command(exitsnoop: str) -> None:
    result = run(exitsnoop, "--output", "/dev/full", *sh("(exit 4); (exit 6); echo still; exit 3"))
    assert (result.returncode, result.stdout) == (3, "still\n")
    error, unwritten, summary = result.stderr.splitlines()
    assert error == "exitsnoop: cannot write: No space left on device"
    assert unwritten == "exitsnoop: 3 exits were traced, but not written"
    assert summary.startswith("exitsnoop: 3 exits: 3 failed, ")


def test_failed_shows_failures_and_counts_all(exitsnoop: str, tmp_path: Path) -> None:
    script = "(exit 0); (exit 1); sh -c 'kill -KILL $$'; true | (exit 0); exit 0"
    told = report(exitsnoop, tmp_path / "rows", "-x", *sh(script))
    assert told.ends() == [("sh", "code 1"), ("sh", "signal 9 (KILL)")]
    counts = "exitsnoop: 6 exits: 1 failed, 1 killed by a signal, 0 lost; "
    assert told.summary.startswith(counts)


def test_slowest_and_biggest(exitsnoop: str, tmp_path: Path) -> None:
    """The slowest is there before and after the others; who waits for others does not count."""
    hog = f"{sys.executable} -c 'import os; print(os.getpid(), len(b\"x\" * (64 << 20)))'"
    script = f"""
        mkfifo {tmp_path}/fifo
        cat {tmp_path}/fifo >/dev/null & exec 3>{tmp_path}/fifo; echo $!
        {hog}; (exit 1); exec 3>&-; wait
    """
    told = report(exitsnoop, tmp_path / "rows", *sh(script))
    cat, (hog_pid, _) = int(told.stdout.split()[0]), told.stdout.split()[1:]
    rss = next(e["max_rss"] for e in told.exits if e["pid"] == int(hog_pid))
    assert rss > 64 << 20
    assert f"; slowest: cat[{cat}] " in told.summary
    match = re.search(r"; biggest: python\S*\[(\d+)\] ([\d.]+)M$", told.summary)
    assert match, told.summary
    assert match[1] == hog_pid
    assert abs(float(match[2]) - rss / (1 << 20)) <= 1
