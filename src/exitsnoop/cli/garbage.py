"""When Python looks for garbage: not before a verb is at work; see main()."""

import gc


def enable() -> None:
    """Look for it from now on, but not among what the start has made."""
    gc.freeze()
    gc.enable()
