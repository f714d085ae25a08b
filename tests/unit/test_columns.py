"""The columns: what there are, and the choice among them."""

import pytest

from exitsnoop.cli.choice import DEFAULT, DEFAULT_JSON, choose, help_text
from exitsnoop.model.fields import ALWAYS, COLLECTED, groups
from exitsnoop.sinks.columns import COLUMNS


def test_every_field_is_a_column_or_comes_with_one() -> None:
    fields = {*ALWAYS, *COLLECTED}
    assert {name for name in fields if not name.endswith("_truncated")} == set(COLUMNS)
    assert {f"{name}_truncated" for name in ("args", "ancestors")} == fields - set(COLUMNS)


def test_a_title_fits_its_column_and_is_its_own() -> None:
    titles = [column.title for column in COLUMNS.values()]
    assert len(set(titles)) == len(titles)
    assert not [c for c in COLUMNS.values() if len(c.title) > c.width or " " in c.title]


@pytest.mark.parametrize(
    ("lists", "chosen"),
    [
        ([], "comm pid"),
        (["tid,exit"], "tid exit"),
        (["+args,container"], "comm pid args container"),
        (["tid", "+args", "+user"], "tid args user"),
        (["+args", "tid"], "tid"),
        (["tid", "ppid,exe"], "ppid exe"),
        (["pid,comm,pid"], "pid comm"),
        (["+pid,args,comm"], "comm pid args"),
    ],
)
def test_choose(lists: list[str], chosen: str) -> None:
    assert choose(lists, ("comm", "pid")) == tuple(chosen.split())


@pytest.mark.parametrize("default", [DEFAULT, DEFAULT_JSON])
def test_the_defaults_are_columns_that_cost_nothing(default: tuple[str, ...]) -> None:
    assert choose([",".join(default)], ()) == default
    assert not groups(default)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' lacks the name of a column"),
        ("+", r"'\+' lacks the name of a column"),
        ("pid,,comm", "'pid,,comm' lacks the name of a column"),
        ("pid,", "'pid,' lacks the name of a column"),
        ("pid,contaner", "'contaner' is not a column; the nearest is 'container'"),
        ("EXIT_CODE", "'EXIT_CODE' is not a column; the nearest is 'exit_code'"),
        ("zzz", "'zzz' is not a column; they are time, boot_ns, .*, involuntary_switches$"),
    ],
)
def test_what_is_no_column(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        choose([text], DEFAULT)


def test_help_has_a_line_for_every_column() -> None:
    lines = help_text().splitlines()
    assert [line.split()[0] for line in lines] == list(COLUMNS)
    assert len({line.index(COLUMNS[line.split()[0]].meaning) for line in lines}) == 1
    assert max(map(len, lines)) < 80


def test_groups_are_what_the_fields_need() -> None:
    assert groups(["pid", "args", "args_truncated", "cause", "unit"]) == {"args", "why", "cgroup"}
    assert groups(COLUMNS) == set(COLLECTED.values())
    with pytest.raises(ValueError, match=r"^'xyz' is not a field; they are time, .*, exe$"):
        groups(["pid", "xyz"])
