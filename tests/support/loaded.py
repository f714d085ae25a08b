"""What of BPF this process has loaded, as bpftool tells."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.needs import need


def bpftool(*words: str) -> Any:
    command = shutil.which("bpftool", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    need(bool(command), "what is loaded is told by bpftool")
    return json.loads(subprocess.check_output([str(command), "--json", *words]))


def _described() -> Iterator[dict[str, str]]:
    """What the kernel tells of each of our descriptors."""
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the directory itself
            lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
            yield dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _attached() -> list[dict[str, Any]]:
    """What bpftool tells of the programs that are attached, with a link each."""
    return [
        bpftool("prog", "show", "id", fields["prog_id"])
        for fields in _described()
        if "link_type" in fields
    ]


def attached_programs() -> list[str]:
    """Return the names of the programs that are attached."""
    return [program["name"] for program in _attached()]


def misses() -> dict[str, int]:
    """Return how often each program that is attached could not run, by name (0 before 5.12)."""
    return {program["name"]: program.get("recursion_misses", 0) for program in _attached()}


def variables() -> dict[str, int]:
    """Return the variables of the one object that is loaded, which start as 0."""
    maps = [bpftool("map", "show", "id", f["map_id"]) for f in _described() if "map_id" in f]
    (number,) = {found["id"] for found in maps if found["name"].endswith(".bss")}
    (entry,) = bpftool("map", "dump", "id", str(number))
    (section,) = entry["formatted"]["value"].values()
    return {name: value for variable in section for name, value in variable.items()}
