"""Verbs: each is a module, loaded on request."""

import subprocess
import sys
from pathlib import Path

import pytest

from exitsnoop import cli
from exitsnoop.cli.parser import parser
from exitsnoop.cli.verbs import VERBS, verb, verb_parser


@pytest.mark.parametrize("name", VERBS)
def test_a_verb(capfd: pytest.CaptureFixture[str], name: str) -> None:
    module = verb(name)
    assert name == module.NAME
    assert module.SUMMARY in parser().format_help()
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert not ended.value.code
    shown = capfd.readouterr().out
    assert shown.startswith(f"usage: exitsnoop {name} ")
    assert module.SUMMARY[1:] in shown


@pytest.mark.parametrize("words", [["all"], ["--js"], ["-x"], ["--", "true"]])
def test_what_a_verb_does_not_take(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", *words])
    assert ended.value.code == 2
    assert "exitsnoop check: error: unrecognized arguments: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--since", "nonsense", "argument --since: 'nonsense' is not a time"),
        ("--until", "24:61", "argument --until: '24:61' is not a time"),
        ("--boot", "nonsense", "argument --boot: 'nonsense' is not a boot: write 0 for"),
        ("--boot", "1", "argument --boot: '1' is not a boot"),
        ("--around", "nonsense", "'nonsense' is not a duration"),
    ],
)
def test_what_is_no_time_is_one_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, text: str, message: str
) -> None:
    """A wrong word is a usage error also where nothing was recorded."""
    takers = [name for name in VERBS if option in verb_parser(name).format_help()]
    assert takers
    for name in takers:
        words = {"sql": ["SELECT 1"], "export": ["--jsonl", "-"]}.get(name, [])
        with pytest.raises(SystemExit) as ended:
            cli.main([name, "--store", str(tmp_path / "none"), *words, f"{option}={text}"])
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


def loaded_by(*words: str) -> set[str]:
    """Return the modules that are there once the words have been understood."""
    script = (
        "import sys, contextlib, exitsnoop.cli.trace, exitsnoop.cli as c\n"
        "c.trace.run = lambda options: 0\n"
        "with contextlib.suppress(SystemExit): c.main(sys.argv[1:])\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
    )
    return set(result.stderr.split())


def test_each_verb_loads_no_more_than_it_needs() -> None:
    plain = loaded_by("-x")
    assert not plain & {"argparse", "exitsnoop.cli.verbs", "exitsnoop.cli.check"}
    with_argparse = loaded_by("-p", "1", "-w", "-o", "+user", "--json")
    assert "argparse" in with_argparse
    assert not with_argparse & {
        "sqlite3",
        "exitsnoop.cli.past",
        "exitsnoop.store.recording",
        "dataclasses",
    }
    assert not loaded_by("check", "--help") & {"exitsnoop.cli.parser", "exitsnoop.cli.lists"}
