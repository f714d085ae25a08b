"""Write what a release is made of, as CycloneDX: `sbom.py OUTPUT FILE...`.

The FILEs are the release: wheels, and packages that are made of them. The libraries in a wheel
come from the list that auditwheel wrote into it; in a wheel for another machine, which has no such
list, they are named by their files. The tools of the build come from the pins in tools/requirements
and from the packages of this Debian. The same release gives the same bytes.
"""

import datetime
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINS = ("build.txt", "wheel.txt")
# What compiles, and what describes the kernel's types to it.
COMPILERS = ("gcc", "clang", "llvm", "bpftool", "libbpf-dev")
PIN = re.compile(r"^([\w.-]+)==([\w.+!-]+)((?:[ \\\n]+--hash=sha256:[0-9a-f]{64})*)", re.MULTILINE)

Component = dict[str, Any]


def document(files: list[Path]) -> dict[str, Any]:
    """Return the list for these files."""
    wheels = sorted(file for file in files if file.suffix == ".whl")
    libraries = [one for wheel in wheels for one in _libraries(wheel)]
    tools = [*_pinned(), *_installed()]
    ours = _ours(files)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": _released().isoformat().replace("+00:00", "Z"),
            "lifecycles": [{"phase": "build"}],
            "component": ours,
        },
        "components": [*libraries, *tools],
        "dependencies": [
            {"ref": ours["bom-ref"], "dependsOn": [one["bom-ref"] for one in libraries]},
            *({"ref": one["bom-ref"]} for one in libraries),
        ],
    }


def _ours(files: list[Path]) -> Component:
    """exitsnoop, and the files that are released of it."""
    number = version("exitsnoop")
    return {
        "type": "application",
        "bom-ref": f"exitsnoop@{number}",
        "name": "exitsnoop",
        "version": number,
        "licenses": [{"expression": "Apache-2.0 AND (MIT OR GPL-2.0-only)"}],
        "components": [
            {
                "type": "file",
                "bom-ref": file.name,
                "name": file.name,
                "hashes": [_hash(hashlib.sha256(file.read_bytes()).hexdigest())],
            }
            for file in sorted(files)
        ],
    }


def _libraries(wheel: Path) -> Iterator[Component]:
    """What the wheel brings along."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        listed = [name for name in names if name.endswith("auditwheel.cdx.json")]
        found = json.loads(archive.read(listed[0]))["components"] if listed else []
        for name in sorted(name for name in names if ".libs/lib" in name and not listed):
            digest = hashlib.sha256(archive.read(name)).hexdigest()
            ref = f"{wheel.name}/{name}"
            file = {"type": "file", "bom-ref": ref, "name": name, "hashes": [_hash(digest)]}
            yield file | {"scope": "required"}
    for one in found:
        if not one["purl"].startswith("pkg:pypi/exitsnoop@"):
            yield {key: one[key] for key in ("type", "bom-ref", "name", "version", "purl")} | {
                "scope": "required"
            }


def _pinned() -> Iterator[Component]:
    """Tools of the build, by the hashes that pip checks; each once."""
    pins: dict[str, Component] = {}
    for name in PINS:
        for package, number, hashes in PIN.findall(
            (ROOT / "tools/requirements" / name).read_text()
        ):
            purl = f"pkg:pypi/{package.lower()}@{number}"
            pins[purl] = _tool(package, number, purl) | {
                "hashes": [_hash(one) for one in re.findall(r"[0-9a-f]{64}", hashes)]
            }
    yield from (pins[purl] for purl in sorted(pins))


def _installed() -> Iterator[Component]:
    """Tools of the build that this Debian has."""
    form = "${Package} ${Version}\n"
    asked = ["dpkg-query", "--show", f"--showformat={form}", *COMPILERS]
    done = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in done.stdout.splitlines():
        name, number = line.split(" ")
        if number:
            quoted = number.replace(":", "%3A").replace("+", "%2B")
            yield _tool(name, number, f"pkg:deb/debian/{name}@{quoted}")


def _tool(name: str, number: str, purl: str) -> Component:
    """It takes part in the build, and is not in what is released."""
    return {
        "type": "application",
        "bom-ref": purl,
        "name": name,
        "version": number,
        "purl": purl,
        "scope": "excluded",
    }


def _hash(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _released() -> datetime.datetime:
    seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def main() -> None:
    """Do it."""
    output, *files = map(Path, sys.argv[1:])
    output.write_text(json.dumps(document(files), indent=2) + "\n")


if __name__ == "__main__":
    main()
