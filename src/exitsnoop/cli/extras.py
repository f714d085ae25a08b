"""Libraries that only some options need, and that are installed with an extra of the package."""

from collections.abc import Iterator
from contextlib import contextmanager

from exitsnoop.cli.options import refuse


@contextmanager
def needed_by(options: str, extra: str) -> Iterator[None]:
    """Import what a library is needed for while the block runs.

    Args:
        options: the options and their verb: "--otlp needs".
        extra: what brings the library.

    Raises UsageError if the library is missing; ImportError if a part of exitsnoop is.
    """
    try:
        yield
    except ImportError as error:
        if error.name and error.name.startswith("exitsnoop"):
            raise
        refuse(f"{options} a library: pip install 'exitsnoop[{extra}]'")
