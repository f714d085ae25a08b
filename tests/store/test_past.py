"""`exitsnoop past`: what was recorded, through the filters and formats of live exits."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.recorded import (
    BOOT,
    OFFSET_NS,
    SECOND_NS,
    SMALL,
    START_NS,
    exits,
    json_lines,
    record,
    writer,
)

from exitsnoop import Filters, cli
from exitsnoop.cli.matching import Matching
from exitsnoop.cli.stretch import chosen
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import Cause, Sender
from exitsnoop.model.context import Ancestor
from exitsnoop.store.decode import Decoder
from exitsnoop.store.directory import Directory
from exitsnoop.store.query import Query
from exitsnoop.store.recording import Recording

CONTAINER = "0123456789abcdef" * 4
LATER = BOOT._replace(
    boot_id="1d9c7b1e-0000-4000-8000-000000000002", began_ns=OFFSET_NS + 9000 * SECOND_NS
)
# In seconds; exits() has a time for each number, in microseconds.
FIRST = START_NS + OFFSET_NS
Past = Callable[..., tuple[int, str, str]]


@pytest.fixture
def past(store: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Past]:
    """Run `exitsnoop past` with these words; return the status and what it wrote."""

    def run(*words: str) -> tuple[int, str, str]:
        status = cli.main(["past", "--store", str(store), *words])
        return status, *capfd.readouterr()

    before = signal.getsignal(signal.SIGINT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC0")
        time.tzset()
        yield run
    time.tzset()
    signal.signal(signal.SIGINT, before)


def at(second: float) -> str:
    """A time of the recording, as an option has it."""
    ns = FIRST + round(second * SECOND_NS)
    return f"@{ns // SECOND_NS}.{ns % SECOND_NS:09}"


def numbers(lines: str) -> list[int]:
    """The numbers of exits in JSON."""
    return [json.loads(line)["pid"] for line in lines.splitlines()]


def varied() -> Exits:
    """Exits of other users, places and ends: 100, of which each has something of its own."""
    count = range(100)
    return exits(
        count,
        status=[(0, 256, 15, 139, 3 << 8, 0, 0, 9, 0, 0)[number % 10] for number in count],
        uid=[None if number == 50 else 1000 + number % 3 for number in count],
        user=[("ann", "bob", None)[number % 3] if number != 50 else None for number in count],
        cgroup=[
            ("/a.slice", "/a.slice/b.service", f"/c/docker-{CONTAINER}.scope", "/")[number % 4]
            for number in count
        ],
        cause=[
            Cause("killed", "killed by x[1]", Sender(1, 1, "x", 0), "kill")
            if number % 10 == 2
            else Cause("fault", "segfault at 0x0")
            if number % 10 == 3
            else Cause("exited", "exit code 0")
            for number in count
        ],
        ppid=[40 + number % 4 for number in count],
        start_boot_ns=[START_NS + number * 1000 - number * SECOND_NS for number in count],
        ancestors=[(Ancestor(40 + number % 4, "sh"),) for number in count],
        raw_comm=[b"caf\xc3\xa9" + b"%d" % (number % 5) + bytes(10) for number in count],
    )


ALL = range(100).__contains__
NONE = ().__contains__


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        ([], ALL),
        (["-x"], lambda n: n % 10 in (1, 2, 3, 4, 7)),
        (["-p", "3,5,500"], lambda n: n in (3, 5)),
        (["-P", "41"], lambda n: n % 4 == 1),
        (["-P", "!41,42"], lambda n: n % 4 in (0, 3)),
        (["-u", "ann"], lambda n: n % 3 == 0),
        (["-u", "bob,1002"], lambda n: n % 3 in (1, 2) and n != 50),
        (["-u", "!ann"], lambda n: n % 3 and n != 50),
        (["-u", "nobody of here"], NONE),
        (["-n", "café1"], lambda n: n % 5 == 1),
        (["-n", "caf??[12],*3"], lambda n: n % 5 in (1, 2, 3)),
        (["-n", "caf?1"], NONE),  # é is two bytes
        (["-n", "!*1"], lambda n: n % 5 != 1),
        (["-n", "*"], ALL),
        (["-c", "/a.slice"], lambda n: n % 4 in (0, 1)),
        (["-c", "/sys/fs/cgroup/a.slice/b.service"], lambda n: n % 4 == 1),
        (["-c", "!/a.slice"], lambda n: n % 4 in (2, 3)),
        (["--container", CONTAINER[:5]], lambda n: n % 4 == 2),
        (["--container", f"!{CONTAINER}"], lambda n: n % 4 != 2),
        (["--container", "*"], NONE),
        (["--min-age", "90s"], lambda n: n >= 90),
        (["--max-age", "5s"], lambda n: n <= 5),
        (["--signal", "TERM,11"], lambda n: n % 10 in (2, 3)),
        (["--signal", "!TERM"], lambda n: n % 10 in (3, 7)),
        (["--code", "0"], lambda n: n % 10 in (0, 5, 6, 8, 9)),
        (["--code", "1-3", "--signal", "KILL"], lambda n: n % 10 in (1, 4, 7)),
        (["--cause", "killed,fault"], lambda n: n % 10 in (2, 3)),
        (["--cause", "!exited"], lambda n: n % 10 in (2, 3)),
        (["-x", "-n", "*3", "-u", "1000"], lambda n: n % 10 == 3 and n % 3 == 0),
        (["-xp", "1,2,3,8"], lambda n: n in (1, 2, 3)),
        (["--since", at(0.000050)], lambda n: n >= 50),
        (["--until", at(0.000050)], lambda n: n <= 50),
        (["--since", at(0.000010), "--until", at(0.0000105), "-x"], NONE),
        (["--last", "7"], lambda n: n >= 93),
        (["--last", "3", "-x"], lambda n: n in (93, 94, 97)),
        (["--last", "200", "-x"], lambda n: n % 10 in (1, 2, 3, 4, 7)),
    ],
)
def test_filters(store: Path, past: Past, words: list[str], passes: Callable[[int], bool]) -> None:
    record(store, varied())
    status, shown, _ = past("--json", *words)
    assert status == 0
    assert numbers(shown) == [number for number in range(100) if passes(number)]


def test_what_the_recording_cannot_decide_is_reported(store: Path, past: Past) -> None:
    columns = {name: list(varied().column(name)) for name in ("cgroup", "hostname")}
    for column in columns.values():
        column[50] = None  # nothing is known of where it ran
    record(store, varied().replace(**columns))
    _, shown, said = past("--json", "-u", "ann,bob")
    assert len(numbers(shown)) == 67
    assert (
        "exitsnoop: 1 exit is left out: the recording does not say whether these filters let "
        "them pass\n" in said
    )
    for words in (["-c", "/a.slice"], ["--container", CONTAINER], ["-u", "1000", "-c", "/"]):
        _, shown, said = past("--json", *words)
        assert len(numbers(shown)) in (50, 24, 34)
        assert ": 1 exit is left out: " in said, words
    _, shown, said = past("--json", "--tree", "41")
    assert numbers(shown) == [number for number in range(100) if number % 4 == 1 or number == 41]
    assert "exitsnoop: 75 exits are left out: " in said


def test_the_order(store: Path, past: Past) -> None:
    record(store, exits(range(2000)))
    assert numbers(past("--json", "--reverse")[1]) == list(range(1999, -1, -1))
    assert numbers(past("--json", "--reverse", "--last", "1200")[1]) == list(range(1999, 799, -1))
    assert numbers(past("--json", "--last", "1200")[1]) == list(range(800, 2000))
    assert numbers(past("--json", "-x", "--last", "300")[1]) == list(range(500, 2000, 5))


def test_formats(store: Path, past: Past) -> None:
    record(store, exits(range(3)))
    assert past("-o", "pid,comm", "--label")[1].splitlines() == [
        "LABEL PID    PCOMM",
        "exit  0      job0",
        "exit  1      job1",
        "exit  2      job2",
    ]
    assert past("--csv", "-o", "pid,comm")[1] == "pid,comm\r\n0,job0\r\n1,job1\r\n2,job2\r\n"
    assert past("-t", "-o", "pid", "--last", "1")[1].splitlines() == [
        "TIME-UTC     PID",
        "15:36:40.000 2",
    ]
    every = ",".join(json.loads(json_lines(exits([1]))[0]))
    assert past(
        "--json", "-o", every.replace(",args_truncated", "").replace(",ancestors_truncated", "")
    )[1].splitlines() == json_lines(exits(range(3)))


def test_it_ends_when_nobody_reads(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before all is read, even if no exit has passed the filters up to then."""
    record(store, exits(range(3000)))
    pages = 0
    decoded = Decoder.exits

    def counting(self: Decoder, *given: Any) -> Exits:
        nonlocal pages
        pages += 1
        return decoded(self, *given)

    monkeypatch.setattr(Decoder, "exits", counting)
    reading, writing = os.pipe()

    def passing() -> list[Exits]:
        return list(Matching(Recording(store), Filters(min_age=1)).batches(Query(), writing))

    assert passing() == []
    assert pages == 6
    os.close(reading)
    assert passing() == []
    assert pages == 7
    os.close(writing)


def test_output_to_a_file(store: Path, past: Past, tmp_path: Path) -> None:
    record(store, exits(range(3)))
    target = tmp_path / "rows"
    target.write_text("before")
    assert past("--json", "--output", str(target), "--since", "@1")[0] == 0
    assert numbers(target.read_text()) == [0, 1, 2]
    assert past("--json", "--output", str(target), "--until", "@1")[0] == 3
    assert numbers(target.read_text()) == [0, 1, 2]  # nothing to write: it stays


def test_nothing_was_recorded_then(store: Path, past: Past) -> None:
    assert past() == (
        3,
        "",
        f"exitsnoop: there is no recording in {store}: start one with `exitsnoop record`, or name "
        "its directory (--store)\n",
    )
    record(store, exits(range(10)))
    assert past("--until", at(-1)) == (
        3,
        "",
        "exitsnoop: nothing was recorded before 2026-09-21 15:36:39 (the recording had not begun)"
        "\n",
    )


def test_what_was_lost_is_reported(store: Path, past: Past) -> None:
    recorder = writer(store)
    recorder.add(exits([1]))
    recorder.add(exits([2_000_000]), lost=7)
    recorder.close()
    status, shown, said = past("--json", "-o", "pid", "--until", at(2))
    assert status == 74
    assert [json.loads(line) for line in shown.splitlines()] == [
        {"pid": 1},
        {"pid": 2_000_000},
        {"lost": 7, "time": "2026-09-21T15:36:42.000000Z"},
    ]
    assert said.startswith("exitsnoop: 7 exits from ")
    assert said.endswith(" are missing (they came too fast to be read)\n")
    assert past("-o", "pid", "--until", at(2))[1].split() == ["PID", "1", "2000000"]
    assert past("-o", "pid", "--until", at(0.0000005))[0] == 0


def test_what_is_damaged_is_reported(store: Path, past: Past) -> None:
    recorder = writer(store, limits=SMALL)
    for first in range(0, 30_000, 1000):
        recorder.add(exits(range(first, first + 1000)))
    recorder.close()
    segments = Directory(store).segments()
    assert len(segments) > 2
    newest = segments[max(segments)]
    newest.write_bytes(b"\0" * 100_000)
    status, shown, said = past("--json", "-p", "5")
    assert status == 74
    assert numbers(shown) == [5]
    assert f"exitsnoop: {newest} is damaged or cannot be read: exits in it are missing\n" in said


def test_boots(store: Path, past: Past) -> None:
    record(store, exits([1]))
    record(store, exits([2], offset_ns=LATER.began_ns), boot=LATER)
    for words, found in (
        (["--boot", "-1"], [1]),
        (["--boot", BOOT.boot_id], [1]),
        (["--boot", LATER.boot_id.replace("-", "")[:8].upper()], [2]),
        (["--boot", "0"], [2]),  # of another machine: the last one
    ):
        assert numbers(past("--json", *words)[1]) == found, words
    for which, message in (
        ("-2", "nothing is recorded of boot -2: there are only 2 boots: 0d9c7b1e0000"),
        ("0d99", "'0d99' is none of the boots that are recorded: 0d9c7b1e"),
    ):
        status, shown, said = past("--boot", which)
        assert (status, shown) == (3, "")
        assert message in said


def test_the_boot_before_the_first(store: Path, past: Past) -> None:
    record(store, exits([1]))
    status, _, said = past("--boot", "-1")
    assert status == 3
    assert said.startswith("exitsnoop: nothing is recorded of boot -1: there is only 1 boot: 0d9c")


def test_which_boot() -> None:
    here = BOOT._replace(boot_id="here", began_ns=9)
    boots = [BOOT, LATER]
    assert chosen("0", boots, here) == here  # this boot, which was not recorded
    assert chosen("-1", boots, here) == LATER
    assert chosen("-2", boots, here) == BOOT
    assert chosen("0", [BOOT, here], here) == here
    assert chosen("-1", [BOOT, here], here) == BOOT
    elsewhere = here._replace(machine_id="m2")
    assert chosen("0", boots, elsewhere) == LATER
    assert chosen("0", [], here) == here


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--since", "soon"], "argument --since: 'soon' is not a time: write 2h, 90s"),
        (["--since", "1h", "--until", "2h"], "argument --since: it is after --until"),
        (
            ["--since", "2026-11-25", "--until", "2026-11-25"],
            "argument --until: it is the moment of --since; a day alone is its first moment",
        ),
        (["--boot", "0d9"], "argument --boot: '0d9' is not a boot: write 0 for the one that runs"),
        (["--follow", "--until", "now"], "leave out --until, --boot, --reverse"),
        (["--follow", "--reverse"], "leave out --until, --boot, --reverse"),
        (["--last", "0"], "argument --last: '0' is not a number of exits"),
        (["--last", "many"], "argument --last: 'many' is not a number of exits"),
        (["--linger"], "unrecognized arguments: --linger"),
        (["--min-age", "2s", "--max-age", "1s"], "no process can have the age asked for"),
        (["-n", "["], "'[' is not a pattern: it has a [ without a ]"),
    ],
)
def test_what_makes_no_sense(
    store: Path,
    past: Past,
    words: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    record(store, exits([1]))
    with pytest.raises(SystemExit) as ended:
        past(*words)
    assert ended.value.code == 2
    assert message in capfd.readouterr().err


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that is set to winter time in October."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_the_zone_is_that_of_the_exits(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not that of the moment at which somebody asks: the clock may have been set since."""
    record(store, exits(range(10)))  # in September
    for until, zone in (("2026-10-01", "CEST"), ("2026-10-26", "CEST/CET")):
        assert cli.main(["past", "--store", str(store), "-t", "--until", until]) == 0
        assert capfd.readouterr().out.split()[0] == f"TIME-{zone}"
