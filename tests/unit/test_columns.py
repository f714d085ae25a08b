"""The columns: what there are, and the choice among them."""

import pytest

from exitsnoop.cli.choice import DEFAULT, DEFAULT_JSON, choose, help_text
from exitsnoop.model.fields import COLLECTED, COLUMNS, FIELDS, STORED, function, groups


def test_every_field_but_one_is_a_column_or_comes_with_one() -> None:
    """The other is about the trace, not the exit."""
    companions = {column.more for column in COLUMNS.values() if column.more}
    assert companions == {"args_truncated", "ancestors_truncated"}
    assert set(FIELDS) == {*COLUMNS, *companions, "wanted"}
    assert STORED[-1] == "wanted", "Exit compares all but the last"


def test_what_a_field_is_made_of_is_there() -> None:
    for field in FIELDS.values():
        assert set(field.of) <= set(STORED)
        assert field.shown in STORED or field.shown == field.name
        assert {FIELDS[source].group for source in field.of} <= {field.group}
        assert bool(field.of) == bool(field.by)
        if field.of:
            assert callable(function(field.by))


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
    with pytest.raises(ValueError, match=r"^'xyz' is not a field; they are time, .*, wanted$"):
        groups(["pid", "xyz"])
