"""What only a terminal gets: rows of its width, and colors."""

import os
from pathlib import Path

import pytest
from support.command import Terminal, run

LONG = "x" * 300
UTF8 = {**os.environ, "LC_ALL": "C.UTF-8"}
UTF8.pop("NO_COLOR", None)


def two_rows(endings: Path) -> list[str]:
    """A COMMAND that ends a process "first", and after a line of input a process "second"."""
    script = '"$0" name first $1; read line; "$0" name second $1; exit 3'
    return ["--", "/bin/sh", "-c", script, str(endings), LONG]


def test_rows_are_cut_to_the_width_of_the_moment(exitsnoop: str, endings: Path) -> None:
    words = [exitsnoop, "-a", "--color=never", *two_rows(endings)]
    with Terminal(*words, columns=100, env=UTF8) as terminal:
        first = terminal.line("first      ")
        terminal.resize(150)
        terminal.type(b"\n")
        second = terminal.line("second     ")
        terminal.lines()
    assert (len(first), first[-1]) == (100, "…")
    assert (len(second), second[-1]) == (150, "…")


def test_rows_without_free_text_at_the_end_are_never_cut(exitsnoop: str, endings: Path) -> None:
    with Terminal(exitsnoop, "--color=never", *two_rows(endings), columns=40) as terminal:
        first = terminal.line("first      ")
        terminal.type(b"\n")
        terminal.lines()
    assert first.split()[0] == "first"
    assert first.split()[-1] == "0"
    assert len(first) > 40


def test_rows_are_not_cut_on_a_terminal_without_a_size(exitsnoop: str, endings: Path) -> None:
    words = [exitsnoop, "-a", "--color=never", *two_rows(endings)]
    with Terminal(*words, columns=0) as terminal:
        first = terminal.line("first      ")
        terminal.type(b"\n")
        terminal.lines()
    assert first.endswith(LONG)


def test_arguments_have_a_line_on_a_narrow_terminal(exitsnoop: str, endings: Path) -> None:
    words = [exitsnoop, "-a", "--color=never", *two_rows(endings)]
    with Terminal(*words, columns=60) as terminal:
        terminal.line("first      ")
        terminal.type(b"\n")
        lines = terminal.lines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith("first ")]
    assert lines[place].endswith("0")
    assert lines[place + 1].startswith("    ")
    assert lines[place + 1].endswith("…")
    assert len(lines[place + 1]) == 60


def test_rows_are_not_cut_in_a_pipe(exitsnoop: str, endings: Path) -> None:
    result = run(exitsnoop, "-a", *two_rows(endings), env={**UTF8, "COLUMNS": "80"}, given="\n")
    assert [line.endswith(LONG) for line in result.stdout.splitlines()] == [False, *[True] * 3]


@pytest.mark.no_kernel
@pytest.mark.parametrize(
    ("options", "no_color", "on_terminal", "in_pipe"),
    [
        ([], None, True, False),
        (["--color=auto"], None, True, False),
        ([], "", True, False),
        ([], "1", False, False),
        (["--color=always"], None, True, True),
        (["--color=always"], "1", True, True),
        (["--color=never"], None, False, False),
        (["--json"], None, False, False),
        (["--csv", "--color=always"], None, False, False),
    ],
)
def test_color(
    exitsnoop: str,
    endings: Path,
    options: list[str],
    no_color: str | None,
    on_terminal: bool,
    in_pipe: bool,
) -> None:
    env = UTF8 if no_color is None else {**UTF8, "NO_COLOR": no_color}
    words = [*options, "--", str(endings), "exit", "3"]
    with Terminal(exitsnoop, *words, env=env) as terminal:
        shown = "\n".join(terminal.lines())
    assert "endings" in shown
    assert ("\033[38;5;178mcode 3\033[0m" in shown) == ("\033" in shown) == on_terminal
    piped = run(exitsnoop, *words, env=env).stdout
    assert "endings" in piped
    assert ("\033[38;5;178mcode 3\033[0m" in piped) == ("\033" in piped) == in_pipe
