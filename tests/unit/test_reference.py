"""docs/commands.md is what the command line says of itself."""

import runpy
from pathlib import Path

from exitsnoop.cli.parser import parser
from exitsnoop.cli.statuses import STATUSES
from exitsnoop.cli.verbs import VERBS, verb_parser
from exitsnoop.filters.table import FILTERS

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "reference.py"


def test_the_reference_is_not_stale() -> None:
    made = runpy.run_path(str(TOOL))["document"]()
    assert (ROOT / "docs" / "commands.md").read_text() == made, "run tools/reference.py"


def test_the_reference_has_everything() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    for made in (parser(), *map(verb_parser, VERBS)):
        for action in made._actions:
            assert all(flag in text for flag in action.option_strings)
            assert (action.help or "").replace("%%", "%") in text
    for row in FILTERS:
        assert f"| `{row.name}` |" in text
    for number, meaning in STATUSES:
        assert f"| {number} | {meaning} |" in text
