"""The site of the documents in build/docs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import Browser, browser
from support.machine import need
from support.services import need_program

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "docs"
# What a browser fetches by itself; links are for the reader.
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"([^\"]*)|<link\b([^>]*)>")


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    need(SITE.exists(), "there is no site: run `make test`, or `make docs` before")
    return sorted(SITE.rglob("*.html"))


def fetched(page: Path) -> list[str]:
    """What a browser fetches with a page."""
    found = []
    for source, link in FETCHED.findall(page.read_text()):
        if source:
            found.append(source)
        elif re.search(r'rel="(stylesheet|icon|preload)', link):
            found += re.findall(r'href="([^"]*)', link)
    return found


def test_every_document_is_a_page(pages: list[Path]) -> None:
    made = {str(page.relative_to(SITE).with_suffix("")) for page in pages}
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    assert {str(one.relative_to(ROOT).with_suffix("")) for one in documents} <= made


def test_the_start_page_leads_to_every_page(pages: list[Path]) -> None:
    """A page that docs/index.md does not name is in no menu; it also fails the build."""
    start = SITE / "docs" / "index.html"
    (menu,) = re.findall(r'<div class="sidebar-tree">(.*?)</div>\s*</div>', start.read_text(), re.S)
    named = {(start.parent / link).resolve() for link in re.findall(r'href="([^"#]+)', menu)}
    without = {SITE / "index.html", start, SITE / "search.html", SITE / "genindex.html"}
    assert {page.resolve() for page in pages} - without <= named
    assert "toc.not_included" not in (ROOT / "docs" / "conf.py").read_text()


def test_it_needs_no_network(pages: list[Path]) -> None:
    """Everything that a browser fetches, also for style sheets, is a file of the site."""
    count = 0
    for page in pages:
        for name in fetched(page):
            assert (page.parent / name.partition("?")[0]).exists(), f"{page.name}: {name}"
            count += 1
    assert count > len(pages)
    for sheet in SITE.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(https?:)?//", sheet.read_text()), sheet


def test_it_begins_with_the_questions() -> None:
    first = (SITE / "index.html").read_text()
    start = SITE / re.findall(r"url=([^\"]*)", first)[0]
    assert "why did it die?" in start.read_text()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need_program("chromium")
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


# Of a phone; of a terminal with 80 columns, beside which a browser stands; of a screen.
@pytest.mark.parametrize("width", [360, 640, 1600])
def test_every_page_fits_and_complains_of_nothing(
    chromium: Browser, pages: list[Path], width: int
) -> None:
    """A wide table or a long line scrolls by itself: the page does not."""
    for page in pages:
        if page == SITE / "index.html":
            continue  # it leads to the start page at once
        chromium.open(page, width=width)
        assert chromium.complaints == [], page
        assert all(url.startswith(("file:", "data:")) for url in chromium.requests), page
        assert chromium.value("document.documentElement.scrollWidth") <= width, page


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("width", [360, 1600])
def test_the_questions_are_read_without_scrolling_sideways(chromium: Browser, width: int) -> None:
    chromium.open(SITE / "docs" / "index.html", width=width)
    rows = "[...document.querySelectorAll('article table tr')]"
    assert chromium.value(f"{rows}.filter(r => r.innerText.includes('?')).length") == 5
    right = f"Math.max(...{rows}.map(r => r.getBoundingClientRect().right))"
    assert chromium.value(right) <= width
