"""The line that ends a run of COMMAND."""

import pytest
from support.fakes import record

from exitsnoop.cli.summary import Summary
from exitsnoop.model.exit import Exit


def ended(pid: int, ppid: int = 1, **known: object) -> Exit:
    parts = {"age": 0.0, "comm": b"p%d" % pid}
    return record(pid=pid, tid=pid, ppid=ppid, **{**parts, **known})


def summed_up(*exits: Exit, lost: int = 0) -> str:
    summary = Summary()
    summary.add(list(exits))
    return summary.text(lost)


def test_nothing_ended() -> None:
    assert summed_up(lost=3) == "0 exits: 0 failed, 0 killed by a signal, 3 lost"


def test_each_is_counted_once_wanted_or_not() -> None:
    text = summed_up(
        ended(2),
        ended(3, status=0x100),
        ended(4, status=0xFF00, wanted=False),
        ended(5, status=9),
        ended(6, wanted=False),
    )
    assert text.startswith("5 exits: 2 failed, 1 killed by a signal, 0 lost")


def test_threads_do_not_count() -> None:
    text = summed_up(
        ended(2, last_thread=False, status=0x100, age=9.0, max_rss=1 << 30),
        ended(2, age=0.5, max_rss=1 << 20),
    )
    assert text == (
        "1 exit: 0 failed, 0 killed by a signal, 0 lost; slowest: p2[2] 0.50 s; biggest: p2[2] 1.0M"
    )


def test_who_waited_for_others_is_not_the_slowest() -> None:
    """Make lives as long as all that it starts; a process whose child outlives it may be it."""
    compiler, driver, make = ended(4, 3, age=2.0), ended(3, 2, age=2.1), ended(2, 1, age=3.0)
    assert "; slowest: p4[4] 2.00 s" in summed_up(compiler, driver, make)
    parent, orphan = ended(2, 1, age=3.0), ended(3, 1, age=2.0)
    assert "; slowest: p2[2] 3.00 s" in summed_up(parent, orphan)


def test_batches_add_up() -> None:
    summary = Summary()
    summary.add([ended(3, 2, age=1.0, max_rss=5 << 20)])
    summary.add([ended(2, 1, age=2.0, max_rss=4 << 20)])
    assert summary.text(0) == (
        "2 exits: 0 failed, 0 killed by a signal, 0 lost; slowest: p3[3] 1.00 s; "
        "biggest: p3[3] 5.0M"
    )


def test_the_first_of_equals_stands_out() -> None:
    text = summed_up(*(ended(pid, age=1.0, max_rss=1 << 20) for pid in (7, 8)))
    assert "slowest: p7[7]" in text
    assert "biggest: p7[7]" in text


@pytest.mark.parametrize("max_rss", [None, 0])
def test_sizes_that_are_not_known(max_rss: int | None) -> None:
    assert "biggest" not in summed_up(ended(2, max_rss=max_rss))


def test_a_name_cannot_break_the_line() -> None:
    text = summed_up(ended(2, comm=b"a b\n\x1b[2J", age=1.0, max_rss=4096))
    assert text.isprintable()
    assert r"slowest: a\ b\n\033[2J[2] 1.00 s" in text
