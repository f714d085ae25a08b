"""A file that a comment or a docstring of src names is there."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("src", "tests", "benchmarks", "docs", "tools")
SOURCES = sorted(
    path
    for path in (ROOT / "src").rglob("*")
    if path.suffix in (".py", ".pyi", ".c", ".h") or path.name in ("meson.build", "write-layout")
)
NAME = re.compile(r"(?<![\w./*<-])[\w./-]*\w\.(?:py|pyi|c|h|md|json)\b(?!\()")
COMMENT_OF_C = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
# Of the kernel, the C library and systemd.
OF_OTHERS = ("include/", "linux/", "asm/", "capability.h", "sysexits.h", "src/basic/unit-name.c")
MADE = re.compile(r"'(\w+\.(?:py|h))'")  # by the build, which names it as an output


def comments(path: Path) -> Iterator[str]:
    """The comments and docstrings of a source."""
    text = path.read_text()
    if path.suffix in (".c", ".h"):
        yield from COMMENT_OF_C.findall(text)
        return
    if path.name == "meson.build":
        yield from (line for line in text.splitlines() if line.lstrip().startswith("#"))
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


@pytest.fixture(scope="module")
def files() -> set[str]:
    """Each file that there is, or is made, with the folders that it is in, as far as one likes."""
    found = {path for place in PLACES for path in (ROOT / place).rglob("*") if path.is_file()}
    names = [path.relative_to(ROOT).parts for path in found]
    names += [path.relative_to(ROOT).parts for path in ROOT.iterdir() if path.is_file()]
    for build in (ROOT / "src").rglob("meson.build"):
        names += [(made,) for made in MADE.findall(build.read_text())]
    return {"/".join(parts[at:]) for parts in names for at in range(len(parts))}


def missing(text: str, files: set[str]) -> list[str]:
    named = [name for name in NAME.findall(text) if not name.startswith(OF_OTHERS)]
    return [name for name in named if name not in files]


def test_files_that_are_named_are_there(files: set[str]) -> None:
    assert len(SOURCES) > 50
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for comment in comments(path)
        for name in missing(comment, files)
    }
    assert not wrong


def test_a_name_of_no_file_is_found(files: set[str]) -> None:
    there = "see kernel/plan.py, exit.bpf.c, _native/bpf/event.h, layout.py, docs/causes.md: there"
    assert not missing(there, files)
    assert not missing("include/linux/signal.h is the kernel's", files)
    text = "records.py, tests/unit/test_layout.py (see who.bpf.h), `gone.md`."
    assert missing(text, files) == [
        "records.py",
        "tests/unit/test_layout.py",
        "who.bpf.h",
        "gone.md",
    ]
