"""The table: the sample of the original tool, to the letter."""

import time
from collections.abc import Iterator

import pytest

from exitsnoop.clock import SECOND_NS
from exitsnoop.records import Exit
from exitsnoop.sinks.table import Table

# 2019-05-27 13:20:22.997 UTC, and the sample rows of the original's documentation.
AT = 1_558_963_222_997 * 1_000_000
ORIGINAL = """\
TIME-UTC     LABEL PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE
13:20:22.997 exit  bash             18300  17656  18300  1.65    code 65
13:20:31.495 exit  sleep            18318  18317  18318  1.38    signal 2 (INT)
"""


def record(comm: bytes, pid: int, ppid: int, age: float, status: int, at: int = AT) -> Exit:
    boot_ns = 10_000 * SECOND_NS
    return Exit(
        boot_ns,
        boot_ns - round(age * SECOND_NS),
        pid,
        pid,
        ppid,
        status,
        True,
        comm.ljust(16, b"\0"),
        at,
    )


@pytest.fixture
def india() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "IST-5:30")
        time.tzset()
        yield
    time.tzset()


def test_the_original_sample() -> None:
    table = Table(timestamp=True, utc=True, label="exit")
    rows = [
        record(b"bash", 18300, 17656, 1.65, 65 << 8),
        record(b"sleep", 18318, 18317, 1.38, 2, AT + 8_498_000_000),
    ]
    assert table.header() + table.rows(rows) == ORIGINAL


def test_the_original_sample_without_time() -> None:
    table = Table()
    assert table.header() + table.rows([record(b"sleep", 19004, 19003, 1.65, 0)]) == (
        "PCOMM            PID    PPID   TID    AGE(s)  EXIT_CODE\n"
        "sleep            19004  19003  19004  1.65    0\n"
    )


@pytest.mark.usefixtures("india")
def test_local_time() -> None:
    table = Table(timestamp=True)
    assert table.header().startswith("TIME-IST     PCOMM ")
    assert table.rows([record(b"bash", 1, 0, 0, 0)]).startswith("18:50:22.997 bash ")


def test_a_long_label_keeps_the_columns() -> None:
    table = Table(label="exitsnoop")
    header, row = table.header(), table.rows([record(b"bash", 1, 0, 0, 0)])
    assert header.index("PCOMM") == row.index("bash")


def test_what_is_too_wide_stays_whole() -> None:
    row = Table().rows([record(b"\x1b" * 15, 4194304, 4194303, 123456.789, 0)])
    assert row == "\\033" * 15 + " 4194304 4194303 4194304 123456.79 0\n"
