"""The service exitsnoop.service, and others for it to record, under a systemd that is PID 1."""

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exitsnoop import Exit
from exitsnoop.recorder.install import UNIT
from support.recorder import exits
from support.waiting import until

STORE = Path("/var/lib/exitsnoop")
HOME = Path("/opt/exitsnoop")
COMMAND = HOME / "bin" / "exitsnoop"


def put_in_place() -> None:
    """Install exitsnoop where only root may write, as a virtual environment."""
    if COMMAND.exists():
        return
    packages = HOME / Path(sysconfig.get_path("purelib")).relative_to(sysconfig.get_path("data"))
    packages.mkdir(parents=True)
    for name in ("exitsnoop", "exitsnoop.libs", "exitsnoop-*", "opentelemetry", "google"):
        for there in Path(sysconfig.get_path("purelib")).glob(name):
            shutil.copytree(there, packages / there.name)
    COMMAND.parent.mkdir()
    (HOME / "bin" / "python").symlink_to("/usr/bin/python3")
    (HOME / "pyvenv.cfg").write_text("home = /usr/bin\n")
    COMMAND.write_text(
        f"#!{HOME}/bin/python\nimport sys\nfrom exitsnoop.cli import main\nsys.exit(main())\n"
    )
    COMMAND.chmod(0o755)


def record(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run `exitsnoop record`."""
    return subprocess.run(
        [COMMAND, "record", *words], capture_output=True, text=True, timeout=600, check=False
    )


def systemctl(*words: str, check: bool = True) -> str:
    """Run systemctl; return what it says."""
    done = subprocess.run(
        ["systemctl", *words], stdout=subprocess.PIPE, text=True, timeout=600, check=check
    )
    return done.stdout.strip()


def shown(name: str, unit: str = UNIT) -> str:
    """Return a property of a unit."""
    return systemctl("show", "--value", "--property", name, unit)


def run_service(name: str, script: str, *properties: str) -> None:
    """Run a service of this name to its end, whatever that is."""
    given = [word for one in properties for word in ("--property", one)]
    # A dollar is doubled, as systemd would take it for the start of a variable.
    shell = ["/bin/sh", "-c", script.replace("$", "$$")]
    words = ["--quiet", "--wait", "--unit", name, *given, *shell]
    subprocess.run(["systemd-run", *words], check=False, timeout=600)


def recorded_of(unit: str, count: int = 1, store: Path = STORE) -> list[Exit]:
    """Wait until so many exits of a unit are recorded; return them."""
    until(lambda: len(exits(store, units=[unit])) >= count)
    return exits(store, units=[unit])


def status_of(store: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `record --status --json` says."""
    told: dict[str, Any] = json.loads(record("--status", "--json", *store).stdout)
    return told
