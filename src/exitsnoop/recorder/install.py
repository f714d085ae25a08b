"""The recorder as a service of systemd: its unit is written, enabled and started."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import exitsnoop
from exitsnoop.store.directory import adm

UNIT = "exitsnoop.service"
PACKAGED = Path(__file__).with_name(UNIT)
UNITS = Path("/etc/systemd/system")
RUNS = Path("/run/systemd/system")  # sd_booted(3)
_OTHERS_MAY_WRITE = 0o022
_PLAIN = re.compile(r"[A-Za-z0-9_./:=,+@-]+")


class CannotInstall(Exception):
    """The service cannot be installed; the message says why, and what to do."""


def install(words: Sequence[str]) -> None:
    """Write the unit, enable it, and start it, or start it again.

    words: the options of `exitsnoop record` in the service.

    Raises CannotInstall, OSError.
    """
    _require_systemd()
    command = executable()
    for path in (*map(Path, command[:1]), Path(exitsnoop.__file__).parent):
        _require_safe(path)
    new = UNITS / f".{UNIT}.new"
    new.write_text(unit([*command, "record", *words]), encoding="utf-8")
    new.chmod(0o644)
    new.rename(UNITS / UNIT)
    _systemctl("daemon-reload")
    _systemctl("enable", "--quiet", UNIT)
    _systemctl("restart", UNIT)


def uninstall() -> None:
    """Stop the service and remove its unit; the recording stays. Raises CannotInstall, OSError."""
    _require_systemd()
    if not (UNITS / UNIT).exists():
        raise CannotInstall(f"{UNITS / UNIT} does not exist: nothing is installed")
    _systemctl("disable", "--quiet", "--now", UNIT)
    (UNITS / UNIT).unlink()
    _systemctl("daemon-reload")


def unit(command: Sequence[str]) -> str:
    """Return the unit that runs this command."""
    text = PACKAGED.read_text(encoding="utf-8")
    line = f"ExecStart={' '.join(map(quoted, command))}"
    text = re.sub(r"^ExecStart=.*$", lambda _: line, text, flags=re.M)
    if adm() is None:  # then the recording is root's alone
        text = re.sub(r"^# .*\nGroup=adm\n", "", text, flags=re.M)
    return text


def quoted(word: str) -> str:
    """Return a word as systemd.service(5) wants it in ExecStart=."""
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def executable() -> list[str]:
    """Return the command that runs this exitsnoop, with whole paths."""
    script = Path(sys.argv[0]).absolute()
    if script.name == "exitsnoop" and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-I", "-m", "exitsnoop"]


def _require_systemd() -> None:
    if not RUNS.is_dir():
        raise CannotInstall(
            "systemd does not run here: let whatever starts services run `exitsnoop record`"
        )
    if os.geteuid() != 0:
        raise CannotInstall("installing a service takes root (sudo)")


def _require_safe(path: Path) -> None:
    """Refuse code that others than root can change: the service would run it as root."""
    for part in (path.resolve(), *path.resolve().parents):
        found = part.stat()
        sticky = found.st_mode & 0o1000 and part.is_dir()
        if found.st_uid != 0 or (found.st_mode & _OTHERS_MAY_WRITE and not sticky):
            raise CannotInstall(
                f"others than root can change {part}, and the service would run that as root: "
                "install exitsnoop where only root may write, such as in /opt/exitsnoop "
                "(python3 -m venv /opt/exitsnoop)"
            )


def _systemctl(*words: str) -> None:
    done = subprocess.run(  # noqa: S603 - only words of this module
        ["systemctl", *words],  # noqa: S607 - found where root finds it
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CannotInstall(
            f"`systemctl {' '.join(words)}` failed: {said[0] if said else done.returncode}; "
            f"`journalctl -u {UNIT}` may say why"
        )
