"""Names of functions as people write them, and who called abort()."""

import pytest

from exitsnoop.model.callers import caller
from exitsnoop.model.cause import At
from exitsnoop.model.functions import function_name

ABORTS = "_RNvNtNtNtCsjrHSEGnQ3l9_3std3sys3pal4unix14abort_internal"


@pytest.mark.parametrize(
    ("mangled", "name"),
    [
        (ABORTS, "std::sys::pal::unix::abort_internal"),
        ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
        ("_RINvCs1234_7mycrate3fooiE", "mycrate::foo"),
        ("_RNCNvCs1234_7mycrate4main0B3_", "mycrate::main::{closure}"),
        ("_RNvMNtCs1234_7mycrate3barNtB2_3Bar3new", "_RNvMNtCs1234_7mycrate3barNtB2_3Bar3new"),
        ("_RNvMCs1234_7mycrateNtCs1234_7mycrate3Bar3new", "mycrate::Bar::new"),
        ("_ZN3std7process5abort17h0123456789abcdefE", "std::process::abort"),
        ("_R", "_R"),
        ("_RNv", "_RNv"),
        ("_RNvC3", "_RNvC3"),
        ("_Reset", "_Reset"),
        ("main", "main"),
    ],
)
def test_rust(mangled: str, name: str) -> None:
    assert function_name(mangled) == name


def test_who_called_abort_is_outside_the_standard_library() -> None:
    inner = ["abort", ABORTS, "rust_panic", "_ZN4core9panicking5panic17h0123456789abcdefE"]
    stack = [At("/srv/job", None, 16, name, 0) for name in [*inner, "_RNvCs1_3job4main", "main"]]
    found = caller(stack)
    assert found
    assert found.function == "_RNvCs1_3job4main"
