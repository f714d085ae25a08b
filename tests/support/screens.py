"""A program on a real terminal that can be looked at: tmux, 80 columns and 24 lines."""

import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.services import need_program
from support.waiting import until


class Screen:
    """The screen of a program."""

    def __init__(self, tmux: list[str]) -> None:
        self._tmux = tmux
        self.pid = int(self._said("display", "-p", "#{pane_pid}"))

    def _said(self, *words: str) -> str:
        run = subprocess.run([*self._tmux, *words], check=True, capture_output=True, text=True)
        return run.stdout

    def lines(self, *, colors: bool = False) -> list[str]:
        """Return what stands there now; with colors, with their escape sequences."""
        return self._said("capture-pane", "-p", *(["-e"] if colors else [])).split("\n")[:-1]

    def text(self) -> str:
        """Return what stands there now."""
        return "\n".join(self.lines())

    def wait(self, *parts: str) -> list[str]:
        """Wait until all of these stand there; return the lines."""
        seen = ""

        def are_there() -> bool:
            nonlocal seen
            seen = self.text()
            return all(part in seen for part in parts)

        try:
            until(are_there)
        except AssertionError:
            raise AssertionError(f"{parts} do not come:\n{seen}") from None
        return seen.split("\n")

    def row(self, start: str) -> str:
        """Wait for a line that begins so; return it."""
        self.wait(f"\n{start}")
        return next(line for line in self.lines() if line.startswith(start))

    def type(self, *keys: str) -> None:
        """Press keys, by the names that tmux has for them."""
        self._said("send-keys", *keys)

    def write(self, text: str) -> None:
        """Type a text."""
        self._said("send-keys", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal larger or smaller."""
        self._said("resize-window", "-x", str(columns), "-y", str(lines))


def _socket(folder: Path) -> str:
    """Return a path for a socket: a server that is ending may still have the last one."""
    return str(folder / f"tmux-{len(list(folder.glob('tmux-*')))}")


@contextmanager
def screen(
    folder: Path, words: Sequence[str], env: dict[str, str] | None = None
) -> Iterator[Screen]:
    """Run a program on a terminal while the block runs. What it ends with is shown in the end."""
    tmux = [need_program("tmux"), "-f", "/dev/null", "-S", _socket(folder)]
    command = f"{shlex.join(words)}; echo ended with $?; read wait"
    clean = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR")}
    subprocess.run(
        [*tmux, "new", "-d", "-x", "80", "-y", "24", command],
        check=True,
        env={**clean, "LC_ALL": "C.UTF-8", **(env or {})},
    )
    try:
        yield Screen(tmux)
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
