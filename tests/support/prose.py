"""The prose of a file: what a person reads in documents, docstrings, comments and messages."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/*.md", "docs/*.sh")
SOURCES = (
    *("src/**/*.py", "src/**/*.pyi", "src/**/*.[ch]", "tools/**/*.py"),
    *("src/**/meson.build", "src/**/write-layout"),
)
TESTS = ("tests/**/*.py", "tests/**/*.[ch]", "benchmarks/*.py", "benchmarks/*.[ch]")


def files(*globs: str) -> list[Path]:
    """The files of the tree that match, sorted."""
    return sorted(path for glob in globs for path in ROOT.glob(glob))


class Prose(NamedTuple):
    """A text that is read as one, and the line where it begins."""

    line: int
    text: str


# Python 3.12 and later take f-strings apart.
STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
SKIPPED = {tokenize.NL} | {
    getattr(tokenize, name, tokenize.NL) for name in ("FSTRING_START", "FSTRING_END")
}


def of_python(source: str, *, is_test: bool) -> Iterator[Prose]:
    """Docstrings and comments; outside of tests, all strings. Adjacent lines are one text."""
    line, was_string = 0, False
    parts: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in SKIPPED:
            continue
        is_string = token.type in STRINGS and not (is_test and '"""' not in token.string)
        is_text = is_string or token.type == tokenize.COMMENT
        goes_on = is_string == was_string and token.start[0] <= line + len(parts)
        if parts and not (is_text and goes_on):
            yield Prose(line, "\n".join(parts))
            parts = []
        if is_text:
            line = line if parts else token.start[0]
            was_string = is_string
            text = re.sub(r'\b[rbfRBF]{0,2}"+|"+|^#+', " ", token.string).split("\n")
            if parts and token.start[0] < line + len(parts):  # on the same line
                parts[-1] += text.pop(0)
            parts += text


def of_c(source: str) -> Iterator[Prose]:
    """Comments; strings are in the refusals, which Python words."""
    for match in re.finditer(r"/\*.*?\*/|//[^\n]*", source, re.S):
        text = re.sub(r"\n[ \t]*\*", "\n ", match[0])
        yield Prose(source[: match.start()].count("\n") + 1, text)


def of_markdown(source: str) -> Iterator[Prose]:
    """Everything except blocks of code."""
    outside = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), source, flags=re.M | re.S)
    outside = re.sub(r"<!-- made by.*?<!-- end|<!-- tables.*?<!-- end", made, outside, flags=re.S)
    yield Prose(1, re.sub(r"`[^`\n]*`", "`code`", outside))


def made(match: "re.Match[str]") -> str:
    """Tables that are made by a command, blanked."""
    return "\n" * match[0].count("\n")


def prose(path: Path) -> Iterator[Prose]:
    source = path.read_text()
    if path.suffix in (".py", ".pyi") or path.name == "write-layout":
        yield from of_python(source, is_test="tests" in path.parts)
    elif path.suffix in (".c", ".h"):
        yield from of_c(source)
    elif path.suffix in (".sh", ".build"):
        yield from (Prose(n, line) for n, line in enumerate(source.splitlines(), 1) if "#" in line)
    else:
        yield from of_markdown(source)
