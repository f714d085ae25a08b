"""Names of functions as people write them, and who called abort()."""

import pytest

from exitsnoop.model.callers import abort_reason, caller
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
        ("_RNvMNtCs1234_7mycrate3barNtB2_3Bar3new", "mycrate::bar::Bar::new"),
        ("_RNCINvCs1234_7mycrate3foomE0B4_", "mycrate::foo::{closure}"),
        (
            "_RNCINvCs1234_7mycrate3fooTRmShENtCs5_5other1TKj4_QL_eE0B4_",
            "mycrate::foo::{closure}",
        ),
        ("_RINvCs1234_7mycrate3fooFEuE", "mycrate::foo"),
        ("_RNvB_", "_RNvB_"),
        ("_RNvMB0_B0_1a", "_RNvMB0_B0_1a"),
        (
            "_ZN5crash4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
            "crash::main::{closure}",
        ),
        (
            "_ZN50_$LT$crash..A$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE",
            "<crash::A as core::ops::drop::Drop>::drop",
        ),
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


GO = ["runtime.raise.abi0", "runtime.dieFromSignal", "runtime.fatalpanic", "runtime.gopanic"]
LIBC, JOB = "/lib/libc.so.6", "/srv/job"


def test_the_runtime_of_go_did_not_call_abort() -> None:
    stack = [At(JOB, None, 16, name, 0) for name in [*GO, "main.check", "main.main"]]
    found = caller(stack)
    assert found
    assert found.function == "main.check"


FD_SET = "a descriptor was too high for an fd_set"
UBSAN = "UndefinedBehaviorSanitizer found an error"


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (
            [(LIBC, None), (LIBC, "abort"), (LIBC, None), (LIBC, "free")],
            "free() found a corrupted heap",
        ),
        ([(LIBC, "abort"), (LIBC, "__assert_fail")], "an assertion failed"),
        (
            [(LIBC, "abort"), (LIBC, "__stack_chk_fail")],
            "a variable on the stack was written beyond its end",
        ),
        (
            [(JOB, "abort"), (JOB, "malloc_printerr"), (JOB, "free.part.0")],
            "free() found a corrupted heap",
        ),
        ([(JOB, "abort"), (JOB, "malloc")], None),
        ([(LIBC, "abort"), (LIBC, "__libc_realloc")], "realloc() found a corrupted heap"),
        (
            [
                (LIBC, "abort"),
                ("/lib/libstdc++.so.6", "_ZSt9terminatev"),
                ("/lib/libstdc++.so.6", "__cxa_throw"),
            ],
            "a C++ exception was not caught",
        ),
        ([(LIBC, "abort"), (LIBC, "__fortify_fail"), (LIBC, "__fdelt_warn")], FD_SET),
        ([(LIBC, "abort"), ("/lib/libgcc_s.so.1", "__addvsi3")], "an integer overflowed (-ftrapv)"),
        (
            [(LIBC, "abort"), ("/lib/libstdc++.so.6", "_ZSt21__glibcxx_assert_failPKciS0_S0_")],
            "an assertion of the C++ library failed",
        ),
        (
            [
                (LIBC, "abort"),
                ("/lib/libasan.so.8", "_ZN11__sanitizer5AbortEv"),
                ("/lib/libasan.so.8", "__asan_report_load4"),
            ],
            "AddressSanitizer found an error",
        ),
        ([(JOB, "_ZN11__sanitizer5AbortEv"), (JOB, "__ubsan_handle_add_overflow_abort")], UBSAN),
        (
            [(LIBC, "abort"), (JOB, "rust_panic"), (JOB, "_ZN3std9panicking15panic_with_hookE")],
            "a panic",
        ),
        (
            [
                *((LIBC, "abort"), (JOB, "_ZN3std9panicking15panic_with_hookE")),
                (JOB, "_ZN5alloc5alloc18handle_alloc_errorE"),
            ],
            "no memory was left",
        ),
        ([(JOB, "runtime.raise.abi0"), (JOB, "runtime.gopanic")], "a panic"),
        ([(LIBC, "abort"), ("/lib/libjemalloc.so.2", "malloc")], None),
        ([(LIBC, "abort")], None),
        ([(LIBC, "abort"), (JOB, "compare"), (LIBC, "free")], None),
    ],
)
def test_why_the_library_aborted(inner: list[tuple[str, str | None]], reason: str | None) -> None:
    stack = [At(module, None, 16, name, 0) for module, name in [*inner, (JOB, "main")]]
    assert abort_reason(stack) == reason


def test_who_called_abort_is_outside_the_standard_library() -> None:
    inner = ["abort", ABORTS, "rust_panic", "_ZN4core9panicking5panic17h0123456789abcdefE"]
    stack = [At("/srv/job", None, 16, name, 0) for name in [*inner, "_RNvCs1_3job4main", "main"]]
    found = caller(stack)
    assert found
    assert found.function == "_RNvCs1_3job4main"
