"""Files, folders and sections that documents and comments name exist."""

import re
from pathlib import Path

import pytest
from support.prose import PAGES, ROOT, SOURCES, TESTS, files, prose

OURS = {
    str(path.relative_to(ROOT))
    for folder in ("src", "tests", "docs", "tools", "benchmarks", "packaging")
    for path in (ROOT / folder).rglob("*")
} | {path.name for path in ROOT.iterdir()}
# The build makes these.
GENERATED = {"syscalls.py", "layout.py", "full.skel.h", "small.skel.h"}
# Files of the kernel, of the C library and of others.
FOREIGN = re.compile(
    r"(include|linux|sys|asm|arch|src/basic)/.*\.[ch]|bpf/(bpf_\w+|libbpf)\.h|kernel/[\w/]+\.c"
    r"|(std[a-z]+|sysexits|vmlinux|signal|sched|unistd|capability|Python)\.h"
    r"|(config|options|exits)\.json|exitsnoop\.py|argparse\.py|python\.json"
)
FILE = re.compile(r"(?<![\w./$~-])[\w-]+(?:/[\w.-]+)*\.(?:py|pyi|c|h|md|sh|json|toml)\b(?![\w/])")
FOLDER = re.compile(
    r"(?<![\w./-])(?:src/exitsnoop|tests|docs|tools|benchmarks|_native)/[\w/-]*\w/?(?![\w.*])"
)


def missing(text: str) -> list[str]:
    """The names of files and folders that are not there."""
    names = [*FILE.findall(text), *FOLDER.findall(text)]
    return [
        name
        for name in names
        if not FOREIGN.fullmatch(name)
        and Path(name).name not in GENERATED
        and not any(f"/{ours}".endswith(f"/{name.rstrip('/')}") for ours in OURS)
    ]


def test_a_name_that_is_not_there_is_found() -> None:
    assert missing(
        "see `src/exitsnoop/who.py`, tests/unit, docs/demo.sh and event.h, or gone.h"
    ) == [
        "src/exitsnoop/who.py",
        "gone.h",
    ]
    assert missing("see bpf/gone.bpf.h and kernel/gone.h; bpf/bpf_helpers.h is libbpf's") == [
        "bpf/gone.bpf.h",
        "kernel/gone.h",
    ]
    assert missing("in src/exitsnoop/nowhere/ and [it](docs/nothing.md)") == [
        "docs/nothing.md",
        "src/exitsnoop/nowhere/",
    ]


@pytest.mark.parametrize("globs", [PAGES, SOURCES, TESTS], ids=["pages", "sources", "tests"])
def test_files_that_are_named_are_there(globs: tuple[str, ...]) -> None:
    found = []
    for path in files(*globs):
        texts = [path.read_text()] if path.suffix == ".md" else [t.text for t in prose(path)]
        if path != Path(__file__):
            found += [
                f"{path.relative_to(ROOT)}: {name}" for text in texts for name in missing(text)
            ]
    assert not found, "\n" + "\n".join(found)


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


def test_links_lead_to_files_and_headings() -> None:
    links = 0
    for page in files("*.md", "docs/*.md"):
        for target in re.findall(r"\]\((?!https?:)([^)]*)\)", page.read_text()):
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(there), f"{page.name}: {target}"
            links += 1
    assert links > 30
