"""Paragraphs -> lines of 80 columns."""

import re
from collections.abc import Sequence
from textwrap import wrap

WIDTH = 80
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:us|ms|s|min|h|d)\b)")  # no line ends there


def laid_out(
    rows: Sequence[tuple[str, Sequence[str]]], label_width: int, *, ascii_only: bool
) -> str:
    """Return labels with their paragraphs beside them; those without a label take the whole width.

    ascii_only: escape what is not ASCII, for a reader that does not take UTF-8.
    """
    lines = []
    for label, paragraphs in rows:
        room = WIDTH - (label_width if label else 0)
        found = [line for part in paragraphs for line in wrapped(part, room, ascii_only=ascii_only)]
        for nth, line in enumerate(found):
            start = (label if nth == 0 else "").ljust(label_width) if label else ""
            lines.append(f"{start}{line}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def wrapped(
    paragraph: str, room: int, *, ascii_only: bool, break_long_words: bool = True
) -> list[str]:
    """Return the lines of a paragraph, or of a line in a list, which begins with a space or ">".

    break_long_words: whether a word is broken that is longer than a line: not a path.
    """
    if ascii_only:  # first: what is escaped is longer
        paragraph = paragraph.encode("ascii", "backslashreplace").decode()
    indent = " " * (16 if paragraph[:2] in ("  ", "> ") else 2)
    together = _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", paragraph)
    lines = wrap(
        together,
        room,
        break_on_hyphens=False,
        break_long_words=break_long_words,
        subsequent_indent=indent,
    )
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
