"""Kept: how much of the arguments, which may hold secrets, is written."""

import re
from collections.abc import Sequence

REDACTED = "***"


class Kept:
    """Decides which arguments are written.

    Args:
        args: whether any are written.
        redact: a regular expression, searched in the arguments joined by spaces. Its
            matches, or those of its groups if it has any, are replaced by "***". None: write all.

    Raises ValueError if redact is not a regular expression.

    Attributes:
        args: whether any are written.
        redacts: whether a part of them may be left out.
    """

    def __init__(self, *, args: bool = True, redact: str | None = None) -> None:
        self.args = args
        self.redacts = redact is not None
        try:
            self._secret = None if redact is None else re.compile(redact)
        except re.error as error:
            raise ValueError(f"{redact!r} is not a regular expression: {error}") from None

    def of(self, args: Sequence[str] | None) -> Sequence[str] | None:
        """Return the arguments to write; None for none."""
        if not self.args or args is None:
            return None
        if self._secret is None:
            return args
        line = " ".join(args)
        spans = [
            match.span(group)
            for match in self._secret.finditer(line)
            for group in (range(1, self._secret.groups + 1) if self._secret.groups else (0,))
            if match.start(group) < match.end(group)
        ]
        return _without(args, spans) if spans else args


def _without(args: Sequence[str], spans: list[tuple[int, int]]) -> list[str]:
    """Return arguments without the parts that lie in the spans of their joined text."""
    kept = []
    at = 0
    for arg in args:
        secret = [
            any(start <= at + place < end for start, end in spans) for place in range(len(arg))
        ]
        text = ""
        for place, character in enumerate(arg):
            if not secret[place]:
                text += character
            elif place == 0 or not secret[place - 1]:
                text += REDACTED
        kept.append(text)
        at += len(arg) + 1
    return kept
