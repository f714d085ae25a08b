#!/usr/bin/env python3
"""Makes the pictures of docs/report.md: the page of a made-up fortnight, in Chromium.

    tools/screenshots.py [DIRECTORY]    docs by default

Nothing in them depends on the machine or the time, except the fonts of the system.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import fortnight  # noqa: E402
from support.browser import browser  # noqa: E402

from exitsnoop.pages.page import page  # noqa: E402
from exitsnoop.reports.overview.gather import gather  # noqa: E402
from exitsnoop.reports.overview.period import period  # noqa: E402
from exitsnoop.store.recording import Recording  # noqa: E402

SECOND_NS = 1_000_000_000
END_NS = 1_795_744_800 * SECOND_NS  # 2026-11-27 02:00 UTC
WEEK_NS = 7 * 86_400 * SECOND_NS
EXITS = 40_000
# The name, the width, the scheme, where the picture begins, its height.
PICTURES = (
    ("report-light", 1280, False, "", 1290),
    ("report-dark", 1280, True, "", 1290),
    ("report-more", 1280, False, "crashes", 1500),
    ("report-narrow", 400, False, "", 1500),
)


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/report.md.")
    parser.add_argument("directory", nargs="?", default=ROOT / "docs", type=Path)
    directory = parser.parse_args().directory
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory(prefix="exitsnoop-screenshots-") as name:
        folder = Path(name)
        fortnight.record(folder / "store", END_NS + SECOND_NS, EXITS)
        week = period(END_NS - WEEK_NS, END_NS, WEEK_NS, END_NS)
        overview = gather(Recording(folder / "store"), week, lambda _: None)
        written = folder / "week.html"
        written.write_text(page(overview, "1.0"), encoding="utf-8")
        with browser(folder) as chromium:
            for picture, width, dark, part, height in PICTURES:
                chromium.open(written, width=width, dark=dark)
                content = chromium.picture(part, height)
                (directory / f"{picture}.png").write_bytes(content)


if __name__ == "__main__":
    main()
