"""Arguments -> rows of the table `images`, each once, as far as they are remembered."""

from collections.abc import Sequence
from json.encoder import encode_basestring as quoted
from typing import Any

from exitsnoop.model.context import Image
from exitsnoop.store.alike import SHORT, Alike
from exitsnoop.store.inserts import Inserts, Shape
from exitsnoop.store.redact import Kept

_ARGS: Shape = ("images", ("args",))
_CUT_ARGS: Shape = ("images", ("args", "truncated"))
_AGAIN: Shape = ("images", ("base", "old", "new"))
_ALIKE: Shape = ("images", ("base", "old", "new", "shared", "args"))
_MOST_REMEMBERED = 512  # they may be long


class Arguments:
    """Numbers arguments, and makes a row for each that is new.

    Args:
        kept: decides what is written of them.
        rows: where the rows go.
        count: how many the table has.

    Attributes:
        bytes: the size of those in `rows`, until the caller resets it.
    """

    def __init__(self, kept: Kept, rows: Inserts, count: int) -> None:
        self.bytes = 0
        self._kept = kept
        self._rows = rows
        self._next = count + 1
        # Whole ones by their bytes; others also by whether they are cut.
        self._known: dict[Any, int] = {}
        self._alike = Alike()

    def numbers(self, images: Sequence[Image | None]) -> list[int | None]:
        """Return the number of the arguments of each image; None if not known, or not kept."""
        if not self._kept.args:
            return [None] * len(images)
        known = self._known
        new = {image.raw_args: image for image in images if image and image.raw_args not in known}
        if new and not self._kept.redacts:
            short: dict[bytes, Image] = {}
            long: dict[bytes, Image] = {}
            for raw, image in new.items():
                if raw is not None and not image.args_truncated:
                    (short if len(raw) < SHORT else long)[raw] = image
            if short:
                self._add_short(short)
            if long:
                self._add_again(long)
        return [
            None
            if image is None
            else (not image.args_truncated and known.get(image.raw_args)) or self._number(image)
            for image in images
        ]

    def _add_short(self, new: dict[bytes, Image]) -> None:
        """Number arguments that are not worth to be compared with others."""
        texts = [image.args_as_json(quoted, ",") for image in new.values()]
        first = self._next
        self._next = following = first + len(new)
        self.bytes += sum(map(len, texts))
        self._known.update(zip(new, range(first, following), strict=True))
        self._rows[_ARGS] += zip(range(first, following), texts, strict=True)

    def _add_again(self, new: dict[bytes, Image]) -> None:
        """Number arguments that differ from others in one word, as others did before."""
        again, known, number = self._alike.again, self._known, self._next
        rows = []
        for raw, image in new.items():
            if found := again(image.exe, raw):
                rows.append((number, *found))
                known[raw] = number
                number += 1
        if rows:
            self._next = number
            self._rows[_AGAIN] += rows

    def _number(self, image: Image) -> int | None:
        raw = image.raw_args
        if raw is None or image.args_truncated or self._kept.redacts:
            return self._other_args(image)
        number = self._known[raw] = self._long_args(image, raw)
        return number

    def _other_args(self, image: Image) -> int | None:
        """Number arguments that are not whole as they came, or of which a part may be left out."""
        args = image.args if image.raw_args is None else image.raw_args
        if args is None:
            return None
        number = self._known.get((args, image.args_truncated))
        if number is None:
            text = as_json(self._kept.of(image.args) or ())
            number = self._new_args(text, image.args_truncated)
            self._known[args, image.args_truncated] = number
        return number

    def _long_args(self, image: Image, raw: bytes) -> int:
        again = self._alike.again(image.exe, raw)
        if again:
            return self._new(_AGAIN, *again)
        text = image.args_as_json(quoted, ",")
        found = self._alike.difference(image.exe, raw, text)
        if found:
            self.bytes += len(found.rest)
            return self._new(_ALIKE, *found)
        number = self._new_args(text)
        self._alike.keep(image.exe, raw, text, number)
        return number

    def _new_args(self, text: str, truncated: bool | None = False) -> int:
        self.bytes += len(text)
        if truncated is False:
            return self._new(_ARGS, text)
        return self._new(_CUT_ARGS, text, truncated and 1)

    def _new(self, shape: Shape, *cells: Any) -> int:
        number = self._next
        self._next = number + 1
        self._rows[shape].append((number, *cells))
        return number

    def shrink(self) -> None:
        """Forget them all if they are too many."""
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()


def as_json(words: Sequence[str]) -> str:
    """Return what json.dumps() returns with ensure_ascii=False and no spaces, at half its cost."""
    return f"[{','.join([quoted(utf8(word)) for word in words])}]"


def utf8(cell: Any) -> Any:
    """Return a text as it can be stored: a lone surrogate has no UTF-8."""
    if isinstance(cell, str) and not cell.isascii():
        return cell.encode("utf-8", "replace").decode()
    return cell
