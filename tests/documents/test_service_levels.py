"""docs/SERVICE_LEVELS.md names what is there: alerts, objectives, series, a panel; its example is an objective."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from logging_pkg.pipeline.slo import SLO_FILE, read_slos, slo_prometheus_rules
from logging_pkg.schemas import load_registry
from logging_pkg.stack.webhook import SILENCE_S

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/SERVICE_LEVELS.md").read_text(encoding="utf-8")
REGISTRY = load_registry()


def rules() -> list[dict[str, object]]:
    files = [*(ROOT / "loki/rules").glob("*.yaml"), *(ROOT / "loki/prometheus_rules").glob("*.yaml")]
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def promises() -> dict[str, str]:
    """Promise -> what watches it."""
    table = TEXT.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1] for row in rows[2:]}


def test_every_promise_is_watched_by_something_that_exists() -> None:
    """Alerts by their runbooks' links, objectives by name, recorded series and the panel."""
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    objectives = {slo.name for slo in read_slos(ROOT / SLO_FILE, SLO_FILE, REGISTRY)}
    watched = promises()
    assert len(watched) == 8
    dashboards = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "grafana/dashboards").glob("*.json"))
    named: set[str] = set()
    for promise, text in watched.items():
        of_alerts = set(re.findall(r"\]\(runbooks/(\w+)\.md\)", text))
        of_objectives = set(re.findall(r"objective `(\w+)`", text))
        panels = re.findall(r'"([^"]+)"', text.partition("panel")[2])
        assert of_alerts | of_objectives | set(panels), f"{promise}: nothing watches it; a test is no watch"
        assert of_alerts <= alerts
        assert set(re.findall(r"`(\w+:\w+:\w+)`", text)) <= recorded
        assert [panel for panel in panels if f'"title": "{panel}"' not in dashboards] == []
        named |= of_objectives
    assert named == objectives


def test_the_way_of_an_alert_is_watched_within_the_time_that_is_told() -> None:
    """PipelineAlive sees lines of 90 s at most, and its silence is told after 2 minutes: within the 5 that are promised."""
    alive = next(rule for rule in rules() if rule.get("alert") == "PipelineAlive")
    assert re.findall(r"\[(\w+)\] offset (\w+)", str(alive["expr"])) == [("1m", "30s")]
    text = promises()["a critical alert is delivered within 5 minutes"]
    assert "less than 90 s" in text
    assert f"for {SILENCE_S / 60:.0f} minutes" in text
    assert 90 + SILENCE_S < 300


def test_the_objectives_are_the_promises() -> None:
    """95 % within 500 ms, 1 % of errors: what the table says is what the file says."""
    by_name = {slo.name: slo for slo in read_slos(ROOT / SLO_FILE, SLO_FILE, REGISTRY)}
    latency, errors = by_name["key_routes_latency"], by_name["request_errors"]
    assert (latency.objective, latency.field, latency.op, latency.limit) == (0.95, "response_time_ms", "<=", "500")
    assert (errors.objective, errors.bad) == (0.99, "is_error != 0")


def test_the_burn_rates_in_the_document_are_those_of_the_rules() -> None:
    """The table of the person on call."""
    table = TEXT.partition("| alert | burn rate")[2].partition("\n\n")[0]
    told = re.findall(r"([\d.]+) over ", table)
    rule = next(rule for rule in rules() if rule.get("alert") == "RequestErrorsSloPage")
    ticket = next(rule for rule in rules() if rule.get("alert") == "RequestErrorsSloTicket")
    asked = [re.findall(r"avg_\w+{[^}]*} > ([\d.]+)", str(found["expr"])) for found in (rule, ticket)]
    assert told == [asked[0][0], asked[0][2], asked[1][0], asked[1][2]]
    assert all(pair[0] == pair[1] and pair[2] == pair[3] for pair in asked)


def test_the_example_is_an_objective(tmp_path: Path) -> None:
    """Added to the committed file as it stands in the document, it becomes two more alerts."""
    example = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
    path = tmp_path / "slos.yaml"
    path.write_text((ROOT / SLO_FILE).read_text() + "\n" + example)
    slos = read_slos(path, "slos.yaml", REGISTRY)
    assert slos[-1].name == "reports_latency"
    assert slo_prometheus_rules(slos).count("- alert: ReportsLatencySlo") == 2
