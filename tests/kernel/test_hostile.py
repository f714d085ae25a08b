"""Processes that choose every name they can, traced by the real command in every format.

What the formats say is read back and compared with what was chosen.
"""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import formats
from support.cgroups import mounts
from support.command import run
from support.machine import some
from support.programs import compiled

from exitsnoop.layout import ARGS_BYTES, COMM_BYTES, HOSTNAME_BYTES

COUNT = 40
NAME_BYTES, HOST_BYTES = COMM_BYTES - 1, HOSTNAME_BYTES - 1
NASTY = [
    b"\x1b[2J\x1b]0;title\x07",
    b"\x9b2J\x9d0;x\x9c",
    "\u009b2J\u202e\u2066abc\u2028\u0085".encode(),
    b"\r\n\t\v\f\b\x7f",
    b"\xff\xc3\xed\xa0\x80\xf4\x90\x80\x80",
    b"",
    b" ",
    b"-",
    b"...",
    b"''",
    b"[]",
    b'"a","b"\r\n',
    b"x[1]<init",
    b"\\033\\",
    b"%s %d {0}",
    b'{"lost": 9}',
    b"\n{}\n",
    "e\u0301\U0001f480\u200b\ufeff".encode(),
]
JSON = "pid,comm,status,args,exe,hostname,parent_comm,ancestors,cgroup,container,cause"
ROW = "pid,comm,status,exe,hostname,parent_comm,ancestors,cgroup,container,args"


class Family(NamedTuple):
    """What was chosen, and who it was."""

    exe: bytes
    args: list[bytes]
    hostname: bytes
    cgroup: bytes
    parent: bytes
    victim: bytes
    sender: bytes
    pids: tuple[int, int, int] = (0, 0, 0)


UTF8 = {"LANG": "C.UTF-8"}


def some_bytes(chance: random.Random, most: int, *, without: bytes = b"\0") -> bytes:
    """Return a name: one of the nasty ones, several of them, or anything; perhaps cut in two."""
    kind = chance.randrange(3)
    if kind == 0:
        name = chance.choice(NASTY)
    elif kind == 1:
        name = b"".join(chance.choices(NASTY, k=6))
    else:
        name = chance.randbytes(most)
    return name.translate(None, b"\0" + without)[:most]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from compiled(Path(__file__).with_name("hostile.c"), tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def top() -> Iterator[bytes]:
    """A cgroup to make others in, of the hierarchy that `cgroup` tells."""
    by_kind = {
        kind: path for path, kind, options in mounts() if kind == "cgroup2" or "pids" in options
    }
    top = os.fsencode(by_kind.get("cgroup2") or by_kind["cgroup"]) + b"/exitsnoop-%d" % os.getpid()
    os.mkdir(top)
    yield top
    for directory, _, _ in os.walk(top, topdown=False):
        os.rmdir(directory)


def chosen(chance: random.Random, number: int, program: Path, top: bytes) -> Family:
    """Choose a family's names: of the first ones each is a nasty one."""

    def name(most: int, without: bytes = b"\0") -> bytes:
        if number < len(NASTY):
            return NASTY[number].translate(None, b"\0" + without)[:most]
        return some_bytes(chance, most, without=without)

    # A directory or file must have a name; cgroups take no newline (kernel/cgroup/cgroup.c).
    exe = os.path.join(os.fsencode(program.parent), b"%d" % number + name(100, b"/"))
    cgroup = top + b"/lxc.payload.%d" % number + name(100, b"/\n")
    words = [name(60) for _ in range(chance.randrange(4))]
    parent, victim, sender = (name(NAME_BYTES) for _ in range(3))
    return Family(exe, words, name(HOST_BYTES), cgroup, parent, victim, sender)


def lived(family: Family, program: Path) -> Family:
    """Have it live; return it with its PIDs, and all of its arguments."""
    exe = os.fsdecode(family.exe)
    shutil.copy(program, exe)
    os.mkdir(family.cgroup)
    procs = family.cgroup + b"/cgroup.procs"
    names = [family.hostname, procs, family.parent, family.victim, family.sender]
    args = [family.args[0] if family.args else b"", *names, *family.args[1:]]
    # Python's posix_spawn() refuses an empty argv[0]; with a directory, it is not used.
    told = subprocess.run(
        args, executable=exe, cwd=Path.cwd(), stdout=subprocess.PIPE, check=False, timeout=60
    )
    assert told.returncode == 3
    parent, victim, status, sender, sender_status = map(int, told.stdout.split())
    assert (status, sender_status) == (15, 7 << 8)
    return family._replace(args=args, pids=(parent, victim, sender))


def shown(name: bytes) -> bytes:
    """Return what becomes of a name that is not UTF-8: each byte that is not is U+FFFD."""
    return name.decode("utf-8", "replace").encode()


def in_sentence(name: bytes) -> bytes:
    """Return what becomes of a name where it is part of a sentence, which it must not forge."""
    if re.fullmatch(rb"[\w.:/@%+=,~#-]+", name):
        return name
    return b"'%s'" % name.replace(b"\\", b"\\\\").replace(b"'", b"\\'")


@pytest.fixture(scope="module")
def told(
    hostile: Path, top: bytes, exitsnoop: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Family], dict[str, str]]:
    """What lived, and what each of the formats told of it."""
    formats = {
        "json": ["--json", "-o", JSON],
        "csv": ["--csv", "-o", JSON],
        "row": ["-o", ROW],
        "colored": ["--color=always", "-o", ROW],
        "cause": ["--color=always", "-o", "pid,comm,cause"],
    }
    tmp_path = tmp_path_factory.mktemp("told")
    chance = random.Random(os.environ.get("FUZZ_SEED", "6"))
    with contextlib.ExitStack() as undo:
        tracers = []
        for name, options in formats.items():
            file = undo.enter_context((tmp_path / name).open("wb"))
            tracer = subprocess.Popen(
                [exitsnoop, *options], stdout=file, stderr=subprocess.PIPE, env=UTF8
            )
            undo.callback(tracer.communicate)
            undo.callback(tracer.kill)
            tracers.append(tracer)
        while not all((tmp_path / name).stat().st_size for name in formats):
            subprocess.run([hostile], check=False)  # JSON has no header: a first row is one
        families = [
            lived(chosen(chance, number, hostile, top), hostile)
            for number in range(len(NASTY) + some(COUNT))
        ]
        for tracer in tracers:
            tracer.terminate()
            _, errors = tracer.communicate(timeout=60)
            # Of other processes on this machine the cause may be unknown.
            assert re.fullmatch(rb"(exitsnoop: \d+ causes are unknown\n)?", errors)
            assert tracer.returncode == 0
    return families, {name: (tmp_path / name).read_bytes().decode() for name in formats}


Rows = dict[int, dict[str, Any]]


def expected(family: Family) -> Rows:
    """What should be read of each: the arguments are those that it was started with."""
    parent, victim, sender = family.pids
    common = {
        "exe": shown(family.exe),
        "args": ([shown(arg) for arg in family.args], False),
        "hostname": shown(family.hostname),
        "cgroup": shown(family.cgroup[family.cgroup.index(b"/exitsnoop-") :]),
        "container": b"lxc:" + shown(family.cgroup.rpartition(b"/lxc.payload.")[2]),
    }
    child = common | {"parent_comm": shown(family.parent), "above": (shown(family.parent), parent)}
    killer, starter = (in_sentence(shown(name)) for name in (family.sender, family.parent))
    killed = b"killed by %s[%d] (SIGTERM), run by %s[%d]" % (killer, sender, starter, parent)
    return {
        parent: common | {"status": 3 << 8, "comm": family.parent, "cause": b"exit 3"},
        victim: child | {"status": 15, "comm": family.victim, "cause": killed},
        sender: child | {"status": 7 << 8, "comm": family.sender, "cause": b"exit 7"},
    }


def assert_told(rows: Rows, families: list[Family], columns: str, *, lossy: bool = False) -> None:
    """lossy: comm is not as the kernel has it, but decoded."""
    for family in families:
        for pid, facts in expected(family).items():
            row = rows[pid]
            if "above" in facts and "ancestors" in row:
                row["above"] = row["ancestors"][0][0]
            if lossy:
                facts["comm"] = shown(facts["comm"])
            names = facts.keys() & {*columns.split(","), "above"} & row.keys()
            assert {name: row[name] for name in names} == {name: facts[name] for name in names}


def test_json(told: tuple[list[Family], dict[str, str]]) -> None:
    families, texts = told
    text = texts["json"]
    assert text.isascii()
    formats.assert_harmless(text)
    rows: Rows = {}
    causes = {}
    for line in text.split("\n")[:-1]:
        read = json.loads(line)
        causes[read["pid"]] = cause = read["cause"]
        row = {k: v.encode() if isinstance(v, str) else v for k, v in read.items()}
        row["args"] = ([a.encode() for a in read["args"] or ()], read["args_truncated"])
        row["ancestors"] = [(a["comm"].encode(), a["pid"]) for a in read["ancestors"]], None
        row["cause"] = cause["text"].encode()
        if read["container"]:
            row["container"] = "{runtime}:{id}".format(**read["container"]).encode()
        rows[read["pid"]] = row
    assert_told(rows, families, JSON, lossy=True)
    for family in families:
        sender = causes[family.pids[1]]["sender"]
        words = b"".join(arg + b"\0" for arg in family.args)
        kept = words[:ARGS_BYTES].removesuffix(b"\0").split(b"\0")
        parent, _, pid = family.pids
        facts = {
            "pid": pid,
            "ppid": parent,
            "comm": shown(family.sender).decode(),
            "uid": 0,
            "args": [word.decode("utf-8", "replace") for word in kept],
            "args_truncated": len(words) > ARGS_BYTES,
            "exe": shown(family.exe).decode(),
            "cgroup": rows[pid]["cgroup"].decode(),
        }
        assert {name: sender[name] for name in facts} == facts
        assert sender["ancestors"][0] == {"pid": parent, "comm": shown(family.parent).decode()}


def test_csv(told: tuple[list[Family], dict[str, str]]) -> None:
    families, texts = told
    formats.assert_harmless(texts["csv"], line_ends=("\r", "\n"))
    header, *lines = formats.csv_rows(texts["csv"])
    assert header == JSON.split(",")
    rows: Rows = {}
    for line in lines:
        cells = dict(zip(header, line, strict=True))
        row: dict[str, Any] = {name: formats.raw(cell) for name, cell in cells.items()}
        row["status"] = int(cells["status"])
        row["args"] = formats.words(cells["args"] or "-")
        row["ancestors"] = formats.ancestors(cells["ancestors"])
        rows[int(cells["pid"])] = row
    assert_told(rows, families, JSON)


@pytest.mark.parametrize("name", ["row", "colored"])
def test_rows(told: tuple[list[Family], dict[str, str]], name: str) -> None:
    families, texts = told
    formats.assert_harmless(texts[name])
    _, *lines = formats.COLOR.sub("", texts[name]).split("\n")[:-1]
    rows: Rows = {}
    for line in lines:
        cells = dict(zip(ROW.split(","), formats.table_row(line, ROW.count(",") + 1), strict=True))
        row: dict[str, Any] = {name: formats.text(cells[name]) for name in cells.keys() - {"args"}}
        row["status"] = int(cells["status"])
        row["args"] = formats.words(cells["args"])
        row["ancestors"] = formats.ancestors(cells["ancestors"])
        rows[int(cells["pid"])] = row
    assert_told(rows, families, ROW)


def test_causes(told: tuple[list[Family], dict[str, str]]) -> None:
    families, texts = told
    formats.assert_harmless(texts["cause"])
    rows: Rows = {}
    for line in formats.COLOR.sub("", texts["cause"]).split("\n")[1:-1]:
        pid, comm, cause = formats.table_row(line, 3)
        rows[int(pid)] = {"comm": formats.text(comm), "cause": formats.raw(cause)}
    assert_told(rows, families, "pid,comm,cause")


# What the tracer's own environment may hold: none of it changes what is shown.
ENVIRONMENTS: list[dict[str, str]] = [
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "LC_CTYPE": "C.UTF-8"},
    {"LANG": ""},  # as with `env -i`
    {"LC_ALL": "\x1b[2J"},
    {"LANG": "xx", "LANGUAGE": "../../../tmp"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"PYTHONIOENCODING": "utf-16"},
    {"PYTHONWARNINGS": "error"},
    {"PYTHONDEVMODE": "1", "PYTHONMALLOC": "debug"},
    {"PYTHONOPTIMIZE": "2"},
    {"COLUMNS": "1", "LINES": "-1"},
    {"COLUMNS": "9" * 30, "TERM": "\x1b[2J", "NO_COLOR": "\x1b[2J"},
    {"TZ": "\x1b[2J"},
    {"TZ": ":/dev/null", "PYTHONINTMAXSTRDIGITS": "640"},
    {"SUDO_UID": "\u0661", "SUDO_GID": "-1"},
]


@pytest.mark.parametrize("env", ENVIRONMENTS, ids=lambda env: "-".join(env))
@pytest.mark.parametrize("form", ["--json", "--csv", "--label=\udcff\x1b", "--color=always"])
def test_the_environment_changes_nothing(exitsnoop: str, env: dict[str, str], form: str) -> None:
    r"""Who does not take UTF-8 gets none: a second byte of U+00DB starts a sequence in Latin 1."""
    env = {**UTF8, **env}
    locale = env.get("LC_ALL") or env["LANG"]
    utf8 = locale == UTF8["LANG"] and "PYTHONIOENCODING" not in env
    words = [form, "-t", "-o", "+cause,user,args", "--", "sh", "-c", "exit 3", "\u00db\u0001"]
    result = run(exitsnoop, *words, env={"PATH": os.environ["PATH"], **env})
    assert result.returncode == 3, result.stderr
    formats.assert_harmless(result.stdout.replace("\r\n", "\n"))
    formats.assert_harmless(result.stderr)
    assert result.stderr.startswith("exitsnoop: 1 exit: 1 failed, ")
    row = result.stdout.splitlines()[-1]
    if form == "--json":
        assert json.loads(row)["args"] == ["sh", "-c", "exit 3", "\u00db\u0001"]
    else:
        assert row.endswith("\u00db\\001" if utf8 else "\\303\\233\\001")
    assert run(exitsnoop, "--help", env=env).returncode == 0


def test_a_user_s_name_that_is_not_utf8(exitsnoop: str, tmp_path: Path) -> None:
    """JSON has no half of a surrogate pair, which other readers refuse."""
    users = tmp_path / "passwd"
    users.write_bytes(b"ro\xff\x1b[2J:x:0:0::/:/bin/sh\n")
    hidden = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd; exec "$@"', users]
    command = [exitsnoop, "-o", "user", "--", "true"]
    for form, expected in (
        ("--json", '{"user": "ro\\ufffd\\u001b[2J"}'),
        ("--csv", "ro\ufffd\\033[2J"),
    ):
        words = [*map(str, hidden), command[0], form, *command[1:]]
        result = run(*words, env={**os.environ, "LC_ALL": "C.UTF-8"})
        assert result.stdout.splitlines()[-1] == expected
