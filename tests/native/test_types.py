"""The C that reads the kernel's types, under AddressSanitizer, against bpftool."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.programs import sanitized

HERE = Path(__file__).parent
OBJECTS = HERE.parents[1] / "build" / "meson" / "src" / "exitsnoop" / "_native"
KERNEL = Path("/sys/kernel/btf/vmlinux")
INSTEAD = f'mount --bind "$0" {KERNEL} && exec "$@"'

Types = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = ["extract.c", "fstat.c", "kernel_btf.c"]
    return sanitized(HERE / "types.c", tmp_path_factory.mktemp("native"), parts, "-lbpf")


@pytest.fixture(scope="module")
def kernel() -> Types:
    return dump(KERNEL)


def dump(file: Path) -> Types:
    words = ["bpftool", "--json", "btf", "dump", "file", str(file), "format", "raw"]
    found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return {described["id"]: described for described in found["types"]}


def is_named(described: dict[str, Any]) -> bool:
    return str(described["name"]) != "(anon)"


def members(types: Types, number: int) -> dict[str, dict[str, Any]]:
    """Return the members, by name; those without one by place."""
    return {
        member["name"] if is_named(member) else f"at {member['bits_offset']}": member
        for member in types[number]["members"]
    }


def assert_agree(here: Types, ours: int, kernel: Types, theirs: int) -> None:
    """What decides where something is in a type is the kernel's; members may be missing."""
    if not ours:
        return  # what a pointer points to
    our, their = here[ours], kernel[theirs]
    for key in ("kind", "name", "size", "encoding", "nr_elems"):
        assert our.get(key) == their.get(key)
    if our["kind"] in ("STRUCT", "UNION"):
        there = members(kernel, theirs)
        for name, member in members(here, ours).items():
            for key in ("bits_offset", "bitfield_size"):
                assert member.get(key) == there[name].get(key)
            assert_agree(here, member["type_id"], kernel, there[name]["type_id"])
    elif our["kind"] not in ("ENUM", "ENUM64", "INT", "FLOAT", "FWD", "PTR"):
        assert_agree(here, our["type_id"], kernel, their["type_id"])


@pytest.mark.parametrize("variant", ["small", "full", "full_without_loops"])
def test_what_is_taken_is_what_the_kernel_has(
    types: Path, kernel: Types, tmp_path: Path, variant: str
) -> None:
    taken = tmp_path / "taken"
    object_ = OBJECTS / f"{variant}.bpf.o"
    result = subprocess.run([types, object_, taken], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    has_names, btf_trace = result.stdout.split()
    assert has_names == "01"  # the end of a name is none
    described = kernel[int(btf_trace)]
    assert (described["kind"], described["name"]) == ("TYPEDEF", "btf_trace_sched_process_exit")

    here, object_types = dump(taken), dump(object_)
    found = 0
    for number, theirs in kernel.items():
        asked = [
            ours
            for ours in object_types.values()
            if ours["kind"] == theirs["kind"] in ("STRUCT", "UNION", "ENUM")
            and is_named(ours)
            and ours["name"].partition("___")[0] == theirs["name"]
        ]
        if not asked:
            continue
        found += 1
        (twin,) = (
            twin
            for twin, ours in here.items()
            if (ours["kind"], ours["name"]) == (theirs["kind"], theirs["name"])
        )
        assert_agree(here, twin, kernel, number)
        if theirs["kind"] == "ENUM":
            assert here[twin]["values"] == theirs["values"]
            continue
        names = {member["name"] for ours in asked for member in ours["members"]}
        assert names & members(kernel, number).keys() <= members(here, twin).keys()
    assert found > 5


def test_types_that_make_no_sense_are_refused(types: Path, tmp_path: Path) -> None:
    """An extract, which is small, takes the kernel's place; parts of it are changed at random."""
    whole, changed = tmp_path / "whole", tmp_path / "changed"
    object_ = OBJECTS / "full.bpf.o"
    subprocess.run([types, object_, whole], stdout=subprocess.DEVNULL, check=True)
    good = whole.read_bytes()
    chance = random.Random(0)
    statuses = set()
    for number in range(200):
        bytes_ = bytearray(good)
        if number % 10 == 0:
            del bytes_[chance.randrange(len(bytes_)) :]
        reach = 24 if number % 3 == 0 else len(bytes_)
        for _ in range(chance.choice([1, 5, 50])):
            if bytes_:
                bytes_[chance.randrange(min(reach, len(bytes_)))] = chance.randrange(256)
        changed.write_bytes(bytes_)
        words = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            INSTEAD,
            *map(str, (changed, types, object_, "/dev/null")),
        ]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        assert result.stderr == ""
        assert result.returncode in (0, 1)
        statuses.add(result.returncode)
    assert statuses == {0, 1}
