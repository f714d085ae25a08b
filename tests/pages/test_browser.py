"""The page in a real browser: it needs nothing, it complains of nothing, it can be used."""

import os
import re
from pathlib import Path

import pytest
from pages.conftest import END_NS, Week
from support.browser import Browser
from support.page_rules import dead_links, focused_by_tab, pictures_without_tables

from exitsnoop.pages.page import page

WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def written(week: Week, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "week.html"
    path.write_text(page(week.of, "1.0"))
    return path


def test_its_size(written: Path) -> None:
    assert 50_000 < written.stat().st_size < 1_000_000


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_needs_nothing(chromium: Browser, written: Path, width: int, dark: bool) -> None:
    url = chromium.open(written, width=width, dark=dark)
    assert chromium.requests == [url]
    assert chromium.complaints == []
    assert chromium.value("document.documentElement.scrollWidth") <= width
    background = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")
    cells = "document.querySelectorAll('#causes rect.cell').length"
    assert chromium.value(cells) > 50
    assert chromium.value("document.querySelectorAll('button').length") > 20
    wide = "[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().right"
    assert chromium.value(f"{wide} <= {width} || s.closest('.scroll') !== null)")


def test_what_the_policy_forbids(chromium: Browser, written: Path, tmp_path: Path) -> None:
    """The browser reports a script, a style, an image that are not ours: such tests can fail."""
    hostile = (
        "<p style='color:red'>x</p><script>document.title = 'run'</script>"
        "<img src='https://example.com/a.png' onerror='document.title = 2'>"
    )
    other = tmp_path / "other.html"
    other.write_text(written.read_text().replace("</main>", f"{hostile}</main>"))
    chromium.open(other)
    assert len([one for one in chromium.complaints if "Content Security Policy" in one]) >= 3
    assert chromium.value("document.title") == "web1: how its processes ended"


def test_every_link_leads_somewhere(chromium: Browser, written: Path) -> None:
    chromium.open(written)
    assert dead_links(chromium) == []
    twice = (
        "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, n, all) => "
        "all.indexOf(id) != n)"
    )
    assert chromium.value(twice) == []


def test_each_picture_has_its_table(chromium: Browser, written: Path) -> None:
    chromium.open(written)
    assert pictures_without_tables(chromium) == []
    assert chromium.value("[...document.querySelectorAll('table')].every(t => t.caption)")
    hidden = "[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-hidden'))"
    assert chromium.value(hidden), "the tables say the same to a screen reader"


def test_a_link_opens_the_table_that_it_leads_to(chromium: Browser, written: Path) -> None:
    chromium.open(written, fragment="#bin-3")
    assert chromium.value("document.getElementById('bin-3').closest('details').open")
    top = chromium.value("document.getElementById('bin-3').getBoundingClientRect().top")
    assert 0 <= top < 900


def test_the_keyboard_is_enough(chromium: Browser, written: Path) -> None:
    """The first Tab offers to skip to the figures; each further one goes on, and is seen."""
    chromium.open(written)
    seen = focused_by_tab(chromium, 80)
    assert 'href="#causes"' in seen[0]
    assert len(set(seen)) == 12


def test_it_can_be_read_without_a_script(chromium: Browser, written: Path) -> None:
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(written)
        assert chromium.value("document.querySelectorAll('button').length") == 0
        assert "14 OOM kills" in chromium.value("document.body.innerText")
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)


def test_it_can_be_printed(chromium: Browser, written: Path) -> None:
    chromium.open(written, dark=True)
    chromium.look(1000, dark=True, medium="print")
    background = "getComputedStyle(document.body).backgroundColor"
    assert chromium.value(background) == "rgb(255, 255, 255)"
    assert chromium.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    pages = chromium.printed().count(b"/Type /Page\n")
    assert 3 <= pages <= 20


def test_hostile_names(chromium: Browser, hostile: Path, exitsnoop: str, tmp_path: Path) -> None:
    """Names that try to be markup, to run, to load: the page shows them, and that is all."""
    written = tmp_path / "hostile.html"
    end = str(END_NS // 1_000_000_000)
    words = ["report", "--store", str(hostile), "--until", f"@{end}", "-o", str(written)]
    assert os.spawnv(os.P_WAIT, exitsnoop, [exitsnoop, *words]) == 0
    url = chromium.open(written)
    assert (chromium.requests, chromium.complaints) == ([url], [])
    tags = set(chromium.value("[...document.querySelectorAll('*')].map(e => e.tagName)"))
    assert not tags & {"IMG", "IFRAME", "B2", "OBJECT"}
    assert chromium.value("document.querySelectorAll('script').length") == 1
    assert chromium.value("document.title") == "<b2>host</b2>: how its processes ended"
    text = chromium.value("document.body.textContent")
    assert "<script>x()" in text
    assert "<img src=//e.c>" in text
    assert not re.search("[\u202e\x1b\x07]", text)
    handlers = (
        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
        ".filter(n => n.startsWith('on') || n == 'style' || n == 'src')"
    )
    assert chromium.value(handlers) == []
