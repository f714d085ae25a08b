"""Arguments that differ little from others take little room, and come back as they were."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.recorded import FUZZ, ask, exits, json_lines, read, record, writer

from exitsnoop.model.batch import Exits
from exitsnoop.model.context import Image

FLAGS = "-nostdinc -Iinclude -D__KERNEL__ -std=gnu11 -Wall -O2 -fno-PIE".split()
EXE = "/usr/bin/job"


def compiled(name: str, *more: str) -> list[str]:
    return ["cc", *FLAGS, f"-DNAME={name}", "-c", "-o", f"net/{name}.o", f"net/{name}.c", *more]


def run(commands: list[list[str]], first: int = 0) -> Exits:
    """Return an exit for each command."""
    raw = [b"".join(word.encode() + b"\0" for word in words) for words in commands]
    made = exits(range(first, first + len(commands)))
    return made.replace(image=[Image(EXE, one, len(one)) for one in raw])


def stored(store: Path) -> int:
    """Return how many characters the arguments take."""
    query = "SELECT sum(length(args) + ifnull(length(old) + length(new), 0)) FROM s1.images"
    return int(ask(store, query)[0][0])


@pytest.mark.parametrize(
    ("commands", "most"),
    [
        ([compiled(f"file{number}") for number in range(100)], 20),
        ([compiled(f"file{number}", f"/tmp/cc{number * 7}.s") for number in range(100)], 50),
        ([["cc", "-o", *FLAGS, *map(str, range(number))] for number in range(100)], 220),
        ([compiled("x" * number) for number in range(1, 100)], 100),
    ],
)
def test_alike_arguments_take_little_room(
    store: Path, commands: list[list[str]], most: int
) -> None:
    made = run(commands)
    record(store, made)
    assert json_lines(read(store)) == json_lines(made)
    listed = ask(store, "SELECT args FROM exits ORDER BY id")
    assert [json.loads(args) for (args,) in listed] == commands
    assert stored(store) / len(commands) <= most


def test_another_recorder_begins_anew(store: Path) -> None:
    made = [run([compiled(f"file{at}") for at in range(10)], first) for first in (0, 10, 20)]
    recorder = writer(store)
    recorder.add(made[0])
    recorder.commit()
    recorder.add(made[1])
    recorder.close()
    record(store, made[2])
    assert json_lines(read(store)) == [line for one in made for line in json_lines(one)]


words = st.sampled_from(
    ["a", "b_1", "O2", "x.c", "-o", "\\", '"', "\n", "ä", "", "net/a.o", "1" * 9]
)
commands = st.lists(st.lists(words, min_size=20, max_size=30), min_size=2, max_size=20)


@FUZZ
@given(commands)
@example([["a"] * 40, ["a"] * 41, ["a"] * 39, ["b"] * 40, [""] * 90, [*["a"] * 40, "\\"]])
@example([["x-a", *["b"] * 40, "a"], ["x-b", *["b"] * 40, "b"], ["x-b", *["b"] * 40, "a"]])
def test_fuzz_arguments_come_back(
    tmp_path_factory: pytest.TempPathFactory, made_up: list[list[str]]
) -> None:
    store = tmp_path_factory.mktemp("fuzz") / "store"
    made = run(made_up)
    record(store, made)
    assert json_lines(read(store)) == json_lines(made)
    listed = ask(store, "SELECT args FROM exits ORDER BY id")
    assert [json.loads(args) for (args,) in listed] == made_up
