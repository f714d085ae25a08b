"""The keywords of Tracer and trace(), for inspect.signature()."""

from inspect import Parameter, Signature
from typing import get_type_hints

from exitsnoop.filters.filters import EVERYTHING, Filters
from exitsnoop.filters.keywords import FilterOptions


def signature(**more: tuple[object, object]) -> Signature:
    """Return a signature with a keyword for each filter, and for more: (default, type) by name."""
    types = get_type_hints(FilterOptions)
    keywords = {name: (default, types[name]) for name, default in EVERYTHING.items()} | more
    filters = Parameter(
        "filters", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Filters | None
    )
    return Signature(
        [
            filters,
            *(
                Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
                for name, (default, kind) in keywords.items()
            ),
        ]
    )
