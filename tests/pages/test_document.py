"""docs/report.md shows the summary as it is, and the documents their pictures."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_summary_is_what_is_shown() -> None:
    words = [sys.executable, "-B", str(ROOT / "tools" / "screenshots.py"), "--check"]
    assert subprocess.run(words, check=False).returncode == 0, "run tools/screenshots.py"


@pytest.mark.parametrize("name", ["report", "timeline"])
def test_the_pictures_are_there(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    names = re.findall(rf"!\[.+\]\(({name}-\w+\.png)\)", text)
    assert len(names) == 4
    for name in names:
        assert (ROOT / "docs" / name).read_bytes().startswith(b"\x89PNG")
