"""Who called a function that crashed, where that function has no frame: on every machine."""

from pathlib import Path

import pytest
from support.crashes import build, crash
from support.machine import kernel_has, within

from exitsnoop.host.aside import Aside
from exitsnoop.symbols import resolver

if not kernel_has("bpf_loop"):
    pytest.skip("the kernel has no bpf_loop()", allow_module_level=True)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("callers") / "program", "-fno-omit-frame-pointer")


@pytest.fixture(autouse=True)
def _in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are read in time, also on a slow machine."""
    monkeypatch.setattr(resolver, "_aside", Aside(within(1.0), within(4.0), share=1.0))


@pytest.mark.parametrize("where", ["", "thread"])
@pytest.mark.parametrize(
    ("way", "innermost"),
    [
        ("read_null", "die_read"),
        ("write_null", "die_write"),
        ("strlen", "die_strlen"),
        ("call_null", "die_call"),
        ("abort", "die_abort"),
    ],
)
def test_no_caller_is_left_out(program: Path, way: str, innermost: str, where: str) -> None:
    """On arm64, the first two and strlen() have no frame; what is at 0 did not get to make one."""
    told = crash(program, way, where)
    assert told.cause.stack
    own = [one.function for one in told.cause.stack if one.module == str(program)]
    assert own[:4] == [innermost, "middle", "outer", "in_thread" if where else "main"]
