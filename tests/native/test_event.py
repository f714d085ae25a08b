"""layout.py has the numbers of its headers; every header of the BPF programs is whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.blocks import sizes
from support.programs import NATIVE

from exitsnoop import layout

BPF = NATIVE / "bpf"
BUILD = Path(__file__).parents[2] / "build" / "meson"
CONSTANTS = {name: value for name, value in vars(layout).items() if isinstance(value, int)}
HEADERS = sorted(path.name for path in BPF.glob("*.h"))
VARIANTS = ("small", "full", "full_without_loops")


def measured(directory: Path, *expressions: str) -> list[int]:
    """Return the values that the C compiler gives them."""
    words = ", ".join(f"(unsigned long long)({one})" for one in expressions)
    source = f"""
        #include <stdio.h>
        #include <stddef.h>
        #include "event.h"
        #include "filter_sets.h"
        static const unsigned long long values[] = {{ {words} }};
        int main(void)
        {{
            for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
                printf("%llu\\n", values[i]);
        }}"""
    program = directory / "measured"
    compiler = ["cc", "-x", "c", f"-I{BPF}", "-o", str(program), "-"]
    subprocess.run(compiler, input=source, text=True, check=True)
    return [int(line) for line in subprocess.check_output([program]).split()]


def test_constants_are_those_of_the_c_compiler(tmp_path: Path) -> None:
    assert len(CONSTANTS) >= 40
    assert measured(tmp_path, *CONSTANTS) == list(CONSTANTS.values())


@pytest.mark.parametrize("name", layout.STRUCTS)
def test_fields_are_where_the_c_compiler_has_them(tmp_path: Path, name: str) -> None:
    """Each one's offset and size; and the whole, or where its `parts` begin."""
    fields = sizes(layout.STRUCTS[name])
    has_parts = name in ("exit_context", "exec_image", "crash_site", "sender_origin")
    asked = [f"offsetof(struct {name}, {field})" for field in fields]
    asked += [f"sizeof(((struct {name} *)0)->{field})" for field in fields]
    asked.append(f"offsetof(struct {name}, parts)" if has_parts else f"sizeof(struct {name})")
    ends = [sum(list(fields.values())[: n + 1]) for n in range(len(fields))]
    assert measured(tmp_path, *asked) == [0, *ends[:-1], *fields.values(), ends[-1]]


def made_from(header: str, directory: Path) -> "subprocess.CompletedProcess[str]":
    """Make a layout of another event.h, and compile the assertions that come with it."""
    (directory / "event.h").write_text(header)
    words = ["layout.py", "layout_checks.h", "event.h"]
    made = subprocess.run(
        [sys.executable, NATIVE / "write-layout", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        return made
    return subprocess.run(
        ["cc", "-fsyntax-only", "-include", "event.h", "layout_checks.h"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("written", "instead", "complaint"),
    [
        ("", "", ""),
        ("__u32 ppid;", "__u8 hole;\n\t__u32 ppid;", "offsetof(struct exit_event"),
        ("__u32 parent_pid;", "__u16 parent_pid;", "sizeof(struct forked)"),
        ("__u32 ppid;", "__u32 ppid : 7;", "do not understand"),
        ("__u32 ppid;", "enum note_kind ppid;", "do not understand"),
        ("GONE = 6,", "GONE,", "do not understand"),
        ("struct gone {", "union gone {", "do not understand"),
    ],
)
def test_what_python_would_read_otherwise_does_not_build(
    tmp_path: Path, written: str, instead: str, complaint: str
) -> None:
    header = (BPF / "event.h").read_text()
    assert written in header
    result = made_from(header.replace(written, instead, 1), tmp_path)
    assert bool(result.returncode) == bool(complaint), result.stderr
    assert complaint in result.stderr


def compile_bpf(variant: str, source: str) -> None:
    """Check a source with the flags by which meson.build compiles this variant."""
    targets = json.loads((BUILD / "meson-info" / "intro-targets.json").read_text())
    (target,) = (one for one in targets if one["name"] == f"{variant}.unstripped.bpf.o")
    words = target["target_sources"][0]["compiler"]
    flags = words[: words.index("-MD")]
    more = ["-Wno-unused-function", "-fsyntax-only", f"-I{BPF}", "-x", "c", "-"]
    subprocess.run([*flags, *more], input=source, text=True, check=True)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_needs_no_other_before_it(header: str, variant: str) -> None:
    compile_bpf(variant, f'#include "{header}"\n')


def test_records_are_laid_out_for_bpf_as_for_this_machine() -> None:
    (checks,) = BUILD.rglob("layout_checks.h")
    compile_bpf("small", f'#include "event.h"\n#include "filter_sets.h"\n#include "{checks}"\n')
