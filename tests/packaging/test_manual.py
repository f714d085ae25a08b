"""Man pages and completions: they have everything, render, and complete in real shells."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.services import need_program
from support.waiting import until

from exitsnoop.cli.verbs import VERBS, verb_parser
from exitsnoop.model.fields import COLUMNS

ROOT = Path(__file__).parents[2]
PAGES = ["exitsnoop", *(f"exitsnoop-{name}" for name in VERBS)]
# How to start each shell without the settings of its user, and how it loads a completion.
SHELLS = {
    "bash": (
        "bash --norc --noprofile -i",
        "source {}/bash-completion/completions/exitsnoop; bind 'set bell-style none'",
    ),
    "zsh": (
        "zsh -f -i",
        "fpath=({}/zsh/vendor-completions $fpath); autoload -Uz compinit; compinit -u -D",
    ),
    "fish": ("fish --no-config -i", "source {}/fish/vendor_completions.d/exitsnoop.fish"),
}
# What is typed before Tab, and what is there after it. A shell may add a space, comma or =.
TYPED = {
    "exitsnoop rec": "exitsnoop record",
    "exitsnoop --per-t": "exitsnoop --per-thread",
    "exitsnoop record --keep-fr": "exitsnoop record --keep-free",
    "exitsnoop -o +pid,max_": "exitsnoop -o +pid,max_rss",
    "exitsnoop past --columns +contai": "exitsnoop past --columns +container",
    "exitsnoop --cause=secc": "exitsnoop --cause=seccomp",
    "exitsnoop --signal KILL,XCP": "exitsnoop --signal KILL,XCPU",
    "exitsnoop past --color nev": "exitsnoop past --color never",
    "exitsnoop why --as contai": "exitsnoop why --as container",
    "exitsnoop --output /etc/debian_vers": "exitsnoop --output /etc/debian_version",
    "exitsnoop past --store /usr/shar": "exitsnoop past --store /usr/share/",
    "exitsnoop --user nobod": "exitsnoop --user nobody",
    "exitsnoop -x -- mkfif": "exitsnoop -x -- mkfifo",
    "exitsnoop timeline -- mkfif": "exitsnoop timeline -- mkfifo",
    "exitsnoop sql -- mkfif": "exitsnoop sql -- mkfif",  # runs no command
    "exitsnoop check --per-t": "exitsnoop check --per-t",  # not an option of this verb
    "exitsnoop past rec": "exitsnoop past rec",  # a verb comes first
}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("manual")
    subprocess.run([sys.executable, "-B", "-m", "tools.manual", directory], cwd=ROOT, check=True)
    return directory


def source(made: Path, page: str) -> str:
    return (made / "man" / "man1" / f"{page}.1").read_text()


def shown(made: Path, page: str) -> str:
    """Return a page as man shows it, on lines that are long; warnings fail."""
    command = ["man", "-l", "--warnings", "-E", "UTF-8", "--no-hyphenation", "--no-justification"]
    file = made / "man" / "man1" / f"{page}.1"
    done = subprocess.run(
        [*command, file],
        env=os.environ | {"MANWIDTH": "1000"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_each_command_has_a_page(made: Path) -> None:
    assert {path.stem for path in (made / "man" / "man1").iterdir()} == {*PAGES}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders(made: Path, page: str) -> None:
    """In groff and in mandoc; a text that roff would take for its own is there as it is."""
    need_program("man")
    text = shown(made, page)
    assert page in text.splitlines()[0].lower()
    lint = [need_program("mandoc"), "-Tlint", "-Wwarning"]
    done = subprocess.run([*lint, made / "man" / "man1" / f"{page}.1"], capture_output=True)
    assert (done.stdout, done.returncode) == (b"", 0)


@pytest.mark.parametrize("name", VERBS)
def test_a_page_has_all_options(made: Path, name: str) -> None:
    text = " ".join(shown(made, f"exitsnoop-{name}").split())
    for action in verb_parser(name)._actions:
        assert all(flag in text for flag in action.option_strings)
        assert (action.help or "").replace("%%", "%") in text


def test_the_page_of_all_has_columns_verbs_and_statuses(made: Path) -> None:
    text = shown(made, "exitsnoop")
    for name, column in COLUMNS.items():
        assert re.search(rf"^ +{name}\s+{re.escape(column.meaning)}$", text, re.M)
    for name in VERBS:
        assert re.search(rf"^ +{name}\s+\w", text, re.M)
    assert re.search(r"^ +77 +not permitted", text, re.M)
    assert "exitsnoop -u '!root' -n 'python*' --min-age 1m # long" in text


class Terminal:
    """A shell at a terminal of tmux."""

    def __init__(self, directory: Path, start: str) -> None:
        self._tmux = [need_program("tmux"), "-f", "/dev/null", "-S", str(directory / "socket")]
        home = f"env HOME={directory} TERM=screen INPUTRC=/dev/null"
        self._run("new", "-d", "-x", "200", "-y", "50", f"{home} {start}")

    def _run(self, *words: str) -> str:
        return subprocess.run(
            [*self._tmux, *words], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def wait_for(self, pattern: str) -> None:
        until(lambda: bool(re.search(pattern, self.shown(), re.M)))

    def shown(self) -> str:
        return self._run("capture-pane", "-p", "-J")

    def close(self) -> None:
        self._run("kill-server")


@pytest.fixture(params=SHELLS)
def terminal(request: pytest.FixtureRequest, made: Path, tmp_path: Path) -> Iterator[Terminal]:
    start, load = SHELLS[request.param]
    need_program(request.param)
    opened = Terminal(tmp_path, start)
    try:
        # The answer is not what was typed.
        opened.type(f"{load.format(shlex.quote(str(made)))}; echo loa''ded\n")
        opened.wait_for(r"^loaded\n.*[#$%>]\s*\Z")
        yield opened
    finally:
        opened.close()


def test_tab_completes(terminal: Terminal) -> None:
    """What is typed after Tab comes after the completion: it was not only suggested."""
    for typed, expected in TYPED.items():
        terminal.type(typed)
        terminal.press("Tab")
        terminal.type("Z")
        terminal.wait_for(rf"{re.escape(expected)}[ ,=]?Z")
        terminal.press("C-u")
        terminal.wait_for(r"[#$%>]\s*\Z")
