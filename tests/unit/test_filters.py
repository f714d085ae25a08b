"""What to trace: the table of filters, and Filters."""

import copy
import inspect
import pickle
import signal
import typing
from typing import Any

import pytest

import exitsnoop
from exitsnoop import Filters, Tracer
from exitsnoop.filters import checks
from exitsnoop.filters.filters import EVERYTHING, EXCLUDABLE
from exitsnoop.filters.keywords import FilterOptions
from exitsnoop.filters.table import FILTERS
from exitsnoop.model.cause import KINDS

LISTS = [row.name for row in FILTERS if row.is_list]
# A value for each filter.
GIVEN: dict[str, Any] = {
    "pids": [3, 4],
    "tree": [3],
    "ppids": [3],
    "users": [0, 4242],
    "names": ["make", "cc*"],
    "cgroups": ["/"],
    "containers": ["web"],
    "excluding": ["users"],
    "min_age": 1.5,
    "max_age": 2,
    "failed": True,
    "asked": True,
    "signals": [9],
    "codes": [1],
    "causes": ["oom"],
    "per_thread": True,
    "why": True,
    "fields": ["args"],
}


def checked(**options: Any) -> Filters:
    return Filters(**options)


def test_the_types_say_what_the_table_says() -> None:
    """What mypy needs written out: the keywords and the attributes."""
    names = [row.name for row in FILTERS]
    assert len(set(names)) == len(names)
    for written in (Filters, FilterOptions):
        assert set(typing.get_type_hints(written)) == set(names)
    assert set(GIVEN) == set(names)


def test_the_docstring_has_every_filter() -> None:
    for row in FILTERS:
        assert f"{row.name}: {row.meaning}" in (inspect.getdoc(Filters) or "")


def test_filters_as_they_are_kept() -> None:
    filters = checked(pids=iter([5, 5]), failed=True, per_thread=False, users=["root", 33, "34"])
    assert filters.pids == (5,)
    assert filters.users == {0, 33, 34}
    assert filters.given() == {"pids", "failed", "users"}
    assert Filters().given() == set()
    assert vars(Filters()) == EVERYTHING
    assert checked(causes=["oom"]).why


@pytest.mark.parametrize("row", FILTERS, ids=lambda row: row.name)
def test_what_is_given_is_kept(row: Any) -> None:
    options = {row.name: GIVEN[row.name]} | ({"users": [1]} if row.name == "excluding" else {})
    filters = checked(**options)
    assert row.name in filters.given()
    kept = getattr(filters, row.name)
    assert type(kept) is type(row.default) or row.default is None
    assert (set(kept) if row.is_list else kept) == (
        set(GIVEN[row.name]) if row.is_list else GIVEN[row.name]
    )


def test_equal_immutable_and_legible() -> None:
    one = checked(codes=[2, 1], users=["root"], failed=True, excluding=["users"], min_age=1)
    assert one == checked(codes={1, 2}, users=[0], failed=True, excluding=["users"], min_age=1.0)
    assert hash(one) == hash(copy.deepcopy(one))
    assert one != checked(codes=[2, 1])
    assert one != "Filters()"
    assert pickle.loads(pickle.dumps(one)) == one
    assert (
        repr(one)
        == "Filters(users=[0], min_age=1.0, failed=True, codes=[1, 2], excluding=['users'])"
    )
    assert eval(repr(one)) == one
    assert repr(Filters()) == "Filters()"
    with pytest.raises(AttributeError, match="cannot set pids: Filters is immutable"):
        one.pids = (1,)
    with pytest.raises(AttributeError, match="immutable"):
        del one.pids


def test_the_public_name() -> None:
    assert exitsnoop.Filters is Filters
    assert "Filters" in exitsnoop.__all__


def test_a_tracer_takes_filters_or_their_parts() -> None:
    with pytest.raises(TypeError, match="not both"):
        Tracer(Filters(failed=True), pids=[1])


def test_an_int_is_a_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a user has the number for a name."""
    import pwd

    entry = pwd.getpwuid(0)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: {"33": entry}[name])
    assert checked(users=[33]).users == {33}
    assert checked(users=["33"]).users == {0}


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("signals", set(range(1, 65)) - {9, 15}),
        ("codes", set(range(256)) - {9, 15}),
    ],
)
def test_all_other_statuses(name: str, others: set[int]) -> None:
    filters = checked(**{name: [9, 15]}, excluding=[name])
    assert getattr(filters, name) == others
    assert filters == checked(**{name: others})
    assert filters.excluding == frozenset()


def test_all_other_causes() -> None:
    filters = checked(causes=["oom", "exited"], excluding=["causes"])
    assert filters.causes == set(KINDS) - {"oom", "exited"}
    assert filters.why


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"codes": range(256)}, "no codes are left to trace"),
        ({"signals": range(1, 65)}, "no signals are left to trace"),
        ({"causes": KINDS}, "no causes are left to trace"),
        ({"codes": range(1, 256), "failed": True}, "no process can end in all of the ways"),
        ({"causes": set(KINDS) - {"oom"}, "signals": range(2, 65)}, "no process can end in all"),
    ],
)
def test_nothing_is_left(options: dict[str, Any], complaint: str) -> None:
    excluding = [name for name in options if name in EXCLUDABLE]
    with pytest.raises(ValueError, match=complaint):
        checked(**options, excluding=excluding)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("value", ["abc", b"abc", 5, None])
def test_a_list_is_no_string(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} takes a list, not "):
        checked(**{name: value})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"pids": [True]}, "True is not a PID"),
        ({"pids": ["5"]}, "'5' is not a PID"),
        ({"pids": [5.0]}, "5.0 is not a PID"),
        ({"users": [False]}, "no user False"),
        ({"users": [1.5]}, "no user 1.5"),
        ({"codes": [True]}, "True is not an exit code"),
        ({"signals": ["KILL"]}, "'KILL' is not a signal"),
        ({"names": [b"sh"]}, "b'sh' is not a string"),
        ({"containers": [1]}, "1 is not a string"),
        ({"cgroups": [1]}, "1 is not a string"),
        ({"fields": [1]}, "1 is not a string"),
        ({"failed": 1}, "1 is neither True nor False"),
        ({"why": "no"}, "'no' is neither"),
        ({"per_thread": None}, "None is neither"),
        ({"min_age": "1s"}, "'1s' is not an age"),
        ({"min_age": True}, "True is not an age"),
        ({"signal": [9]}, "there is no filter signal"),
    ],
)
def test_what_is_of_another_type(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        checked(**options)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"pids": [0]}, "0 is not a PID: a PID is 1 to 4194304"),
        ({"pids": [4_194_305]}, "not a PID"),
        ({"users": [-1]}, "no user -1"),
        ({"users": [2**32 - 1]}, "no user 4294967295"),
        ({"signals": [0]}, "0 is not a signal: a signal is 1 to 64"),
        ({"signals": [65]}, "65 is not a signal"),
        ({"codes": [256]}, "256 is not an exit code: a code is 0 to 255"),
        ({"causes": ["OOM"]}, "'OOM' is not a kind of cause: they are exited, "),
        ({"min_age": float("nan")}, "nan is not an age"),
        ({"max_age": float("inf")}, "inf is not an age"),
        ({"max_age": -1}, "-1 is not an age"),
        ({"names": [""]}, "not a pattern"),
        ({"excluding": ["users"]}, "there are no users to exclude"),
        ({"excluding": ["pids"], "pids": [1]}, "'pids' is none of the filters that can be exclu"),
    ],
)
def test_what_is_out_of_range(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(**options)


def test_numbers_of_the_signal_module_are_numbers() -> None:
    (kept,) = checked(signals=[signal.SIGKILL]).signals
    assert type(kept) is int
    assert checks.signal(signal.SIGKILL) == 9
