"""HTML, made of elements: the only place where text becomes markup.

Text is escaped unless it is Markup, which only element() and joined() make. So no name of a process
can add an element, an attribute, or a link.
"""

from collections.abc import Iterable
from html import escape as _html

from exitsnoop.sinks.escape import escape


class Markup(str):
    """HTML."""

    __slots__ = ()


_VOID = {"meta", "input", "br", "col"}


def element(tag: str, *children: str | None, **attributes: str | float | None) -> Markup:
    """Return an element.

    Args:
        tag: its name.
        children: Markup, or text; None is left out.
        attributes: class_ stands for class, data_name for data-name; None is left out. A value is
            text, also if it is Markup.
    """
    given = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_text(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{joined(children)}</{tag}>")


def joined(children: Iterable[str | None]) -> Markup:
    """Return several one after another; text is escaped, None is left out."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else _text(child)
            for child in children
            if child is not None
        )
    )


def _text(text: str) -> str:
    """Return text as HTML. What does not print is shown by its bytes."""
    if not text.isprintable():
        text = "\n".join(
            line if line.isprintable() else escape(line, spaces=False) for line in text.split("\n")
        )
    return _html(text, quote=True)


def verbatim(tag: str, content: str) -> Markup:
    """Return a style or a script: of our own, so not escaped."""
    assert "</" not in content  # noqa: S101 - it would end there
    return Markup(f"<{tag}>{content}</{tag}>")
