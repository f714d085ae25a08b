"""docs/prometheus.md and docs/journal.md say what there is, and their commands can be typed."""

import re
import shlex
from pathlib import Path

import pytest
from support.command import run
from support.recorded import record
from support.services import free_port
from support.shipping import made

from exitsnoop.ship import entries
from exitsnoop.ship.families import COUNTED, STANDING, Family

ROOT = Path(__file__).parents[2]
METRICS = (ROOT / "docs" / "prometheus.md").read_text()
JOURNAL = (ROOT / "docs" / "journal.md").read_text()


@pytest.mark.parametrize("family", [*COUNTED, *STANDING], ids=lambda family: family.name)
def test_each_metric_has_a_row_with_its_labels(family: Family) -> None:
    name = f"{family.name}_total" if family.kind == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in family.labels)
    assert f"| `{name}` | {labels} |".replace("|  |", "| |") in METRICS


def test_each_alert_has_a_row() -> None:
    rules = (ROOT / "packaging" / "prometheus" / "exitsnoop.rules.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", rules)
    assert re.findall(r"`(Exitsnoop\w+)`", METRICS) == alerts


def test_the_commands_about_metrics_work(exitsnoop: str, store: Path, tmp_path: Path) -> None:
    record(store, made(range(1, 11)))
    lines = re.findall(r"^ +exitsnoop (ship .*)$", METRICS, re.M)
    assert len(lines) == 2
    for nth, line in enumerate(lines):
        here = re.sub(r"/var/lib/prometheus/node-exporter", str(tmp_path), line)
        words = shlex.split(here.replace(":9787", f":{free_port()}"))
        state = str(tmp_path / f"state{nth}")
        found = run(exitsnoop, *words, "--once", "--store", str(store), "--state", state)
        assert found.returncode == 0, found.stderr
    assert "exitsnoop_deaths_total" in (tmp_path / "exitsnoop.prom").read_text()


def test_each_field_of_an_entry_is_named() -> None:
    fields = set(re.findall(r'"((?:EXITSNOOP|CONTAINER)_\w+)"', Path(entries.__file__).read_text()))
    named = set(re.findall(r"`(CONTAINER_\w+)`", JOURNAL))
    named |= {f"EXITSNOOP{name}" for name in re.findall(r"`(?:EXITSNOOP)?(_[A-Z_]+)`", JOURNAL)}
    assert named == fields
