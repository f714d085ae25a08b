"""Exit as a class, and as plain data."""

import copy
import datetime
import inspect
import json
import pickle
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import AT, CGROUP, ID, POD, record

import exitsnoop
from exitsnoop import Exit
from exitsnoop.cli.choice import DEFAULT_JSON
from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import KINDS, After, At, Cause, Oom, Sender, Thread, Timer
from exitsnoop.model.cgroup import Container
from exitsnoop.model.context import Ancestor
from exitsnoop.model.fields import COLUMNS, FIELDS, STORED
from exitsnoop.model.plain import KEYS
from exitsnoop.sinks.json_lines import JsonLines

TEXT = st.text()
COUNT = st.integers(0, 2**64 - 1)
NANOSECONDS = st.integers(0, 2**53)  # a hundred days: as seconds, a float has them all
SECONDS = NANOSECONDS.map(lambda ns: ns / 1e9)
WORDS = st.lists(TEXT, max_size=4).map(tuple)
SENDERS = st.builds(
    Sender, COUNT, COUNT, TEXT, COUNT, st.just(None), st.just(value=False)
) | st.builds(Sender, COUNT, COUNT, TEXT, COUNT, WORDS, st.booleans(), st.none() | COUNT)
OOMS = st.builds(Oom, COUNT, COUNT, COUNT, st.none() | TEXT, st.none() | COUNT, SENDERS)
TIMERS = st.builds(Timer, TEXT, st.none() | SECONDS)
CAUSES = st.builds(
    Cause,
    st.sampled_from(KINDS),
    TEXT,
    sender=st.none() | SENDERS,
    how=st.none() | TEXT,
    address=st.none() | COUNT,
    limit=st.none() | COUNT,
    oom=st.none() | OOMS,
    thread=st.none() | st.builds(Thread, COUNT, TEXT),
    access=st.none() | TEXT,
    trap=st.none() | TEXT,
    reraised=st.sampled_from([None, True]),
    after=st.none()
    | st.builds(
        After,
        *(COUNT, TEXT, st.floats(0, 1e9), st.sampled_from(KINDS), TEXT),
        sender=st.none() | SENDERS,
        address=st.none() | COUNT,
        tty=st.none() | TEXT,
        limit=st.none() | COUNT,
        earlier=st.none() | st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        text=st.none() | TEXT,
        syscall=st.none() | COUNT,
        thread=st.none() | st.builds(Thread, COUNT, TEXT),
        access=st.none() | TEXT,
        at=st.none() | st.builds(At, TEXT, TEXT, COUNT, TEXT, COUNT),
        timer=st.none() | TIMERS,
        path=st.none() | TEXT,
    ),
    timer=st.none() | TIMERS,
    path=st.none() | TEXT,
    meant_for=st.none() | TEXT,
)
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "int": COUNT,
    "bool": st.booleans(),
    "str": TEXT,
    "bytes": st.binary(min_size=16, max_size=16),
    "float": SECONDS,
    "Cause": CAUSES,
    "tuple[str, ...]": WORDS,
    "tuple[Ancestor, ...]": st.lists(st.builds(Ancestor, COUNT, TEXT), max_size=3).map(tuple),
}


@st.composite
def exits(draw: st.DrawFn) -> Exit:
    """Exits with any value in each of their fields."""
    known: dict[str, Any] = {}
    for name in STORED:
        type_, _, optional = FIELDS[name].type.partition(" | ")
        known[name] = draw(st.none() | OF_TYPE[type_] if optional else OF_TYPE[type_])
    for field in FIELDS.values():
        if field.more:  # both are known, or neither
            known[field.more] = None if known[field.name] is None else draw(st.booleans())
    known["boot_ns"] = draw(st.integers(2**53, 2**60))
    known["start_boot_ns"] = known["boot_ns"] - draw(NANOSECONDS)
    known["wall_ns"] = draw(st.integers(0, 2**62))
    known["status"] = draw(st.integers(0, 0xFFFF))
    return Exit(**known)


KILLED = record(
    status=0x8B,
    cause=Cause("killed", "by bob", Sender(7, 1, "bob", 0, ("bob", "-x"), False), "kill"),
    args=("sh", "-c"),
    args_truncated=False,
    ancestors=(Ancestor(7, "sh"),),
    ancestors_truncated=True,
    cgroup=CGROUP,
    cpu_user=0.25,
)


@given(exits())
def test_it_comes_back_from_a_dict_and_from_json(ended: Exit) -> None:
    assert Exit.from_dict(ended.to_dict()) == ended
    assert Exit.from_dict(json.loads(ended.to_json())) == ended


@given(exits())
def test_json_is_that_of_the_sink_and_of_the_dict(ended: Exit) -> None:
    assert ended.to_json() + "\n" == JsonLines(tuple(COLUMNS)).rows([ended])
    assert json.loads(ended.to_json()) == ended.to_dict()
    assert tuple(ended.to_dict()) == KEYS


@given(exits())
def test_a_default_line_of_json_comes_back_but_for_what_is_not_in_it(ended: Exit) -> None:
    line = JsonLines(DEFAULT_JSON).rows([ended])
    back = Exit.from_dict(json.loads(line))
    assert JsonLines(DEFAULT_JSON).rows([back]) == line
    assert back.exit_code == ended.exit_code
    assert back.last_thread
    assert back.uid is None


@given(exits())
def test_pickle_and_copy_are_equal(ended: Exit) -> None:
    for other in (pickle.loads(pickle.dumps(ended)), copy.copy(ended), copy.deepcopy(ended)):
        assert type(other) is Exit
        assert other == ended
        assert hash(other) == hash(ended)
        assert repr(other) == repr(ended)


@given(exits(), exits())
def test_in_columns_they_are_the_same(first: Exit, second: Exit) -> None:
    both = Exits.of([first, second])
    assert list(both) == [first, second]
    for name in FIELDS:
        assert list(both.column(name)) == [getattr(first, name), getattr(second, name)]


def test_what_each_attribute_is() -> None:
    assert KILLED.container == Container("kubernetes", ID)
    assert (KILLED.pod, KILLED.unit, KILLED.user_unit) == (POD, "user@1000.service", "a.service")
    assert (KILLED.comm, KILLED.exit, KILLED.signal_name) == (
        "bash",
        "signal 11 (SEGV), core dumped",
        "SIGSEGV",
    )
    assert KILLED.time == datetime.datetime(2019, 5, 27, 13, 20, 22, 997_000, datetime.timezone.utc)
    assert (KILLED.wall_ns, KILLED.wanted, KILLED.user) == (AT, True, None)


def test_it_is_not_a_tuple_and_does_not_change() -> None:
    assert not isinstance(KILLED, tuple)
    with pytest.raises(TypeError):
        _, *_ = KILLED  # type: ignore[misc]
    for name in (*FIELDS, "other"):
        with pytest.raises(AttributeError):
            setattr(KILLED, name, 1)
        with pytest.raises(AttributeError):
            delattr(KILLED, name)
    assert not hasattr(KILLED, "__dict__")


def test_equal_is_what_is_known_of_the_exit() -> None:
    for name in STORED:
        one, other = record(), record(**{name: 12345 if name != "wanted" else False})
        assert (one == other) == (name == "wanted"), name
        assert len({one, other}) == (1 if name == "wanted" else 2)
    assert record() != tuple(getattr(record(), name) for name in STORED)


def test_repr_has_what_was_collected() -> None:
    assert repr(record(comm=b"a b", status=9, age=1.5, uid=0)) == (
        "Exit(pid=1, tid=1, ppid=1, comm='a b', age=1.5, status=0x9 <signal 9 (KILL)>, uid=0)"
    )


def test_what_a_newer_version_or_a_label_adds_is_ignored() -> None:
    known = KILLED.to_dict() | {"label": "x", "moon": {"phase": 1}}
    known["cause"] = {**known["cause"], "mood": "bad"}
    known["cause"]["sender"] = {**known["cause"]["sender"], "shoe": 44}
    assert Exit.from_dict(known) == KILLED


NEEDED = record(age=1.0).to_dict()


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (["pid"], "pid is missing"),
        (["boot_ns"], "boot_ns is missing"),
        (["ppid"], "ppid is missing"),
        (["raw_comm", "comm"], "comm is missing"),
        (["wall_ns", "time"], "time is missing"),
        (["start_boot_ns", "age"], "age is missing"),
        (["status", "exit_code"], "status is missing, or one of exit_code and signal"),
    ],
)
def test_what_is_needed(missing: list[str], message: str) -> None:
    known = {name: value for name, value in NEEDED.items() if name not in missing}
    with pytest.raises(ValueError, match=f"^{message}$"):
        Exit.from_dict(known)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pid", "1"),
        ("pid", True),
        ("pid", 1.0),
        ("last_thread", 1),
        ("raw_comm", "xyz"),
        ("cause", {"text": "no kind"}),
        ("cause", "killed"),
        ("args", "sh -c"),
        ("args", [1]),
        ("ancestors", [{"pid": 1}]),
        ("user", 0),
        ("cpu_user", "1"),
    ],
)
def test_what_a_value_cannot_be(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot be "):
        Exit.from_dict({**NEEDED, name: value})


PUBLIC = [Exit, Exits, After, Cause, Oom, Sender, Thread, Container, Ancestor]


def parts(public: Any) -> list[Any]:
    """A class and what it defines that can have annotations."""
    members = [public]
    for kind in inspect.getmro(public):
        if kind.__module__.startswith("exitsnoop."):
            for member in vars(kind).values():
                member = member.fget if isinstance(member, property) else member
                member = getattr(member, "__func__", member)
                members += [member] if inspect.isfunction(member) else []
    return members


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_type_hints_can_be_asked_for(public: Any) -> None:
    for part in parts(public):
        typing.get_type_hints(part)
        assert inspect.signature(part, eval_str=part is not public) is not None


def test_the_types_of_attributes_are_those_of_their_fields() -> None:
    for name, field in FIELDS.items():
        hint = typing.get_type_hints(vars(Exit.__mro__[1])[name].fget)["return"]
        written = getattr(hint, "__name__", str(hint)) if " | " not in str(hint) else str(hint)
        written = written.replace("exitsnoop.model.", "").replace("datetime.datetime", "datetime")
        for module in ("cause.", "cgroup.", "context."):
            written = written.replace(module, "")
        assert written == field.type or written.startswith("tuple"), name
    signature = inspect.signature(Exit)
    assert set(signature.parameters) == set(STORED)
    assert {p.kind for p in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_every_kind_of_cause_is_a_literal() -> None:
    assert typing.get_args(typing.get_type_hints(Cause)["kind"]) == KINDS


def test_the_package_gives_the_same_class() -> None:
    assert exitsnoop.Exit is Exit
