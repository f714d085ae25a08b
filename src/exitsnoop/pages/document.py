"""A page: one HTML file that needs nothing else, and may do nothing else."""

import base64
import hashlib
from collections.abc import Mapping

from exitsnoop.pages.markup import Markup, element, verbatim
from exitsnoop.pages.style import SCRIPT, STYLE


def document(title: str, first: str, *content: Markup) -> str:
    """Return the page.

    Args:
        title: what it is about.
        first: the name of its first part, to which a link leads over what is above.
        content: what is in its body.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        verbatim("style", STYLE),
    )
    skip = element("a", "Skip to the figures", href=f"#{first}", class_="skip")
    body = element("body", skip, _hatch(), *content, verbatim("script", SCRIPT))
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def contents(parts: Mapping[str, str]) -> Markup:
    """Return links to the parts of the page: their names and titles."""
    links = (element("li", element("a", words, href=f"#{name}")) for name, words in parts.items())
    return element("nav", element("ul", *links), aria_label="Parts of this page")


def _policy() -> str:
    """Return what the page may do: show its own style, and run its own script."""
    style, script = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for content in (STYLE, SCRIPT)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hatch() -> Markup:
    """Return the pattern that stands for time which was not recorded."""
    pattern = element(
        "pattern",
        element("rect", class_="hatch-back", width=6, height=6),
        element("path", d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5", class_="hatch"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    )
    return element("svg", element("defs", pattern), width=0, height=0, aria_hidden="true")
