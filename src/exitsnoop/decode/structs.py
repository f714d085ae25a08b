"""The structs of event.h for the module struct."""

from struct import Struct, calcsize

from exitsnoop.layout import STRUCTS


def whole(name: str) -> Struct:
    """Return a struct of event.h, without its `parts`. Its fields are the keys of STRUCTS[name]."""
    return Struct("=" + "".join(STRUCTS[name].values()))


def span(name: str, first: str, last: str) -> slice:
    """Return where a struct of event.h has the fields from the first to the last one."""
    codes = STRUCTS[name]
    fields = list(codes)
    before, after = fields.index(first), fields.index(last) + 1
    sizes = [calcsize(f"={code}") for code in codes.values()]
    return slice(sum(sizes[:before]), sum(sizes[:after]))


def only(name: str, *fields: str) -> Struct:
    """Return a struct of event.h that unpacks only these fields, in this order.

    Raises ValueError if that is not their order in event.h.
    """
    codes = STRUCTS[name]
    if [field for field in codes if field in fields] != list(fields):
        raise ValueError(f"{name} has no {', '.join(fields)} in this order")
    return Struct(
        "=" + "".join(c if field in fields else f"{calcsize(c)}x" for field, c in codes.items())
    )
