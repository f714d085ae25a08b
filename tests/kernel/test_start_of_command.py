"""COMMAND starts as `env` would start it."""

import os
from pathlib import Path

import pytest
from support.command import run


@pytest.mark.parametrize("ignored", ["", "PIPE", "XFSZ", "PIPE XFSZ"])
def test_what_a_shell_ignores_command_ignores(exitsnoop: str, ignored: str) -> None:
    """Python itself ignores both, so it cannot be seen in exitsnoop what it was started with."""
    trap = f"trap '' {ignored};" if ignored else ""
    grep = "grep SigIgn /proc/self/status"
    plain = run("/bin/sh", "-c", f"{trap} {grep}; :")
    traced = run("/bin/sh", "-c", f"{trap} {exitsnoop} --output /dev/null -- {grep}; :")
    assert traced.stdout == plain.stdout != ""


@pytest.mark.parametrize("by_path", [True, False])
def test_a_script_without_an_interpreter_is_run_by_sh(
    exitsnoop: str, tmp_path: Path, by_path: bool
) -> None:
    script = tmp_path / "says"
    script.write_text('printf "%s|" "$0" "$@"; exit 5\n')
    script.chmod(0o755)
    env = {**os.environ, "PATH": f"/nowhere:{tmp_path}:{os.environ['PATH']}"}
    name = str(script) if by_path else script.name
    plain = run("env", name, "a b", "", env=env)
    told = run(exitsnoop, "--output", "/dev/null", "--", name, "a b", "", env=env)
    assert (told.returncode, told.stdout) == (5, plain.stdout)
    assert plain.stdout == f"{script}|a b||"
