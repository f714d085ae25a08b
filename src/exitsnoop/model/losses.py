"""Exits that are missing, in words. It imports nothing: a start needs it."""


def why_lost(lost: int, undecided: int) -> list[str]:
    """Return in words why exits are missing: of so many `lost`, a filter left out `undecided`."""
    reasons = (
        (lost - undecided, "they came too fast to be read"),
        (undecided, "the path of their cgroup was not read in full, so a filter could not decide"),
    )
    return [
        f"{'1 exit was' if count == 1 else f'{count} exits were'} lost: {why}"
        for count, why in reasons
        if count
    ]
