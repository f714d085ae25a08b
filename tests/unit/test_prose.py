"""Sentences that must be read twice: their commonest patterns, and what to write instead."""

import re
from pathlib import Path

import pytest
from support.prose import PAGES, ROOT, SOURCES, TESTS, files, prose

# A pattern, and what to write instead. A space stands for any space, line breaks included.
PATTERNS = {
    r"\b(is|are|was|were|be|been|being) told\b(?! (to|apart)\b)": "reported; say who reports what",
    r"\btold losses\b": "reported, separate",
    r"\btells? of\b": "reports, describes",
    r"\btold (by|from)\b": "recognised by",
    r"\b(to be|not to be|to be not) had\b": "available, unavailable",
    r"\bnot to be (seen|added|found|known|told)\b": "cannot be seen; do not add",
    r"\b(what|who|which|that) (is|are|was) no\b": "a subject: 'a malformed record'",
    r"(?<!here\s)\b(is|are|was|were) no (?!longer|more|one|wait|such)[a-z]+": "is not a/an ...",
    r"(?<=[.:;]\s)Of (a|an|the|this|those|these|what|who)\b[^.;:|]{,60},": "the subject first",
    r"\b(shall|thereof|thereby|therein|whom|whence|hitherto|lest)\b": "is to, must, which",
    r"\b(but for|all but|nothing but|none but|anything but)\b": "except, only",
    r"\bin place of it\b|\bin its place\b": "instead",
    r"\bas it is (asked|told|meant|said)\b": "on request",
    r"\b(is|are|was|were|be|not) asked for\b": "requested",
    r"\bwhat (shall|should) be\b": "a noun",
    r"\bturns? (it|them|a list|those) round\b": "inverts",
    r"\bsaid to be\b|\bas said\b": "marked as, claims to be",
    r"\bat (the )?least, of\b|\bof a list, one\b": "a full clause",
    r"\bone knows?\b|\bone (reads|needs|finds|types)\b": "you, or the subject",
    r"\bwho (has|had|have) (no|a|but|the)\b(?=[^?]*$)": "a process that has",
    r"\bkin\b|\bsuchlike\b|\band so forth\b": "related errors, others",
    r"\blikewise\b": "also, the same",
    r"\b(is|are|was|there's) but\b|\bbut (one|two|a few)\b": "only",
    r"(?<=[.:;]\s)Who (is|was|has|had|does|did|can|could|may|must|sees|runs)\b": "a noun",
    r"\b(of|for|by|to|from|with) who\b": "the process that, the user who",
    r"\bof (another's|no other's|exitsnoop's|Debian's|the kernel's)(?=[.,:;)])": "of what? say it",
    r"\b[a-z]+'s (own )?[a-z]+'s\b": "one possessive at a time",
    r"\banother's\b": "of another process",
}
COMPILED = [(re.compile(old.replace(" ", r"\s+")), new) for old, new in PATTERNS.items()]


def findings(path: Path) -> list[str]:
    """Each place with a pattern, as file:line, what is there, and what to write instead."""
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    found = []
    for start, text in prose(path):
        for pattern, instead in COMPILED:
            for match in pattern.finditer(text):
                line = start + text[: match.start()].count("\n")
                words = " ".join(match[0].split())
                found.append(f"{name}:{line}: {words!r}: write: {instead}")
    return found


WORSE = """\
Losses are told at the end.
What the kernel side sent is no record.
Arguments are not to be had.
Options must all hold. Of a list, one must.
TID is the PID but for threads.
It does what it shall.
Raises TraceError and its kin.
It is read by who asked.
Others likewise.
There is but one.
"""
BETTER = """\
Losses are reported at the end. There is no record left, and no more than that.
All filters must hold, and any value of a list is enough: one of a list. A list of a few things
shows what the kernel reports. It is what you asked for. The user who called sudo was told to wait.
"""


def test_each_pattern_is_found_also_across_lines(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for sentence in WORSE.splitlines():
        page.write_text(f"First line.\n{sentence}\n")
        assert [at(line) for line in findings(page)] in (["2"], ["2", "2"]), sentence
    page.write_text("It is not\nto be\nhad, `or are told`.\n")
    assert len(findings(page)) == 1
    page.write_text(BETTER)
    assert findings(page) == []


def test_what_is_read_of_a_file(tmp_path: Path) -> None:
    """Comments, docstrings and messages; of tests, no messages. Neither code nor made tables."""
    source = '"""It\nis told."""\n# is told\nx = "is " f"told {x}"  # is told\ntold = is_told\n'
    (tmp_path / "module.py").write_text(source)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "module.py").write_text(source)
    (tmp_path / "code.c").write_text("/* it is\n * told */ x = told; // is told\n")
    (tmp_path / "page.md").write_text("a\n```\nis told\n```\n<!-- made by x -->is told<!-- end -->")
    assert [at(line) for line in findings(tmp_path / "module.py")] == ["2", "3", "4", "4"]
    assert [at(line) for line in findings(tmp_path / "tests" / "module.py")] == ["2", "3", "4"]
    assert [at(line) for line in findings(tmp_path / "code.c")] == ["1", "2"]
    assert findings(tmp_path / "page.md") == []


def at(finding: str) -> str:
    """The line of a finding."""
    return finding.split(":")[1]


@pytest.mark.parametrize("globs", [PAGES, SOURCES, TESTS], ids=["pages", "sources", "tests"])
def test_nothing_must_be_read_twice(globs: tuple[str, ...]) -> None:
    paths = files(*globs)
    assert paths
    found = [line for path in paths if path != Path(__file__) for line in findings(path)]
    assert not found, "\n" + "\n".join(found)
