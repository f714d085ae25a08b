"""What holds for each page that is opened in a browser: links, pictures, tables, the keyboard."""

from support.browser import Browser


def dead_links(page: Browser) -> object:
    """Return the links that lead out of the page, or to nothing in it."""
    return page.value(
        "[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"
        ".filter(h => !h.startsWith('#') || !document.getElementById(h.slice(1)))"
    )


def pictures_without_tables(page: Browser) -> object:
    """Return the sections that have a picture, but no table that says the same."""
    return page.value(
        "[...document.querySelectorAll('section')].filter(s => s.querySelector('figure') "
        "&& !s.querySelector('table')).map(s => s.id)"
    )


def focused_by_tab(page: Browser, length: int) -> list[str]:
    """Press Tab twelve times; return so much of each element that gets the focus, and shows it."""
    seen = []
    for _ in range(12):
        page.press("Tab", 9)
        seen.append(page.value(f"document.activeElement.outerHTML.slice(0, {length})"))
        outline = page.value("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen[-1]
    return seen
