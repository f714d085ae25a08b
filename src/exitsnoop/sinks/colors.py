"""Colors of a terminal."""

from exitsnoop.sinks.width import width_of

BOLD, RESET = "\033[1m", "\033[0m"


def painted(text: str, color: str, width: int = 0) -> str:
    """Return the text in a color, padded to a width with spaces without color."""
    return f"{color}{text}{RESET}{' ' * (width - width_of(text))}"
