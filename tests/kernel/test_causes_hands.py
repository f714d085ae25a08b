"""Whose hand it was: what a sender ran, where, what had started it, and what it meant to end."""

import os
import shutil
import subprocess
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from support.causes import assert_killed, cause_of
from support.machine import kernel_has, need, need_of_kernel
from support.services import timed_out
from support.stage import Stage
from support.truth import record_of, recorded
from support.waiting import until

from exitsnoop import Cause
from exitsnoop.model.cause import Sender

NOBODY = 65534
HAS_CALLS = os.uname().machine == "x86_64" and kernel_has("bpf_task_pt_regs")


def sender_of(cause: Cause) -> Sender:
    assert cause.sender, cause
    return cause.sender


def above(pid: int) -> list[tuple[int, str]]:
    """Return the processes above one, as /proc has them, the nearest first."""
    found = []
    while pid := int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]):
        found.append((pid, Path(f"/proc/{pid}/comm").read_text().rstrip("\n")))
    return found


def test_those_above_a_sender_that_are_gone_before_its_victim_is_reaped(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim = stage.puppet()
        inner = f"/bin/kill -TERM {victim.pid}; echo $PPID $$; exit 0"
        command = ["/bin/sh", "-c", f"sh -c '{inner}'; exit 0"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert victim.wait() == -SIGTERM
    outer, shell = map(int, told.split())
    cause = cause_of(exits, victim)
    sender = sender_of(cause)
    us = (os.getpid(), Path("/proc/self/comm").read_text().rstrip("\n"))
    assert sender.ancestors == ((shell, "sh"), (outer, "sh"), us, *above(os.getpid()))
    assert sender.ppid == shell
    assert sender.exe == os.path.realpath("/bin/kill")
    assert (sender.uid, sender.user) == (0, "root")
    # What is above the victim's parent is above both.
    expected = f"killed by kill[{sender.pid}] (SIGTERM), run by sh[{shell}] < sh[{outer}] < "
    assert cause.text == f"{expected}{us[1]}[{us[0]}]"


def test_the_one_that_asked_first_is_told_with_what_started_it(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, killer = stage.puppet(), stage.puppet()
        victim.ask("ignore", int(SIGTERM))
        subprocess.run(["sh", "-c", f"/bin/kill -TERM {victim.pid}; exit 0"], check=True)
        killer.kill(victim, SIGKILL)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert_killed(cause, killer)
    assert cause.after
    assert cause.after.sender
    assert cause.after.sender.ancestors
    shell, us = cause.after.sender.ancestors[:2]
    assert (shell.comm, us.pid) == ("sh", os.getpid())
    asked = f"SIGTERM from kill[{cause.after.sender.pid}], run by sh[{shell.pid}] < "
    assert f" after {asked}{us.comm}[{us.pid}], which it ignored" in cause.text


def test_a_victim_that_started_its_killer() -> None:
    with recorded(why=True) as exits:
        shell = subprocess.Popen(["sh", "-c", "/bin/kill -TERM $$; sleep 60"])
        assert shell.wait() == -SIGTERM
    cause = cause_of(exits, shell.pid)
    killer = sender_of(cause)
    assert cause.text == f"killed by kill[{killer.pid}] (SIGTERM), run by the process itself"


def test_a_parent_that_kills_needs_no_ancestors() -> None:
    with recorded(why=True) as exits:
        timeout, victim = timed_out()
    assert cause_of(exits, victim).text == f"killed by timeout[{timeout}] (SIGTERM)"


def test_a_parent_that_is_gone_before_its_victim() -> None:
    """It is known from the time of its signal, and so is what started it."""
    ready, ends = os.pipe(), os.pipe()
    victim = (
        "import os, signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); "
        f"os.write({ready[1]}, b'%d' % os.getpid()); os.read({ends[0]}, 1); "
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])"
    )
    with recorded(why=True) as exits:
        parent = subprocess.Popen(
            ["sh", "-c", '/usr/bin/python3 -c "$0" & read go; kill -TERM $!', victim],
            stdin=subprocess.PIPE,
            pass_fds=[ready[1], ends[0]],
        )
        pid = int(os.read(ready[0], 32))
        exe = os.path.realpath(f"/proc/{parent.pid}/exe")
        parent.communicate(b"go\n", timeout=60)
        assert parent.returncode == 0  # it is reaped, and its PID free
        os.write(ends[1], b".")
        until(lambda: any(one.pid == pid for one in exits))
    for end in (*ready, *ends):
        os.close(end)
    record = record_of(exits, pid)
    assert record.ppid != parent.pid
    cause = cause_of(exits, pid)
    sender = sender_of(cause)
    us = (os.getpid(), Path("/proc/self/comm").read_text().rstrip("\n"))
    assert (sender.pid, sender.comm, sender.uid) == (parent.pid, "sh", os.getuid())
    assert sender.exe == exe
    assert sender.ancestors == (us, *above(os.getpid()))
    assert cause.text.startswith(f"killed by sh[{parent.pid}] (SIGTERM), run by {us[1]}[{us[0]}]")


def test_where_a_sender_ran(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        group = stage.unified_cgroup()
        sender.ask("put", group / "cgroup.procs", sender.pid)
        lines = Path(f"/proc/{sender.pid}/cgroup").read_text().splitlines()
        sender.kill(victim, SIGTERM)
        victim.wait()
    assert f"0::{sender_of(cause_of(exits, victim)).cgroup}" in lines


def test_a_unit_and_a_container_are_in_the_path_of_the_cgroup(stage: Stage) -> None:
    name = "ab" * 32
    with recorded(why=True) as exits:
        group = stage.unified_cgroup()
        place = stage.cgroup(group, f"libpod-{name}.scope")
        victim, sender = stage.puppet(), stage.puppet()
        sender.ask("put", place / "cgroup.procs", sender.pid)
        sender.kill(victim, SIGTERM)
        victim.wait()
    container = sender_of(cause_of(exits, victim)).container
    assert container
    assert (container.runtime, container.id) == ("podman", name)


def test_a_sender_that_runs_another_program_is_told_anew(stage: Stage) -> None:
    with recorded(why=True) as exits:
        first, second = stage.puppet(), stage.puppet()
        script = f"kill -TERM {first.pid}; exec /bin/kill -TERM {second.pid}"
        shell = subprocess.Popen(["/bin/sh", "-c", script])
        assert shell.wait() == 0
        first.wait()
        second.wait()
    senders = [sender_of(cause_of(exits, victim)) for victim in (first, second)]
    assert [sender.pid for sender in senders] == [shell.pid] * 2
    assert [sender.exe for sender in senders] == [*map(os.path.realpath, ("/bin/sh", "/bin/kill"))]


def test_another_user_is_named(stage: Stage) -> None:
    with recorded(why=True) as exits:
        victims, sender = [stage.puppet(), stage.puppet()], stage.puppet()
        victims[1].ask("become", NOBODY)
        for victim in victims:
            sender.kill(victim, SIGTERM)
            victim.wait()
    texts = [cause_of(exits, victim).text for victim in victims]
    assert f"killed by deaths[{sender.pid}] (SIGTERM)" in texts[0]
    assert f"killed by deaths[{sender.pid}] user root (SIGTERM)" in texts[1]


@pytest.mark.parametrize(
    ("way", "meant_for", "text"),
    [
        ("kill", "process", "(SIGTERM)"),
        ("pidfd", "process", "(SIGTERM)"),
        ("sigqueue", "process", "(SIGTERM)"),
        ("group", "process group", "(SIGTERM to its process group)"),
        ("tgkill", "thread", "(SIGTERM)"),
    ],
)
def test_what_a_signal_is_meant_for(stage: Stage, way: str, meant_for: str, text: str) -> None:
    need_of_kernel(HAS_CALLS or way == "tgkill", "registers of a sender (x86, Linux 5.15)")
    with recorded(why=True) as exits:
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("new_group")
        sender.kill(victim, SIGTERM, way)
        victim.wait()
    cause = cause_of(exits, victim)
    assert sender_of(cause).meant_for == meant_for
    assert text in cause.text


def test_a_process_that_ends_its_own_group() -> None:
    """One kill() is for it and for its child: neither ended because of the other."""
    with recorded(why=True) as exits:
        script = "sleep 60 & exec python3 -c 'import os; os.kill(0, 15)'"
        process = subprocess.Popen(["sh", "-c", script], start_new_session=True)
        assert process.wait() == -SIGTERM
        until(lambda: any(one.pid != process.pid and one.signal == SIGTERM for one in exits))
    (cause,) = [one.cause for one in exits if one.pid == process.pid]
    group = "sent SIGTERM to its process group, and so to itself"
    assert cause
    assert (cause.kind, cause.sender) == ("self", None)
    assert cause.text == (group if HAS_CALLS else "sent itself SIGTERM")
    assert cause.meant_for == ("process group" if HAS_CALLS else None)


def test_a_signal_to_every_process_of_a_namespace(stage: Stage) -> None:
    """Of the namespace of the sender, except itself and init."""
    with recorded(why=True) as exits:
        init = stage.init()
        victim, sender = stage.inside(init), stage.inside(init)
        sender.kill(-1, SIGTERM)
        victim.wait()
    expected = "every process" if HAS_CALLS else None
    assert sender_of(cause_of(exits, victim)).meant_for == expected


def test_all_of_a_cgroup(stage: Stage) -> None:
    with recorded(why=True) as exits:
        group = stage.unified_cgroup()
        victim, sender = stage.puppet(), stage.puppet()
        victim.ask("put", group / "cgroup.procs", victim.pid)
        sender.ask("put", group / "cgroup.kill", 1)
        assert victim.wait() == -SIGKILL
    cause = cause_of(exits, victim)
    assert sender_of(cause).meant_for == "cgroup"
    assert "(SIGKILL to its cgroup)" in cause.text


@pytest.mark.parametrize("name", ["TERM", "KILL", "SEGV"])
def test_a_signal_that_strace_injects_is_its_own(name: str) -> None:
    need(shutil.which("strace") is not None, "strace")
    inject = ["-e", "trace=getppid", "-e", f"inject=getppid:signal={name}"]
    script = "import os; print(os.getpid(), flush=True); os.getppid()"
    with recorded(why=True) as exits:
        command = ["strace", "-o", "/dev/null", *inject, "/usr/bin/python3", "-c", script]
        strace = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told, _ = strace.communicate()
    cause = cause_of(exits, int(told))
    assert cause.kind == "tracer"
    assert sender_of(cause).pid == strace.pid
    assert cause.text == f"SIG{name} made up by its tracer strace[{strace.pid}]"
