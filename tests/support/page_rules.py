"""What holds for each page that is opened in a browser: its links, its pictures, its tables."""

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
