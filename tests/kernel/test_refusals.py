"""Privileges, and kernels that refuse: the exit status, and a message that says what to do."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import ENOUGH, NOBODY, become, run, tracing

from exitsnoop.kernel.features import counts_locked_memory

# Who may still read every file: the interpreter need not be in a place open to all.
ROOT: list[str] = []
NO_BPF = "-all,+dac_read_search"


def test_two_capabilities_suffice_for_nobody(exitsnoop: str) -> None:
    with tracing(exitsnoop, "-x", prefix=become(NOBODY, ENOUGH)) as tracer:
        status = Path(f"/proc/{tracer.process.pid}/status").read_text()
        with subprocess.Popen(["sh", "-c", "exit 9"]) as shell:
            pass
        lines = tracer.stop()
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert [line.split()[-2:] for line in lines if f" {shell.pid} " in line] == [["code", "9"]]
    assert tracer.process.returncode == 0


def test_too_little_locked_memory_is_named(exitsnoop: str) -> None:
    limited = [*become(NOBODY, ENOUGH), "prlimit", "--memlock=65536:65536"]
    result = run(exitsnoop, "--", "true", prefix=limited)
    if counts_locked_memory():
        assert result.returncode == 77
        assert "may have 65536 bytes: raise that with `ulimit -l unlimited`" in result.stderr
    else:
        assert result.returncode == 0


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [
        (NO_BPF, "CAP_BPF and CAP_PERFMON"),
        (f"{NO_BPF},+perfmon", "CAP_BPF"),
        (f"{NO_BPF},+bpf", "CAP_PERFMON"),
    ],
)
@pytest.mark.parametrize("user", [NOBODY, ROOT], ids=["nobody", "root"])
def test_without_them_it_says_what_is_needed(
    exitsnoop: str, user: list[str], capabilities: str, missing: str
) -> None:
    result = run(exitsnoop, prefix=become(user, capabilities))
    assert (result.returncode, result.stdout) == (77, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("exitsnoop: tracing needs the capabilities CAP_BPF and CAP_PERFMON, ")
    assert f"lacks {missing}: run it with sudo" in line


def test_capabilities_of_a_user_namespace_do_not_count(exitsnoop: str) -> None:
    result = run(exitsnoop, prefix=["unshare", "--user", "--map-root-user"])
    assert (result.returncode, result.stdout) == (77, "")
    (line,) = result.stderr.splitlines()
    assert "user namespace" in line


def test_a_wrong_option_is_told_before_a_missing_privilege(exitsnoop: str) -> None:
    result = run(exitsnoop, "-p", "x", prefix=become(NOBODY, NO_BPF))
    assert result.returncode == 2


def test_a_kernel_without_btf(exitsnoop: str) -> None:
    hide = 'mount -t tmpfs none /sys/kernel/btf && exec "$0"'
    result = run(exitsnoop, prefix=["unshare", "--mount", "sh", "-c", hide])
    assert (result.returncode, result.stdout) == (70, "")
    assert "exitsnoop: this kernel does not describe its types" in result.stderr
    assert "CONFIG_DEBUG_INFO_BTF" in result.stderr


def test_types_that_are_cut(exitsnoop: str, tmp_path: Path) -> None:
    whole = Path("/sys/kernel/btf/vmlinux").read_bytes()
    cut = tmp_path / "cut"
    cut.write_bytes(whole[: len(whole) // 2])
    instead = 'mount --bind "$1" /sys/kernel/btf/vmlinux && exec "$0"'
    result = run(exitsnoop, str(cut), prefix=["unshare", "--mount", "sh", "-c", instead])
    assert (result.returncode, result.stdout) == (70, "")
    assert "exitsnoop: the kernel's description of its types (/sys/" in result.stderr


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES, errno.ENOMEM])
def test_a_refused_program(exitsnoop: str, refuse: Path, number: int) -> None:
    result = run(exitsnoop, prefix=[str(refuse), "load", str(number)])
    assert (result.returncode, result.stdout) == (70, "")
    first, *log = result.stderr.splitlines()
    assert first.startswith("exitsnoop: the kernel refused the BPF program: ")
    assert any("libbpf: " in line for line in log), "what libbpf said is missing"


def test_who_may_not_drop_privileges_does_not_trace(
    exitsnoop: str, refuse: Path, tmp_path: Path
) -> None:
    for command in ([], ["--", "touch", str(tmp_path / "made")]):
        result = run(exitsnoop, *command, prefix=[str(refuse), "capset", str(errno.EPERM)])
        assert (result.returncode, result.stdout) == (70, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("exitsnoop: the kernel does not let this process give up its priv")
        assert "seccomp" in line
    assert not list(tmp_path.iterdir())


def test_the_library_raises_and_never_prints(refuse: Path) -> None:
    script = (
        "import exitsnoop\n"
        "try: exitsnoop.trace()\n"
        "except exitsnoop.KernelRefused as error: raise SystemExit('libbpf: ' in error.log)\n"
    )
    result = run(sys.executable, "-c", script, prefix=[str(refuse), "load", "22"])
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "")


@pytest.mark.parametrize("options", [["-p", "1"], ["--tree", "1"], ["-P", "1"], ["--", "true"]])
def test_pids_of_another_namespace_are_refused(exitsnoop: str, options: list[str]) -> None:
    """They are not what the kernel side calls them: the trace would be empty."""
    result = run(exitsnoop, *options, prefix=["unshare", "--pid", "--fork", "--mount-proc"])
    assert (result.returncode, result.stdout) == (2, "")
    assert "in a PID namespace of its own" in result.stderr
