"""The page of a time line in a real browser, and what is on it."""

import re
from pathlib import Path

import pytest
from support.browser import Browser
from support.builds import BUILD, ended, line, project
from support.page_rules import dead_links, focused_by_tab, pictures_without_tables

from exitsnoop.pages.timeline.packing import chosen, rows
from exitsnoop.pages.timeline.page import page
from exitsnoop.store.coverage import Gap

WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "build.html"
    path.write_text(page(project(), "1.0"))
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_needs_nothing(chromium: Browser, written: Path, width: int, dark: bool) -> None:
    url = chromium.open(written, width=width, dark=dark)
    assert chromium.requests == [url]
    assert chromium.complaints == []
    assert chromium.value("document.documentElement.scrollWidth") <= width
    assert chromium.value("document.querySelectorAll('.gantt rect').length") > 500
    shown = "getComputedStyle(document.querySelector('.gantt text')).display"
    assert chromium.value(shown) == ("none" if width == 400 else "block")


def test_names_stay_in_their_bars(chromium: Browser, written: Path) -> None:
    """At the least width that shows names."""
    chromium.open(written, width=760)
    outside = (
        "[...document.querySelectorAll('.gantt text, .lane text.in')].filter(t => {"
        "const bar = t.previousElementSibling.getBoundingClientRect();"
        "return t.getBoundingClientRect().right > bar.right + 1})"
        ".map(t => t.textContent)"
    )
    assert chromium.value(outside) == []


def test_words_can_be_read_on_their_bars(chromium: Browser, written: Path) -> None:
    """The text of a bar has a contrast of at least 4.5 to it, in both schemes."""
    ratios = """[...document.querySelectorAll('text.in')].map(t => {
      const rgb = c => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const light = c => {
        const [r, g, b] = c.map(v => v / 255).map(v =>
          v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const bar = getComputedStyle(t.previousElementSibling);
      const paper = rgb(getComputedStyle(document.body).backgroundColor);
      const on = rgb(bar.fill).map((v, n) =>
        v * bar.fillOpacity + paper[n] * (1 - bar.fillOpacity));
      const [a, b] = [light(on), light(rgb(getComputedStyle(t).fill))].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05); })"""
    for dark in (False, True):
        chromium.open(written, dark=dark)
        found = chromium.value(ratios)
        assert len(found) > 20
        assert min(found) >= 4.5


def test_links_and_tables(chromium: Browser, written: Path) -> None:
    chromium.open(written)
    assert dead_links(chromium) == []
    assert pictures_without_tables(chromium) == []
    assert chromium.value("[...document.querySelectorAll('h2')].map(h => h.innerText)") == [
        "When what ran",
        "What failed",
        "The critical path",
        "Where the CPU time went",
    ]


def test_the_keyboard_is_enough(chromium: Browser, written: Path) -> None:
    chromium.open(written)
    seen = focused_by_tab(chromium, 60)
    assert 'href="#gantt"' in seen[0]
    assert len({*seen}) >= 11, "two have the same words"


def test_a_bar_leads_to_its_row(chromium: Browser, written: Path) -> None:
    chromium.open(written)
    chromium.value("document.querySelector('.gantt a').dispatchEvent(new MouseEvent('click'))")
    is_open = "document.querySelector('tr:target').closest('details').open"
    assert chromium.value("location.hash").startswith("#process-")
    assert chromium.value(is_open)


def test_it_can_be_printed(chromium: Browser, written: Path) -> None:
    chromium.open(written, dark=True)
    chromium.look(1000, dark=True, medium="print")
    assert chromium.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert 2 <= chromium.printed().count(b"/Type /Page\n") <= 12


def test_what_it_says(written: Path) -> None:
    text = re.sub("<[^>]+>", " ", written.read_text())
    words = " ".join(text.split())
    assert "5 processes failed; first test_wal_1[5043], after 26.64 s: code 1;" in words
    assert "make[4100] took 29.93 s. On its critical path: cc1 19.82 s (66 %)" in words
    assert "killed by sh[5064], SIGKILL" in words
    assert "400 more processes are not drawn" in words


def test_its_size_is_bounded() -> None:
    """Also with thousands of failures, in thousands of rows."""
    lives = [(10 + n, 1, n / 100, 100 + n / 100, f"job{n}") for n in range(5000)]
    status = [256 if n % 2 else 0 for n in range(5000)]
    args = [("x" * 200, "y" * 2000)] * 5000
    content = page(line(ended(lives, status=status, args=args), command=None), "1.0")
    assert 20_000 < len(content) < 1_000_000


def test_bars_do_not_overlap() -> None:
    """In a row, one ends before the next begins; a child is below its parent."""
    of = project()
    shown = chosen(of)
    placed = rows(shown)
    assert {*placed} == {*shown}
    free: dict[int, int] = {}
    for one in shown:
        assert free.get(placed[one], 0) <= one.begin_ns
        free[placed[one]] = one.end_ns
        if one.above in placed:
            assert placed[one.above] < placed[one]
    assert len(free) < 24


def test_what_is_not_known() -> None:
    from_ns = line(ended(BUILD)).from_ns + 5 * 10**9
    gaps = [Gap(from_ns + 10**9, from_ns + 2 * 10**9, "reboot", None)]
    of = line(
        *(ended(BUILD), None, from_ns), gaps=gaps, missing=["nothing was recorded then (reboot)"]
    )
    content = page(of, "1.0")
    assert "4 processes began before this time line: their bars are cut at the left." in content
    assert "1 process is known only as the parent or the killer of others: it still ran" in content
    assert "Nothing was recorded then (reboot)." in content
    assert 'fill="url(#hatch)"' in content
    lost = page(line(ended(BUILD), lost=2, running=1), "1.0")
    assert "2 exits were lost: processes are missing here." in lost
    assert "1 process still ran when the command ended; --linger waits for it." in lost


def test_hostile_names(chromium: Browser, tmp_path: Path) -> None:
    names = ["<script>x()", "<img src=//e.c>", '" onload=x()', "\u202e\x1b[2J\n", "</title>"]
    lives = [(20 + n, 10, n, n + 1, name) for n, name in enumerate(names)]
    args = [(name, "</script><script>x()</script>") for name in names]
    written = tmp_path / "hostile.html"
    about = line(ended(lives, args=args, status=[256] * 5, parent_comm=[*names]))
    written.write_text(page(about._replace(about=about.about._replace(title="<b2>x")), "1.0"))
    url = chromium.open(written)
    assert (chromium.requests, chromium.complaints) == ([url], [])
    tags = {*chromium.value("[...document.querySelectorAll('*')].map(e => e.tagName)")}
    assert not tags & {"IMG", "IFRAME", "B2", "OBJECT"}
    assert chromium.value("document.querySelectorAll('script').length") == 1
    assert chromium.value("document.title") == "<b2>x"
    assert not re.search("[\u202e\x1b\x07]", chromium.value("document.body.textContent"))


def test_nothing_ended(chromium: Browser, tmp_path: Path) -> None:
    written = tmp_path / "empty.html"
    written.write_text(page(line(ended([])), "1.0"))
    chromium.open(written)
    assert chromium.complaints == []
    assert "Nothing failed." in chromium.value("document.body.innerText")
