"""The alerts and the dashboard of packaging/: by promtool, and against what is counted."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.machine import need
from support.services import need_program

from exitsnoop.ship.families import COUNTED, STANDING

HERE = Path(__file__).parent
PACKAGING = HERE.parents[1] / "packaging"
RULES = PACKAGING / "prometheus" / "exitsnoop.rules.yml"
DASHBOARD = PACKAGING / "grafana" / "exitsnoop.json"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
SERIES = {
    f"exitsnoop_{family.name}{suffix}": {*family.labels, "instance", "job", "le"}
    for family in (*COUNTED, *STANDING)
    for suffix in SUFFIXES[family.kind]
}


def promtool(*words: object) -> "subprocess.CompletedProcess[str]":
    command = [need_program("promtool"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_alerts_fire_when_they_should() -> None:
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", *sorted(HERE.glob("*.test.yml")))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    tests = "".join(path.read_text() for path in HERE.glob("*.test.yml"))
    fired = set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n +- exp_labels", tests))
    assert alerts == fired
    assert len(alerts) > 8


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def asked_by_the_dashboard() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", [])]


def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    """As recording rules, with a time in the place of Grafana's variables."""
    rules = [
        {"record": f"asked:{nth}", "expr": re.sub(r"\$__\w+", "5m", expression)}
        for nth, expression in enumerate(asked_by_the_dashboard())
    ]
    assert len(rules) > 15
    file = tmp_path / "asked.yml"
    file.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("text", [*asked_by_the_dashboard(), RULES.read_text()])
def test_only_series_that_there_are_are_asked_for(text: str) -> None:
    for name, conditions in re.findall(r"\b(exitsnoop_\w+)(\{[^}]*\})?", text):
        assert name in SERIES
        assert set(re.findall(r"(\w+) *[!=]~?\"", conditions or "")) <= SERIES[name]


def test_the_dashboard_shows_every_family() -> None:
    shown = set(re.findall(r"exitsnoop_\w+", DASHBOARD.read_text()))
    left_out = {"exitsnoop_last_death_timestamp_seconds", "exitsnoop_ship_records_total"}
    for family in (*COUNTED, *STANDING):
        names = {f"exitsnoop_{family.name}{suffix}" for suffix in SUFFIXES[family.kind]}
        assert names & (shown | left_out), family.name


def test_no_panel_covers_another() -> None:
    taken = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_grafanas_own_types_hold_the_dashboard() -> None:
    """Read into them and written again, nothing is lost of what the panels show."""
    try:
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.cog.plugins import register_default_plugins
        from grafana_foundation_sdk.models.dashboard import Dashboard
    except ImportError:
        need(False, "grafana-foundation-sdk, which takes Python 3.11")
    register_default_plugins()
    read = json.loads(DASHBOARD.read_text())
    written = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(read)))
    for before, after in zip(read["panels"], written["panels"], strict=True):
        for name in ("type", "title", "description", "gridPos", "targets", "fieldConfig"):
            assert after.get(name) == before.get(name), before["title"]
    names = [variable["name"] for variable in written["templating"]["list"]]
    assert names == ["datasource", "instance", "namespace", "workload"]
