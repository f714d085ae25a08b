"""exitsnoop.testing: the fake is like the extension, and made-up exits are what they say."""

import ast
import inspect
import os
import select
from pathlib import Path

import pytest

from exitsnoop import Tracer
from exitsnoop.kernel import session
from exitsnoop.testing import FakeSession, fake_kernel, make_exit

STUB = Path(__file__).parents[2] / "src" / "exitsnoop" / "_native.pyi"


def stubbed() -> dict[str, ast.FunctionDef]:
    """The methods of Session as the stub declares them."""
    (kind,) = (
        node
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Session"
    )
    return {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}


def test_the_stub_is_that_of_the_extension() -> None:
    real = {name for name in vars(session.extension().Session) if not name.startswith("_")}
    assert real == stubbed().keys() - {"__init__"}


@pytest.mark.parametrize("name", stubbed())
def test_the_fake_has_the_method_of_the_stub(name: str) -> None:
    declared = stubbed()[name].args
    parameters = inspect.signature(getattr(FakeSession, name)).parameters.values()
    by_kind = {
        inspect.Parameter.POSITIONAL_ONLY: declared.posonlyargs,
        inspect.Parameter.POSITIONAL_OR_KEYWORD: declared.args,
        inspect.Parameter.KEYWORD_ONLY: declared.kwonlyargs,
    }
    for kind, arguments in by_kind.items():
        assert [p.name for p in parameters if p.kind == kind] == [a.arg for a in arguments]
        for parameter, argument in zip(
            [p for p in parameters if p.kind == kind], arguments, strict=True
        ):
            if argument.annotation:
                annotation = inspect.formatannotation(parameter.annotation)
                assert annotation == ast.unparse(argument.annotation)


def test_an_exit_by_its_parts() -> None:
    ended = make_exit(pid=7, ppid=3, comm="make", exit_code=2, age=1.5, uid=33, args=("make", "-j"))
    assert (ended.pid, ended.tid, ended.ppid, ended.comm) == (7, 7, 3, "make")
    assert (ended.exit_code, ended.signal, ended.core_dumped, ended.age) == (2, None, False, 1.5)
    assert (ended.uid, ended.args, ended.exe, ended.cgroup) == (33, ("make", "-j"), None, None)
    assert ended.last_thread
    assert ended.wanted


def test_an_exit_by_a_signal() -> None:
    ended = make_exit(signal=11, core_dumped=True)
    assert (ended.exit_code, ended.signal, ended.core_dumped) == (None, 11, True)
    assert os.WIFSIGNALED(ended.status)
    assert make_exit(status=0x0900).exit_code == 9


def test_no_other_attributes() -> None:
    with pytest.raises(TypeError, match="colour"):
        make_exit(colour="red")


def test_what_is_reported_is_what_is_read() -> None:
    reported = [make_exit(pid=1), make_exit(pid=2, signal=9, comm="x" * 15), make_exit(pid=3)]
    with fake_kernel() as kernel, Tracer() as one, Tracer() as other:
        kernel.report(*reported)
        for tracer in (one, other):
            told = [(e.pid, e.status, e.comm, e.age) for e in tracer.read()]
            assert told == [(e.pid, e.status, e.comm, e.age) for e in reported]


def test_a_full_buffer_loses() -> None:
    with fake_kernel() as kernel, Tracer(ring_bytes=4096) as tracer:
        kernel.report(*[make_exit()] * 100)
        kept = len(tracer.read())
        assert 0 < kept < 100
        assert tracer.lost == 100 - kept
        kernel.lose(5)
        assert tracer.lost == 105 - kept


def test_the_descriptor_is_readable_while_there_is_something() -> None:
    with fake_kernel() as kernel, Tracer() as tracer:
        assert select.select([tracer], [], [], 0)[0] == []
        kernel.report(make_exit(), make_exit())
        assert select.select([tracer], [], [], 0)[0] == [tracer]
        tracer.read()
        assert select.select([tracer], [], [], 0)[0] == []


def test_the_tree_is_kept() -> None:
    with fake_kernel() as kernel, Tracer(tree=[os.getpid()]) as tracer:
        (opened,) = kernel.sessions
        assert opened.tree_members() >= 1
        tracer.leave_out(os.getpid())
        with pytest.raises(ValueError, match="tree"), Tracer():
            kernel.sessions[-1].tree_members()


def test_the_seam_is_closed_again() -> None:
    assert session.stand_in is None
    with pytest.raises(ZeroDivisionError), fake_kernel():
        raise ZeroDivisionError
    assert session.stand_in is None


def test_all_is_closed_with_the_tracer() -> None:
    with fake_kernel() as kernel:
        Tracer().close()
        (opened,) = kernel.sessions
        assert opened.closed
        for call in (opened.filenos, opened.lost, lambda: opened.drain(1), opened.signals_recorded):
            with pytest.raises(ValueError, match="closed"):
                call()
