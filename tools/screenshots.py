#!/usr/bin/env python3
"""Makes what docs/report.md, timeline.md and top.md show: of a fortnight and a build, made up.

    tools/screenshots.py            the summary in docs/report.md, and all pictures, by Chromium
    tools/screenshots.py --check    compare the summary: status 1 if it differs

Nothing in them depends on the machine or the time, except the fonts of the system.
"""

import argparse
import html
import os
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import builds, fortnight  # noqa: E402
from support.browser import Browser, browser  # noqa: E402
from support.screens import screen  # noqa: E402

from exitsnoop.pages import page as report  # noqa: E402
from exitsnoop.pages.digest import Digest  # noqa: E402
from exitsnoop.pages.timeline import page as timeline  # noqa: E402
from exitsnoop.reports.overview.gather import gather  # noqa: E402
from exitsnoop.reports.overview.period import period  # noqa: E402
from exitsnoop.sinks.palette import BACKGROUND, GAP, OUTCOMES, WELL  # noqa: E402
from exitsnoop.store.recording import Recording  # noqa: E402

SECOND_NS = 1_000_000_000
END_NS = 1_795_744_800 * SECOND_NS  # 2026-11-27 02:00 UTC
WEEK_NS = 7 * 86_400 * SECOND_NS
EXITS = 20_000
DOCUMENT = ROOT / "docs" / "report.md"
BEGIN, END = (
    "<!-- made by tools/screenshots.py -->\n```console\n$ exitsnoop report\n",
    "```\n<!-- end -->\n",
)
# The name, the width, the scheme, where the picture begins, its height.
Pictures = tuple[tuple[str, int, bool, str, int], ...]
REPORT: Pictures = (
    ("report-light", 1280, False, "", 1290),
    ("report-more", 1280, False, "crashes", 1420),
    ("report-dark", 1280, True, "", 860),
    ("report-narrow", 400, False, "", 1380),
)
TIMELINE: Pictures = (
    ("timeline-light", 1280, False, "", 1300),
    ("timeline-more", 1280, False, "path", 860),
    ("timeline-dark", 1280, True, "", 960),
    ("timeline-narrow", 400, False, "", 1300),
)
TOP: Pictures = (("top", 760, True, "", 512),)
SHADES = {one.terminal: one.dark for one in (*OUTCOMES.values(), GAP, WELL)}
COLOR = re.compile(r"\x1b\[([\d;]*)m")


def main() -> int:
    """Make them, or compare; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Make what docs/report.md, timeline.md and top.md show."
    )
    parser.add_argument("--check", action="store_true", help="compare the summary only")
    check = parser.parse_args().check
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory(prefix="exitsnoop-screenshots-") as name:
        folder = Path(name)
        fortnight.record(folder / "store", END_NS + SECOND_NS, EXITS)
        week = period(END_NS - WEEK_NS, END_NS, WEEK_NS, END_NS)
        overview = gather(Recording(folder / "store"), week, lambda _: None)
        summary = Digest(overview, color=False, utf8=True).text()
        text = DOCUMENT.read_text(encoding="utf-8")
        before, _, rest = text.partition(BEGIN)
        shown, _, after = rest.partition(END)
        if check:
            return int(shown != summary)
        DOCUMENT.write_text(f"{before}{BEGIN}{summary}{END}{after}", encoding="utf-8")
        with browser(folder) as chromium:
            _photograph(chromium, folder, report.page(overview, "1.0"), REPORT)
            _photograph(chromium, folder, timeline.page(builds.project(), "1.0"), TIMELINE)
            _photograph(chromium, folder, _terminal(_top(folder)), TOP)
    return 0


def _photograph(chromium: Browser, folder: Path, content: str, pictures: Pictures) -> None:
    written = folder / "page.html"
    written.write_text(content, encoding="utf-8")
    for picture, width, dark, part, height in pictures:
        chromium.open(written, width=width, dark=dark)
        path = DOCUMENT.with_name(f"{picture}.png")
        path.write_bytes(chromium.picture(part, height))


def _top(folder: Path) -> list[str]:
    """Return what `exitsnoop top` shows in tmux, with its colors."""
    command = [sys.executable, "-m", "exitsnoop", "top", "--by", "unit"]
    words = ["env", "-C", str(folder), "TERM=screen-256color", *command, "--store", "store"]
    with screen(folder, [*words, "--until", f"@{END_NS // SECOND_NS}"]) as shown:
        shown.write("+")
        shown.wait("In 60 min", "api.service", "LOOP")
        return shown.lines(colors=True)


def _terminal(lines: list[str]) -> str:
    """Return a page that looks like a terminal with these lines."""
    body = ""
    style: dict[str, str] = {}
    for part, code in _parts("\n".join(lines)):
        body += f'<span style="{";".join(style.values())}">{html.escape(part)}</span>'
        numbers = code.split(";")
        if numbers[:2] == ["38", "5"]:
            style["color"] = f"color:{SHADES[int(numbers[2])]}"
        elif code == "1":
            style["bold"] = "font-weight:bold"
        elif code == "7":
            style["back"] = "filter:invert(1);background:inherit"
        elif code == "39":
            style.pop("color", None)
        else:
            style = {}
    pre = f"background:{BACKGROUND.dark};color:#e6e8eb;padding:16px;margin:0;line-height:20px"
    return (
        '<!doctype html><meta charset="utf-8"><body style="margin:0">'
        f'<pre style="{pre};font-size:14px;font-family:DejaVu Sans Mono,monospace">{body}</pre>'
    )


def _parts(text: str) -> list[tuple[str, str]]:
    """Return the texts, each with the code of the color after it."""
    found = COLOR.split(text)
    return list(zip(found[::2], [*found[1::2], "0"], strict=True))


if __name__ == "__main__":
    sys.exit(main())
