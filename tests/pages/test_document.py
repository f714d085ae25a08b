"""docs/report.md shows the summary as it is, and its pictures."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_summary_is_what_is_shown() -> None:
    words = [sys.executable, "-B", str(ROOT / "tools" / "screenshots.py"), "--check"]
    assert subprocess.run(words, check=False).returncode == 0, "run tools/screenshots.py"


def test_the_pictures_are_there() -> None:
    text = (ROOT / "docs" / "report.md").read_text()
    names = re.findall(r"!\[.+\]\((report-\w+\.png)\)", text)
    assert len(names) == 4
    for name in names:
        assert (ROOT / "docs" / name).read_bytes().startswith(b"\x89PNG")
