"""`exitsnoop check`: what works here, what does not, and how to mend that."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.command import UNPRIVILEGED, run

TRACING = ("trace", "cause", "context", "args", "tree")
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--cgroup"]


def findings(text: str) -> dict[str, tuple[str, str]]:
    """Return of each feature "yes" or "no", and the line that says how to mend it."""
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines()[1:]:
        name, answer, rest = line[:12].strip(), line[13:17].strip(), line[17:].strip()
        if name:
            found[name] = answer, ""
        else:
            last = list(found)[-1]
            found[last] = found[last][0], rest
    return found


def test_all_is_there_for_root(exitsnoop: str) -> None:
    result = run(exitsnoop, "check")
    found = findings(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("kernel ")
    assert [found[name] for name in ("BTF", *TRACING)] == [("yes", "")] * 6


def test_without_privileges_it_says_what_is_missing(exitsnoop: str) -> None:
    result = run(exitsnoop, "check", prefix=UNPRIVILEGED)
    found = findings(result.stdout)
    assert (result.returncode, result.stderr) == (77, "")
    assert found["BTF"] == ("yes", "")
    for name in TRACING:
        answer, mend = found[name]
        assert answer == "no"
        assert "lacks CAP_BPF and CAP_PERFMON: run it with sudo" in mend
    answer, mend = found["exe"]
    assert answer == "no"
    assert "CAP_SYS_PTRACE" in mend


def test_in_a_container_it_says_whose_pids_and_cgroups_are_meant(exitsnoop: str) -> None:
    result = run(exitsnoop, "check", prefix=NAMESPACE)
    found = findings(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    for name, mend in (("host PIDs", "-o +nspid"), ("cgroups", "on the host")):
        answer, how = found[name]
        assert answer == "no"
        assert mend in how


def test_in_a_container_no_command_is_run_that_cannot_be_followed(exitsnoop: str) -> None:
    result = run(exitsnoop, "--", "echo", "ran", prefix=NAMESPACE)
    assert (result.returncode, result.stdout) == (2, "")
    assert "PID namespace" in result.stderr.splitlines()[-1]


def test_a_kernel_without_btf(exitsnoop: str) -> None:
    hide = 'mount -t tmpfs none /sys/kernel/btf && exec "$0" "$@"'
    result = run(exitsnoop, "check", prefix=["unshare", "--mount", "sh", "-c", hide])
    found = findings(result.stdout)
    assert (result.returncode, result.stderr) == (70, "")
    for name in ("BTF", *TRACING):
        answer, mend = found[name]
        assert answer == "no"
        assert "CONFIG_DEBUG_INFO_BTF=y" in mend


@pytest.mark.parametrize("words", [["-x", "check"], ["check", "all"]])
def test_check_stands_alone(exitsnoop: str, words: list[str]) -> None:
    assert run(exitsnoop, *words).returncode == 2


def as_json(exitsnoop: str, *prefix: str) -> tuple[int, dict[str, Any]]:
    """Return the exit status, and the record."""
    result = run(exitsnoop, "check", "--json", prefix=prefix)
    assert result.stderr == ""
    (line,) = result.stdout.splitlines()
    return result.returncode, json.loads(line)


def test_for_programs(exitsnoop: str) -> None:
    """The same as for people, as one object."""
    status, record = as_json(exitsnoop)
    text = run(exitsnoop, "check").stdout
    kernel = os.uname()
    assert (status, record["status"]) == (0, 0)
    assert (record["kernel"], record["machine"]) == (kernel.release, kernel.machine)
    assert [finding["feature"] for finding in record["findings"]] == list(findings(text))
    for finding in record["findings"]:
        answer, remedy = findings(text)[finding["feature"]]
        assert (finding["available"], finding["remedy"] or "") == (answer == "yes", remedy)
        assert finding["meaning"] in text


def test_for_programs_without_privileges(exitsnoop: str) -> None:
    status, record = as_json(exitsnoop, *UNPRIVILEGED)
    assert (status, record["status"]) == (77, 77)
    by_name = {finding["feature"]: finding for finding in record["findings"]}
    for name in TRACING:
        assert by_name[name]["available"] is False
        assert "run it with sudo" in by_name[name]["remedy"]
    assert by_name["BTF"] == {**by_name["BTF"], "available": True, "remedy": None}


def test_a_program_with_the_name_of_a_verb(exitsnoop: str, tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\necho ran $1; exit 3\n")
    program.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = run(exitsnoop, "--output", "/dev/null", "--", "check", "--json", env=path)
    assert (result.returncode, result.stdout) == (3, "ran --json\n")
    result = run(exitsnoop, "--", "check", "--json", env=path)
    assert result.returncode == 3
    assert "ran --json" in result.stdout
