"""The public names: what introspection, pickle and `except` make of them."""

import copy
import errno
import inspect
import pickle
import subprocess
import sys
import typing
from importlib import metadata

import pytest

import exitsnoop
from exitsnoop import (
    Filters,
    KernelRefused,
    MalformedRecord,
    NoSuchProcess,
    NotPermitted,
    TraceError,
    Tracer,
)
from exitsnoop.filters.filters import EVERYTHING


def test_the_version() -> None:
    assert exitsnoop.__version__ == metadata.version("exitsnoop")


def test_dir_has_every_public_name() -> None:
    assert {*exitsnoop.__all__, "__version__", "__doc__"} <= set(dir(exitsnoop))
    assert all(hasattr(exitsnoop, name) for name in dir(exitsnoop))
    assert not [n for n in dir(exitsnoop) if n.startswith("_") and not n.startswith("__")]


def test_star_import() -> None:
    script = "from exitsnoop import *; print(*sorted(n for n in globals() if n[0] != '_'))"
    names = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert names == sorted(exitsnoop.__all__)


def test_no_other_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(exitsnoop, "nothing")  # noqa: B009 - a type checker knows, too


@pytest.mark.parametrize(
    ("public", "more"), [(Tracer, {"unwanted", "ring_bytes", "pause_s"}), (exitsnoop.trace, set())]
)
def test_signatures_have_every_keyword(public: typing.Any, more: set[str]) -> None:
    filters, *keywords = inspect.signature(public).parameters.values()
    assert (filters.name, filters.default) == ("filters", None)
    assert {keyword.name for keyword in keywords} == EVERYTHING.keys() | more
    for keyword in keywords:
        assert keyword.kind == inspect.Parameter.KEYWORD_ONLY
        assert keyword.annotation is not inspect.Parameter.empty
        assert keyword.default == EVERYTHING.get(keyword.name, keyword.default)


def functions(kind: type) -> dict[str, typing.Any]:
    found = {}
    for name, member in vars(kind).items():
        plain = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if not inspect.isfunction(plain) or not plain.__module__.startswith("exitsnoop"):
            continue
        if name == "__init__" or not name.startswith("_"):
            found[f"{kind.__name__}.{name}"] = plain
    return found


def public_functions() -> dict[str, typing.Any]:
    found = {"trace": exitsnoop.trace}
    for name in exitsnoop.__all__:
        public = getattr(exitsnoop, name)
        if inspect.isclass(public):
            found |= functions(public)
    return found


@pytest.mark.parametrize("name", public_functions())
def test_type_hints_resolve(name: str) -> None:
    function = public_functions()[name]
    assert "return" in typing.get_type_hints(function)


@pytest.mark.parametrize(
    ("error", "builtin", "number"),
    [
        (NotPermitted("use sudo"), PermissionError, errno.EPERM),
        (NoSuchProcess("there is no process 7", 7), ProcessLookupError, errno.ESRCH),
        (KernelRefused("no BTF", "a log"), TraceError, None),
        (MalformedRecord("a bug"), TraceError, None),
        (TraceError("no"), Exception, None),
    ],
)
def test_errors(error: TraceError, builtin: type[Exception], number: int | None) -> None:
    assert isinstance(error, TraceError)
    assert isinstance(error, builtin)
    assert getattr(error, "errno", None) == number
    for same in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(same) is type(error)
        assert str(same) in ("use sudo", "there is no process 7", "no BTF", "a bug", "no")
        assert str(same) == str(error)
        assert (getattr(same, "pid", None), getattr(same, "log", None)) == (
            getattr(error, "pid", None),
            getattr(error, "log", None),
        )


def test_filters_are_public() -> None:
    assert Filters.__module__.startswith("exitsnoop.")
